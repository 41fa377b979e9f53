//! What of one word is a parameter by its looks alone.

/// What a byte is to the reader of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Blanks and control characters.
    Blank,
    /// Letters, the underscore, and whatever is not ASCII.
    Letter,
    Digit,
    /// A mark that may stand within a word: `.`, `-`, `/`, …
    Inner,
    /// A mark that stands alone: brackets, quotes, `=`, `:`, …
    Mark,
}

/// The class of each byte.
pub(super) const CLASS: [Class; 256] = {
    let mut table = [Class::Blank; 256];
    let mut byte = 0_usize;
    while byte < 256 {
        #[expect(clippy::cast_possible_truncation, reason = "below 256")]
        let ascii = byte as u8;
        table[byte] = match ascii {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | 0x80..=0xff => Class::Letter,
            b'0'..=b'9' => Class::Digit,
            b'.' | b'-' | b'/' | b'@' | b'$' | b'%' | b'\\' | b'~' | b'*' | b'+' | b'&' | b'!' | b'?' | b'#' | b'^'
            | b'`' => Class::Inner,
            0x21..=0x7e => Class::Mark,
            _ => Class::Blank,
        };
        byte += 1;
    }
    table
};

/// A word from this length on that looks like a hash or an identifier is one.
const MIN_HEX: usize = 8;

/// What remains of a word: `literal` bytes from its beginning, then, if `masked`, a parameter; and how many marks at
/// its end belong to the sentence and not to the word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Masked {
    pub(super) literal: usize,
    pub(super) masked: bool,
    /// Bytes of the word without the marks at its end.
    pub(super) length: usize,
}

/// Masks a word, which is a run of letters, digits and inner marks.
///
/// * A path is a parameter: it begins with a slash, or has two of them, or a backslash.
/// * So is an address of mail or of a user: `name@host`.
/// * A number is one, and all that follows it in the word: `blk_-12`, `node-7.lan`, `0x7f`, `v1.2-rc3`. What stands
///   before it names what is counted, and stays.
/// * The name of a class stays as it is, with the versions in its package: `mapred.v2.Job`.
/// * Letters right behind a number that stands right behind letters make the whole a parameter: it is a hash. But one
///   digit alone among letters is part of a name: `log4j`, `jk2_init`.
#[inline]
pub(super) fn mask(word: &[u8]) -> Masked {
    let ends = word.iter().rposition(|byte| !matches!(byte, b'.' | b'!' | b'?'));
    let Some(last) = ends else { return Masked { literal: word.len(), masked: false, length: word.len() } };
    let length = last + 1;
    let word = &word[..length];
    let all = Masked { literal: 0, masked: true, length };
    let none = Masked { literal: length, masked: false, length };
    let (mut first_digit, mut digits, mut slashes, mut at_sign, mut hex) = (usize::MAX, 0_usize, 0_usize, false, true);
    for (at, &byte) in word.iter().enumerate() {
        match CLASS[usize::from(byte)] {
            Class::Letter => hex &= byte.is_ascii_hexdigit(),
            Class::Digit => {
                first_digit = first_digit.min(at);
                digits += 1;
            }
            _ => match byte {
                b'/' => slashes += 1,
                b'\\' => slashes += 2,
                b'@' => at_sign = at > 0 && at < last,
                b'-' => {}
                _ => hex = false,
            },
        }
    }
    if slashes >= 2 || (slashes == 1 && word[0] == b'/' && length > 1) {
        return all;
    }
    if first_digit == usize::MAX {
        return if at_sign && word[0] != b'@' { all } else { none };
    }
    if first_digit == 0 || (hex && length >= MIN_HEX) {
        return all;
    }
    let is_letter = |at: usize| word.get(at).is_some_and(|&byte| CLASS[usize::from(byte)] == Class::Letter);
    if is_letter(first_digit - 1) {
        if digits == 1 && is_letter(first_digit + 1) {
            return none;
        }
        let after = word[first_digit..].iter().position(|byte| !byte.is_ascii_digit());
        if after.is_some_and(|after| word[first_digit + after].is_ascii_alphabetic()) {
            return all;
        }
    }
    if is_class(word) {
        return none;
    }
    // A sign belongs to the number.
    let literal = word[..first_digit].iter().rposition(|byte| !matches!(byte, b'-' | b'+')).map_or(0, |at| at + 1);
    Masked { literal, masked: true, length }
}

/// Whether a word is names with dots between them of which the last begins with a capital and has no digit.
fn is_class(word: &[u8]) -> bool {
    let mut last: &[u8] = b"";
    let mut names = 0;
    // `*v1.Pod` points to one.
    let word = word.strip_prefix(b"*").unwrap_or(word);
    for name in word.split(|byte| *byte == b'.') {
        if !name.first().is_some_and(u8::is_ascii_alphabetic) {
            return false;
        }
        (last, names) = (name, names + 1);
    }
    names > 1 && last[0].is_ascii_uppercase() && !last.iter().any(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(word: &str) -> String {
        let masked = mask(word.as_bytes());
        let parameter = if masked.masked { "<*>" } else { "" };
        format!("{}{parameter}{}", &word[..masked.literal], &word[masked.length..])
    }

    #[test]
    fn numbers_addresses_and_paths_are_parameters() {
        for word in ["7", "-1", "+3.5", "0x7fed", "10.0.0.1", "1.2.3-rc4", "3f9ab", "/", "bf12-ab7bcd", "a1b2c3"] {
            let expected = if word == "/" { "/" } else { "<*>" };
            assert_eq!(shown(word), expected, "{word}");
        }
        for word in ["/var/log", "/tmp", "a/b/c", r"C\x", "joe@example.org", "deadbeef12"] {
            assert_eq!(shown(word), "<*>", "{word}");
        }
    }

    #[test]
    fn what_names_a_number_stays() {
        for (word, expected) in [
            ("blk_-123", "blk_<*>"),
            ("node-12.lan", "node<*>"),
            ("ssh2", "ssh<*>"),
            ("@0x7f", "@<*>"),
            ("v6.1.7601.", "v<*>."),
            ("plan-dev-v102.md", "plan-dev-v<*>"),
        ] {
            assert_eq!(shown(word), expected);
        }
    }

    #[test]
    fn names_stay() {
        for word in [
            "log4j",
            "jk2_init",
            "Slf4jLogger",
            "org.mapred.v2.impl.Job",
            "I/O",
            "and/or",
            "BREAK-IN",
            "a.b.C$D",
            "...",
            "done!",
            "@",
            "é",
        ] {
            assert_eq!(shown(word), word);
        }
    }
}
