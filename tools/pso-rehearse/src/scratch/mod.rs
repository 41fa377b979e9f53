//! The private folder in which everything is restored, and that is gone afterwards.
//!
//! ```text
//! TMPDIR/pso-rehearse-XXXXXX/     0711 where the cluster runs as another user, else 0700
//!     lock                        held as long as we live: what nobody holds is a leftover
//!     postgres/ qdrant/ files/    0700, a task each
//! ```
//!
//! The lock gets its name when it is held already, so a folder with a lock that nobody holds is one whose process is gone. With
//! `--keep` the lock is removed at the end: what has none is never taken for a leftover.

mod leftovers;
mod nice;
mod space;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use pso_archive::scratch::{LOCK, PREFIX, remove};
use pso_archive::{Lock, private_folder};

pub(crate) use leftovers::remove_leftovers;
pub(crate) use nice::{yield_beside, yield_to_others};
pub(crate) use space::{ensure_room, free, needed};

/// Its name until it is locked.
const LOCK_TO_BE: &str = ".lock";

/// The private folder. Dropping it removes it, unless it is to be kept.
#[derive(Debug)]
pub(crate) struct Place {
    path: PathBuf,
    /// Ends with this, after the folder is gone.
    lock: Option<Lock>,
    keep: bool,
    /// Somebody has removed it, or tried to.
    ended: bool,
}

impl Place {
    /// Makes it in `parent`.
    ///
    /// # Errors
    /// When it cannot be made there.
    pub(crate) fn create(parent: &Path, keep: bool) -> anyhow::Result<Self> {
        let context = || format!("make a private folder in {}; give another with --temp-dir", parent.display());
        // 0700, and gone again if what follows fails.
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent).with_context(context)?;
        let to_be = folder.path().join(LOCK_TO_BE);
        let lock = Lock::acquire(&to_be, "rehearsal").with_context(context)?;
        fs::rename(&to_be, folder.path().join(LOCK)).with_context(context)?;
        // PostgreSQL wants to know where it is, wherever it is run from.
        let path = fs::canonicalize(folder.path()).with_context(context)?;
        let _ = folder.keep();
        Ok(Self { path, lock: Some(lock), keep, ended: false })
    }

    /// Its path, absolute.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A folder in it for one task, mode 0700.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn folder(&self, name: &str) -> anyhow::Result<PathBuf> {
        let path = self.path.join(name);
        private_folder(&path).with_context(|| format!("make the folder {}", path.display()))?;
        Ok(path)
    }

    /// Removes it now, or leaves it where it is to be kept.
    ///
    /// # Errors
    /// When something of it cannot be removed; the message names the folder.
    pub(crate) fn end(mut self) -> anyhow::Result<()> {
        self.ended = true;
        let (done, path) = if self.keep { ("keep", self.path.join(LOCK)) } else { ("remove", self.path.clone()) };
        let result = if self.keep { fs::remove_file(&path) } else { remove(&path) };
        result.with_context(|| format!("{done} the private folder {}", self.path.display()))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.ended && !self.keep {
            // The next run removes what cannot be removed now.
            let _ = remove(&self.path);
        }
        drop(self.lock.take());
    }
}

#[cfg(test)]
mod tests;
