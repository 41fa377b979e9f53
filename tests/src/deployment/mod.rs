//! A realistic deployment of the maintained system: its folder, its database and its vectors.
//!
//! The same [`Spec`] gives the same bytes every time. What the logs say is known beforehand ([`LogTruth`]), counted as the lines were made, not
//! by reading them.
//!
//! ```no_run
//! # fn main() -> anyhow::Result<()> {
//! use pso_tests::deployment::{self, Spec};
//! use pso_tests::pg::TempPg;
//!
//! let database = TempPg::shared()?.database("planning_sync")?;
//! let spec = Spec::small(time::OffsetDateTime::now_utc()).with_database(&database);
//! let folder = tempfile::tempdir()?;
//! let truth = deployment::write_files(folder.path(), &spec)?;
//! let rows = deployment::fill_database(&mut database.connect()?, &spec)?;
//! assert_eq!(rows.values().sum::<u64>(), 600);
//! assert!(truth.logs.counts(None).errors_total() > 50);
//! # Ok(())
//! # }
//! ```

mod files;
mod log_lines;
mod logs;
mod plans;
mod points;
mod rows;
mod truth;
mod words;

use std::path::PathBuf;

use time::{OffsetDateTime, UtcOffset};

pub use files::{FilesTruth, write_files};
pub use points::{ALIAS, DIMENSIONS, fill_qdrant};
pub use rows::{SCHEMA, TABLES, fill_database, wear_out};
pub use truth::{Form, LogCounts, LogEvent, LogFile, LogTruth};

use crate::pg::Database;
use crate::qdrant::TempQdrant;
use crate::service::Service;
use crate::smtp::SmtpSink;

/// What to generate, and where the parts of the deployment answer.
#[derive(Debug, Clone)]
pub struct Spec {
    /// The same seed and `now` give the same deployment.
    pub seed: u64,
    /// The end of the logs; whole seconds, UTC. No event lies within five minutes before a full hour's distance from it, so that a window of
    /// whole hours gives the same counts for tools that look a few minutes later.
    pub now: OffsetDateTime,
    /// Rows over all six tables; at least 20.
    pub rows: usize,
    /// Markdown files below `roadmaps/plans`.
    pub plans: usize,
    /// Points over both collections.
    pub points: usize,
    /// Harmless lines a day in `sync-engine.log`.
    pub log_lines: usize,
    /// planning-sync-server's port.
    pub service_port: u16,
    /// The server's token, `config/api-token.txt`.
    pub token: String,
    /// `database.postgres` of `config.yaml`.
    pub postgres: Postgres,
    /// `database.qdrant.port` of `config.yaml`.
    pub qdrant_port: u16,
    /// Lines of YAML under `maintenance:`, without their indentation.
    pub maintenance: Vec<String>,
    /// Port and authority (a PEM file) of a mail server on this machine, for `config/alerts.yaml`; without one its email is
    /// turned off, since no test may write to Google.
    pub mail: Option<(u16, PathBuf)>,
}

/// `database.postgres` of `config.yaml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Postgres {
    /// Host.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Database.
    pub dbname: String,
    /// User.
    pub user: String,
    /// Password, in the clear, as the server has it.
    pub password: String,
}

impl Spec {
    /// A few of everything, for tests: 600 rows, 12 plans, 60 points, 200 log lines a day. `now` is cut to whole seconds.
    #[must_use]
    pub fn small(now: OffsetDateTime) -> Self {
        let postgres = Postgres {
            host: "127.0.0.1".to_owned(),
            port: 5432,
            dbname: "planning_sync".to_owned(),
            user: "sync_user".to_owned(),
            password: "sync_password".to_owned(),
        };
        Self {
            seed: 55,
            now: now.to_offset(UtcOffset::UTC).replace_nanosecond(0).unwrap_or(now),
            rows: 600,
            plans: 12,
            points: 60,
            log_lines: 200,
            service_port: 8080,
            token: "test-token-0123456789abcdef".to_owned(),
            postgres,
            qdrant_port: 6333,
            maintenance: Vec::new(),
            mail: None,
        }
    }

    /// The demo's size: 20,000 rows, 44 plans, 1,000 points, 2,000 log lines a day.
    #[must_use]
    pub fn demo(now: OffsetDateTime) -> Self {
        Self { rows: 20_000, plans: 44, points: 1_000, log_lines: 2_000, ..Self::small(now) }
    }

    /// With the address of a test database.
    #[must_use]
    pub fn with_database(mut self, database: &Database) -> Self {
        self.postgres = Postgres {
            host: database.host().to_owned(),
            port: database.port(),
            dbname: database.name().to_owned(),
            user: database.user().to_owned(),
            password: database.password().to_owned(),
        };
        self
    }

    /// With the address of a vector store.
    #[must_use]
    pub fn with_qdrant(mut self, store: &TempQdrant) -> Self {
        self.qdrant_port = store.port();
        self
    }

    /// With the address and the token of a service.
    #[must_use]
    pub fn with_service(mut self, service: &Service) -> Self {
        self.service_port = service.port();
        self.token = service.state().token;
        self
    }

    /// With a mail server.
    #[must_use]
    pub fn with_mail(mut self, mail: &SmtpSink) -> Self {
        self.mail = Some((mail.port(), mail.ca_file()));
        self
    }

    /// With one more line of YAML under `maintenance:`, such as `backup: {keep_days: 7}`.
    #[must_use]
    pub fn with_maintenance(mut self, line: &str) -> Self {
        self.maintenance.push(line.to_owned());
        self
    }

    /// Random numbers for one part, the same whatever the other parts draw.
    fn random(&self, part: &str) -> fastrand::Rng {
        let tag = part.bytes().fold(self.seed, |tag, byte| tag.wrapping_mul(0x0100_0000_01b3) ^ u64::from(byte));
        fastrand::Rng::with_seed(tag)
    }
}
