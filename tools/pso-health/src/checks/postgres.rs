//! `postgres`: does the server take us in, does it take writes, and how many connections are left.

use std::borrow::Cow;
use std::time::Instant;

use anyhow::Context as _;
use pso_common::Severity;
use pso_common::io::elapsed_ms;
use pso_common::postgres::{Client, Purpose, connect};
use pso_common::record::{HealthCheckRecord, Labels};

use crate::check::{Check, Context};
use crate::finding::{Finding, Findings};
use crate::limits::{self, Limits};

pub(crate) struct Postgres;

impl Check for Postgres {
    fn name(&self) -> &str {
        "postgres"
    }

    fn about(&self) -> Cow<'_, str> {
        "PostgreSQL: connects (and how fast), writable or standby, connections in use".into()
    }

    fn run(&self, context: &Context, findings: &Findings<'_>) {
        let started = Instant::now();
        let settings = &context.settings.postgres;
        let looked = connect(settings, crate::TOOL.name, Purpose::Watch).and_then(|mut client| {
            let connected = started.elapsed();
            let state = State::read(&mut client)
                .with_context(|| format!("read the state of PostgreSQL at {}", settings.shown()))?;
            Ok((state, connected.as_secs_f64() * 1000.0))
        });
        match looked {
            Ok((state, latency_ms)) => {
                findings.push(state.finding(&settings.shown(), latency_ms, elapsed_ms(started)));
                if let Some(finding) = state.connections(&context.settings.limits, elapsed_ms(started)) {
                    findings.push(finding);
                }
            }
            Err(error) => {
                let record = HealthCheckRecord { elapsed_ms: elapsed_ms(started), ..HealthCheckRecord::default() };
                findings.push(Finding::check(Severity::Critical, "postgres", format!("{error:#}"), record));
            }
        }
    }
}

/// What the server says of itself.
#[derive(Debug)]
struct State {
    version: String,
    /// `pg_is_in_recovery()`
    standby: bool,
    /// `default_transaction_read_only` as a new session has it.
    read_only: bool,
    /// Sessions of clients.
    used: i32,
    /// `max_connections` without those that are kept for superusers.
    usable: i32,
}

impl State {
    fn read(client: &mut Client) -> anyhow::Result<Self> {
        let row = client.query_one(include_str!("../../queries/server_state.sql"), &[])?;
        Ok(Self {
            version: row.try_get("version")?,
            standby: row.try_get("standby")?,
            read_only: row.try_get("read_only")?,
            used: row.try_get("used")?,
            usable: row.try_get("usable")?,
        })
    }

    fn finding(&self, server: &str, latency_ms: f64, elapsed_ms: u64) -> Finding {
        let (severity, status, note) = match (self.standby, self.read_only) {
            (true, _) => (Severity::Warning, "standby", ": it takes no writes, the synchronisation cannot work on it"),
            (false, true) => (Severity::High, "read-only", ": default_transaction_read_only is on"),
            (false, false) => (Severity::Ok, "writable", ""),
        };
        // Debian's servers add their package's name to the version.
        let version = self.version.split(' ').next().unwrap_or_default();
        let message = format!("PostgreSQL {version} at {server} is {status}{note} (connected in {latency_ms:.0} ms)");
        let record = HealthCheckRecord {
            value: Some(latency_ms),
            unit: Some("ms".to_owned()),
            status: Some(status.to_owned()),
            elapsed_ms,
            ..HealthCheckRecord::default()
        };
        Finding::check(severity, "postgres", message, record)
    }

    fn connections(&self, limits: &Limits, elapsed_ms: u64) -> Option<Finding> {
        let (used, usable) = (f64::from(self.used), f64::from(self.usable));
        let detail = format!("{used} of {usable} connections are in use");
        (usable > 0.0)
            .then(|| limits.judge(&limits::CONNECTION_USAGE, used / usable * 100.0, &detail, elapsed_ms, Labels::new()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_takes_no_writes_is_told() {
        let state = |standby, read_only| {
            let version = "15.12 (Debian 15.12-0+deb12u2)".to_owned();
            State { version, standby, read_only, used: 95, usable: 97 }
        };
        let message = |standby, read_only| state(standby, read_only).finding("h:1/d as u", 3.4, 5);
        assert_eq!(message(false, false).message, "PostgreSQL 15.12 at h:1/d as u is writable (connected in 3 ms)");
        assert_eq!(message(true, false).severity, Severity::Warning);
        assert_eq!(message(false, true).severity, Severity::High);
        let connections = state(false, false).connections(&Limits::default(), 1).expect("usable ones");
        assert_eq!(connections.severity, Severity::Warning);
        assert!(connections.message.contains("95 of 97"), "{}", connections.message);
    }
}
