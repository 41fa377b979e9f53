//! `progress`: how far commands are that say so (`pg_stat_progress_vacuum` and its like).

use pso_common::Severity;
use pso_common::record::{PgProgressRecord, PgServerRecord};

use super::Section;
use crate::records::{Records, Row};
use crate::report::{Note, Report, count};
use crate::watch::{Failure, Variants, Watch};

pub(super) const SECTION: Section = Section::special::<PgProgressRecord>(
    "progress",
    "How far VACUUM, ANALYZE, CREATE INDEX, CLUSTER, COPY and base backups are",
    read,
);

impl Row for PgProgressRecord {
    const NOUN: (&'static str, &'static str) = ("command at work", "commands at work");

    fn name(&self) -> String {
        format!("pid {}", self.pid)
    }

    fn notes(rows: &[Self], server: &PgServerRecord) -> Vec<Note> {
        let hidden = rows.iter().filter(|row| row.hidden).count();
        if hidden == 0 || server.reads_all_stats {
            return Vec::new();
        }
        let of = count(hidden, Self::NOUN);
        vec![Note::hidden(format!("of {of} only the pid can be seen"), "pg_read_all_stats", server)]
    }
}

/// `server_version_num` from which on COPY tells.
const COPY: i32 = 140_000;

fn read(watch: &mut Watch, _: Variants) -> Result<Report, Failure> {
    let copy = if watch.server.version_num >= COPY { include_str!("../../queries/progress_copy.sql") } else { "" };
    let rows: Vec<PgProgressRecord> =
        watch.rows(&include_str!("../../queries/progress.sql").replace("{copy}", copy), &[])?;
    let mut report = Report::default();
    report.note(Severity::Ok, count(rows.len(), PgProgressRecord::NOUN));
    report.notes.extend(PgProgressRecord::notes(&rows, &watch.server));
    report.records = Records::of(rows);
    Ok(report)
}
