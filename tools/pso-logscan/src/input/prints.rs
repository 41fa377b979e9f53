//! Fingerprints of texts: by what a text is known again under another name, packed or not.

use std::io::{self, Read};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Bytes that a fingerprint takes in, at most.
pub(crate) const PRINT_BYTES: usize = 4 << 10;

/// The hash of some bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Print {
    /// How many.
    pub(crate) bytes: u64,
    /// Their SHA-256 in hex.
    pub(crate) sha256: String,
}

impl Print {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let sha256 = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        Self { bytes: bytes.len() as u64, sha256 }
    }

    /// Whether it is the print of the first bytes of `text`.
    pub(crate) fn begins(&self, text: &[u8]) -> bool {
        usize::try_from(self.bytes)
            .ok()
            .and_then(|length| text.get(..length))
            .is_some_and(|text| Self::of(text) == *self)
    }
}

/// What a text is known by that was read up to some offset.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Prints {
    /// Of its first bytes, at most [`PRINT_BYTES`].
    pub(crate) head: Print,
    /// Of the last bytes before the offset, at most [`PRINT_BYTES`].
    pub(crate) tail: Print,
}

/// The first and the last bytes of a text that goes by.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    head: Vec<u8>,
    /// The last bytes; more than are needed, so that the end of what counts may lie a little before the end.
    tail: Vec<u8>,
    /// Bytes that went by.
    total: u64,
}

impl Trace {
    /// Of a text whose first bytes are `head`, of which `total` bytes went by, the last of them `tail`.
    pub(crate) fn resumed(head: Vec<u8>, tail: Vec<u8>, total: u64) -> Self {
        Self { head, tail, total }
    }

    /// The first bytes that went by.
    pub(crate) fn head(&self) -> &[u8] {
        &self.head
    }

    /// Takes the next bytes.
    pub(crate) fn pass(&mut self, bytes: &[u8]) {
        let missing = PRINT_BYTES.saturating_sub(self.head.len());
        self.head.extend_from_slice(&bytes[..missing.min(bytes.len())]);
        self.total += bytes.len() as u64;
        let last = &bytes[bytes.len().saturating_sub(2 * PRINT_BYTES)..];
        let spare = (self.tail.len() + last.len()).saturating_sub(2 * PRINT_BYTES);
        self.tail.drain(..spare);
        self.tail.extend_from_slice(last);
    }

    /// Bytes that went by.
    pub(crate) const fn total(&self) -> u64 {
        self.total
    }

    /// The prints of the text up to `offset`; `None` where that is too far from where it is now.
    pub(crate) fn prints(&self, offset: u64) -> Option<Prints> {
        let behind = usize::try_from(self.total.checked_sub(offset)?).ok()?;
        let known = &self.tail[..self.tail.len().checked_sub(behind)?];
        let head = &self.head[..self.head.len().min(usize::try_from(offset).unwrap_or(usize::MAX))];
        let tail = &known[known.len().saturating_sub(PRINT_BYTES)..];
        Some(Prints { head: Print::of(head), tail: Print::of(tail) })
    }
}

/// A text whose bytes are traced while they are read.
pub(crate) struct Traced<R> {
    input: R,
    trace: std::sync::Arc<std::sync::Mutex<Trace>>,
}

impl<R: Read> Traced<R> {
    pub(crate) fn new(input: R, trace: std::sync::Arc<std::sync::Mutex<Trace>>) -> Self {
        Self { input, trace }
    }
}

impl<R: Read> Read for Traced<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        self.trace.lock().unwrap_or_else(std::sync::PoisonError::into_inner).pass(&buffer[..count]);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_prints_what_went_by() {
        let text: Vec<u8> = (0..30_000_u32).map(|n| (n % 251) as u8).collect();
        for piece in [1, 100, 4096, 5000, 30_000] {
            let mut trace = Trace::default();
            text.chunks(piece).for_each(|piece| trace.pass(piece));
            for offset in [30_000, 29_999, 26_000] {
                let prints = trace.prints(offset as u64).expect("near the end");
                assert_eq!(prints.head, Print::of(&text[..4096]), "{piece}");
                let from = offset - usize::try_from(prints.tail.bytes).expect("small");
                assert_eq!(prints.tail, Print::of(&text[from..offset]), "{piece}");
                assert!(prints.tail.bytes > 3000);
            }
            assert!(trace.prints(10_000).is_none() && trace.prints(30_001).is_none());
        }
        let mut short = Trace::default();
        short.pass(b"one\ntw");
        assert_eq!(short.prints(4), Some(Prints { head: Print::of(b"one\n"), tail: Print::of(b"one\n") }));
        assert!(Print::of(b"one").begins(b"one\n") && !Print::of(b"one\ntwo").begins(b"one\n"));
    }
}
