//! How far a standby is behind, seen from itself or from its primary.

use std::thread;
use std::time::{Duration, Instant};

use pso_common::Severity;
use pso_common::output::bytes;
use pso_common::postgres::Client;
use pso_common::record::{HealthCheckRecord, Labels, Layer};

use crate::finding::Finding;
use crate::limits::{self, Limits};

/// What is received is replayed at once, unless there is a reason; so long it is waited for.
const MOMENT: Duration = Duration::from_millis(200);

/// A standby, as it sees itself.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Standby {
    /// The end of what came from the primary; none where nothing has come since the start.
    received: Option<String>,
    caught_up: Option<bool>,
    behind_bytes: Option<f64>,
    replayed_seconds_ago: Option<f64>,
    /// Whether there is a WAL receiver.
    receiving: bool,
    paused: bool,
}

impl Standby {
    pub(super) fn read(client: &mut Client) -> anyhow::Result<Self> {
        let row = client.query_one(include_str!("../../../queries/standby.sql"), &[])?;
        let mut standby = Self {
            received: row.try_get("received")?,
            caught_up: row.try_get("caught_up")?,
            behind_bytes: row.try_get("behind_bytes")?,
            replayed_seconds_ago: row.try_get("replayed_seconds_ago")?,
            receiving: row.try_get("receiving")?,
            paused: row.try_get("paused")?,
        };
        // Between receiving and replaying a moment passes; it must not be taken for a lag as old as the last commit.
        let until = Instant::now() + MOMENT;
        while let (Some(received), Some(false)) = (&standby.received, standby.caught_up) {
            let row = client.query_one(include_str!("../../../queries/replayed.sql"), &[received])?;
            standby.caught_up = row.try_get("caught_up")?;
            if Instant::now() >= until {
                break;
            }
            thread::sleep(MOMENT / 10);
        }
        Ok(standby)
    }

    pub(super) fn findings(&self, limits: &Limits, elapsed_ms: u64) -> Vec<Finding> {
        let check = |severity, message: &str, layer| {
            let record = HealthCheckRecord { layer, elapsed_ms, ..HealthCheckRecord::default() };
            Finding::check(severity, "postgres.replication", message, record)
        };
        if !self.receiving {
            let message = "nothing comes from the primary (there is no WAL receiver): how far behind this standby is \
                           cannot be told; see primary_conninfo and the server's log";
            return vec![check(Severity::High, message, None)];
        }
        let paused = if self.paused { "; replaying is paused (pg_wal_replay_resume() goes on)" } else { "" };
        let (lag, detail) = match (self.caught_up, self.replayed_seconds_ago) {
            (Some(true), _) => (0.0, "all that was received is replayed".to_owned()),
            (Some(false), Some(seconds)) => {
                let behind = self.behind_bytes.filter(|bytes| *bytes >= 0.0);
                (
                    seconds.max(0.0),
                    format!("{} of WAL are received and not replayed", behind.map_or_else(String::new, shown)),
                )
            }
            _ => {
                let message = format!("it receives, and has replayed nothing that tells its time yet{paused}");
                return vec![check(Severity::Info, &message, None)];
            }
        };
        let severity = if self.paused { Severity::Warning } else { Severity::Ok };
        vec![
            check(severity, &format!("WAL comes from the primary; {detail}{paused}"), None),
            limits.judge(&limits::REPLICATION_LAG, lag, &detail, elapsed_ms, Labels::new()),
        ]
    }
}

/// A standby, as its primary sees it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Follower {
    name: String,
    /// None where the role may not know.
    state: Option<String>,
    lag_seconds: Option<f64>,
    behind_bytes: Option<f64>,
}

impl Follower {
    pub(super) fn read(client: &mut Client) -> anyhow::Result<Vec<Self>> {
        let rows = client.query(include_str!("../../../queries/standbys.sql"), &[])?;
        rows.iter()
            .map(|row| {
                Ok(Self {
                    name: row.try_get("standby")?,
                    state: row.try_get("state")?,
                    lag_seconds: row.try_get("lag_seconds")?,
                    behind_bytes: row.try_get("behind_bytes")?,
                })
            })
            .collect()
    }

    /// One check, and a lag for each standby by name; of several of one name the worst counts.
    pub(super) fn findings(all: &[Self], user: &str, limits: &Limits, elapsed_ms: u64) -> Vec<Finding> {
        if all.is_empty() {
            return Vec::new();
        }
        let record = HealthCheckRecord { elapsed_ms, ..HealthCheckRecord::default() };
        let count = if all.len() == 1 { "1 standby".to_owned() } else { format!("{} standbys", all.len()) };
        if all.iter().any(|follower| follower.state.is_none()) {
            let message = format!("{count}; to see how far behind: GRANT pg_monitor TO {}", quoted(user));
            return vec![Finding::check(Severity::Info, "postgres.replication", message, record)];
        }
        let mut findings = vec![Finding::check(Severity::Ok, "postgres.replication", count, record)];
        let mut worst: Vec<&Self> = Vec::new();
        for follower in all {
            match worst.iter_mut().find(|known| known.name == follower.name) {
                Some(known) if known.lag() < follower.lag() => *known = follower,
                Some(_) => {}
                None => worst.push(follower),
            }
        }
        for follower in worst {
            let state = follower.state.as_deref().unwrap_or_default();
            let behind = follower
                .behind_bytes
                .map_or_else(|| "at no known place".to_owned(), |b| format!("{} behind", shown(b)));
            let labels = Labels::from([("standby".to_owned(), follower.name.clone())]);
            let Some(lag) = follower.lag() else {
                let name = "postgres.replication";
                let message = format!("the standby {} is {behind} ({state}); its time is not known", follower.name);
                let record =
                    HealthCheckRecord { labels, layer: Some(Layer::Field), elapsed_ms, ..HealthCheckRecord::default() };
                findings.push(Finding::check(Severity::Info, name, message, record));
                continue;
            };
            let detail = format!("the standby {} is {behind}, {state}", follower.name);
            findings.push(limits.judge(&limits::REPLICATION_LAG, lag, &detail, elapsed_ms, labels));
        }
        findings
    }

    /// Seconds. Where all is replayed there is none, whatever was measured last.
    fn lag(&self) -> Option<f64> {
        if self.behind_bytes == Some(0.0) { Some(0.0) } else { self.lag_seconds }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "shown to people; the cast saturates")]
fn shown(count: f64) -> String {
    bytes(count as u64)
}

/// A role's name as SQL has it.
fn quoted(name: &str) -> String {
    let plain = |c: char| c.is_ascii_lowercase() || c == '_' || c.is_ascii_digit();
    if name.chars().all(plain) { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Body;

    fn standby() -> Standby {
        Standby {
            received: Some("0/3000060".to_owned()),
            caught_up: Some(true),
            behind_bytes: Some(0.0),
            replayed_seconds_ago: Some(86_400.0),
            receiving: true,
            paused: false,
        }
    }

    fn lag(findings: &[Finding]) -> Option<(f64, Severity)> {
        findings.iter().find_map(|finding| match &finding.body {
            Body::Metric(record) => Some((record.value, finding.severity)),
            Body::Check(_) => None,
        })
    }

    #[test]
    fn an_idle_primary_is_no_lag() {
        let of = |standby: &Standby| standby.findings(&Limits::default(), 1);
        assert_eq!(lag(&of(&standby())), Some((0.0, Severity::Ok)));
        let behind = Standby { caught_up: Some(false), behind_bytes: Some(2048.0), ..standby() };
        assert_eq!(lag(&of(&behind)), Some((86_400.0, Severity::Critical)));
        let cut_off = of(&Standby { receiving: false, ..standby() });
        assert_eq!((lag(&cut_off), cut_off[0].severity), (None, Severity::High), "all is replayed, and nothing comes");
        let paused = of(&Standby { paused: true, ..standby() });
        assert_eq!((paused[0].severity, lag(&paused)), (Severity::Warning, Some((0.0, Severity::Ok))));
        let fresh = of(&Standby { received: None, caught_up: None, replayed_seconds_ago: None, ..standby() });
        assert_eq!((lag(&fresh), fresh[0].severity), (None, Severity::Info));
    }

    #[test]
    fn a_primary_tells_of_its_standbys_what_the_role_may_know() {
        let follower = |name: &str, lag_seconds, behind| Follower {
            name: name.to_owned(),
            state: Some("streaming".to_owned()),
            lag_seconds,
            behind_bytes: Some(behind),
        };
        let of = |all: &[Follower]| Follower::findings(all, "sync user", &Limits::default(), 1);
        assert!(of(&[]).is_empty());
        let all = [follower("a", None, 0.0), follower("b", Some(3.0), 9.0), follower("b", Some(90.0), 4096.0)];
        let found = of(&all);
        let lags: Vec<_> = found.iter().filter_map(|finding| lag(std::slice::from_ref(finding))).collect();
        assert_eq!((found.len(), lags), (3, vec![(0.0, Severity::Ok), (90.0, Severity::Warning)]));
        let hidden = of(&[Follower { state: None, lag_seconds: None, behind_bytes: None, ..all[0].clone() }]);
        assert_eq!(hidden.len(), 1);
        assert!(hidden[0].message.ends_with("GRANT pg_monitor TO \"sync user\""), "{}", hidden[0].message);
    }
}
