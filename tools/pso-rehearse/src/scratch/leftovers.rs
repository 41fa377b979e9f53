//! What rehearsals that were killed have left behind.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use pso_archive::Lock;
use pso_archive::scratch::{LOCK, PREFIX, is_ours, remove};
use pso_common::Run;

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

fn is_old(path: &Path) -> bool {
    let changed = fs::symlink_metadata(path).and_then(|is| is.modified()).ok();
    changed.and_then(|at| at.elapsed().ok()).is_some_and(|age| age > BEING_MADE)
}
