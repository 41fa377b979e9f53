//! The private folders of rehearsals, seen from outside: what killed ones have left takes as much room as the archive holds.
//!
//! A folder whose lock nobody holds is one whose process is gone; one without a lock is kept on purpose.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::lock::Lock;

/// What the names of private folders begin with.
pub const PREFIX: &str = "pso-rehearse-";
/// The file in it that is locked as long as its process lives.
pub const LOCK: &str = "lock";

/// The folders in `parent` that killed rehearsals of this user have left; changes nothing. Whoever removes one takes its lock
/// first.
#[must_use]
pub fn abandoned(parent: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(parent) else { return Vec::new() };
    let mut all: Vec<PathBuf> = entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX))
        .map(|entry| entry.path())
        .filter(|path| is_ours(path) && fs::symlink_metadata(path.join(LOCK)).is_ok_and(|file| file.is_file()))
        .filter(|path| Lock::refuse_held(&path.join(LOCK), "rehearsal").is_ok())
        .collect();
    all.sort();
    all
}

/// Whether a folder is one that this user has made, and nobody else could have put anything into. No link: what is behind one
/// is not ours.
#[cfg(unix)]
#[must_use]
pub fn is_ours(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let us = rustix::process::geteuid().as_raw();
    fs::symlink_metadata(path).is_ok_and(|is| is.is_dir() && is.uid() == us && is.mode() & 0o022 == 0)
}

/// Whether it is a folder, and no link.
#[cfg(not(unix))]
#[must_use]
pub fn is_ours(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|is| is.is_dir())
}

/// Removes a private folder, its lock last: one whose removal was ended in the middle, or that has something in it that cannot be
/// removed, is a leftover that the next run knows. Without its lock it would pass for one that is kept.
///
/// # Errors
/// When something in it cannot be removed.
pub fn remove(folder: &Path) -> io::Result<()> {
    let entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    for entry in entries.iter().filter(|entry| entry.file_name() != LOCK) {
        if entry.file_type()?.is_dir() { fs::remove_dir_all(entry.path())? } else { fs::remove_file(entry.path())? }
    }
    fs::remove_dir_all(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nobody_holds_is_abandoned() {
        let parent = tempfile::tempdir().expect("a folder");
        let make = |name: &str| {
            let path = parent.path().join(name);
            fs::create_dir(&path).expect("made");
            fs::write(path.join(LOCK), "4711\n").expect("written");
            path
        };
        let (dead, alive) = (make("pso-rehearse-dead"), make("pso-rehearse-alive"));
        make("somebody-elses");
        fs::remove_file(make("pso-rehearse-kept").join(LOCK)).expect("removed");
        let _held = Lock::acquire(&alive.join(LOCK), "rehearsal").expect("free");
        assert_eq!(abandoned(parent.path()), std::slice::from_ref(&dead));
        fs::create_dir(dead.join("files")).expect("made");
        fs::write(dead.join("files/a"), "a").expect("written");
        remove(&dead).expect("removed");
        assert!(abandoned(parent.path()).is_empty());
        assert!(alive.exists() && !dead.exists());
    }
}
