//! `postgres`: does the server take us in and answer, does it take writes, how many connections are left, and how far a
//! standby is behind.

mod replication;

use std::borrow::Cow;
use std::time::Instant;

use pso_common::Severity;
use pso_common::io::elapsed_ms;
use pso_common::postgres::{Client, ConnectFailure, Error, Purpose, connect};
use pso_common::record::{HealthCheckRecord, Labels, Layer};

use self::replication::{Follower, Standby};
use crate::check::{Check, Context};
use crate::finding::{Finding, Findings};
use crate::limits::{self, Limits};

pub(crate) struct Postgres;

impl Check for Postgres {
    fn name(&self) -> &str {
        "postgres"
    }

    fn about(&self) -> Cow<'_, str> {
        "PostgreSQL: connects and answers (and how fast), writable or standby, connections in use, replication".into()
    }

    fn run(&self, context: &Context, findings: &Findings<'_>) {
        let started = Instant::now();
        let settings = &context.settings.postgres;
        let mut client = match connect(settings, crate::TOOL.name, Purpose::Watch) {
            Ok(client) => client,
            Err(error) => {
                let layer = error.downcast_ref::<ConnectFailure>().and_then(ConnectFailure::layer);
                return findings.push(failure(layer, format!("{error:#}"), started));
            }
        };
        let connected_ms = started.elapsed().as_secs_f64() * 1000.0;
        if let Err(error) = look(&mut client, connected_ms, started, context, findings) {
            // Without words of the server's it was the connection that broke.
            let said = error.downcast_ref::<Error>().is_some_and(|error| error.as_db_error().is_some());
            let layer = if said { Layer::Query } else { Layer::Read };
            let message = format!("connected to PostgreSQL at {}, but asking it failed: {error:#}", settings.shown());
            findings.push(failure(Some(layer), message, started));
        }
    }
}

fn failure(layer: Option<Layer>, message: String, started: Instant) -> Finding {
    let record = HealthCheckRecord { layer, elapsed_ms: elapsed_ms(started), ..HealthCheckRecord::default() };
    Finding::check(Severity::Critical, "postgres", message, record)
}

/// Asks, and hands over what it learns as it learns it.
fn look(
    client: &mut Client,
    connected_ms: f64,
    started: Instant,
    context: &Context,
    findings: &Findings<'_>,
) -> anyhow::Result<()> {
    let (settings, limits) = (&context.settings.postgres, &context.settings.limits);
    let asked = Instant::now();
    client.query_one(include_str!("../../../queries/ping.sql"), &[])?;
    let latency_ms = asked.elapsed().as_secs_f64() * 1000.0;
    let state = State::read(client)?;
    findings.push(state.finding(&settings.shown(), connected_ms, elapsed_ms(started)));
    let detail = "for the shortest query";
    findings.push(limits.judge(&limits::POSTGRES_LATENCY, latency_ms, detail, elapsed_ms(started), Labels::new()));
    if let Some(finding) = state.connections(limits, elapsed_ms(started)) {
        findings.push(finding);
    }
    let replication = if state.standby {
        Standby::read(client)?.findings(limits, elapsed_ms(started))
    } else {
        Follower::findings(&Follower::read(client)?, &settings.user, limits, elapsed_ms(started))
    };
    replication.into_iter().for_each(|finding| findings.push(finding));
    Ok(())
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
        let row = client.query_one(include_str!("../../../queries/server_state.sql"), &[])?;
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
