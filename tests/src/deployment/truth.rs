//! What the logs say, known from their making.

use std::collections::BTreeMap;
use std::time::Duration;

use time::OffsetDateTime;

/// How a line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Form {
    /// `2025-06-12T09:00:00.123Z ERROR SyncTimeout [sync-engine] …`
    Text,
    /// `2025/06/12 09:00:00 ERROR SyncTimeout [sync-engine] …`; the stamp is UTC, and does not say so.
    Go,
    /// `{"time":"2025-06-12T09:00:00.123Z","level":"error","msg":"SyncTimeout [sync-engine] …"}`
    Json,
}

/// A line that a log scan must find.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEvent {
    /// The file below `logs/`.
    pub file: String,
    /// Its line there, from 1, after decompression.
    pub line: u64,
    /// Its time stamp.
    pub at: OffsetDateTime,
    /// How it is written.
    pub form: Form,
    /// The error's type, when its level is error: the first word after the level, or in JSON of the message.
    pub error_type: Option<String>,
    /// A conflict that nobody has resolved: `conflict.*unresolved`.
    pub unresolved_conflict: bool,
    /// `ValidationError`. These are errors as well.
    pub validation_error: bool,
    /// `(authentication|authorization|security)`. Some of these are errors as well.
    pub security_event: bool,
}

/// A file below `logs/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFile {
    /// Its lines, after decompression.
    pub lines: u64,
    /// Of these, the ones without a time stamp of their own (stack traces).
    pub unstamped_lines: u64,
    /// The time stamps of the others, in the order of the lines.
    pub stamps: Vec<OffsetDateTime>,
    /// The bytes on disk.
    pub size_bytes: u64,
}

/// Counts of a window.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogCounts {
    /// Errors by type, `ValidationError` included.
    pub errors: BTreeMap<String, u64>,
    /// Unresolved conflicts.
    pub unresolved_conflicts: u64,
    /// Validation errors.
    pub validation_errors: u64,
    /// Security events.
    pub security_events: u64,
}

impl LogCounts {
    /// Errors of all types.
    #[must_use]
    pub fn errors_total(&self) -> u64 {
        self.errors.values().sum()
    }
}

/// All that the logs say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogTruth {
    /// The time that windows end at.
    pub now: OffsetDateTime,
    /// Every line that counts, by file and line.
    pub events: Vec<LogEvent>,
    /// Every file, by its name below `logs/`.
    pub files: BTreeMap<String, LogFile>,
}

impl LogTruth {
    /// The counts of the last so many hours, or of everything.
    #[must_use]
    pub fn counts(&self, since: Option<Duration>) -> LogCounts {
        self.counts_of(|event| since.is_none_or(|since| event.at >= self.now - since))
    }

    /// The counts of one window of 24 hours: 0 is the last one, 1 the one before, 2 the oldest.
    #[must_use]
    pub fn day(&self, back: u32) -> LogCounts {
        let day = Duration::from_secs(86_400);
        let (from, to) = (self.now - day * (back + 1), self.now - day * back);
        self.counts_of(|event| event.at >= from && event.at < to)
    }

    /// The counts of the events that `keep` chooses, such as those of one file or one form.
    #[must_use]
    pub fn counts_of(&self, keep: impl Fn(&LogEvent) -> bool) -> LogCounts {
        let mut counts = LogCounts::default();
        for event in self.events.iter().filter(|event| keep(event)) {
            if let Some(kind) = &event.error_type {
                *counts.errors.entry(kind.clone()).or_default() += 1;
            }
            counts.unresolved_conflicts += u64::from(event.unresolved_conflict);
            counts.validation_errors += u64::from(event.validation_error);
            counts.security_events += u64::from(event.security_event);
        }
        counts
    }
}
