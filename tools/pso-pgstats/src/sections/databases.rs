//! `databases`: what each database of the server holds and has counted (`pg_stat_database`, `pg_database`).

use pso_common::record::{PgDatabaseRecord, PgServerRecord};

use super::Section;
use crate::records::Row;
use crate::report::{Note, count};

pub(super) const SECTION: Section = Section::plain::<PgDatabaseRecord>(
    "databases",
    "Size of each database, its transactions, cache hits, temporary files, deadlocks and checksum failures",
    &[(130_000, include_str!("../../queries/databases.sql"))],
);

impl Row for PgDatabaseRecord {
    const NOUN: (&'static str, &'static str) =
        ("database, shared objects included", "databases, shared objects included");

    fn name(&self) -> String {
        self.datname.clone().unwrap_or_else(|| "shared objects".to_owned())
    }

    fn notes(rows: &[Self], server: &PgServerRecord) -> Vec<Note> {
        let unmeasured = rows.iter().filter(|row| row.datname.is_some() && row.size_bytes.is_none()).count();
        if unmeasured == 0 || server.reads_all_stats {
            return Vec::new();
        }
        let databases = count(unmeasured, ("database", "databases"));
        let text = format!("{databases} not measured, because the role may not connect");
        vec![Note::hidden(text, "pg_read_all_stats", server)]
    }
}
