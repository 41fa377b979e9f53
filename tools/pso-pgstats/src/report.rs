//! What a section found, on its way from the thread that asks to the one that writes.

use pso_common::Run;
use pso_common::record::{
    PgActivityRecord, PgAdviceRecord, PgIndexRecord, PgSizeRecord, PgStatementRecord, PgTableRecord, Severity,
};

/// A section's result.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// The records, in the order to write them.
    pub(crate) findings: Vec<Finding>,
    /// What the end of the section should say; its severity is the worst of them.
    pub(crate) notes: Vec<Note>,
}

impl Report {
    /// Adds a record.
    pub(crate) fn push(&mut self, severity: Severity, name: String, message: impl Into<String>, body: impl Into<Body>) {
        self.findings.push(Finding { severity, name, message: message.into(), body: body.into() });
    }

    /// Adds a sentence to the section's end.
    pub(crate) fn note(&mut self, severity: Severity, text: impl Into<String>) {
        self.notes.push(Note { severity, text: text.into() });
    }

    /// Takes up what another part of the section found.
    pub(crate) fn append(&mut self, mut other: Self) {
        self.findings.append(&mut other.findings);
        self.notes.append(&mut other.notes);
    }
}

/// A sentence at the end of a section.
#[derive(Debug)]
pub(crate) struct Note {
    pub(crate) severity: Severity,
    pub(crate) text: String,
}

/// One record to be.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) severity: Severity,
    pub(crate) name: String,
    pub(crate) message: String,
    pub(crate) body: Body,
}

impl Finding {
    /// Writes it.
    pub(crate) fn emit(self, run: &mut Run<'_>) -> anyhow::Result<()> {
        let Self { severity, name, message, body } = self;
        match body {
            Body::Activity(body) => run.emit(severity, name, message, body),
            Body::Table(body) => run.emit(severity, name, message, body),
            Body::Size(body) => run.emit(severity, name, message, body),
            Body::Index(body) => run.emit(severity, name, message, body),
            Body::Statement(body) => run.emit(severity, name, message, body),
            Body::Advice(body) => run.emit(severity, name, message, *body),
        }
    }
}

/// The kinds of records that sections give.
#[derive(Debug)]
pub(crate) enum Body {
    Activity(PgActivityRecord),
    Table(PgTableRecord),
    Size(PgSizeRecord),
    Index(PgIndexRecord),
    Statement(PgStatementRecord),
    Advice(Box<PgAdviceRecord>),
}

macro_rules! body_from {
    ($($record:ty => $variant:ident,)*) => {$(
        impl From<$record> for Body {
            fn from(record: $record) -> Self {
                Self::$variant(record.into())
            }
        }
    )*};
}

body_from! {
    PgActivityRecord => Activity,
    PgTableRecord => Table,
    PgSizeRecord => Size,
    PgIndexRecord => Index,
    PgStatementRecord => Statement,
    PgAdviceRecord => Advice,
}

/// `1 table`, `2 tables`.
pub(crate) fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}
