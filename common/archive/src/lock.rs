//! Locks: one writer for each backup folder, one for each restore target.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;

use anyhow::{Context as _, anyhow};

/// The lock of a backup folder, by its name there.
pub const BACKUP_LOCK: &str = ".pso-backup.lock";
/// The lock of a restore, by its path below the deployment's folder.
pub const RESTORE_LOCK: &str = ".pso-restore/lock";

/// The lock of a cleaning, by its path below the deployment's folder.
pub const PRUNE_LOCK: &str = ".pso-prune.lock";

/// A held lock. It is the operating system's, so it ends with the process, however that ends; the file itself stays,
/// because removing it would let two processes lock two files of one name.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl Lock {
    /// Takes the lock at once, or says who has it; never waits.
    ///
    /// # Errors
    /// When somebody else has it, or the file cannot be created. `what` names the work that it guards: "backup into
    /// backups/daily".
    pub fn acquire(path: &Path, what: &str) -> anyhow::Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).with_context(|| format!("open the lock file {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(held(file, path, what)),
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("lock {}", path.display()));
            }
        }
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .with_context(|| format!("write the process id to {}", path.display()))?;
        Ok(Self { file })
    }

    /// Refuses to go on while somebody else has that lock; takes and creates nothing.
    ///
    /// # Errors
    /// When it is held, as [`Lock::acquire`] says it. A lock file that is not there, or that we may not read, is held by
    /// nobody of ours.
    pub fn refuse_held(path: &Path, what: &str) -> anyhow::Result<()> {
        let Ok(file) = File::open(path) else { return Ok(()) };
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => Err(held(file, path, what)),
            // The lock ends with the file.
            Ok(()) | Err(TryLockError::Error(_)) => Ok(()),
        }
    }
}

fn held(file: File, path: &Path, what: &str) -> anyhow::Error {
    let mut holder = String::new();
    // Where a held lock keeps others from reading (Windows), the holder stays unnamed.
    let _ = file.take(32).read_to_string(&mut holder);
    let holder = holder.trim();
    let holder = if holder.is_empty() { "another process" } else { &format!("process {holder}") };
    anyhow!("a {what} is already running ({holder} holds {}); wait for it or stop it", path.display())
}

impl Drop for Lock {
    fn drop(&mut self) {
        // A stale pid would mislead only for the instant between another's lock and its write.
        let _ = self.file.set_len(0);
        let _ = self.file.unlock();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_held_lock_names_its_holder_and_ends_with_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(".lock");
        let held = Lock::acquire(&path, "backup").expect("free");
        let message = Lock::acquire(&path, "backup").expect_err("held").to_string();
        assert!(message.contains(&format!("process {}", std::process::id())), "{message}");
        let refused = Lock::refuse_held(&path, "backup").expect_err("held").to_string();
        assert_eq!(refused, message);
        drop(held);
        Lock::refuse_held(&path, "backup").expect("free");
        Lock::refuse_held(&folder.path().join("none"), "backup").expect("not there");
        assert!(!folder.path().join("none").exists());
        Lock::acquire(&path, "backup").expect("free again");
    }
}
