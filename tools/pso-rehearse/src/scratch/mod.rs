//! The private folder in which everything is restored, and that is gone afterwards.
//!
//! ```text
//! TMPDIR/pso-rehearse-XXXXXX/     0711 where the cluster runs as another user, else 0700
//!     lock                        held as long as we live: what nobody holds is a leftover
//!     postgres/ qdrant/ files/    0700, a task each
//! ```

mod leftovers;
mod space;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use pso_archive::{Lock, private_folder};

pub(crate) use leftovers::remove_leftovers;
pub(crate) use space::{ensure_room, free, is_full};

/// What the names of private folders begin with.
const PREFIX: &str = "pso-rehearse-";
/// The file in it that is locked as long as its process lives.
const LOCK: &str = "lock";

/// The private folder. Dropping it removes it, unless it is to be kept.
#[derive(Debug)]
pub(crate) struct Place {
    path: PathBuf,
    /// Ends with this, after the folder is gone.
    lock: Option<Lock>,
    keep: bool,
}

impl Place {
    /// Makes it in `parent`.
    ///
    /// # Errors
    /// When it cannot be made there.
    pub(crate) fn create(parent: &Path, keep: bool) -> anyhow::Result<Self> {
        let context = || format!("make a private folder in {}; give another with --temp-dir", parent.display());
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent).with_context(context)?;
        let lock = Lock::acquire(&folder.path().join(LOCK), "rehearsal").with_context(context)?;
        Ok(Self { path: folder.keep(), lock: Some(lock), keep })
    }

    /// Its path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A folder in it for one task.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn folder(&self, name: &str) -> anyhow::Result<PathBuf> {
        let path = self.path.join(name);
        private_folder(&path).with_context(|| format!("make the folder {}", path.display()))?;
        Ok(path)
    }

    /// Removes it now.
    ///
    /// # Errors
    /// When something of it cannot be removed; the message names the folder.
    pub(crate) fn remove(mut self) -> anyhow::Result<()> {
        if self.keep {
            return Ok(());
        }
        let result = fs::remove_dir_all(&self.path).with_context(|| format!("remove {}", self.path.display()));
        // Another attempt would fail as this one did.
        self.keep = true;
        result
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.keep {
            let _ = fs::remove_dir_all(&self.path);
        }
        drop(self.lock.take());
    }
}
