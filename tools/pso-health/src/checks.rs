//! What a check is, and which there are. A new one is a file of its own and a line in [`ALL`].

use std::fmt;

use pso_common::config::ConfigValue;
use pso_common::http::HttpClient;
use pso_common::record::HealthCheckRecord;
use pso_common::{Run, Severity, Timestamp};

use crate::finding::Findings;
use crate::settings::Settings;

/// One part that can be looked at. A check runs in a thread of its own and may hang: what it found before is kept.
pub(crate) trait Check: Send + Sync {
    /// Its name: the first word of the names of its `health.check` records.
    fn name(&self) -> &'static str;

    /// What it looks at, for `--list`.
    fn about(&self) -> &'static str;

    /// How bad it is when it says nothing in time. A server that does not answer is down.
    fn silence(&self) -> Severity {
        Severity::Critical
    }

    /// Looks, and hands over each finding when it has it.
    fn run(&self, context: &Context, findings: &Findings);
}

/// The checks, in the order of their records.
pub(crate) const ALL: &[&dyn Check] = &[
    &crate::service::Service,
    &crate::metrics::Metrics,
    &crate::postgres::Postgres,
    &crate::qdrant::Qdrant,
    &crate::disk::Disk,
];

/// What a check works with.
pub(crate) struct Context {
    pub(crate) settings: Settings,
    /// For planning-sync-server.
    pub(crate) http: HttpClient,
    pub(crate) now: Timestamp,
}

/// A check that was chosen by name.
#[derive(Clone, Copy)]
pub(crate) struct Selected(pub(crate) &'static dyn Check);

impl fmt::Debug for Selected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())
    }
}

impl ConfigValue for Selected {
    const EXPECTED: &'static str = "a check that `pso-health --list` shows";

    fn parse(text: &str) -> Option<Self> {
        ALL.iter().find(|check| check.name() == text.trim()).map(|check| Self(*check))
    }

    fn show(&self) -> String {
        self.0.name().to_owned()
    }
}

/// Writes the names of the checks and what they look at.
pub(crate) fn list(run: &mut Run<'_>) -> anyhow::Result<()> {
    ALL.iter().try_for_each(|check| run.emit(Severity::Ok, check.name(), check.about(), HealthCheckRecord::default()))
}
