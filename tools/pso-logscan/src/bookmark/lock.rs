//! One run at a time for each bookmark: two would both read from the same place, and the slower one would win.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;

use anyhow::{Context as _, bail};

/// A held lock. It is the operating system's, so it ends with the process, however that ends. The file stays: removing
/// it would let two processes lock two files of one name.
#[derive(Debug)]
pub(super) struct Lock(File);

impl Lock {
    /// Takes the lock at `path` for the bookmark `of`, at once.
    ///
    /// # Errors
    /// When another process has it, or the file cannot be created.
    pub(super) fn acquire(path: &Path, of: &Path) -> anyhow::Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).with_context(|| format!("open the bookmark's lock {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Where a held lock keeps others from reading (Windows), the holder stays unnamed.
                let _ = file.take(32).read_to_string(&mut holder);
                let holder = holder.trim();
                let holder = if holder.is_empty() { "another process".into() } else { format!("process {holder}") };
                bail!("another run uses the bookmark {} ({holder}); wait for it, or stop it", of.display());
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("lock {}", path.display()));
            }
        }
        // Only what others are told: on a full disk the lock holds without it.
        let _ = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| writeln!(file, "{}", std::process::id()));
        Ok(Self(file))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // An old process id would mislead only for the instant between another's lock and its write.
        let _ = self.0.set_len(0);
        let _ = self.0.unlock();
    }
}
