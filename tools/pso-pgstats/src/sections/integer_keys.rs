//! `integer_keys`: how far keys of two and four bytes have come of what they can hold, whoever fills them (`pg_stats`).

use pso_common::Severity;
use pso_common::record::{PgIntegerKeyRecord, PgServerRecord};

use super::Section;
use crate::records::Row;
use crate::report::{Note, count, grant_reading};

pub(super) const SECTION: Section = Section::plain::<PgIntegerKeyRecord>(
    "integer_keys",
    "How much of their type keys of two and four bytes have used, also those without a sequence",
    &[(130_000, include_str!("../../queries/integer_keys.sql"))],
);

impl Row for PgIntegerKeyRecord {
    const NOUN: (&'static str, &'static str) = ("integer key", "integer keys");

    fn name(&self) -> String {
        format!("{}.{}.{}", self.schemaname, self.relname, self.column_name)
    }

    fn notes(rows: &[Self], server: &PgServerRecord) -> Vec<Note> {
        let hidden = rows.iter().filter(|row| !row.readable).count();
        if hidden == 0 {
            return Vec::new();
        }
        let text = format!("{} without their values; {}", count(hidden, Self::NOUN), grant_reading("TABLES", server));
        vec![Note::new(Severity::Info, text)]
    }
}
