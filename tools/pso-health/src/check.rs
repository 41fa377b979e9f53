//! What a check is, and what it works with.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pso_common::http::HttpClient;
use pso_common::{Severity, Timestamp};

use crate::finding::Findings;
use crate::history::History;
use crate::settings::Settings;

/// One part that can be looked at. A check runs in a thread of its own and may hang: what it found before is kept.
pub(crate) trait Check: Send + Sync {
    /// Its name: the first word of the names of its `health.check` records.
    fn name(&self) -> &str;

    /// What it looks at, for `--list`.
    fn about(&self) -> Cow<'_, str>;

    /// How bad it is when it says nothing in time. A server that does not answer is down.
    fn silence(&self) -> Severity {
        Severity::Critical
    }

    /// How long one attempt may take; `None` is `--timeout`.
    fn timeout(&self) -> Option<Duration> {
        None
    }

    /// How often it is tried again when a probe fails; `None` is `--retries`.
    fn retries(&self) -> Option<u32> {
        None
    }

    /// Looks, and hands over each finding when it has it.
    fn run(&self, context: &Context, findings: &Findings<'_>);

    /// The run ends: whatever the check has started outside this process must end with it.
    fn stop(&self) {}
}

/// What a check works with. There is one a round.
pub(crate) struct Context {
    pub(crate) settings: Arc<Settings>,
    /// For planning-sync-server.
    pub(crate) http: HttpClient,
    /// When the round began.
    pub(crate) now: Timestamp,
    history: Arc<Mutex<History>>,
}

impl Context {
    pub(crate) const fn new(
        settings: Arc<Settings>,
        http: HttpClient,
        now: Timestamp,
        history: Arc<Mutex<History>>,
    ) -> Self {
        Self { settings, http, now, history }
    }

    /// What earlier rounds measured. Held for a moment only: other checks wait for it.
    pub(crate) fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
