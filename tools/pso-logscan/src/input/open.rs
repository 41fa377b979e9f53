//! From a path or a stream to chunks of lines.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use pso_common::io::{Cancel, Interruptible};

use crate::input::chunks::{FileChunks, Sizes, StreamChunks, read_at};
use crate::input::decode::{Decoded, Packed, decode};
use crate::input::logfile::LogFile;
use crate::input::prints::{Prints, Trace, Traced};
use crate::input::whole_lines::WholeLines;
use crate::scan::pipeline::Chunks;

/// What is to be read of an input.
#[derive(Clone, Copy, Debug)]
pub(crate) struct How {
    pub(crate) sizes: Sizes,
    /// Bytes of the text that an earlier run has read.
    pub(crate) from: u64,
    /// Whether a last line without a line feed is left alone, because somebody may be writing it.
    pub(crate) whole_lines: bool,
}

impl How {
    /// All of it.
    pub(crate) const fn all(sizes: Sizes) -> Self {
        Self { sizes, from: 0, whole_lines: false }
    }
}

/// An input that was opened.
pub(crate) struct Opened {
    pub(crate) input: Input,
    /// Its size on disk, where it has one.
    pub(crate) size: Option<u64>,
    /// The file, unless it is a pipe.
    pub(crate) log: Option<LogFile>,
}

/// Where the chunks come from.
pub(crate) enum Input {
    /// A plain file, read by several threads at their own offsets.
    File {
        chunks: FileChunks,
        /// Bytes before the first line that were looked at: a byte order mark.
        mark: u64,
        /// Bytes behind the last finished line that were left alone.
        left: u64,
    },
    /// Anything else.
    Stream {
        chunks: StreamChunks,
        packed: Arc<Packed>,
        trace: Arc<Mutex<Trace>>,
        /// As above, once all was read.
        left: Arc<AtomicU64>,
    },
}

impl Input {
    pub(crate) const fn chunks(&self) -> Chunks<'_> {
        match self {
            Self::File { chunks, .. } => Chunks::File(chunks),
            Self::Stream { chunks, .. } => Chunks::Stream(chunks),
        }
    }

    /// Bytes that were read from it, once all of it was.
    pub(crate) fn read_bytes(&self) -> u64 {
        match self {
            Self::File { chunks, mark, .. } => chunks.available().saturating_sub(chunks.range().start) + mark,
            Self::Stream { packed, .. } => packed.read_bytes(),
        }
    }

    /// Bytes that a plain file has to read; 0 for anything else.
    pub(crate) fn bytes(&self) -> u64 {
        match self {
            Self::File { chunks, .. } => chunks.range().end - chunks.range().start,
            Self::Stream { .. } => 0,
        }
    }

    /// Bytes of a last line that was left alone because it is not finished.
    pub(crate) fn left_bytes(&self) -> u64 {
        match self {
            Self::File { left, .. } => *left,
            Self::Stream { left, .. } => left.load(Ordering::Relaxed),
        }
    }

    /// Bytes behind the end of packed data that were passed over.
    pub(crate) fn garbage_bytes(&self) -> u64 {
        match self {
            Self::File { .. } => 0,
            Self::Stream { packed, .. } => packed.garbage_bytes(),
        }
    }

    /// Where the file was found to end before where it should have, if it was: there, and should.
    pub(crate) fn shrunk(&self) -> Option<(u64, u64)> {
        match self {
            Self::File { chunks, .. } => chunks.shrunk(),
            Self::Stream { .. } => None,
        }
    }
}

impl Opened {
    /// Where what was read of it ends, once all of it was; an offset as chunks have it.
    pub(crate) fn end(&self) -> u64 {
        match &self.input {
            Input::File { chunks, .. } => chunks.available(),
            Input::Stream { trace, .. } => trace.lock().unwrap_or_else(PoisonError::into_inner).total(),
        }
    }

    /// By what its text up to `end` (an offset as chunks have it) will be known again, and that offset in the text.
    /// `None` for what is no file, or is not any more what was read.
    pub(crate) fn prints(&self, end: u64) -> Option<(Prints, u64)> {
        let log = self.log.as_ref()?;
        match (&self.input, log.plain()) {
            (Input::File { .. }, Some(skip)) => {
                let offset = end.checked_sub(skip)?;
                Some((log.prints(skip, offset).ok()?, offset))
            }
            (Input::Stream { trace, .. }, _) => {
                let trace = trace.lock().unwrap_or_else(PoisonError::into_inner);
                Some((trace.prints(end)?, end))
            }
            (Input::File { .. }, None) => None,
        }
    }
}

/// Opens a file, or a pipe that has a name.
///
/// # Errors
/// When it cannot be opened or read, is packed in a way that is not read, or is shorter than `how.from`.
pub(crate) fn file(path: &Path, how: How, cancel: &Cancel) -> io::Result<Opened> {
    let log = match LogFile::open(path) {
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
            // A pipe, such as `<(journalctl)`. Opening one waits for its writer, so that is left to the reading thread.
            let input = Interruptible::open(path, cancel.clone())?;
            return Ok(Opened { input: stream(Box::new(input), how.sizes)?, size: None, log: None });
        }
        log => log?,
    };
    let size = log.identity.size;
    let input = match log.plain() {
        Some(skip) => {
            let begin = (skip + how.from).min(size);
            if how.from > 0 && begin < skip + how.from {
                return Err(shorter());
            }
            let end = if how.whole_lines { last_line_end(log.file(), begin, size)? } else { size };
            let mark = if how.from == 0 { begin } else { 0 };
            let chunks = FileChunks::new(log.file().try_clone()?, begin..end, how.sizes);
            Input::File { chunks, mark, left: size - end }
        }
        None => text_stream(log.text()?, how)?,
    };
    Ok(Opened { input, size: Some(size), log: Some(log) })
}

fn shorter() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "it has become shorter than what was read of it before")
}

/// Reads a stream, decompressed and as UTF-8.
///
/// # Errors
/// As [`file()`].
pub(crate) fn stream(input: Box<dyn Read + Send>, sizes: Sizes) -> io::Result<Input> {
    text_stream(decode(input)?, How::all(sizes))
}

fn text_stream(Decoded { text, tally }: Decoded, how: How) -> io::Result<Input> {
    let (trace, left) = (Arc::<Mutex<Trace>>::default(), Arc::<AtomicU64>::default());
    let text: Box<dyn Read + Send> =
        if how.whole_lines { Box::new(WholeLines::new(text, how.sizes.max_line, Arc::clone(&left))) } else { text };
    let mut text: Box<dyn Read + Send> = Box::new(Traced::new(text, Arc::clone(&trace)));
    if how.from > 0 && io::copy(&mut text.by_ref().take(how.from), &mut io::sink())? < how.from {
        return Err(shorter());
    }
    Ok(Input::Stream { chunks: StreamChunks::new(text, how.from, how.sizes), packed: tally, trace, left })
}

/// Where the last finished line of `begin..end` ends; `begin` where none does.
fn last_line_end(file: &File, begin: u64, end: u64) -> io::Result<u64> {
    let mut block = vec![0; 64 << 10];
    let mut until = end;
    while until > begin {
        let from = until.saturating_sub(block.len() as u64).max(begin);
        let length = usize::try_from(until - from).unwrap_or(block.len());
        let mut filled = 0;
        while filled < length {
            match read_at(file, &mut block[filled..length], from + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        if let Some(at) = memchr::memrchr(b'\n', &block[..filled]) {
            return Ok(from + at as u64 + 1);
        }
        until = from;
    }
    Ok(begin)
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write as _};

    use super::*;

    fn text(input: &Input) -> Vec<u8> {
        let (mut buffer, mut text) = (Vec::new(), Vec::new());
        match input {
            Input::File { chunks, .. } => {
                chunks.at(chunks.range().clone()).read_to_end(&mut text).expect("readable");
            }
            Input::Stream { chunks, .. } => {
                while let Some(chunk) = chunks.next(&mut buffer).expect("readable") {
                    text.extend_from_slice(&buffer[chunk.lines]);
                }
            }
        }
        text
    }

    fn utf16(text: &str) -> Vec<u8> {
        [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect()
    }

    #[test]
    fn what_was_read_is_passed_over_and_what_is_unfinished_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.log");
        let plain = b"one\ntwo\nthree\nfou".to_vec();
        for (bytes, is_plain) in [
            (plain.clone(), true),
            ([b"\xef\xbb\xbf", &plain[..]].concat(), true),
            (utf16("one\ntwo\nthree\nfou"), false),
            (zstd::encode_all(&plain[..], 3).expect("in memory"), false),
        ] {
            std::fs::write(&path, &bytes).expect("written");
            for (from, whole_lines, expected, left) in [
                (0, false, "one\ntwo\nthree\nfou", 0),
                (0, true, "one\ntwo\nthree\n", 3),
                (8, true, "three\n", 3),
                (8, false, "three\nfou", 0),
                (14, true, "", 3),
                (17, true, "", 0),
            ] {
                if from == 17 && !is_plain {
                    continue;
                }
                let how = How { sizes: Sizes::default(), from, whole_lines };
                let opened = file(&path, how, &Cancel::default()).expect("opened");
                assert_eq!(text(&opened.input), expected.as_bytes());
                assert_eq!(opened.input.left_bytes(), left);
                let skip = if is_plain { bytes.len() as u64 - 17 } else { 0 };
                let (prints, offset) = opened.prints(skip + 14).expect("read");
                assert_eq!(offset, 14);
                assert!(prints.head.begins(b"one\ntwo\nthree\nfou") && prints.head == prints.tail);
                if is_plain {
                    let mark = if from == 0 { skip } else { 0 };
                    assert_eq!(opened.input.read_bytes(), expected.len() as u64 + mark);
                } else if !whole_lines {
                    assert_eq!(opened.input.read_bytes(), bytes.len() as u64);
                }
            }
            let how = How { sizes: Sizes::default(), from: 18, whole_lines: false };
            assert!(file(&path, how, &Cancel::default()).is_err());
        }
    }

    #[test]
    fn a_last_line_without_end_is_found_however_long() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.log");
        let mut log = File::create(&path).expect("created");
        write!(log, "one\n{}", "x".repeat(200_000)).expect("written");
        let end = |begin| {
            let log = File::open(&path).expect("opened");
            let size = log.metadata().expect("a file").len();
            last_line_end(&log, begin, size).expect("read")
        };
        assert_eq!([end(0), end(4), end(5)], [4, 4, 5]);
        writeln!(log).expect("written");
        assert_eq!(end(0), 200_005);
    }

    #[test]
    fn a_file_that_shrinks_is_noticed_and_one_that_is_removed_is_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.log");
        std::fs::write(&path, "one\ntwo\nthree\n").expect("written");
        let open = || file(&path, How::all(Sizes::default()), &Cancel::default()).expect("opened");
        let (kept, shrunk) = (open(), open());
        assert_eq!((text(&kept.input).len(), kept.input.shrunk()), (14, None));
        File::options().write(true).open(&path).and_then(|log| log.set_len(6)).expect("truncated");
        assert_eq!(text(&shrunk.input), b"one\ntw");
        assert_eq!((shrunk.input.shrunk(), shrunk.end()), (Some((6, 14)), 6));
        // What is not there any more cannot be known again.
        assert!(shrunk.prints(14).is_none() && shrunk.prints(6).is_some());
        let removed = open();
        std::fs::remove_file(&path).expect("removed");
        assert_eq!((text(&removed.input), removed.input.shrunk()), (b"one\ntw".to_vec(), None));
    }

    #[test]
    fn a_stream_is_read_to_its_end() {
        let input = stream(Box::new(Cursor::new(b"one\ntwo".to_vec())), Sizes::default()).expect("readable");
        assert_eq!(text(&input), b"one\ntwo");
        assert_eq!(input.read_bytes(), 7);
    }
}
