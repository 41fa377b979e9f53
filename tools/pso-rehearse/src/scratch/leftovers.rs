//! What rehearsals that were killed have left behind.

use std::path::Path;

use pso_common::Run;

use super::{LOCK, PREFIX};

/// Removes the private folders that no living process holds, and ends what still runs in them.
pub(crate) fn remove_leftovers(run: &mut Run<'_>, parent: &Path) {
    let Ok(entries) = std::fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        // No link: what is behind one is not ours.
        if !name.to_string_lossy().starts_with(PREFIX) || !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        let path = entry.path();
        if !path.join(LOCK).is_file() || pso_archive::Lock::refuse_held(&path.join(LOCK), "rehearsal").is_err() {
            continue;
        }
        match std::fs::remove_dir_all(&path) {
            Ok(()) => run.progress(format_args!("removed {}, which a killed rehearsal had left", path.display())),
            Err(error) => run.warn(format_args!("{} of a killed rehearsal cannot be removed: {error}", path.display())),
        }
    }
}
