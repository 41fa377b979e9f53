//! Transfers that end when the run does.

use std::io::{self, Read};

use pso_common::io::Cancel;

/// Ends a transfer when the run is to stop.
pub(super) struct Cancelling<'a, T> {
    pub(super) inner: &'a mut T,
    pub(super) cancel: &'a Cancel,
}

impl<T: Read> Read for Cancelling<'_, T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.cancel.check().map_err(io::Error::other)?;
        self.inner.read(buffer)
    }
}

impl<T: io::Write> io::Write for Cancelling<'_, T> {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.cancel.check().map_err(io::Error::other)?;
        self.inner.write(piece)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
