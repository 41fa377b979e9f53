//! What a section found, on its way from the thread that asks to the one that writes.

use std::collections::BTreeMap;
use std::fmt::Display;

use pso_common::Run;
use pso_common::record::{PgSectionRecord, PgServerRecord, Severity};

use crate::records::Records;
use crate::sections::Section;
use crate::watch::Failure;

/// A section's result.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// The records, in the order to write them.
    pub(crate) records: Records,
    /// What the end of the section should say; its severity is the worst of them.
    pub(crate) notes: Vec<Note>,
}

impl Report {
    /// Adds a sentence to the section's end.
    pub(crate) fn note(&mut self, severity: Severity, text: impl Into<String>) {
        self.notes.push(Note::new(severity, text));
    }
}

/// A sentence at the end of a section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) severity: Severity,
    pub(crate) text: String,
}

impl Note {
    pub(crate) fn new(severity: Severity, text: impl Into<String>) -> Self {
        Self { severity, text: text.into() }
    }

    /// What the role does not see, and the right that shows it.
    pub(crate) fn hidden(what: impl Display, right: &str, server: &PgServerRecord) -> Self {
        Self::new(Severity::Info, format!("{what}; GRANT {right} TO {}", server.role))
    }
}

/// Notes as the severity and message of one record.
pub(crate) fn together(notes: &[Note]) -> (Severity, String) {
    let severity = notes.iter().map(|note| note.severity).max().unwrap_or_default();
    let texts: Vec<&str> = notes.iter().map(|note| note.text.as_str()).collect();
    (severity, texts.join("; "))
}

/// What lets the role read all tables, or sequences, of others. There is a role for it from 14 on.
pub(crate) fn grant_reading(what: &str, server: &PgServerRecord) -> String {
    let role = &server.role;
    let all = format!("GRANT SELECT ON ALL {what} IN SCHEMA … TO {role}");
    if server.version_num >= 140_000 { format!("GRANT pg_read_all_data TO {role}, or {all}") } else { all }
}

/// `1 table`, `2 tables`.
pub(crate) fn count(number: usize, (one, many): (&str, &str)) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// How a section ended, as its `pg.section` says it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) severity: Severity,
    pub(crate) message: String,
    /// Absent when it could not be read.
    pub(crate) rows: Option<u64>,
    pub(crate) elapsed_ms: Option<u64>,
}

impl End {
    /// Of a section that was read.
    pub(crate) fn read(rows: usize, notes: &[Note], elapsed_ms: Option<u64>) -> Self {
        let (severity, message) = together(notes);
        Self { severity, message, rows: Some(rows as u64), elapsed_ms }
    }

    /// Of one that was not.
    pub(crate) fn failed(failure: &Failure, elapsed_ms: Option<u64>) -> Self {
        let (severity, reason) = match failure {
            Failure::Unavailable(reason) => (Severity::Info, reason),
            Failure::Unknown(reason) | Failure::Lost(reason) => (Severity::Unknown, reason),
        };
        Self { severity, message: reason.clone(), rows: None, elapsed_ms }
    }

    /// Writes it.
    pub(crate) fn emit(&self, section: &Section, run: &mut Run<'_>) -> anyhow::Result<()> {
        let body = PgSectionRecord { rows: self.rows, elapsed_ms: self.elapsed_ms };
        run.emit(self.severity, section.name, self.message.clone(), body)
    }
}

/// The ends of the sections that were asked for, by name.
pub(crate) type Ends = BTreeMap<&'static str, End>;
