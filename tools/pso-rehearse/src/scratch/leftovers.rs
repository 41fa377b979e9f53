//! What rehearsals that were killed have left behind.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use pso_archive::Lock;
use pso_common::Run;

use super::{LOCK, PREFIX, remove};

/// An empty folder without a lock is being made by somebody; one that is older is not.
const BEING_MADE: Duration = Duration::from_secs(3600);

/// Removes the private folders that no living process holds, and ends what still runs in them. What cannot be removed is told:
/// it takes room.
pub(crate) fn remove_leftovers(run: &mut Run<'_>, parent: &Path) {
    for left in remove_from(parent, crate::postgres::end_leftover) {
        match left {
            (path, Ok(())) => run.warn(format_args!("removed {path}, which a killed rehearsal had left")),
            (path, Err(error)) => run.warn(format_args!("{path} of a killed rehearsal cannot be removed: {error}")),
        }
    }
}

/// As [`remove_leftovers`]: each folder, and what became of it.
pub(super) fn remove_from(parent: &Path, end: impl Fn(&Path)) -> Vec<(String, io::Result<()>)> {
    let mut all = Vec::new();
    let Ok(entries) = fs::read_dir(parent) else { return all };
    for entry in entries.flatten() {
        let path = entry.path();
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) || !is_ours(&path) {
            continue;
        }
        let lock = path.join(LOCK);
        match fs::symlink_metadata(&lock) {
            Ok(file) if file.is_file() => {
                // Held while it is removed: of several runs that find it one removes it.
                let Ok(_held) = Lock::acquire(&lock, "rehearsal") else { continue };
                end(&path);
                all.push((path.display().to_string(), remove(&path)));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && is_old(&path) => {
                // One that is kept is not empty, and stays.
                let _ = fs::remove_dir(&path);
            }
            _ => {}
        }
    }
    all
}

/// Whether a folder is one that this user has made, and nobody else could have put anything into. No link: what is behind one
/// is not ours.
#[cfg(unix)]
fn is_ours(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let us = rustix::process::geteuid().as_raw();
    fs::symlink_metadata(path).is_ok_and(|is| is.is_dir() && is.uid() == us && is.mode() & 0o022 == 0)
}

#[cfg(not(unix))]
fn is_ours(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|is| is.is_dir())
}

fn is_old(path: &Path) -> bool {
    let changed = fs::symlink_metadata(path).and_then(|is| is.modified()).ok();
    changed.and_then(|at| at.elapsed().ok()).is_some_and(|age| age > BEING_MADE)
}
