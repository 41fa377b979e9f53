//! Room on the disk of the private folder.

use std::io;
use std::path::Path;

use anyhow::ensure;
use pso_common::output::bytes;

/// Free bytes where a folder is; absent where the system does not say.
pub(crate) fn free(folder: &Path) -> Option<u64> {
    fs4::available_space(folder).ok()
}

/// Refuses where there is too little room for so many bytes. What the system does not say is no reason.
///
/// # Errors
/// Names the folder, the bytes needed and the bytes free.
pub(crate) fn ensure_room(folder: &Path, needed: u64) -> anyhow::Result<()> {
    let Some(free) = free(folder) else { return Ok(()) };
    ensure!(
        free >= needed,
        "there is too little room in {}: restoring takes about {needed} bytes ({}) and {free} are free ({}); make room, or \
         give another folder with --temp-dir",
        folder.display(),
        bytes(needed),
        bytes(free)
    );
    Ok(())
}

/// Whether an error says that the disk is full: that is no fault of the archive's.
pub(crate) fn is_full(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<io::Error>().is_some_and(|error| {
            matches!(
                error.kind(),
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
            )
        })
    })
}
