//! Inputs in pieces of whole lines.

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
    /// How much of a plain file one thread counts before it takes the next part.
    pub(crate) segment: u64,
}

impl Default for Sizes {
    /// A chunk that fits the second-level cache of a core; a line that is longer than any person reads; a segment that is
    /// counted in a few milliseconds, long enough that beginning it costs nothing.
    fn default() -> Self {
        Self { chunk: 256 << 10, max_line: 1 << 20, segment: 8 << 20 }
    }
}

/// Whole lines, read into the caller's buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chunk {
    /// Where its first line begins in the (decoded) input, in bytes.
    pub(crate) offset: u64,
    /// Where the lines stand in the buffer.
    pub(crate) lines: Range<usize>,
    /// Whether the last line is longer than may be, and its end is not here nor anywhere else.
    pub(crate) cut: bool,
}

/// Anything that is read from one line's beginning on, in chunks.
pub(crate) struct Lines<R> {
    input: R,
    sizes: Sizes,
    /// Bytes of the whole before `tail`.
    offset: u64,
    /// Lines that begin here or later are not wanted.
    until: u64,
    /// The beginning of a line whose end was not read yet.
    tail: Vec<u8>,
    /// Whether the rest of a line that was too long is being passed over.
    skipping: bool,
    ended: bool,
    failed: Option<io::Error>,
}

impl<R: Read> Lines<R> {
    /// Reads the lines of `input`, before which `offset` bytes of the whole were passed over.
    pub(crate) const fn new(input: R, offset: u64, sizes: Sizes) -> Self {
        Self { input, sizes, offset, until: u64::MAX, tail: Vec::new(), skipping: false, ended: false, failed: None }
    }

    /// Where the next line begins in the whole.
    pub(crate) const fn offset(&self) -> u64 {
        self.offset
    }

    /// Reads the next chunk; `None` at the end.
    ///
    /// # Errors
    /// When the rest cannot be read. All before that was given.
    pub(crate) fn next(&mut self, buffer: &mut Vec<u8>) -> io::Result<Option<Chunk>> {
        if self.offset >= self.until {
            return Ok(None);
        }
        let mut filled = self.tail.len();
        // Bytes before this one hold no line feed.
        let mut searched = filled;
        let mut wanted = self.sizes.chunk.max(filled + 1);
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
                    if self.offset >= self.until {
                        return Ok(None);
                    }
                }
            }
            // Of the lines that begin before `until` the last one is wanted to its end, and nothing after it.
            let before = usize::try_from(self.until - self.offset).unwrap_or(usize::MAX);
            if before < filled {
                // Whether a line begins at `until` itself is told by the byte before it.
                if let Some(end) = memchr::memchr(b'\n', &buffer[before - 1..filled]) {
                    return Ok(Some(self.hand_out(before + end, false)));
                }
            } else if let Some(end) = memchr::memrchr(b'\n', &buffer[searched..filled])
                && !self.ended
            {
                let end = searched + end + 1;
                self.tail.extend_from_slice(&buffer[end..filled]);
                return Ok(Some(self.hand_out(end, false)));
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
            let last_line = memchr::memrchr(b'\n', &buffer[..filled]).map_or(0, |end| end + 1);
            if filled - last_line >= self.sizes.max_line {
                self.skipping = true;
                return Ok(Some(self.hand_out(filled, true)));
            }
            searched = filled;
            wanted = (filled * 2).min(last_line + self.sizes.max_line).max(filled + 1);
            if buffer.len() < wanted {
                buffer.resize(wanted, 0);
            }
        }
    }

    /// The first `end` bytes of the buffer, and where in the whole they begin.
    const fn hand_out(&mut self, end: usize, cut: bool) -> Chunk {
        let offset = self.offset;
        self.offset += end as u64;
        Chunk { offset, lines: 0..end, cut }
    }
}

/// A stream that can only be read from beginning to end.
pub(crate) struct StreamChunks(Mutex<Lines<Box<dyn Read + Send>>>);

impl StreamChunks {
    /// Reads the lines of `input`, before which `offset` bytes of the whole were passed over.
    pub(crate) const fn new(input: Box<dyn Read + Send>, offset: u64, sizes: Sizes) -> Self {
        Self(Mutex::new(Lines::new(input, offset, sizes)))
    }

    /// The next chunk, as [`Lines::next`].
    pub(crate) fn next(&self, buffer: &mut Vec<u8>) -> io::Result<Option<Chunk>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).next(buffer)
    }
}

/// A plain file: each thread reads segments of it at their own offsets.
pub(crate) struct FileChunks {
    file: File,
    /// What is read of it, from one line's beginning to another's: what is written later is left for the next run.
    range: Range<u64>,
    sizes: Sizes,
    /// Where the file was found to end, if that is before the end of `range`.
    end: AtomicU64,
}

impl FileChunks {
    /// Reads the lines of `range`, which begins and ends where lines do, or with the file's end.
    pub(crate) const fn new(file: File, range: Range<u64>, sizes: Sizes) -> Self {
        let end = AtomicU64::new(range.end);
        Self { file, range, sizes, end }
    }

    /// The same file, of which less is read.
    ///
    /// # Errors
    /// When the system has no more handles.
    pub(crate) fn narrowed(&self, range: Range<u64>) -> io::Result<Self> {
        Ok(Self::new(self.file.try_clone()?, range, self.sizes))
    }

    /// Where the range ends, or the file, if it shrank meanwhile.
    pub(crate) fn available(&self) -> u64 {
        self.end.load(Ordering::Relaxed)
    }

    /// Where the file was found to end before where it should have, if it was: there, and should.
    pub(crate) fn shrunk(&self) -> Option<(u64, u64)> {
        let (there, expected) = (self.available(), self.range.end);
        (there < expected).then_some((there, expected))
    }

    /// How it is read.
    pub(crate) const fn sizes(&self) -> Sizes {
        self.sizes
    }

    /// What is read of the file.
    pub(crate) const fn range(&self) -> &Range<u64> {
        &self.range
    }

    /// How many segments there are.
    pub(crate) fn segments(&self) -> u64 {
        (self.range.end - self.range.start).div_ceil(self.segment_bytes())
    }

    /// Segments of a small range are smaller, so that each thread has some.
    fn segment_bytes(&self) -> u64 {
        let most = self.sizes.segment.max(1);
        ((self.range.end - self.range.start) / 8).clamp(most.min(2 * self.sizes.chunk as u64), most)
    }

    /// The lines that begin in a segment; `None` where none does.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(crate) fn segment(&self, number: u64) -> io::Result<Option<Lines<At<'_>>>> {
        let nominal = self.range.start + number * self.segment_bytes();
        let until = (nominal + self.segment_bytes()).min(self.range.end);
        let start = if number == 0 { Some(nominal) } else { self.line_start(nominal, until)? };
        Ok(start.map(|start| {
            let input = self.at(start..self.range.end);
            Lines { until, ..Lines::new(input, start, self.sizes) }
        }))
    }

    /// Any bytes of the file.
    pub(crate) const fn at(&self, range: Range<u64>) -> At<'_> {
        At { chunks: self, at: range.start, end: range.end }
    }

    /// Where the first line begins that begins in `from..until`.
    fn line_start(&self, from: u64, until: u64) -> io::Result<Option<u64>> {
        // The byte before may be the end of a line.
        let mut input = self.at(from - 1..until);
        let mut buffer = vec![0; 4096];
        loop {
            let at = input.at;
            let read = input.read(&mut buffer)?;
            if read == 0 {
                return Ok(None);
            }
            if let Some(end) = memchr::memchr(b'\n', &buffer[..read]) {
                let start = at + end as u64 + 1;
                return Ok((start < until).then_some(start));
            }
            buffer.resize(self.sizes.chunk.max(4096), 0);
        }
    }
}

/// A file from an offset to another, whatever other threads do with the same file.
pub(crate) struct At<'a> {
    chunks: &'a FileChunks,
    at: u64,
    end: u64,
}

impl Read for At<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let wanted = buffer.len().min(left);
        if wanted == 0 {
            return Ok(0);
        }
        let read = read_at(&self.chunks.file, &mut buffer[..wanted], self.at)?;
        if read == 0 {
            self.chunks.end.fetch_min(self.at, Ordering::Relaxed);
        }
        self.at += read as u64;
        Ok(read)
    }
}

/// Reads at an offset, whatever other threads do with the same file.
#[cfg(unix)]
pub(crate) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, offset)
}

/// Reads at an offset, whatever other threads do with the same file.
#[cfg(windows)]
pub(crate) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, offset)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    /// The lines of all chunks, a cut one with `…`.
    fn all_lines<R: Read>(mut lines: Lines<R>) -> Vec<String> {
        let (mut buffer, mut all, mut offset) = (Vec::new(), Vec::new(), 0);
        while let Some(chunk) = lines.next(&mut buffer).expect("readable") {
            let text = String::from_utf8(buffer[chunk.lines].to_vec()).expect("ASCII");
            assert!(chunk.offset >= offset);
            offset = chunk.offset + text.len() as u64;
            all.extend(text.lines().map(str::to_owned));
            if chunk.cut {
                all.last_mut().expect("a line").push('…');
            }
        }
        all
    }

    /// The same of all segments.
    fn lines(chunks: &FileChunks) -> Vec<String> {
        let segments = (0..chunks.segments()).filter_map(|number| chunks.segment(number).expect("readable"));
        segments.flat_map(all_lines).collect()
    }

    fn file(text: &[u8]) -> File {
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(text).expect("written");
        file
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
    fn every_line_comes_once_whatever_the_chunk_and_the_segment() {
        let texts =
            ["", "a", "\n", "a\n", "\n\na\n\n", "first\nsecond line\n\nx\na much longer line than the others\nend"];
        for text in texts {
            let expected: Vec<&str> = text.lines().collect();
            for chunk in 1..text.len() + 3 {
                for segment in 1..text.len() as u64 + 3 {
                    let sizes = Sizes { chunk, max_line: 100, segment };
                    let chunks = FileChunks::new(file(text.as_bytes()), 0..text.len() as u64, sizes);
                    assert_eq!(lines(&chunks), expected, "chunks of {chunk}, segments of {segment}");
                }
                for few in 1..4 {
                    let input = Trickle(text.as_bytes().to_vec(), few);
                    let sizes = Sizes { chunk, max_line: 100, segment: 1 };
                    assert_eq!(all_lines(Lines::new(input, 0, sizes)), expected, "stream, {chunk}, {few}");
                }
            }
        }
    }

    #[test]
    fn a_line_without_end_is_cut_and_the_next_ones_come() {
        let text = format!("one\n{}\ntwo\nthree\n", "x".repeat(500));
        for chunk in 1..80 {
            for segment in [1, 7, 64, 100, 501, 9999] {
                let sizes = Sizes { chunk, max_line: 64, segment };
                for all in [
                    lines(&FileChunks::new(file(text.as_bytes()), 0..text.len() as u64, sizes)),
                    all_lines(Lines::new(Trickle(text.clone().into_bytes(), 7), 0, sizes)),
                ] {
                    assert_eq!(all.len(), 4, "{chunk}: {all:?}");
                    assert!(all[1].starts_with(&"x".repeat(64)) && all[1].ends_with('…') && all[1].len() < 300);
                    assert_eq!([&all[0], &all[2], &all[3]], ["one", "two", "three"]);
                }
            }
        }
    }

    #[test]
    fn a_file_that_is_one_line_is_cut_too() {
        for (chunk, segment) in (1..80).zip([1, 7, 64, 100, 500, 9999].into_iter().cycle()) {
            let sizes = Sizes { chunk, max_line: 64, segment };
            let all = lines(&FileChunks::new(file(&[b'x'; 500]), 0..500, sizes));
            assert_eq!(all.len(), 1, "{chunk}: {all:?}");
            assert!(all[0].ends_with('…'));
        }
    }

    #[test]
    fn a_part_of_a_file_is_read_from_line_to_line() {
        let text = format!("{}\none\ntwo\nthree\n", "x".repeat(9000));
        for (chunk, segment) in (1..5000).step_by(37).zip((1..20).cycle()) {
            let sizes = Sizes { chunk, max_line: 10_000, segment };
            let chunks = FileChunks::new(file(text.as_bytes()), 9001..9009, sizes);
            assert_eq!(lines(&chunks), ["one", "two"], "chunks of {chunk}, segments of {segment}");
        }
    }

    #[test]
    fn a_file_that_shrank_gives_what_is_left() {
        for segment in [5, 1000] {
            let chunks = FileChunks::new(file(b"one\ntwo\nthr"), 0..100, Sizes { chunk: 4, max_line: 64, segment });
            assert_eq!(lines(&chunks), ["one", "two", "thr"]);
            assert_eq!(chunks.available(), 11);
        }
    }

    #[test]
    fn what_was_read_before_an_error_counts() {
        let broken = b"one\ntwo".chain(Broken);
        let mut lines = Lines::new(broken, 0, Sizes { chunk: 64, max_line: 64, segment: 64 });
        let mut buffer = Vec::new();
        let chunk = lines.next(&mut buffer).expect("readable").expect("a chunk");
        assert_eq!(&buffer[chunk.lines], b"one\ntwo");
        lines.next(&mut buffer).expect_err("broken");
        assert_eq!(lines.next(&mut buffer).expect("the end"), None);
    }

    struct Broken;

    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("broken"))
        }
    }
}
