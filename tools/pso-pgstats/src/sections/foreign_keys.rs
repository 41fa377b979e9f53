//! `foreign_keys`: what refers to what (`pg_constraint`).

use pso_common::record::PgForeignKeyRecord;

use super::Section;
use crate::records::Row;

pub(super) const SECTION: Section = Section::plain::<PgForeignKeyRecord>(
    "foreign_keys",
    "Which columns refer to which table",
    &[(130_000, include_str!("../../queries/foreign_keys.sql"))],
);

impl Row for PgForeignKeyRecord {
    const NOUN: (&'static str, &'static str) = ("foreign key", "foreign keys");

    fn name(&self) -> String {
        format!("{}.{}.{}", self.schemaname, self.relname, self.conname)
    }
}
