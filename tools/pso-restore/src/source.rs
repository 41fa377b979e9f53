//! Which archive is meant.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use pso_archive::{Archive, Identities, catalog, legacy};
use pso_common::reader::{Line, RecordReader};
use pso_common::record::{BackupArchiveRecord, Record};
use pso_common::{Run, Severity};

use crate::settings::Settings;

/// A path, a name, `latest`, or `-`.
pub(crate) fn find(run: &mut Run<'_>, wanted: &str, folders: &[PathBuf]) -> anyhow::Result<PathBuf> {
    if wanted == "-" { from_records(run) } else { catalog::find(wanted, folders) }
}

/// Opens an archive; one of the specification's own script too, of which nothing is known but what is in it.
pub(crate) fn open(run: &mut Run<'_>, settings: &Settings, path: &Path) -> anyhow::Result<Archive> {
    if !legacy::is_legacy(path) {
        let identities = match &settings.identity_file {
            Some(file) => Identities::read(file)?,
            None => Identities::default(),
        };
        return Archive::open_with(path, &identities);
    }
    run.progress(format_args!("reading {}", path.display()));
    let assumed = legacy::Assumed { database: &settings.postgres.dbname, collection: &settings.old_collection };
    let archive = legacy::open(path, &assumed, run.cancel())?;
    run.warn(format_args!(
        "{} was made by backup-daily.ps1 and carries no manifest: nothing says whether it is what was stored, and only its \
         own numbers of rows are compared",
        path.display()
    ));
    run.note(Severity::Warning);
    Ok(archive)
}

/// The last `backup.archive` record on stdin; all records are passed on.
fn from_records(run: &mut Run<'_>) -> anyhow::Result<PathBuf> {
    let mut reader = RecordReader::new(run.take_stdin());
    let mut last: Option<Record<BackupArchiveRecord>> = None;
    let mut malformed = None;
    while let Some(line) = reader.next_line().context("read records on stdin")? {
        match line {
            Line::Record(record) => {
                match record.as_kind::<BackupArchiveRecord>() {
                    None => {}
                    Some(Ok(archive)) => last = Some(archive),
                    Some(Err(error)) => malformed = Some(format!("a backup.archive record is incomplete: {error}")),
                }
                run.pass(&record)?;
            }
            Line::Malformed(line) => {
                run.warn(&line);
                malformed = Some(line.to_string());
            }
        }
    }
    if let Some(reason) = malformed {
        bail!("{reason}; nothing is restored from records that are not whole");
    }
    let archive = last.context(
        "there is no backup.archive record on stdin: the backup failed, or something else was piped in; name an archive",
    )?;
    let (header, path) = (archive.header, PathBuf::from(archive.body.path));
    ensure!(
        header.severity < Severity::High,
        "the record of {} is {}: {}; take another archive",
        path.display(),
        header.severity,
        header.message
    );
    Ok(path)
}
