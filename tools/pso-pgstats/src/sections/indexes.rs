//! `indexes`: what each is, how often it is used, and what it takes (`pg_stat_user_indexes`, `pg_index`).

use pso_common::Severity;
use pso_common::record::PgIndexRecord;

use super::Section;
use crate::records::Row;

pub(super) const SECTION: Section = Section::plain::<PgIndexRecord>(
    "indexes",
    "Scans, rows and bytes, an index",
    &[(130_000, include_str!("../../queries/indexes.sql"))],
);

impl Row for PgIndexRecord {
    const NOUN: (&'static str, &'static str) = ("index", "indexes");

    fn name(&self) -> String {
        format!("{}.{}", self.schemaname, self.indexrelname)
    }

    fn told(&self) -> (Severity, String) {
        if self.valid { (Severity::Ok, String::new()) } else { (Severity::Info, INVALID.to_owned()) }
    }
}

const INVALID: &str = "not valid: it is being built, or CREATE INDEX CONCURRENTLY failed and left it behind, unused";
