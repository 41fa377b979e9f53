//! Room on the disk: a backup that cannot fit is not begun, and a disk that is full is told as such.

use std::io;
use std::path::Path;

use anyhow::{bail, ensure};
use pso_archive::catalog;
use pso_common::output::bytes;
use pso_common::record::Component;

/// What the next archive takes at least, of what the last one took: data may have been deleted since.
const AT_LEAST: u64 = 2;
/// What a snapshot takes at least of its size, packed: points rarely shrink below a third, text to a twentieth.
const SNAPSHOT_AT_LEAST: u64 = 20;

/// Refuses where the archive is sure not to fit: half of what the newest one of these components took is more than
/// there is room for.
///
/// # Errors
/// Names the folder, the bytes needed and the bytes free.
pub(crate) fn check(folder: &Path, components: &[Component]) -> anyhow::Result<()> {
    // Where the system does not tell, the writing will.
    let Ok(free) = fs4::available_space(folder) else { return Ok(()) };
    let listed = catalog::list(&[folder.to_path_buf()]).unwrap_or_default();
    let last = listed.iter().find(|archive| {
        archive.content.as_ref().is_ok_and(|summary| {
            // One that held more says nothing of this one.
            summary.components.iter().all(|component| components.contains(component))
        })
    });
    let Some(last) = last else {
        ensure!(free > 0, "the disk of {} is full; make room, or use another disk with --to", folder.display());
        return Ok(());
    };
    let needed = last.size / AT_LEAST;
    if free < needed {
        bail!(
            "there is no room for an archive in {}: the last one has {} bytes ({}), and {free} are free ({}); \
             make room, remove archives with `pso-backup prune`, or use another disk with --to",
            folder.display(),
            last.size,
            bytes(last.size),
            bytes(free)
        );
    }
    Ok(())
}

/// Refuses where a snapshot is sure not to fit.
///
/// # Errors
/// As [`check`].
pub(crate) fn check_snapshot(folder: &Path, size: u64) -> anyhow::Result<()> {
    let free = fs4::available_space(folder).unwrap_or(u64::MAX);
    ensure!(
        free >= size / SNAPSHOT_AT_LEAST,
        "the snapshot has {size} bytes ({}), and {free} are free in {} ({})",
        bytes(size),
        folder.display(),
        bytes(free)
    );
    Ok(())
}

/// Adds to an error of a full disk which one it was and what is free on it now that nothing is left of the archive.
pub(crate) fn explain(error: anyhow::Error, folder: &Path) -> anyhow::Error {
    if !is_full(&error) {
        return error;
    }
    let free = fs4::available_space(folder).map_or_else(
        |_| String::new(),
        |free| format!(": the archive needs more than the {free} bytes ({}) that are free there", bytes(free)),
    );
    error.context(format!("the disk of {} is full{free}; make room, or use another disk with --to", folder.display()))
}

/// Whether a disk of ours is full, or a quota used up.
pub(crate) fn is_full(error: &anyhow::Error) -> bool {
    let of_kind = |cause: &(dyn std::error::Error + 'static)| {
        let error = cause.downcast_ref::<io::Error>();
        error.is_some_and(|error| matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded))
    };
    error.chain().any(of_kind)
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn a_full_disk_is_known_whoever_tells_it() {
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        assert!(is_full(&anyhow::Error::from(full()).context("write")));
        let raw = io::Error::from_raw_os_error(if cfg!(windows) { 112 } else { 28 });
        assert!(is_full(&anyhow::Error::from(raw).context("publish")));
        let other: anyhow::Result<()> = Err(io::Error::from(io::ErrorKind::NotFound)).context("open");
        assert!(!is_full(&other.expect_err("not found")));
        let folder = tempfile::tempdir().expect("a folder");
        let told = format!("{:#}", explain(full().into(), folder.path()));
        assert!(told.contains(&folder.path().display().to_string()) && told.contains("are free there"), "{told}");
    }
}
