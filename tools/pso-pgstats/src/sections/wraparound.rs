//! `wraparound`: how old the oldest ids are that are not frozen, a database and a table (`pg_database`, `pg_class`).

use pso_common::record::PgWraparoundRecord;

use super::Section;
use crate::records::Row;

pub(super) const SECTION: Section = Section::plain::<PgWraparoundRecord>(
    "wraparound",
    "Age of transaction and multixact ids, all databases and the 10 oldest tables of this one",
    &[(130_000, include_str!("../../queries/wraparound.sql"))],
);

impl Row for PgWraparoundRecord {
    const NOUN: (&'static str, &'static str) = ("database or table", "databases and tables");

    fn name(&self) -> String {
        match (&self.schemaname, &self.relname) {
            (Some(schema), Some(table)) => format!("{}/{schema}.{table}", self.datname),
            _ => self.datname.clone(),
        }
    }
}
