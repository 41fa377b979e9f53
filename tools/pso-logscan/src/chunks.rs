//! Inputs in pieces of whole lines, so that several threads can count them side by side.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// How much is read at a time, and the longest line that is looked at as a whole; bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    pub(crate) chunk: usize,
    pub(crate) max_line: usize,
}

impl Default for Sizes {
    /// A chunk that fits the second-level cache of a core; a line that is longer than any person reads.
    fn default() -> Self {
        Self { chunk: 256 << 10, max_line: 1 << 20 }
    }
}

/// Whole lines, read into the caller's buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chunk {
    /// Which piece of the input it is, from 0 without gaps.
    pub(crate) number: u64,
    /// Where the lines stand in the buffer.
    pub(crate) lines: Range<usize>,
    /// Whether the last line is longer than may be, and its end is not here nor anywhere else.
    pub(crate) cut: bool,
}

/// An input that several threads can take chunks from.
pub(crate) trait Chunks: Sync {
    /// Reads the next chunk; `None` at the end.
    ///
    /// # Errors
    /// With the number of the chunk that could not be read.
    fn next(&self, buffer: &mut Vec<u8>) -> Result<Option<Chunk>, (u64, io::Error)>;
}

/// A plain file: each thread reads its part at its own offset. A chunk is the lines that begin behind the first byte
/// of a stretch and not behind its end, so that stretches are read in whole pages.
pub(crate) struct FileChunks {
    file: File,
    /// Size when it was opened; what is written later is left for the next run.
    size: u64,
    /// Bytes before the first line (a byte order mark).
    skip: u64,
    sizes: Sizes,
    next: AtomicU64,
    /// Where the file was found to end, if that is before `size`.
    end: AtomicU64,
}

impl FileChunks {
    pub(crate) fn new(file: File, size: u64, skip: u64, sizes: Sizes) -> Self {
        Self { file, size, skip, sizes, next: AtomicU64::new(0), end: AtomicU64::new(size) }
    }

    /// Bytes that the file had, of those that it had when it was opened.
    pub(crate) fn available(&self) -> u64 {
        self.end.load(Ordering::Relaxed)
    }

    /// Fills `buffer` up to `wanted` bytes from `offset` of the file on, of which it holds `filled`.
    fn fill(&self, buffer: &mut Vec<u8>, offset: u64, filled: usize, wanted: u64) -> io::Result<usize> {
        let wanted = usize::try_from(wanted.min(self.size - offset)).unwrap_or(usize::MAX);
        if buffer.len() < wanted {
            buffer.resize(wanted, 0);
        }
        let mut filled = filled;
        while filled < wanted {
            match read_at(&self.file, &mut buffer[filled..wanted], offset + filled as u64) {
                Ok(0) => {
                    self.end.fetch_min(offset + filled as u64, Ordering::Relaxed);
                    break;
                }
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    fn read(&self, buffer: &mut Vec<u8>, number: u64) -> io::Result<Chunk> {
        let begin = number * self.sizes.chunk as u64;
        let mut filled = self.fill(buffer, begin, 0, self.sizes.chunk as u64)?;
        let empty = Chunk { number, lines: 0..0, cut: false };
        let start = if number == 0 {
            usize::try_from(self.skip).unwrap_or(0).min(filled)
        } else {
            match memchr::memchr(b'\n', &buffer[..filled]) {
                Some(end) => end + 1,
                None => return Ok(empty),
            }
        };
        // The last line ends in a later stretch, even if it only begins with that one: it is read from there too.
        let last_line = memchr::memrchr(b'\n', &buffer[start..filled]).map_or(start, |end| start + end + 1);
        let mut step = (self.sizes.chunk / 512).max(1);
        loop {
            if begin + filled as u64 >= self.available() {
                return Ok(if start < filled { Chunk { number, lines: start..filled, cut: false } } else { empty });
            }
            if filled - last_line >= self.sizes.max_line {
                return Ok(Chunk { number, lines: start..filled, cut: true });
            }
            let searched = filled;
            filled = self.fill(buffer, begin, filled, (filled + step) as u64)?;
            if let Some(end) = memchr::memchr(b'\n', &buffer[searched..filled]) {
                return Ok(Chunk { number, lines: start..searched + end + 1, cut: false });
            }
            step *= 2;
        }
    }
}

impl Chunks for FileChunks {
    fn next(&self, buffer: &mut Vec<u8>) -> Result<Option<Chunk>, (u64, io::Error)> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        if number.saturating_mul(self.sizes.chunk as u64) >= self.size {
            return Ok(None);
        }
        self.read(buffer, number).map(Some).map_err(|error| (number, error))
    }
}

/// Reads at an offset, whatever other threads do with the same file.
#[cfg(unix)]
fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, offset)
}

/// Reads at an offset, whatever other threads do with the same file.
#[cfg(windows)]
fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, offset)
}

/// Anything that can only be read from beginning to end: one thread reads at a time, while the others count.
pub(crate) struct StreamChunks<R> {
    sizes: Sizes,
    stream: Mutex<Stream<R>>,
}

struct Stream<R> {
    input: R,
    next: u64,
    /// The beginning of a line whose end was not read yet.
    tail: Vec<u8>,
    /// Whether the rest of a line that was too long is being passed over.
    skipping: bool,
    ended: bool,
    failed: Option<io::Error>,
}

impl<R: Read + Send> StreamChunks<R> {
    pub(crate) fn new(input: R, sizes: Sizes) -> Self {
        let stream = Stream { input, next: 0, tail: Vec::new(), skipping: false, ended: false, failed: None };
        Self { sizes, stream: Mutex::new(stream) }
    }
}

impl<R: Read + Send> Chunks for StreamChunks<R> {
    fn next(&self, buffer: &mut Vec<u8>) -> Result<Option<Chunk>, (u64, io::Error)> {
        let mut stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        let number = stream.next;
        let chunk = stream.read(buffer, self.sizes).map_err(|error| (number, error))?;
        stream.next += u64::from(chunk.is_some());
        Ok(chunk.map(|(lines, cut)| Chunk { number, lines, cut }))
    }
}

impl<R: Read> Stream<R> {
    fn read(&mut self, buffer: &mut Vec<u8>, sizes: Sizes) -> io::Result<Option<(Range<usize>, bool)>> {
        let mut filled = self.tail.len();
        // Bytes before this one hold no line feed.
        let mut searched = filled;
        let mut wanted = sizes.chunk.max(filled + 1);
        if buffer.len() < wanted {
            buffer.resize(wanted, 0);
        }
        buffer[..filled].copy_from_slice(&self.tail);
        self.tail.clear();
        loop {
            while filled < wanted && !self.ended {
                let from = filled;
                match self.input.read(&mut buffer[filled..wanted]) {
                    Ok(0) => self.ended = true,
                    Ok(read) => filled += read,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    // What was read before still counts; the error is told with the next call.
                    Err(error) => (self.failed, self.ended) = (Some(error), true),
                }
                if self.skipping {
                    // Between two lines nothing else is in the buffer.
                    match memchr::memchr(b'\n', &buffer[from..filled]) {
                        Some(end) => {
                            buffer.copy_within(from + end + 1..filled, 0);
                            filled -= from + end + 1;
                            self.skipping = false;
                        }
                        None => filled = from,
                    }
                }
            }
            if self.ended {
                return match self.failed.take() {
                    Some(error) if filled == 0 => Err(error),
                    failed => {
                        self.failed = failed;
                        Ok((filled > 0).then_some((0..filled, false)))
                    }
                };
            }
            if let Some(end) = memchr::memrchr(b'\n', &buffer[searched..filled]) {
                let end = searched + end + 1;
                self.tail.extend_from_slice(&buffer[end..filled]);
                return Ok(Some((0..end, false)));
            }
            if filled >= sizes.max_line {
                self.skipping = true;
                return Ok(Some((0..filled, true)));
            }
            searched = filled;
            wanted = (filled * 2).min(sizes.max_line).max(filled + 1);
            if buffer.len() < wanted {
                buffer.resize(wanted, 0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    /// The lines of all chunks, a cut one with `…`.
    fn lines(chunks: &dyn Chunks) -> Vec<String> {
        let (mut buffer, mut all, mut expected) = (Vec::new(), Vec::new(), 0);
        while let Some(chunk) = chunks.next(&mut buffer).expect("readable") {
            assert_eq!(chunk.number, expected);
            expected += 1;
            let text = String::from_utf8(buffer[chunk.lines].to_vec()).expect("ASCII");
            all.extend(text.lines().map(str::to_owned));
            if chunk.cut {
                all.last_mut().expect("a line").push('…');
            }
        }
        all
    }

    /// Hands out a few bytes at a time.
    struct Trickle(Vec<u8>, usize);

    impl Read for Trickle {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = buffer.len().min(self.1).min(self.0.len());
            buffer[..count].copy_from_slice(&self.0[..count]);
            self.0.drain(..count);
            Ok(count)
        }
    }

    #[test]
    fn every_line_comes_once_whatever_the_chunk() {
        let texts =
            ["", "a", "\n", "a\n", "\n\na\n\n", "first\nsecond line\n\nx\na much longer line than the others\nend"];
        for text in texts {
            let expected: Vec<&str> = text.lines().collect();
            for chunk in 1..text.len() + 3 {
                let sizes = Sizes { chunk, max_line: 100 };
                let mut file = tempfile::tempfile().expect("a file");
                file.write_all(text.as_bytes()).expect("written");
                assert_eq!(lines(&FileChunks::new(file, text.len() as u64, 0, sizes)), expected, "file, {chunk}");
                for few in 1..4 {
                    let input = Trickle(text.as_bytes().to_vec(), few);
                    assert_eq!(lines(&StreamChunks::new(input, sizes)), expected, "stream, {chunk}, {few}");
                }
            }
        }
    }

    #[test]
    fn a_line_without_end_is_cut_and_the_next_ones_come() {
        let text = format!("one\n{}\ntwo\nthree\n", "x".repeat(500));
        for chunk in 1..80 {
            let sizes = Sizes { chunk, max_line: 64 };
            let mut file = tempfile::tempfile().expect("a file");
            file.write_all(text.as_bytes()).expect("written");
            let size = text.len() as u64;
            for all in [
                lines(&FileChunks::new(file, size, 0, sizes)),
                lines(&StreamChunks::new(Trickle(text.clone().into_bytes(), 7), sizes)),
            ] {
                assert_eq!(all.len(), 4, "{chunk}: {all:?}");
                assert!(all[1].starts_with(&"x".repeat(64)) && all[1].ends_with('…') && all[1].len() < 300);
                assert_eq!([&all[0], &all[2], &all[3]], ["one", "two", "three"]);
            }
        }
    }

    #[test]
    fn a_file_that_shrank_gives_what_is_left() {
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(b"one\ntwo\nthr").expect("written");
        let chunks = FileChunks::new(file, 100, 0, Sizes { chunk: 4, max_line: 64 });
        assert_eq!(lines(&chunks), ["one", "two", "thr"]);
        assert_eq!(chunks.available(), 11);
    }

    #[test]
    fn what_was_read_before_an_error_counts() {
        let broken = b"one\ntwo".chain(Broken);
        let chunks = StreamChunks::new(broken, Sizes { chunk: 64, max_line: 64 });
        let mut buffer = Vec::new();
        let chunk = chunks.next(&mut buffer).expect("readable").expect("a chunk");
        assert_eq!(&buffer[chunk.lines], b"one\ntwo");
        assert_eq!(chunks.next(&mut buffer).expect_err("broken").0, 1);
        assert_eq!(chunks.next(&mut buffer).expect("the end"), None);
    }

    struct Broken;

    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("broken"))
        }
    }
}
