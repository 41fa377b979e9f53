//! What a section is, and which there are. A new one is a file or a folder of its own and a line in [`SECTIONS`].

pub(crate) mod events;
pub(crate) mod files;
pub(crate) mod ports;
pub(crate) mod postgres;
pub(crate) mod qdrant;
pub(crate) mod secrets;
pub(crate) mod token;

use std::fmt;
use std::time::{Duration, Instant};

use pso_common::config::ConfigValue;
use pso_common::io::Cancel;
use pso_common::record::AuditSectionRecord;
use pso_common::{Run, Severity, Timestamp};

use crate::finding::Found;
use crate::settings::Settings;

/// One part that is looked at. It runs in a thread of its own and may hang: then it is left behind and told.
pub(crate) trait Section: Send + Sync {
    /// Its name.
    fn name(&self) -> &'static str;

    /// What it looks at, for `--list`.
    fn about(&self) -> &'static str;

    /// Looks. What was found before an error counts too; the error makes the section `unknown`.
    fn look(&self, context: &Context, found: &mut Found) -> anyhow::Result<()>;
}

/// The sections, in the order of their records.
pub(crate) const SECTIONS: &[&dyn Section] = &[
    &files::Files,
    &secrets::Secrets,
    &token::Token,
    &ports::Ports,
    &postgres::Postgres,
    &qdrant::Qdrant,
    &events::EventsOfLogs,
];

/// What a section works with.
pub(crate) struct Context {
    pub(crate) settings: Settings,
    /// What the records of stdin (`-`) say of security events; absent without.
    pub(crate) events: Option<events::Events>,
    pub(crate) now: Timestamp,
    /// For loops that may be long.
    pub(crate) cancel: Cancel,
    /// When a section should be at its end: what it has found until then counts, later it is given up.
    pub(crate) stop_at: Instant,
}

impl Context {
    /// How long a section still has.
    pub(crate) fn left(&self) -> Duration {
        self.stop_at.saturating_duration_since(Instant::now())
    }
}

/// A section that was chosen by name.
#[derive(Clone, Copy)]
pub(crate) struct Selected(pub(crate) &'static dyn Section);

impl fmt::Debug for Selected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())
    }
}

impl ConfigValue for Selected {
    const EXPECTED: &'static str = "a section that `pso-audit --list` shows";

    fn parse(text: &str) -> Option<Self> {
        SECTIONS.iter().find(|section| section.name() == text.trim()).map(|section| Self(*section))
    }

    fn show(&self) -> String {
        self.0.name().to_owned()
    }
}

/// Writes the names of the sections and what they look at.
pub(crate) fn list(run: &mut Run<'_>) -> anyhow::Result<()> {
    SECTIONS
        .iter()
        .try_for_each(|section| run.emit(Severity::Ok, section.name(), section.about(), AuditSectionRecord::default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_readme_names_each() {
        let readme = include_str!("../../../README.md");
        for section in SECTIONS {
            assert!(readme.contains(&format!("\n| `{}` | ", section.name())), "{}", section.name());
        }
    }
}
