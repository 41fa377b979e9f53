//! What was wrong with one input of records.

use std::path::Path;

/// One input, and what is to be said of it.
#[derive(Debug)]
pub(super) struct Input {
    name: String,
    records: u64,
    malformed: u64,
    /// The first line that is no record, or why the input could not be read.
    first: Option<String>,
}

impl Input {
    pub(super) fn of_stdin() -> Self {
        Self::named("records on standard input".to_owned())
    }

    pub(super) fn of_file(path: &Path) -> Self {
        Self::named(format!("records in {}", path.display()))
    }

    const fn named(name: String) -> Self {
        Self { name, records: 0, malformed: 0, first: None }
    }

    /// The name as coverage shows it.
    pub(super) fn name(&self) -> String {
        self.name.clone()
    }

    pub(super) const fn record(&mut self) {
        self.records += 1;
    }

    /// Line `number` is no record, or not of the kind that it says.
    pub(super) fn malformed(&mut self, number: u64, reason: &str) {
        self.malformed += 1;
        if self.first.is_none() {
            self.first = Some(format!("line {number} is no record: {reason}"));
        }
    }

    /// It could not be opened.
    pub(super) fn unreadable(&mut self, error: &std::io::Error) {
        self.first = Some(format!("it cannot be opened: {error}"));
    }

    /// What follows line `number` could not be read.
    pub(super) fn cut(&mut self, number: u64, error: &std::io::Error) {
        self.first = Some(format!("it could be read only up to line {number}: {error}"));
    }

    /// What is wrong with it, if anything is. No records at all are no good news: what should have written them did not
    /// run.
    pub(super) fn verdict(&self) -> Option<String> {
        match (&self.first, self.malformed) {
            (Some(first), 0 | 1) => Some(first.clone()),
            (Some(first), more) => Some(format!("{first}; {} more lines are none", more - 1)),
            (None, _) if self.records == 0 => {
                Some("no records came in: what should have written them did not run".to_owned())
            }
            (None, _) => None,
        }
    }
}
