//! planning-sync-server's own face: `/health`, `/metrics`, token check, conflicts and the monitoring page.
//!
//! What it answers is a plain value that the test changes while it runs.

mod answers;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Result;

use crate::http_end::{HttpEnd, Seen, locked};

/// How `/health` answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// 200 and the specification's shape, with the state of every service as [`State::services`] says.
    Json,
    /// The same shape with status 503, as a server that is up and knows that it is not well.
    Unavailable,
    /// 200 and a page of HTML: a proxy's login page, or the wrong server.
    Html,
    /// 200 and JSON that ends in the middle.
    Truncated,
    /// A bare status.
    Status(u16),
    /// Never answers.
    Hang,
    /// As [`Health::Json`], after a while.
    Slow(Duration),
}

/// How `/metrics` answers. The numbers are those of [`State`] in all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metrics {
    /// `{"system":{"cpu_usage":…},"sync":{"total_operations":…}}`, as the specification's monitoring script reads it.
    SystemSync,
    /// `{"metrics":{"sync_operations":{…,"avg_duration":"32s"},"performance":{…}}}`, as the other version answers.
    Nested,
    /// Prometheus text: `system_cpu_usage 23.5`, `sync_total_operations 240`, `sync_duration_seconds` as a histogram.
    Prometheus,
    /// A bare status.
    Status(u16),
}

/// A conflict that nobody has resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActiveConflict {
    /// `conflict-789`
    pub id: String,
    /// The plan's path.
    pub plan_path: String,
    /// `low`, `medium`, `high`
    pub severity: String,
    /// RFC 3339.
    pub detected_at: String,
}

/// What the server knows and how it behaves; every field may change while it runs.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// How `/health` behaves.
    pub health: Health,
    /// `status` of the whole in `/health`.
    pub status: String,
    /// `timestamp` of `/health`, RFC 3339.
    pub timestamp: String,
    /// Dotted path below `services` and its word, in order: `database.postgres` → `healthy`.
    pub services: Vec<(String, String)>,
    /// Syncs under way.
    pub active_syncs: u64,
    /// Conflicts that wait, as `/health` counts them.
    pub pending_conflicts: u64,
    /// End of the last sync, RFC 3339.
    pub last_sync: String,
    /// How `/metrics` behaves.
    pub metrics: Metrics,
    /// Percent.
    pub cpu_usage: f64,
    /// Percent.
    pub memory_usage: f64,
    /// MB/s.
    pub disk_io: f64,
    /// Sync operations in the last hour.
    pub total_operations: u64,
    /// Of these, the failed ones.
    pub failed_operations: u64,
    /// Mean duration of a sync, whole seconds.
    pub sync_duration_s: u64,
    /// The token that `/api/v1/auth/validate` accepts.
    pub token: String,
    /// How long it is still good, seconds.
    pub token_expires_in: i64,
    /// What `/api/v1/conflicts/active` lists.
    pub conflicts: Vec<ActiveConflict>,
    /// Every answer waits this long.
    pub delay: Duration,
}

impl Default for State {
    /// A healthy server with a quiet day behind it.
    fn default() -> Self {
        let services = ["database.postgres", "database.qdrant", "sync_engine", "validation_service"];
        Self {
            health: Health::Json,
            status: "healthy".to_owned(),
            timestamp: "2025-06-12T09:00:00Z".to_owned(),
            services: services.map(|name| (name.to_owned(), "healthy".to_owned())).to_vec(),
            active_syncs: 0,
            pending_conflicts: 0,
            last_sync: "2025-06-12T08:45:22Z".to_owned(),
            metrics: Metrics::SystemSync,
            cpu_usage: 23.5,
            memory_usage: 61.25,
            disk_io: 1.2,
            total_operations: 240,
            failed_operations: 3,
            sync_duration_s: 32,
            token: "test-token-0123456789abcdef".to_owned(),
            token_expires_in: 3600,
            conflicts: Vec::new(),
            delay: Duration::ZERO,
        }
    }
}

impl State {
    /// Sets one service's word, and the whole to `degraded`: `state.degrade("database.qdrant", "unhealthy")`.
    pub fn degrade(&mut self, service: &str, word: &str) {
        "degraded".clone_into(&mut self.status);
        if let Some(known) = self.services.iter_mut().find(|(name, _)| name == service) {
            word.clone_into(&mut known.1);
        } else {
            self.services.push((service.to_owned(), word.to_owned()));
        }
    }
}

/// The server. Dropping it closes its port.
pub struct Service {
    state: Arc<Mutex<State>>,
    end: HttpEnd,
}

impl Service {
    /// A healthy server on a free port.
    ///
    /// # Errors
    /// When it cannot listen.
    pub fn start() -> Result<Self> {
        Self::start_on(0)
    }

    /// A healthy server on a given port of 127.0.0.1.
    ///
    /// # Errors
    /// When it cannot listen there.
    pub fn start_on(port: u16) -> Result<Self> {
        let state = Arc::new(Mutex::new(State::default()));
        let known = Arc::clone(&state);
        // A copy, so that a slow answer does not hold the lock.
        let handler = move |seen: &Seen| {
            let state = locked(&known).clone();
            answers::answer(seen, &state)
        };
        Ok(Self { state, end: HttpEnd::start(port, Arc::new(handler))? })
    }

    /// `http://127.0.0.1:PORT`
    #[must_use]
    pub fn url(&self) -> String {
        self.end.url()
    }

    /// The port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.end.port()
    }

    /// Changes what the next request is answered.
    pub fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut locked(&self.state));
    }

    /// What it knows now.
    #[must_use]
    pub fn state(&self) -> State {
        locked(&self.state).clone()
    }

    /// Every request so far.
    #[must_use]
    pub fn requests(&self) -> Vec<Seen> {
        self.end.seen()
    }

    /// Forgets the requests so far.
    pub fn forget(&self) {
        self.end.forget();
    }
}
