//! The archive as a file: whether it is what was published.

use std::collections::BTreeMap;
use std::path::Path;

use pso_archive::verify::{Depth, Report, Sidecar, summary, verify};
use pso_archive::{Archive, Status};
use pso_common::io::Cancel;
use pso_common::record::Component;

use crate::proof::Proof;

/// What was found out about the file.
pub(crate) struct Whole {
    pub(crate) proof: Proof,
    pub(crate) sha256: String,
    pub(crate) size_bytes: u64,
    /// What is wrong with the entries of a component: it is not restored then.
    pub(crate) damaged: BTreeMap<Component, String>,
    /// What was known of this file.
    pub(crate) status: Option<Status>,
}

/// Compares the file with its hash, its entries with the manifest, and both with what was noted when it was made.
///
/// # Errors
/// When it cannot be read, or the run is to stop.
pub(crate) fn look(archive: &mut Archive, cancel: &Cancel) -> anyhow::Result<Whole> {
    let report = verify(archive, Depth::Packed, cancel)?;
    let mut proof = Proof::default();
    let sha256 = report.sha256.clone().unwrap_or_default();
    for damage in &report.damages {
        proof.refute(damage.to_string());
    }
    match &report.sidecar {
        Sidecar::Matches => proof.prove("the file has the SHA-256 that was published with it"),
        Sidecar::Absent => proof.leave("there is no .sha256 file to compare the archive with"),
        // It is among the damages.
        Sidecar::Differs(_) | Sidecar::NotLooked => {}
    }
    let status = noted(archive.path(), archive, &sha256, &mut proof);
    Ok(Whole { damaged: damaged(&report), sha256, size_bytes: report.size_bytes, status, proof })
}

fn damaged(report: &Report) -> BTreeMap<Component, String> {
    let components = report.components.iter();
    components.filter_map(|part| Some((part.component, summary(part.damages.iter())?))).collect()
}

/// What was noted of the file, where it is of this one.
fn noted(path: &Path, archive: &Archive, sha256: &str, proof: &mut Proof) -> Option<Status> {
    let status = Status::read(path)?;
    if status.sha256 == sha256 && status.agrees_with(archive.manifest()) {
        proof.prove("it is the file that was noted when it was made");
        return Some(status);
    }
    proof.refute("it is not the file that was noted when it was made (its hash, or its manifest, differs)");
    None
}
