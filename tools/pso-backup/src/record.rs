//! An archive as a record.

use std::collections::BTreeMap;
use std::path::Path;

use pso_archive::Database;
use pso_archive::catalog::Listed;
use pso_common::Timestamp;
use pso_common::record::BackupArchiveRecord;

use crate::pins;

/// An archive's file name.
pub(crate) fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// What is known of an archive without looking into it further.
pub(crate) fn of_listed(archive: &Listed, now: Timestamp) -> (String, BackupArchiveRecord) {
    let summary = archive.content.as_ref().ok();
    let body = BackupArchiveRecord {
        path: archive.path.display().to_string(),
        size_bytes: archive.size,
        taken_at: summary.map(|summary| summary.taken_at),
        age_seconds: summary.map(|summary| summary.taken_at.until(now).as_secs()),
        components: summary.map(|summary| summary.components.clone()).unwrap_or_default(),
        missing: summary.map(|summary| summary.missing.clone()).unwrap_or_default(),
        verified_at: archive.verified_at,
        rehearsed_at: archive.rehearsed_at,
        encrypted: archive.encrypted,
        pinned: pins::is_pinned(&archive.path),
        ..BackupArchiveRecord::default()
    };
    (name_of(&archive.path), body)
}

/// The rows of some databases, by table; where there are several, with the database's name before it.
pub(crate) fn rows_of(databases: &[Database]) -> BTreeMap<String, u64> {
    let named = |database: &Database, table: &str| {
        if databases.len() > 1 { format!("{}.{table}", database.name) } else { table.to_owned() }
    };
    let rows = databases
        .iter()
        .flat_map(|database| database.rows.iter().map(move |(table, rows)| (named(database, table), *rows)));
    rows.collect()
}
