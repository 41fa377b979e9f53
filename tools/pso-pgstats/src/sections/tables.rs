//! `tables`: rows written, live and dead, and how they are read (`pg_stat_user_tables`, `pg_statio_user_tables`, `pg_class`).

use pso_common::record::PgTableRecord;

use super::Section;
use crate::records::Row;

pub(super) const SECTION: Section = Section::plain::<PgTableRecord>(
    "tables",
    "Rows written, live and dead, scans, last vacuum and analyse, a table",
    &[
        (130_000, include_str!("../../queries/tables.sql")),
        (160_000, include_str!("../../queries/tables_16.sql")),
        (180_000, include_str!("../../queries/tables_18.sql")),
    ],
);

impl Row for PgTableRecord {
    const NOUN: (&'static str, &'static str) = ("table", "tables");

    fn name(&self) -> String {
        format!("{}.{}", self.schemaname, self.relname)
    }
}
