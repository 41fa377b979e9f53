//! The archive is opened, or it is said why it cannot be: one that is not what was published cannot be restored, and of one
//! that only we cannot read nobody can tell.

use std::fs;
use std::path::Path;

use pso_archive::verify::verify_file;
use pso_archive::{Archive, NamedArchive, Obstacle, is_encrypted, legacy, sidecar_path, status_path};
use pso_common::io::Cancel;

use crate::result::Findings;
use crate::settings::Settings;
use crate::whole;

/// The collection that the snapshot in an archive of the specification's own script is of.
const OLD_COLLECTION: &str = "plans";

/// The archive; `None` where it cannot be opened, and the findings say why.
///
/// # Errors
/// When it is not there or cannot be read, or the run is to stop: nobody can tell then.
pub(crate) fn open(settings: &Settings, findings: &mut Findings, cancel: &Cancel) -> anyhow::Result<Option<Archive>> {
    let path = findings.path.clone();
    // A key that cannot be read matters only where one is needed.
    let (identities, keyless) = match settings.identities() {
        Ok(identities) => (identities, None),
        Err(error) => (pso_archive::Identities::default(), Some(format!("{error:#}"))),
    };
    let error = match Archive::open_with(&path, &identities) {
        Ok(archive) => return Ok(Some(archive)),
        Err(error) => error,
    };
    match Obstacle::of(&error) {
        Obstacle::Unreachable => Err(error),
        Obstacle::NoManifest | Obstacle::Damaged if legacy::is_legacy(&path) => old(settings, findings, cancel),
        obstacle => {
            let reason = keyless.filter(|_| obstacle == Obstacle::Key).unwrap_or_else(|| format!("{error:#}"));
            closed(findings, obstacle, reason, cancel).map(|()| None)
        }
    }
}

/// An archive of the specification's own script.
fn old(settings: &Settings, findings: &mut Findings, cancel: &Cancel) -> anyhow::Result<Option<Archive>> {
    let assumed = legacy::Assumed { database: &settings.database, collection: OLD_COLLECTION };
    let archive = match legacy::open(&findings.path, &assumed, cancel) {
        Ok(archive) => archive,
        Err(error) => {
            cancel.check()?;
            if Obstacle::of(&error) == Obstacle::Unreachable {
                return Err(error);
            }
            findings.proof.refute(format!("{error:#}"));
            return Ok(None);
        }
    };
    findings.proof.leave(
        "it has no manifest (the specification's own script made it), so nothing says whether it holds what was stored",
    );
    Ok(Some(archive))
}

/// What can be said without looking into it.
fn closed(findings: &mut Findings, obstacle: Obstacle, reason: String, cancel: &Cancel) -> anyhow::Result<()> {
    let path = findings.path.clone();
    let (size, sha256, sidecar) = verify_file(&path, cancel)?;
    whole::compare(&sidecar, &mut findings.proof);
    if let Some(status) = whole::noted(&path, size, &sha256, &mut findings.proof) {
        findings.record.taken_at = Some(status.taken_at);
        findings.record.system_identifiers = status.system_identifiers;
    }
    findings.record.size_bytes = size;
    findings.record.sha256 = Some(sha256);
    match obstacle {
        Obstacle::Key | Obstacle::Newer | Obstacle::Unreachable => findings.proof.cannot_tell(reason),
        Obstacle::NoManifest | Obstacle::Damaged if is_ours(&path) => findings.proof.refute(reason),
        // Of what was never an archive there is nothing to be said.
        Obstacle::NoManifest | Obstacle::Damaged => findings.proof.cannot_tell(reason),
    }
    Ok(())
}

/// Whether it was, or was to be, an archive.
fn is_ours(path: &Path) -> bool {
    NamedArchive::of_path(path).is_some()
        || is_encrypted(path)
        || [sidecar_path(path), status_path(path)].iter().any(|beside| fs::symlink_metadata(beside).is_ok())
}
