//! The archives that are there.

use std::path::PathBuf;

use pso_archive::catalog::{self, Listed};
use pso_common::record::BackupArchiveRecord;
use pso_common::{Run, Severity};

/// One `backup.archive` record each, newest first.
pub(crate) fn list(run: &mut Run<'_>, folders: &[PathBuf]) -> anyhow::Result<()> {
    let all = catalog::list(folders)?;
    if all.is_empty() {
        let folders: Vec<String> = folders.iter().map(|folder| folder.display().to_string()).collect();
        run.warn(format_args!("there is no archive in {}; `pso-backup` makes one", folders.join(" and ")));
    }
    for archive in &all {
        let (name, body) = record(archive);
        match &archive.content {
            Ok(_) => run.emit(Severity::Ok, name, "", body)?,
            Err(reason) => run.emit(Severity::High, name, reason, body)?,
        }
    }
    Ok(())
}

/// An archive's record, as far as its manifest goes.
pub(crate) fn record(archive: &Listed) -> (String, BackupArchiveRecord) {
    let name = archive.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let summary = archive.content.as_ref().ok();
    let body = BackupArchiveRecord {
        path: archive.path.display().to_string(),
        size_bytes: archive.size,
        sha256: None,
        taken_at: summary.map(|summary| summary.taken_at),
        components: summary.map(|summary| summary.components.clone()).unwrap_or_default(),
        verified_at: None,
        rehearsed_at: None,
    };
    (name, body)
}
