//! Devices, owners and modes: what a file system knows of a file beside its content.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::settings::UNDO;

/// `undo`, or a folder like it inside of the target, or of where that will be, where that is another file system.
pub(super) fn on_same_device(target: &Path, undo: PathBuf) -> PathBuf {
    match (device(target), device(&undo)) {
        (Some(of_target), Some(of_undo)) if of_target != of_undo => {
            target.ancestors().find(|place| place.is_dir()).unwrap_or(target).join(UNDO)
        }
        _ => undo,
    }
}

/// The device of a place, or of where it would be created.
#[cfg(unix)]
fn device(path: &Path) -> Option<u64> {
    let there = path.ancestors().find_map(|place| {
        let place = if place.as_os_str().is_empty() { Path::new(".") } else { place };
        fs::metadata(place).ok()
    });
    there.as_ref().map(std::os::unix::fs::MetadataExt::dev)
}

#[cfg(not(unix))]
const fn device(_: &Path) -> Option<u64> {
    None
}

/// Gives a file or folder to the owner of what it replaces, or of the nearest folder that is there: a restore by root
/// must not take the plans away from the service.
#[cfg(unix)]
pub(super) fn give_to_owner_of(file: &File, place: &Path) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, fchown};
    let Some(model) = place.ancestors().find_map(|place| fs::symlink_metadata(place).ok()) else { return Ok(()) };
    let now = file.metadata()?;
    if (model.uid(), model.gid()) == (now.uid(), now.gid()) {
        return Ok(());
    }
    match fchown(file, Some(model.uid()), Some(model.gid())) {
        // Only root can; for others everything is theirs anyway.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        result => result,
    }
}

#[cfg(unix)]
pub(super) fn give_folder_to_owner_of(folder: &Path, place: &Path) -> io::Result<()> {
    give_to_owner_of(&File::open(folder)?, place)
}

/// Windows opens no folders, and what is created in one belongs to whom the folder's permissions say.
#[cfg(not(unix))]
pub(super) fn give_to_owner_of(_: &File, _: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(not(unix))]
pub(super) fn give_folder_to_owner_of(_: &Path, _: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
pub(super) fn set_mode(file: &File, mode: Option<u32>) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(fs::Permissions::from_mode(mode.unwrap_or(0o644) & 0o777))
}

#[cfg(not(unix))]
pub(super) const fn set_mode(_: &File, _: Option<u32>) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn another_file_system_has_its_own_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        let undo = folder.path().join(UNDO);
        // Neither has to be there.
        assert_eq!(on_same_device(&folder.path().join("a/b"), undo.clone()), undo);
        if device(Path::new("/proc")) != device(folder.path()) {
            assert_eq!(on_same_device(Path::new("/proc/sys/x/y"), undo), Path::new("/proc/sys").join(UNDO));
        }
    }
}
