//! Whether stdout took every record: only then a bookmark may be moved on.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A stdout that remembers whether a write failed. A reader that has seen enough closes the pipe, and the run then ends
/// quietly; what it has not seen must come again.
pub(crate) struct Watched {
    inner: Box<dyn Write + Send>,
    failed: Arc<AtomicBool>,
}

/// Puts itself in the place of `stdout`; gives what tells whether a write to it failed.
pub(crate) fn watch(stdout: &mut Box<dyn Write + Send>) -> Arc<AtomicBool> {
    let failed = Arc::<AtomicBool>::default();
    let inner = std::mem::replace(stdout, Box::new(io::sink()));
    *stdout = Box::new(Watched { inner, failed: Arc::clone(&failed) });
    failed
}

impl Watched {
    fn note<T>(&self, result: io::Result<T>) -> io::Result<T> {
        if result.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::Interrupted) {
            self.failed.store(true, Ordering::Relaxed);
        }
        result
    }
}

impl Write for Watched {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let result = self.inner.write(bytes);
        self.note(result)
    }

    fn flush(&mut self) -> io::Result<()> {
        let result = self.inner.flush();
        self.note(result)
    }
}
