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
    /// Where its first line begins in the (decoded) input, in bytes.
    pub(crate) offset: u64,
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
    /// What is read of it, from one line's beginning to another's: what is written later is left for the next run.
    range: Range<u64>,
    /// Where the first stretch begins: the beginning of the page in which `range` begins.
    base: u64,
    sizes: Sizes,
    next: AtomicU64,
    /// Where the file was found to end, if that is before the end of `range`.
    end: AtomicU64,
}

/// Stretches begin with a page of the page cache.
const PAGE: u64 = 4096;

impl FileChunks {
    /// Reads the lines of `range`, which begins and ends where lines do, or with the file's end.
    pub(crate) fn new(file: File, range: Range<u64>, sizes: Sizes) -> Self {
        let end = AtomicU64::new(range.end);
        Self { file, base: range.start / PAGE * PAGE, range, sizes, next: AtomicU64::new(0), end }
    }

    /// Where the range ends, or the file, if it shrank meanwhile.
    pub(crate) fn available(&self) -> u64 {
        self.end.load(Ordering::Relaxed)
    }

    /// What is read of the file.
    pub(crate) const fn range(&self) -> &Range<u64> {
        &self.range
    }

    /// Fills `buffer` up to `wanted` bytes from `offset` of the file on, of which it holds `filled`.
    fn fill(&self, buffer: &mut Vec<u8>, offset: u64, filled: usize, wanted: u64) -> io::Result<usize> {
        let wanted = usize::try_from(wanted.min(self.range.end - offset)).unwrap_or(usize::MAX);
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
        let begin = self.base + number * self.sizes.chunk as u64;
        let mut filled = self.fill(buffer, begin, 0, self.sizes.chunk as u64)?;
        let chunk = |lines: Range<usize>, cut| Chunk { number, offset: begin + lines.start as u64, lines, cut };
        let empty = chunk(0..0, false);
        let start = if begin <= self.range.start {
            let skip = usize::try_from(self.range.start - begin).unwrap_or(usize::MAX);
            if skip > 0 && skip >= filled {
                return Ok(empty);
            }
            skip
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
                return Ok(if start < filled { chunk(start..filled, false) } else { empty });
            }
            if filled - last_line >= self.sizes.max_line {
                return Ok(chunk(start..filled, true));
            }
            let searched = filled;
            filled = self.fill(buffer, begin, filled, (filled + step) as u64)?;
            if let Some(end) = memchr::memchr(b'\n', &buffer[searched..filled]) {
                return Ok(chunk(start..searched + end + 1, false));
            }
            step *= 2;
        }
    }
}

impl Chunks for FileChunks {
    fn next(&self, buffer: &mut Vec<u8>) -> Result<Option<Chunk>, (u64, io::Error)> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        if self.base + number.saturating_mul(self.sizes.chunk as u64) >= self.range.end {
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
    /// Decoded bytes before `tail`.
    offset: u64,
    /// The beginning of a line whose end was not read yet.
    tail: Vec<u8>,
    /// Whether the rest of a line that was too long is being passed over.
    skipping: bool,
    ended: bool,
    failed: Option<io::Error>,
}

impl<R: Read + Send> StreamChunks<R> {
    /// Reads the lines of `input`, before which `offset` bytes of the whole were passed over.
    pub(crate) fn new(input: R, offset: u64, sizes: Sizes) -> Self {
        let stream = Stream { input, next: 0, offset, tail: Vec::new(), skipping: false, ended: false, failed: None };
        Self { sizes, stream: Mutex::new(stream) }
    }
}

impl<R: Read + Send> Chunks for StreamChunks<R> {
    fn next(&self, buffer: &mut Vec<u8>) -> Result<Option<Chunk>, (u64, io::Error)> {
        let mut stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        let number = stream.next;
        let chunk = stream.read(buffer, self.sizes).map_err(|error| (number, error))?;
        stream.next += u64::from(chunk.is_some());
        Ok(chunk.map(|(offset, lines, cut)| Chunk { number, offset, lines, cut }))
    }
}

impl<R: Read> Stream<R> {
    fn read(&mut self, buffer: &mut Vec<u8>, sizes: Sizes) -> io::Result<Option<(u64, Range<usize>, bool)>> {
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
                            self.offset += (end + 1) as u64;
                            buffer.copy_within(from + end + 1..filled, 0);
                            filled -= from + end + 1;
                            self.skipping = false;
                        }
                        None => {
                            self.offset += (filled - from) as u64;
                            filled = from;
                        }
                    }
                }
            }
            if self.ended {
                return match self.failed.take() {
                    Some(error) if filled == 0 => Err(error),
                    failed => {
                        self.failed = failed;
                        Ok((filled > 0).then(|| self.hand_out(filled, false)))
                    }
                };
            }
            if let Some(end) = memchr::memrchr(b'\n', &buffer[searched..filled]) {
                let end = searched + end + 1;
                self.tail.extend_from_slice(&buffer[end..filled]);
                return Ok(Some(self.hand_out(end, false)));
            }
            if filled >= sizes.max_line {
                self.skipping = true;
                return Ok(Some(self.hand_out(filled, true)));
            }
            searched = filled;
            wanted = (filled * 2).min(sizes.max_line).max(filled + 1);
            if buffer.len() < wanted {
                buffer.resize(wanted, 0);
            }
        }
    }

    /// The first `end` bytes of the buffer, and where in the whole they begin.
    const fn hand_out(&mut self, end: usize, cut: bool) -> (u64, Range<usize>, bool) {
        let offset = self.offset;
        self.offset += end as u64;
        (offset, 0..end, cut)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    /// The lines of all chunks, a cut one with `…`.
    fn lines(chunks: &dyn Chunks) -> Vec<String> {
        let (mut buffer, mut all, mut expected, mut offset) = (Vec::new(), Vec::new(), 0, None);
        while let Some(chunk) = chunks.next(&mut buffer).expect("readable") {
            assert_eq!(chunk.number, expected);
            expected += 1;
            let text = String::from_utf8(buffer[chunk.lines].to_vec()).expect("ASCII");
            assert!(
                text.is_empty()
                    || offset.replace(chunk.offset + text.len() as u64).is_none_or(|before| before <= chunk.offset)
            );
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
                assert_eq!(lines(&FileChunks::new(file, 0..text.len() as u64, sizes)), expected, "file, {chunk}");
                for few in 1..4 {
                    let input = Trickle(text.as_bytes().to_vec(), few);
                    assert_eq!(lines(&StreamChunks::new(input, 0, sizes)), expected, "stream, {chunk}, {few}");
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
                lines(&FileChunks::new(file, 0..size, sizes)),
                lines(&StreamChunks::new(Trickle(text.clone().into_bytes(), 7), 0, sizes)),
            ] {
                assert_eq!(all.len(), 4, "{chunk}: {all:?}");
                assert!(all[1].starts_with(&"x".repeat(64)) && all[1].ends_with('…') && all[1].len() < 300);
                assert_eq!([&all[0], &all[2], &all[3]], ["one", "two", "three"]);
            }
        }
    }

    #[test]
    fn a_part_of_a_file_is_read_from_line_to_line() {
        let text = format!("{}\none\ntwo\nthree\n", "x".repeat(9000));
        for chunk in (1..5000).step_by(37) {
            let mut file = tempfile::tempfile().expect("a file");
            file.write_all(text.as_bytes()).expect("written");
            let chunks = FileChunks::new(file, 9001..9009, Sizes { chunk, max_line: 10_000 });
            assert_eq!(lines(&chunks), ["one", "two"], "{chunk}");
        }
    }

    #[test]
    fn a_file_that_shrank_gives_what_is_left() {
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(b"one\ntwo\nthr").expect("written");
        let chunks = FileChunks::new(file, 0..100, Sizes { chunk: 4, max_line: 64 });
        assert_eq!(lines(&chunks), ["one", "two", "thr"]);
        assert_eq!(chunks.available(), 11);
    }

    #[test]
    fn what_was_read_before_an_error_counts() {
        let broken = b"one\ntwo".chain(Broken);
        let chunks = StreamChunks::new(broken, 0, Sizes { chunk: 64, max_line: 64 });
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
