//! Telling a source that cannot be read from one that holds nonsense.

use std::io::{self, Read};

/// A reader that remembers whether reading has failed.
pub(super) struct Watched<R> {
    from: R,
    failed: bool,
}

impl<R: Read> Watched<R> {
    pub(super) const fn new(from: R) -> Self {
        Self { from, failed: false }
    }

    /// Whether what went wrong is the source's, and not what was read.
    pub(super) const fn has_failed(&self) -> bool {
        self.failed
    }

    pub(super) fn into_inner(self) -> R {
        self.from
    }
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.from.read(buffer).inspect_err(|error| self.failed |= error.kind() != io::ErrorKind::Interrupted)
    }
}
