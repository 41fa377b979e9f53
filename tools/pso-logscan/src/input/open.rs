//! From a path or a stream to chunks of lines: compression and encoding are found from the first bytes.

use std::fs::{self, File};
use std::io::{self, Cursor, Read, Seek as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::read::MultiGzDecoder;
use pso_common::io::{Cancel, Interruptible};

use crate::input::chunks::{Chunks, FileChunks, Sizes, StreamChunks};
use crate::input::utf16::{ByteOrder, Utf16};

/// An input that was opened.
pub(crate) enum Input {
    /// A plain file, read by several threads at their own offsets.
    File(FileChunks),
    /// Anything else, and how many bytes of it were read (compressed ones, where it is compressed).
    Stream(StreamChunks<Box<dyn Read + Send>>, Arc<AtomicU64>),
}

impl Input {
    pub(crate) fn chunks(&self) -> &dyn Chunks {
        match self {
            Self::File(chunks) => chunks,
            Self::Stream(chunks, _) => chunks,
        }
    }

    /// Bytes that were read from it, once all of it was.
    pub(crate) fn read_bytes(&self) -> u64 {
        match self {
            Self::File(chunks) => chunks.available(),
            Self::Stream(_, read) => read.load(Ordering::Relaxed),
        }
    }
}

/// What the first bytes of an input say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lead {
    Gzip,
    /// Compressed or packed in a way that is not read.
    Foreign(&'static str),
    Utf16(ByteOrder),
    /// UTF-8, or bytes, after a byte order mark of so many bytes.
    Plain(u64),
}

/// Enough bytes to tell.
const LEAD_BYTES: usize = 6;

impl Lead {
    fn of(bytes: &[u8]) -> Self {
        match bytes {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Foreign("zstd"),
            [0xfd, b'7', b'z', b'X', b'Z', 0] => Self::Foreign("xz"),
            [b'B', b'Z', b'h', b'0'..=b'9', 0x31 | 0x17, ..] => Self::Foreign("bzip2"),
            [b'P', b'K', 3, 4, ..] => Self::Foreign("zip"),
            [0xff, 0xfe, ..] => Self::Utf16(ByteOrder::Little),
            [0xfe, 0xff, ..] => Self::Utf16(ByteOrder::Big),
            [0xef, 0xbb, 0xbf, ..] => Self::Plain(3),
            _ => Self::Plain(0),
        }
    }
}

/// Opens a file. Its size on disk comes with it, where it has one.
///
/// # Errors
/// When it cannot be opened or read, or is packed in a way that is not read.
pub(crate) fn file(path: &Path, sizes: Sizes, cancel: &Cancel) -> io::Result<(Input, Option<u64>)> {
    let metadata = fs::metadata(path)?;
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !metadata.is_file() {
        // A pipe, such as `<(journalctl)`. Opening one waits for its writer, so that is left to the reading thread.
        let late = Late { path: path.to_path_buf(), file: None };
        let input = Interruptible::new(Box::new(late), cancel.clone());
        return Ok((stream(Box::new(input), sizes)?, None));
    }
    let mut file = File::open(path)?;
    let metadata = file.metadata()?;
    let lead = head(&mut file)?;
    file.rewind()?;
    let input = match Lead::of(&lead) {
        Lead::Plain(skip) => Input::File(FileChunks::new(file, skip.min(metadata.len())..metadata.len(), sizes)),
        _ => stream(Box::new(file), sizes)?,
    };
    Ok((input, Some(metadata.len())))
}

/// A file that is opened when it is first read.
struct Late {
    path: PathBuf,
    file: Option<File>,
}

impl Read for Late {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(File::open(&self.path)?),
        };
        file.read(buffer)
    }
}

/// Reads a stream, decompressed and as UTF-8.
///
/// # Errors
/// As [`file()`].
pub(crate) fn stream(input: Box<dyn Read + Send>, sizes: Sizes) -> io::Result<Input> {
    let read = Arc::new(AtomicU64::new(0));
    let mut input: Box<dyn Read + Send> = Box::new(Counted { input, read: Arc::clone(&read) });
    let lead = head(&mut input)?;
    let whole: Box<dyn Read + Send> = Box::new(Cursor::new(lead.clone()).chain(input));
    let decoded = match Lead::of(&lead) {
        Lead::Gzip => {
            let mut unpacked = MultiGzDecoder::new(whole);
            // What is packed may be UTF-16 again.
            let lead = head(&mut unpacked)?;
            decoded(Lead::of(&lead), Cursor::new(lead).chain(unpacked))
        }
        Lead::Foreign(name) => {
            let reason = format!("it is packed with {name}, which is not read: unpack it, and pass it on as `-`");
            return Err(io::Error::new(io::ErrorKind::Unsupported, reason));
        }
        lead => decoded(lead, whole),
    };
    Ok(Input::Stream(StreamChunks::new(decoded, 0, sizes), read))
}

/// Takes the byte order mark off, and decodes what it says.
fn decoded(lead: Lead, mut input: impl Read + Send + 'static) -> Box<dyn Read + Send> {
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

/// The first bytes, as many as there are.
fn head(input: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(LEAD_BYTES);
    input.by_ref().take(LEAD_BYTES as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Counts the bytes that go through.
struct Counted {
    input: Box<dyn Read + Send>,
    read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        self.read.fetch_add(count as u64, Ordering::Relaxed);
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

    /// All text, and how many bytes gave it.
    fn text(bytes: &[u8]) -> io::Result<(String, u64)> {
        let input = stream(Box::new(Cursor::new(bytes.to_vec())), Sizes::default())?;
        let (mut buffer, mut text) = (Vec::new(), Vec::new());
        while let Some(chunk) = input.chunks().next(&mut buffer).map_err(|(_, error)| error)? {
            text.extend_from_slice(&buffer[chunk.lines]);
        }
        Ok((String::from_utf8(text).expect("UTF-8"), input.read_bytes()))
    }

    #[test]
    fn reads_what_the_first_bytes_say() {
        let utf16: Vec<u8> = [0xfe, 0xff].into_iter().chain("é\n".encode_utf16().flat_map(u16::to_be_bytes)).collect();
        let two = [gz(b"one\n"), gz(b"two\n")].concat();
        for (bytes, expected) in [
            (b"plain\n".to_vec(), "plain\n"),
            (b"\xef\xbb\xbfmarked\n".to_vec(), "marked\n"),
            (utf16.clone(), "é\n"),
            (gz(&utf16), "é\n"),
            (two.clone(), "one\ntwo\n"),
            (gz(b"x"), "x"),
            (Vec::new(), ""),
        ] {
            let (text, read) = text(&bytes).expect("readable");
            assert_eq!((text.as_str(), read), (expected, bytes.len() as u64));
        }
    }

    #[test]
    fn says_what_is_not_read() {
        let error = text(b"\x28\xb5\x2f\xfd....").expect_err("zstd").to_string();
        assert!(error.starts_with("it is packed with zstd"), "{error}");
        let packed = gz(b"one\ntwo\n");
        for cut in [3, packed.len() / 2, packed.len() - 1] {
            text(&packed[..cut]).expect_err("truncated");
        }
    }
}
