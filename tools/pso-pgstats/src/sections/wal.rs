//! `wal`: what is written to the log of changes, and how much of it lies on the disk (`pg_stat_wal`, `pg_ls_waldir`).

use pso_common::Severity;
use pso_common::output::bytes;
use pso_common::record::PgWalRecord;
use serde::Deserialize;

use super::Section;
use crate::records::{Records, Row};
use crate::report::{Note, Report, count};
use crate::watch::{Failure, Variants, Watch};

pub(super) const SECTION: Section =
    Section::special::<PgWalRecord>("wal", "What is written to the log of changes (WAL), and what pg_wal takes", read);

const QUERIES: Variants = &[
    (130_000, include_str!("../../queries/wal_13.sql")),
    (140_000, include_str!("../../queries/wal.sql")),
    (180_000, include_str!("../../queries/wal_18.sql")),
];

impl Row for PgWalRecord {
    const NOUN: (&'static str, &'static str) = ("file", "files");

    fn name(&self) -> String {
        "wal".to_owned()
    }
}

/// The row of `wal_directory.sql`.
#[derive(Deserialize)]
struct Directory {
    files: i64,
    directory_bytes: i64,
}

/// The folder is asked apart: naming the function is refused to who may not call it, even where it would not be called.
fn read(watch: &mut Watch, _: Variants) -> Result<Report, Failure> {
    let mut rows: Vec<PgWalRecord> = watch.rows(watch.variant(QUERIES)?, &[])?;
    let mut report = Report::default();
    for row in &mut rows {
        if row.directory_readable {
            let directory: Directory = watch.record(include_str!("../../queries/wal_directory.sql"), &[])?;
            (row.files, row.directory_bytes) = (Some(directory.files), Some(directory.directory_bytes));
            let files = count(usize::try_from(directory.files).unwrap_or_default(), PgWalRecord::NOUN);
            report
                .note(Severity::Ok, format!("{files} in pg_wal, {}", bytes(directory.directory_bytes.unsigned_abs())));
        } else {
            report.notes.push(Note::hidden("pg_wal itself is hidden", "pg_monitor", &watch.server));
        }
    }
    if watch.server.version_num < 140_000 {
        let text = format!("what is written is counted by PostgreSQL 14 and newer, this is {}", watch.server.version);
        report.note(Severity::Info, text);
    }
    report.records = Records::of(rows);
    Ok(report)
}
