//! `sequences`: how far each has come of what it and its column can hold (`pg_sequence`).

use pso_common::Severity;
use pso_common::record::{PgSequenceRecord, PgServerRecord};

use super::Section;
use crate::records::Row;
use crate::report::{Note, count, grant_reading};

pub(super) const SECTION: Section = Section::plain::<PgSequenceRecord>(
    "sequences",
    "How much of its values each sequence has used, serial and identity",
    &[(130_000, include_str!("../../queries/sequences.sql"))],
);

impl Row for PgSequenceRecord {
    const NOUN: (&'static str, &'static str) = ("sequence", "sequences");

    fn name(&self) -> String {
        format!("{}.{}", self.schemaname, self.sequencename)
    }

    fn notes(rows: &[Self], server: &PgServerRecord) -> Vec<Note> {
        let (hidden, held) = (
            rows.iter().filter(|row| !row.readable).count(),
            rows.iter().filter(|row| row.readable && row.held).count(),
        );
        let mut notes = Vec::new();
        if hidden > 0 {
            notes.push(Note::new(
                Severity::Info,
                format!(
                    "{} without their last value; {}",
                    count(hidden, Self::NOUN),
                    grant_reading("SEQUENCES", server)
                ),
            ));
        }
        if held > 0 {
            let text = format!(
                "{} not read, because another session holds or wants to change them, or because \
                 they are unlogged on a standby",
                count(held, Self::NOUN)
            );
            notes.push(Note::new(Severity::Info, text));
        }
        notes
    }
}
