//! Which archive is meant.

use std::path::PathBuf;

use anyhow::{Context as _, bail, ensure};
use pso_archive::catalog;
use pso_common::reader::{Line, RecordReader};
use pso_common::record::{BackupArchiveRecord, Record};
use pso_common::{Run, Severity};

/// A path, a name, `latest`, or `-`.
pub(crate) fn find(run: &mut Run<'_>, wanted: &str, folders: &[PathBuf]) -> anyhow::Result<PathBuf> {
    if wanted == "-" { from_records(run) } else { catalog::find(wanted, folders) }
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
