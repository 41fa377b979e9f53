//! Which archive is meant, and the key that opens it: the same words mean the same archive to every tool.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use pso_common::config::{Config, Field, Paths};
use pso_common::reader::{Line, RecordReader};
use pso_common::record::{BackupArchiveRecord, Record};
use pso_common::{Run, Severity};
use serde::Deserialize;

use crate::catalog;

/// Where archives are looked for by name, below the folder of backups.
#[must_use]
pub fn folders(paths: &Paths) -> Vec<PathBuf> {
    vec![paths.backups.join("daily"), paths.backups.join("weekly")]
}

/// A path, a name, `latest`, or `-` for the last `backup.archive` record on stdin.
///
/// # Errors
/// When there is none, or the records say that it should not be used.
pub fn find(run: &mut Run<'_>, wanted: &str, folders: &[PathBuf]) -> anyhow::Result<PathBuf> {
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
        bail!("{reason}; no archive is taken from records that are not whole");
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

/// The one key of `maintenance.backup` that readers of archives share: where the key to encrypted ones lies.
#[derive(Default, Deserialize)]
#[serde(default)]
struct FileConfig {
    maintenance: Option<Maintenance>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Maintenance {
    backup: Option<BackupSection>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct BackupSection {
    encryption: Option<EncryptionSection>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct EncryptionSection {
    identity_file: Field,
}

/// The file with the private key of age: `flag`, `PSO_BACKUP_IDENTITY_FILE`, or
/// `maintenance.backup.encryption.identity_file`. A flag's path is relative to where it was typed, others to the deployment.
///
/// # Errors
/// When the configuration has a bad value.
pub fn identity_file(config: &Config, paths: &Paths, flag: Option<&Path>) -> anyhow::Result<Option<PathBuf>> {
    let section = config.read::<FileConfig>()?.maintenance.and_then(|maintenance| maintenance.backup);
    let section = section.and_then(|backup| backup.encryption).unwrap_or_default();
    let pick = config.pick("maintenance.backup.encryption.identity_file");
    if let Some(flag) = flag {
        return pick.flag(Some(flag.to_path_buf())).optional();
    }
    let file: Option<PathBuf> = pick.env("PSO_BACKUP_IDENTITY_FILE").file(&section.identity_file).optional()?;
    Ok(file.map(|file| paths.join(&file)))
}
