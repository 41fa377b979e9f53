//! Room on the disk of the private folder.

use std::path::Path;

use anyhow::ensure;
use pso_archive::Manifest;
use pso_common::output::bytes;
use pso_common::record::Component;

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

/// A cluster takes so many bytes before anything is in it: 39 MiB of files after initdb of PostgreSQL 15, and the first 16 MiB of
/// WAL.
const EMPTY_CLUSTER: u64 = 55 << 20;
/// The smallest piece of a disk that a file takes, in bytes.
const PIECE: u64 = 4 << 10;

/// The least that restoring takes, in bytes: with less there is no use in beginning. Each component knows better what it takes.
pub(crate) fn needed(manifest: &Manifest, components: &[Component]) -> u64 {
    let of_entry = |entry: &pso_archive::Entry| match entry.component {
        Component::Postgres | Component::Qdrant => entry.size,
        Component::Config | Component::Scripts | Component::Plans => entry.size.next_multiple_of(PIECE),
    };
    let content: u64 =
        manifest.entries.iter().filter(|entry| components.contains(&entry.component)).map(of_entry).sum();
    content + if components.contains(&Component::Postgres) { EMPTY_CLUSTER } else { 0 }
}
