//! What the whole of a rehearsal came to.

use std::path::Path;

use pso_archive::Status;
use pso_common::Severity;
use pso_common::record::{Component, RehearseResultRecord};

use crate::proof::Proof;
use crate::whole::Whole;

/// The name of an archive in records.
pub(crate) fn name_of(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}

/// The record, as far as the file alone can fill it.
pub(crate) fn of_whole(path: &Path, whole: &Whole, components: Vec<Component>) -> RehearseResultRecord {
    let Proof { proven, unproven, refuted, .. } = whole.proof.clone();
    RehearseResultRecord {
        path: path.display().to_string(),
        size_bytes: whole.size_bytes,
        sha256: Some(whole.sha256.clone()),
        components,
        proven,
        unproven,
        refuted,
        ..RehearseResultRecord::default()
    }
}

/// Notes beside the archive that it was rehearsed. One on a read-only disk is none the worse.
///
/// # Errors
/// When that cannot be written.
pub(crate) fn note(path: &Path, status: Status, at: pso_common::Timestamp) -> anyhow::Result<()> {
    Status { rehearsed_at: Some(at), verified_at: Some(at), ..status }.write(path)
}

/// Whether everything of it was restored and holds.
pub(crate) const fn holds(worst: Severity) -> bool {
    matches!(worst, Severity::Ok | Severity::Info | Severity::Warning)
}
