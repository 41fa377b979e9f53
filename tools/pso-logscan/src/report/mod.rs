//! What was found, as records, and how bad it is.

mod counts;
mod coverage;
pub(crate) mod sum;
pub(crate) mod templates;

use pso_common::record::RawBytes;

use crate::scan::tally::Excerpt;

pub(crate) use counts::{OTHER_SAYS, classes, count_name, event};
pub(crate) use coverage::{coverage, twin, unread};

/// What was read of all inputs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Extent {
    /// Inputs that were read, wholly or in part.
    pub(crate) read: u64,
    /// Inputs of which something could not be read.
    pub(crate) unread: u64,
    /// Lines that were read.
    pub(crate) lines: u64,
    /// Lines within the window.
    pub(crate) inside: u64,
}

/// So many of something whose plural has an s.
pub(crate) fn many(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// The line as text, what was cut off counted at its end, and its bytes where they are not UTF-8.
pub(crate) fn text(line: &Excerpt) -> (String, Option<RawBytes>) {
    // A cut may have split a character, and that alone is no reason to keep the bytes.
    let whole = match std::str::from_utf8(&line.bytes) {
        Err(error) if line.cut > 0 && error.error_len().is_none() => error.valid_up_to(),
        _ => line.bytes.len(),
    };
    let (mut text, raw) = RawBytes::split(&line.bytes[..whole]);
    let cut = line.cut + line.bytes.len() - whole;
    if cut > 0 {
        text.push_str(&format!(" … ({cut} bytes more)"));
    }
    (text, raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_line_says_so() {
        let excerpt = |line: &[u8], max| text(&Excerpt::of(line, max));
        assert_eq!(excerpt(b"whole", 5), ("whole".to_owned(), None));
        assert_eq!(excerpt(b"longer", 5), ("longe … (1 bytes more)".to_owned(), None));
        assert_eq!(excerpt("Échec é".as_bytes(), 8), ("Échec  … (2 bytes more)".to_owned(), None));
        assert_eq!(excerpt(b"caf\xe9", 9), ("caf\u{fffd}".to_owned(), Some(RawBytes(b"caf\xe9".to_vec()))));
    }
}
