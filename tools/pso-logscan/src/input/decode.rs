//! Packed and encoded bytes as UTF-8 text.

use std::io::{self, Cursor, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::input::gzip::Gzip;
use crate::input::lead::{Lead, head};
use crate::input::utf16::Utf16;

/// The text of an input, and what can be known of its packing while or after it was read.
pub(crate) struct Decoded {
    /// The text, from its beginning on, without a byte order mark.
    pub(crate) text: Box<dyn Read + Send>,
    pub(crate) tally: Arc<Packed>,
}

/// What was read of the packed bytes.
#[derive(Debug, Default)]
pub(crate) struct Packed {
    read: AtomicU64,
    garbage: Arc<AtomicU64>,
}

impl Packed {
    /// Bytes that were read so far, as they come from the disk or the pipe.
    pub(crate) fn read_bytes(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// Bytes behind the end of the packed data that belong to nothing, as gzip ignores them.
    pub(crate) fn garbage_bytes(&self) -> u64 {
        self.garbage.load(Ordering::Relaxed)
    }
}

/// Decodes `input`, whatever its first bytes say it is.
///
/// # Errors
/// When its first bytes cannot be read, or it is packed in a way that is not read.
pub(crate) fn decode(input: Box<dyn Read + Send>) -> io::Result<Decoded> {
    let tally = Arc::new(Packed::default());
    let mut input = Counted { input, tally: Arc::clone(&tally) };
    let lead = head(&mut input)?;
    let whole = Cursor::new(lead.clone()).chain(input);
    let text = match Lead::of(&lead) {
        Lead::Gzip => unpacked(Gzip::new(whole, Arc::clone(&tally.garbage)))?,
        // A frame whose window is larger than 128 MiB (`zstd --long=28`) is refused by the library: it could ask for
        // all memory there is.
        Lead::Zstd => unpacked(Zstd(zstd::Decoder::new(whole)?))?,
        Lead::Foreign(name) => {
            let reason = format!("it is packed with {name}, which is not read: unpack it, and pass it on as `-`");
            return Err(io::Error::new(io::ErrorKind::Unsupported, reason));
        }
        lead => plain(lead, whole),
    };
    Ok(Decoded { text, tally })
}

/// What is packed may be UTF-16 again.
fn unpacked(mut input: impl Read + Send + 'static) -> io::Result<Box<dyn Read + Send>> {
    let mut first = Vec::with_capacity(8);
    // An error is told when it is reached again, after what can be read before it.
    let error = head_of(&mut input, &mut first).err();
    let lead = Lead::of(&first);
    let rest: Box<dyn Read + Send> = match error {
        Some(error) => Box::new(Broken(Some(error))),
        None => Box::new(input),
    };
    Ok(plain(lead, Cursor::new(first).chain(rest)))
}

/// As [`head`], but keeps what was read before an error.
fn head_of(input: &mut impl Read, first: &mut Vec<u8>) -> io::Result<()> {
    let mut byte = [0];
    while first.len() < 3 {
        match input.read(&mut byte) {
            Ok(0) => break,
            Ok(_) => first.push(byte[0]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Takes the byte order mark off, and decodes what it says. What is packed twice is left as it is.
fn plain(lead: Lead, mut input: impl Read + Send + 'static) -> Box<dyn Read + Send> {
    let mut mark = [0; 3];
    let (length, order) = match lead {
        Lead::Utf16(order) => (2, Some(order)),
        Lead::Plain(3) => (3, None),
        _ => (0, None),
    };
    // The mark is in memory: it was read to find out.
    if input.read_exact(&mut mark[..length]).is_err() {
        return Box::new(io::empty());
    }
    match order {
        Some(order) => Box::new(Utf16::new(input, order)),
        None => Box::new(input),
    }
}

/// Fails once, and is at its end then.
struct Broken(Option<io::Error>);

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

/// zstd's frames, with errors that say where they come from.
struct Zstd<R: Read>(zstd::Decoder<'static, io::BufReader<R>>);

impl<R: Read> Read for Zstd<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(|error| match error.kind() {
            io::ErrorKind::Interrupted => error,
            io::ErrorKind::UnexpectedEof => io::Error::new(error.kind(), "the zstd data ends before its end"),
            kind => io::Error::new(kind, format!("zstd: {error}")),
        })
    }
}

/// Counts the bytes that go through.
struct Counted {
    input: Box<dyn Read + Send>,
    tally: Arc<Packed>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        self.tally.read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn gz(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).expect("in memory");
        encoder.finish().expect("in memory")
    }

    fn zst(bytes: &[u8]) -> Vec<u8> {
        zstd::encode_all(bytes, 3).expect("in memory")
    }

    /// All text, how many bytes gave it, and the error that ended it.
    fn text(bytes: &[u8]) -> io::Result<(String, u64, Option<String>)> {
        let Decoded { text: mut reader, tally } = decode(Box::new(Cursor::new(bytes.to_vec())))?;
        let mut text = Vec::new();
        let error = reader.read_to_end(&mut text).err().map(|error| error.to_string());
        Ok((String::from_utf8(text).expect("UTF-8"), tally.read_bytes(), error))
    }

    #[test]
    fn reads_what_the_first_bytes_say() {
        let utf16: Vec<u8> = [0xfe, 0xff].into_iter().chain("é\n".encode_utf16().flat_map(u16::to_be_bytes)).collect();
        for (bytes, expected) in [
            (b"plain\n".to_vec(), "plain\n"),
            (b"\xef\xbb\xbfmarked\n".to_vec(), "marked\n"),
            (utf16.clone(), "é\n"),
            (gz(&utf16), "é\n"),
            (zst(&utf16), "é\n"),
            (gz(b"\xef\xbb\xbfmarked\n"), "marked\n"),
            ([gz(b"one\n"), gz(b"two\n")].concat(), "one\ntwo\n"),
            ([zst(b"one\n"), zst(b"two\n")].concat(), "one\ntwo\n"),
            ([b"\x50\x2a\x4d\x18\x02\0\0\0xx".to_vec(), zst(b"one\n")].concat(), "one\n"),
            (gz(b"x"), "x"),
            (gz(b""), ""),
            (zst(b""), ""),
            (Vec::new(), ""),
        ] {
            let (text, read, error) = text(&bytes).expect("readable");
            assert_eq!((text.as_str(), read, error), (expected, bytes.len() as u64, None));
        }
    }

    #[test]
    fn what_is_damaged_gives_what_is_before_the_damage() {
        let long: Vec<u8> = (0..200_000_u32).flat_map(|n| format!("line {}\n", n * 7919).into_bytes()).collect();
        for (packed, name) in [(gz(&long), "gzip"), (zst(&long), "zstd")] {
            for cut in [4, 12, packed.len() / 2, packed.len() - 1] {
                let (text, _, error) = text(&packed[..cut]).expect("opened");
                let expected = format!("the {name} data ends before its end");
                assert_eq!(error.as_deref(), Some(expected.as_str()), "{cut}");
                assert!(long.starts_with(text.as_bytes()));
                assert!(cut < 1000 || text.len() > 100_000, "{name} {cut}: {}", text.len());
            }
        }
    }

    #[test]
    fn a_window_that_would_fill_the_memory_is_refused() {
        // Magic, a descriptor without a size, and the window descriptor of 2 GiB.
        let hostile = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 21 << 3, 0, 0, 0, 0];
        let (_, _, error) = text(&hostile).expect("opened");
        assert!(error.as_deref().is_some_and(|error| error.contains("memory")), "{error:?}");
    }

    #[test]
    fn says_what_is_not_read() {
        for (bytes, name) in [(&b"BZh91AY"[..], "bzip2"), (b"\xfd7zXZ\0", "xz"), (b"PK\x03\x04", "zip")] {
            let error = text(bytes).expect_err("not read").to_string();
            assert!(error.starts_with(&format!("it is packed with {name}")), "{error}");
        }
    }
}
