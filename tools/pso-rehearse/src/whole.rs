//! The archive as a file: whether it is what was published.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::path::Path;

use pso_archive::verify::{Depth, Report, Sidecar, summary, verify};
use pso_archive::{Archive, Status, status_path};
use pso_common::io::Cancel;
use pso_common::record::Component;

use crate::proof::Proof;

/// A note longer than this is none (bytes).
const MAX_NOTE: u64 = 1 << 20;

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
    compare(&report.sidecar, &mut proof);
    for damage in report.damages.iter().filter(|damage| damage.entry.is_some() || !is_of_sidecar(&report, damage)) {
        proof.refute(damage.to_string());
    }
    let mut status = noted(archive.path(), report.size_bytes, &sha256, &mut proof);
    if status.as_ref().is_some_and(|status| !status.agrees_with(archive.manifest())) {
        proof.refute("its manifest says something else than what was noted when it was made");
        status = None;
    }
    Ok(Whole { damaged: damaged(&report), sha256, size_bytes: report.size_bytes, status, proof })
}

/// What the comparison with the published hash says.
pub(crate) fn compare(sidecar: &Sidecar, proof: &mut Proof) {
    match sidecar {
        Sidecar::Matches => proof.prove("the file has the SHA-256 that was published with it"),
        Sidecar::Absent => proof.leave("there is no .sha256 file to compare the archive with"),
        Sidecar::Differs(reason) => proof.refute(reason),
        Sidecar::NotLooked => {}
    }
}

/// What was noted of the file, where it is of this one.
pub(crate) fn noted(path: &Path, size: u64, sha256: &str, proof: &mut Proof) -> Option<Status> {
    let note = status_path(path);
    let is_small = std::fs::metadata(&note).is_ok_and(|file| file.is_file() && file.len() <= MAX_NOTE);
    let text = is_small.then(|| std::fs::read(&note).ok()).flatten()?;
    let Ok(status) = serde_json::from_slice::<Status>(&text) else {
        proof.leave(format!("{} cannot be read, so it was not compared with the archive", note.display()));
        return None;
    };
    if status.sha256 == sha256 && status.size == size {
        proof.prove("it is the file that was noted when it was made");
        return Some(status);
    }
    proof.refute(format!(
        "it is not the file that {} was written of: that had {} bytes and the SHA-256 {}",
        note.display(),
        status.size,
        status.sha256
    ));
    None
}

/// Whether it repeats what the hash file says.
fn is_of_sidecar(report: &Report, damage: &pso_archive::verify::Damage) -> bool {
    matches!(&report.sidecar, Sidecar::Differs(reason) if *reason == damage.reason)
}

/// The first damages of each component: of its entries, and of what the manifest lists of it.
fn damaged(report: &Report) -> BTreeMap<Component, String> {
    let of_entry =
        |entry: &str| Component::ALL.into_iter().find(|component| entry.split('/').next() == Some(component.as_str()));
    let of_component = |component: Component| {
        let listed =
            report.damages.iter().filter(move |damage| damage.entry.as_deref().and_then(of_entry) == Some(component));
        let parts = report.components.iter().filter(move |part| part.component == component);
        summary(listed.chain(parts.flat_map(|part| &part.damages)))
    };
    Component::ALL.into_iter().filter_map(|component| Some((component, of_component(component)?))).collect()
}

/// Whether the file that was opened is unchanged and still has its name.
///
/// # Errors
/// Says what has become of it.
pub(crate) fn is_still(at_first: &Metadata, archive: &Archive, path: &Path) -> Result<(), String> {
    let gone =
        "it was removed or replaced while it was rehearsed, so this is said of a file that is not there any more";
    let now = archive.metadata().map_err(|error| format!("the archive cannot be looked at any more: {error}"))?;
    let named = std::fs::metadata(path).map_err(|_| gone)?;
    if !is_same(at_first, &now) {
        return Err("the file was changed while it was rehearsed".to_owned());
    }
    if is_same(&now, &named) { Ok(()) } else { Err(gone.to_owned()) }
}

#[cfg(unix)]
fn is_same(one: &Metadata, other: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let of = |file: &Metadata| (file.dev(), file.ino(), file.len(), file.mtime(), file.mtime_nsec());
    of(one) == of(other)
}

#[cfg(not(unix))]
fn is_same(one: &Metadata, other: &Metadata) -> bool {
    let of = |file: &Metadata| (file.len(), file.modified().ok(), file.created().ok());
    of(one) == of(other)
}
