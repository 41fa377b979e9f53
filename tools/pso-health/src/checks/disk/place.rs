//! What one path lies on.

use std::io;
use std::path::{Path, PathBuf};

use super::paths::DiskPath;

/// The file system of a path.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Place {
    /// Two places with the same one share their space.
    pub(super) id: Id,
    /// The folder at which it is mounted; on Windows the drive or the share.
    pub(super) mount: PathBuf,
    /// Bytes.
    pub(super) space: Use,
    /// Files that it can hold; `None` where it has no fixed number of them.
    pub(super) inodes: Option<Use>,
    /// It takes no writes through this path.
    pub(super) read_only: bool,
}

/// What tells one file system from another: the number of its device; on Windows the drive or the share.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Id(#[cfg(unix)] pub(super) u64, #[cfg(not(unix))] pub(super) PathBuf);

/// How much is in use, as `df` counts it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Use {
    pub(super) used: u64,
    /// For ordinary users: what is kept for root counts as neither used nor available.
    pub(super) available: u64,
}

impl Use {
    pub(super) fn percent(self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a share")]
        let (used, available) = (self.used as f64, self.available as f64);
        used / (used + available) * 100.0
    }
}

/// Looks at a path. It may hang for ever, when it lies on a server that is gone.
///
/// # Errors
/// When the path is not there, may not be reached, or lies on a file system without a size.
pub(super) fn look(wanted: &DiskPath) -> io::Result<Place> {
    let path = nearest(wanted)?;
    let place = measured(&path)?;
    if place.space.used == 0 && place.space.available == 0 {
        return Err(io::Error::other("its file system has no size"));
    }
    Ok(place)
}

/// The path itself, or, for a folder of the layout that has not been made yet, the nearest one above it: that is the file
/// system on which it will be.
fn nearest(wanted: &DiskPath) -> io::Result<PathBuf> {
    let path = std::path::absolute(&wanted.path)?;
    for folder in path.ancestors() {
        match folder.canonicalize() {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !wanted.named => {}
            result => return result,
        }
    }
    Err(io::ErrorKind::NotFound.into())
}

#[cfg(unix)]
fn measured(path: &Path) -> io::Result<Place> {
    use std::os::unix::fs::MetadataExt as _;

    use rustix::fs::StatVfsMountFlags;

    let stats = rustix::fs::statvfs(path)?;
    let device = path.metadata()?.dev();
    // The topmost folder on the same device.
    let same = |folder: &&Path| folder.metadata().is_ok_and(|data| data.dev() == device);
    let bytes = |blocks: u64| blocks.saturating_mul(stats.f_frsize);
    Ok(Place {
        id: Id(device),
        mount: path.ancestors().take_while(same).last().unwrap_or(path).to_path_buf(),
        space: Use { used: bytes(stats.f_blocks.saturating_sub(stats.f_bfree)), available: bytes(stats.f_bavail) },
        // btrfs and the like say 0: they make inodes as they need them.
        inodes: (stats.f_files > 0)
            .then(|| Use { used: stats.f_files.saturating_sub(stats.f_ffree), available: stats.f_favail }),
        read_only: stats.f_flag.contains(StatVfsMountFlags::RDONLY),
    })
}

/// Windows has no inodes, and does not say here whether a drive takes writes.
#[cfg(not(unix))]
fn measured(path: &Path) -> io::Result<Place> {
    let stats = fs4::statvfs(path)?;
    let mount = path.ancestors().last().unwrap_or(path).to_path_buf();
    let used = stats.total_space().saturating_sub(stats.free_space());
    Ok(Place {
        id: Id(mount.clone()),
        mount,
        space: Use { used, available: stats.available_space() },
        inodes: None,
        read_only: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(path: impl Into<PathBuf>, named: bool) -> DiskPath {
        DiskPath { path: path.into(), named, written: false }
    }

    #[test]
    fn a_folder_that_is_yet_to_be_made_is_judged_by_the_one_above() {
        let folder = tempfile::tempdir().expect("a folder");
        let missing = folder.path().join("backups/daily");
        let place = look(&wanted(&missing, false)).expect("the folder above");
        assert_eq!(place.mount, look(&wanted(folder.path(), true)).expect("there").mount);
        assert!(folder.path().canonicalize().expect("there").starts_with(&place.mount));
        assert!((0.0..=100.0).contains(&place.space.percent()), "{place:?}");
        let error = look(&wanted(&missing, true)).expect_err("it was named");
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_system_without_a_size_is_not_judged() {
        assert!(look(&wanted("/proc", true)).expect_err("no size").to_string().contains("no size"));
    }

    #[cfg(unix)]
    #[test]
    fn what_stands_in_the_place_of_a_folder_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("backups");
        std::fs::write(&file, "").expect("written");
        let error = look(&wanted(file.join("daily"), false)).expect_err("a file stands in the way");
        assert_eq!(error.kind(), io::ErrorKind::NotADirectory);
    }
}
