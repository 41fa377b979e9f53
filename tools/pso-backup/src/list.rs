//! The archives that are there.

use std::path::PathBuf;

use pso_archive::catalog;
use pso_common::{Run, Severity};

use crate::record::of_listed;

/// One `backup.archive` record each, newest first.
pub(crate) fn list(run: &mut Run<'_>, folders: &[PathBuf]) -> anyhow::Result<()> {
    let all = catalog::list(folders)?;
    if all.is_empty() {
        let folders: Vec<String> = folders.iter().map(|folder| folder.display().to_string()).collect();
        run.warn(format_args!("there is no archive in {}; `pso-backup` makes one", folders.join(" and ")));
    }
    for archive in &all {
        let (name, body) = of_listed(archive, run.now());
        match &archive.content {
            Ok(_) if archive.is_noted && archive.verified_at.is_none() => {
                run.emit(Severity::High, name, "it was damaged when it was last verified; take another archive", body)?;
            }
            Ok(summary) if summary.missing.is_empty() => run.emit(Severity::Ok, name, "", body)?,
            Ok(summary) => {
                let missing: Vec<&str> = summary.missing.iter().map(|component| component.as_str()).collect();
                let message = format!("without {}, which failed and is optional", missing.join(", "));
                run.emit(Severity::Warning, name, message, body)?;
            }
            Err(reason) => run.emit(Severity::High, name, reason, body)?,
        }
    }
    Ok(())
}
