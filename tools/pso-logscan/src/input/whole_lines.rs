//! Lines that are finished, of a stream to which somebody may still be writing.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes that are read at a time.
const PIECE: usize = 64 << 10;

/// Hands on what it reads up to the last line feed, and keeps back what comes after that.
pub(crate) struct WholeLines<R> {
    input: R,
    buffer: Vec<u8>,
    /// Bytes of the buffer that were handed on.
    given: usize,
    /// Bytes of the buffer that may be.
    ready: usize,
    /// A line that is longer than this is handed on unfinished: it must not fill the memory.
    max_line: usize,
    /// How much was kept back, once the input was at its end.
    left: Arc<AtomicU64>,
}

impl<R: Read> WholeLines<R> {
    pub(crate) fn new(input: R, max_line: usize, left: Arc<AtomicU64>) -> Self {
        Self { input, buffer: Vec::new(), given: 0, ready: 0, max_line, left }
    }
}

impl<R: Read> Read for WholeLines<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.given == self.ready {
            self.buffer.drain(..self.given);
            (self.given, self.ready) = (0, 0);
            let old = self.buffer.len();
            self.buffer.resize(old + PIECE, 0);
            let read = self.input.read(&mut self.buffer[old..]);
            self.buffer.truncate(old + read.as_ref().map_or(0, |&count| count));
            if read? == 0 {
                self.left.store(old as u64, Ordering::Relaxed);
                return Ok(0);
            }
            self.ready = match memchr::memrchr(b'\n', &self.buffer[old..]) {
                Some(end) => old + end + 1,
                None if self.buffer.len() > self.max_line => self.buffer.len(),
                None => 0,
            };
        }
        let count = out.len().min(self.ready - self.given);
        out[..count].copy_from_slice(&self.buffer[self.given..self.given + count]);
        self.given += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_finished_is_kept_back() {
        for (text, whole) in [("", ""), ("a", ""), ("a\n", "a\n"), ("a\nbc", "a\n"), ("\n\nx\n", "\n\nx\n")] {
            let left = Arc::default();
            let mut read = String::new();
            WholeLines::new(text.as_bytes(), 10, Arc::clone(&left)).read_to_string(&mut read).expect("UTF-8");
            assert_eq!((read.as_str(), left.load(Ordering::Relaxed)), (whole, (text.len() - whole.len()) as u64));
        }
        let long = "x".repeat(200_000);
        let mut read = String::new();
        WholeLines::new(long.as_bytes(), 100, Arc::default()).read_to_string(&mut read).expect("UTF-8");
        assert_eq!(read, long);
    }
}
