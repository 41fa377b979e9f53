//! `archiver`: whether the log of changes gets into the archive (`pg_stat_archiver`), and what waits for it
//! (`pg_ls_archive_statusdir`).

use pso_common::Severity;
use pso_common::record::PgArchiverRecord;
use serde::Deserialize;

use super::Section;
use crate::records::{Records, Row};
use crate::report::{Note, Report, count};
use crate::watch::{Failure, Variants, Watch};

pub(super) const SECTION: Section = Section::special::<PgArchiverRecord>(
    "archiver",
    "Files of WAL that were archived, that failed, and that wait",
    read,
);

impl Row for PgArchiverRecord {
    const NOUN: (&'static str, &'static str) = ("archiver", "archivers");

    fn name(&self) -> String {
        "archiver".to_owned()
    }
}

/// The row of `archiver_waiting.sql`.
#[derive(Deserialize)]
struct Waiting {
    waiting_files: i64,
    longest_waiting_ms: Option<u64>,
}

/// The folder is asked apart: naming the function is refused to who may not call it, even where it would not be called.
fn read(watch: &mut Watch, _: Variants) -> Result<Report, Failure> {
    let mut rows: Vec<PgArchiverRecord> = watch.rows(include_str!("../../queries/archiver.sql"), &[])?;
    let mut report = Report::default();
    report.note(Severity::Ok, count(rows.len(), PgArchiverRecord::NOUN));
    // What is left there from when it was on waits for nobody.
    for row in rows.iter_mut().filter(|row| row.archive_mode != "off") {
        if row.waiting_readable {
            let waiting: Waiting = watch.record(include_str!("../../queries/archiver_waiting.sql"), &[])?;
            (row.waiting_files, row.longest_waiting_ms) = (Some(waiting.waiting_files), waiting.longest_waiting_ms);
        } else {
            report.notes.push(Note::hidden("how many files wait is hidden", "pg_monitor", &watch.server));
        }
    }
    report.records = Records::of(rows);
    Ok(report)
}
