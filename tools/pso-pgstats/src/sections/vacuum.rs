//! `vacuum`: how far each table is from its next autovacuum, and what holds vacuum back (`pg_stat_user_tables`,
//! `pg_class.reloptions`, `pg_stat_activity`, `pg_replication_slots`, `pg_prepared_xacts`).

use pso_common::record::{PgServerRecord, PgVacuumRecord};

use super::Section;
use crate::records::Row;
use crate::report::Note;

pub(super) const SECTION: Section = Section::plain::<PgVacuumRecord>(
    "vacuum",
    "How far each table is from its next autovacuum, and what holds vacuum back",
    &[(130_000, include_str!("../../queries/vacuum.sql")), (180_000, include_str!("../../queries/vacuum_18.sql"))],
);

impl Row for PgVacuumRecord {
    const NOUN: (&'static str, &'static str) = ("table", "tables");

    fn name(&self) -> String {
        format!("{}.{}", self.schemaname, self.relname)
    }

    fn notes(_: &[Self], server: &PgServerRecord) -> Vec<Note> {
        if server.reads_all_stats {
            return Vec::new();
        }
        vec![Note::hidden("other roles' sessions may hold vacuum back, unseen", "pg_read_all_stats", server)]
    }
}
