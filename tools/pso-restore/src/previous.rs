//! `--drop-previous`: what earlier restores have replaced and kept is dropped and removed.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use pso_common::record::Component;
use pso_common::run::{Confirmed, Intent};
use pso_common::{Attempted, Run, Severity};
use walkdir::WalkDir;

use crate::apply::{entries, remove_empty};
use crate::files;
use crate::journal::Journal;
use crate::lock;
use crate::postgres;
use crate::settings::{Settings, is_of_a_restore};
use crate::steps::Step;
use crate::unfinished;

const PARTLY: Attempted = Attempted("not everything that is kept was removed; what is in use stays as it was");

/// Something that is kept, and the step that removes it.
struct Found {
    kept: Kept,
    step: Step,
}

enum Kept {
    Database(String),
    /// A restore's own folder, and the databases that it goes with: together they are the way back.
    Folder(PathBuf, Vec<String>),
}

/// Shows what is kept, and removes it where that was asked for.
pub(crate) fn drop_previous(run: &mut Run<'_>, settings: &Settings, intent: Intent) -> anyhow::Result<()> {
    let _lock = lock::take(settings, intent)?;
    // What an interrupted restore has kept is the way back.
    unfinished::refuse(settings, intent)?;
    let (folders, found) = look(run, settings)?;
    if found.is_empty() {
        let step = Step::new("drop", None, settings.undo_folder().display().to_string());
        step.says("nothing is kept from earlier restores").skipped(run)?;
        remove_empty(&folders);
        return Ok(());
    }
    found.iter().try_for_each(|found| found.step.planned(run))?;
    match intent.confirm(run, "Drop and remove all that earlier restores have kept?")? {
        Some(consent) => drop_all(run, settings, &folders, found, consent),
        None => Ok(()),
    }
}

fn look(run: &mut Run<'_>, settings: &Settings) -> anyhow::Result<(Vec<PathBuf>, Vec<Found>)> {
    let mut found = Vec::new();
    let folders = files::undo_folders(settings);
    let mut works = Vec::new();
    for work in folders.iter().flat_map(|folder| entries(folder)).filter(|work| is_of_a_restore(work)) {
        match Journal::finished(&work) {
            Ok(journal) => works.push((work, journal.map(|journal| journal.kept_databases()).unwrap_or_default())),
            Err(error) => {
                // It may be all that knows of a database that is kept.
                run.warn(format_args!("{} is left, remove it by hand: {error:#}", work.display()));
                run.note(Severity::Warning);
            }
        }
    }
    // Those of the configured one are known by their names too.
    let noted: Vec<String> = works.iter().flat_map(|(_, databases)| databases.clone()).collect();
    for database in postgres::kept(&settings.postgres, &noted)? {
        let mut step = Step::new("drop", Component::Postgres, database.name.as_str());
        step.size_bytes = database.size;
        let step = step.says("the database that a restore has replaced");
        found.push(Found { kept: Kept::Database(database.name), step });
    }
    for (work, databases) in works {
        let (files, bytes) = size(&work);
        let step = Step::new("drop", None, work.display().to_string()).files(files).size(bytes);
        let step = step.says("files and snapshots that a restore has replaced");
        found.push(Found { kept: Kept::Folder(work, databases), step });
    }
    Ok((folders, found))
}

/// Files and bytes below a folder.
fn size(folder: &Path) -> (u64, u64) {
    let files = WalkDir::new(folder).into_iter().flatten().filter(|entry| entry.file_type().is_file());
    files.fold((0, 0), |(files, bytes), entry| {
        (files + 1, bytes + entry.metadata().map_or(0, |metadata| metadata.len()))
    })
}

fn drop_all(
    run: &mut Run<'_>,
    settings: &Settings,
    folders: &[PathBuf],
    found: Vec<Found>,
    _consent: Confirmed,
) -> anyhow::Result<()> {
    let mut failed = 0;
    let mut left: Vec<String> = Vec::new();
    for Found { kept, step } in found {
        run.cancel().check().map_err(|error| anyhow::Error::from(error).context(PARTLY))?;
        let started = Instant::now();
        let result = match &kept {
            Kept::Database(name) => postgres::drop_kept(&settings.postgres, name),
            Kept::Folder(_, databases) if databases.iter().any(|database| left.contains(database)) => {
                step.says("it stays as long as the database that was replaced with it").skipped(run)?;
                continue;
            }
            Kept::Folder(folder, _) => fs::remove_dir_all(folder).map_err(anyhow::Error::from),
        };
        match result {
            Ok(()) => step.done(run, started)?,
            Err(error) => {
                failed += 1;
                if let Kept::Database(name) = kept {
                    left.push(name);
                }
                step.failed(run, Severity::High, &format!("{error:#}"))?;
            }
        }
    }
    remove_empty(folders);
    if failed > 0 {
        let error = anyhow::anyhow!("{failed} could not be removed; the records of the steps say why");
        return Err(error.context(PARTLY));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_folders_of_restores_are_ours() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        for name in ["20261122_090000", "20261122-090000", "20261122_09000a", "notes", "20261122_0900001"] {
            fs::create_dir(at(name)).expect("created");
        }
        fs::write(at("20261122_090001"), "a file").expect("written");
        let ours: Vec<PathBuf> = entries(folder.path()).into_iter().filter(|path| is_of_a_restore(path)).collect();
        assert_eq!(ours, [at("20261122_090000")]);
    }
}
