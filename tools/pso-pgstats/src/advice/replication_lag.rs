//! `replication_lag`: a receiver of the log of changes that is far behind. What it has not got is lost with the primary, and
//! what it has not replayed cannot be read there.

use std::time::Duration;

use pso_common::Severity;
use pso_common::config::ConfigValue as _;
use pso_common::output::bytes;
use pso_common::record::{Confidence, PgReplicationRecord};

use super::{Advice, Judged, Rule, evidence, mebibytes, whole_seconds};
use crate::records::{Row as _, Snapshot};
use crate::sections::hidden_replication;
use crate::settings::Limits;

pub(super) const RULE: Rule = Rule { name: "replication_lag", on_standby: true, needs: &["replication"], judge };

fn judge(snapshot: &Snapshot, limits: &Limits) -> Judged {
    let limit = mebibytes(limits.max_replication_lag_mib);
    let records = &snapshot.records.replication;
    let lags = records.iter().filter_map(|record| Some((record, record.replay_lag_bytes?)));
    let delay = delay(snapshot);
    let late = lags.filter(|(_, lag)| *lag >= limit);
    let (meant, late): (Vec<_>, Vec<_>) = late.partition(|(record, _)| {
        record.direction == "receiver" && record.replay_paused != Some(true) && delay.is_some()
    });
    let mut judged: Judged = late.into_iter().map(|(record, lag)| advice(record, lag, limit)).collect();
    if let (Some(delay), false) = (delay, meant.is_empty()) {
        let text =
            format!("not judged, this standby replays later on purpose (recovery_min_apply_delay = {})", delay.show());
        judged.note(Severity::Info, text);
    }
    judged.notes.extend(hidden_replication(records, &snapshot.server));
    judged
}

/// How much later than it could the standby is to replay.
fn delay(snapshot: &Snapshot) -> Option<Duration> {
    let ms = snapshot.server.settings.get("recovery_min_apply_delay")?.parse().ok()?;
    (ms > 0).then(|| Duration::from_millis(ms))
}

fn advice(record: &PgReplicationRecord, lag: i64, limit: i64) -> Advice {
    let paused = record.replay_paused == Some(true);
    let behind = bytes(lag.unsigned_abs());
    let why = if paused {
        format!("this standby was told not to replay, and {behind} wait for it; if nobody needs that, let it go on")
    } else if record.direction == "receiver" {
        format!(
            "this standby has received {behind} that it has not replayed; see its disk, and whether long queries hold it up \
             (max_standby_streaming_delay)"
        )
    } else {
        format!(
            "it is {behind} behind; see whether it is the network (sent_lag), its disk (flush_lag) or the replay there, which may be \
             late on purpose (recovery_min_apply_delay)"
        )
    };
    Advice {
        severity: Severity::Warning,
        object: record.name(),
        why,
        evidence: evidence([
            ("replay_lag_bytes", Some(lag.to_string())),
            ("limit_bytes", Some(limit.to_string())),
            ("sent_lag_bytes", record.sent_lag_bytes.map(|lag| lag.to_string())),
            ("flush_lag_bytes", record.flush_lag_bytes.map(|lag| lag.to_string())),
            ("replay_lag", record.replay_lag_ms.map(|ms| whole_seconds(Duration::from_millis(ms)).show())),
            ("state", record.state.clone()),
            ("sync_state", record.sync_state.clone()),
            ("client_addr", record.client_addr.clone()),
            ("replay_paused", record.replay_paused.map(|paused| paused.to_string())),
        ]),
        confidence: if paused { Confidence::High } else { Confidence::Medium },
        sql: paused.then(|| "SELECT pg_catalog.pg_wal_replay_resume()".to_owned()),
        undo_sql: paused.then(|| "SELECT pg_catalog.pg_wal_replay_pause()".to_owned()),
        gain_bytes: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::tests::{judged, snapshot};

    const LIMIT: i64 = 256 * 1024 * 1024;

    fn receiver(replay_lag_bytes: i64) -> PgReplicationRecord {
        let (direction, replay_lag_bytes) = ("receiver".to_owned(), Some(replay_lag_bytes));
        PgReplicationRecord { direction, replay_lag_bytes, ..PgReplicationRecord::default() }
    }

    fn judge_one(record: PgReplicationRecord) -> Judged {
        judged(&RULE, &snapshot(|records| records.replication = vec![record]))
    }

    #[test]
    fn a_receiver_is_advised_from_the_limit_on() {
        assert_eq!(judge_one(receiver(LIMIT - 1)).advice, []);
        let advice = judge_one(receiver(LIMIT)).advice.remove(0);
        assert_eq!((advice.sql, advice.undo_sql), (None, None));
        let (direction, application_name) = ("sender".to_owned(), Some("standby".to_owned()));
        let sender = PgReplicationRecord { direction, application_name, ..receiver(LIMIT) };
        assert_eq!(judge_one(sender).advice[0].object, "standby");
    }

    #[test]
    fn a_standby_that_was_paused_is_let_go_on() {
        let paused = |lag| PgReplicationRecord { replay_paused: Some(true), ..receiver(lag) };
        assert_eq!(judge_one(paused(LIMIT - 1)).advice, []);
        let advice = judge_one(paused(LIMIT)).advice.remove(0);
        assert_eq!(advice.sql.as_deref(), Some("SELECT pg_catalog.pg_wal_replay_resume()"));
    }

    #[test]
    fn a_standby_that_is_to_be_late_is_not_judged_here() {
        let judge_delayed = |record| {
            let mut snapshot = snapshot(|records| records.replication = vec![record]);
            snapshot.server.settings.insert("recovery_min_apply_delay".to_owned(), "3600000".to_owned());
            judged(&RULE, &snapshot)
        };
        let delayed = judge_delayed(receiver(LIMIT));
        assert!(delayed.advice.is_empty() && delayed.notes[0].text.ends_with("(recovery_min_apply_delay = 1h)"));
        assert_eq!(judge_delayed(receiver(LIMIT - 1)).notes, []);
        let paused = PgReplicationRecord { replay_paused: Some(true), ..receiver(LIMIT) };
        assert_eq!(judge_delayed(paused).advice.len(), 1, "that is another reason");
        let sender = PgReplicationRecord { direction: "sender".to_owned(), ..receiver(LIMIT) };
        assert_eq!(judge_delayed(sender).advice.len(), 1);
    }

    #[test]
    fn what_cannot_be_seen_is_said() {
        let hidden = PgReplicationRecord { hidden: true, pid: Some(7), ..PgReplicationRecord::default() };
        let judged = judge_one(hidden);
        assert_eq!(judged.advice, []);
        assert!(judged.notes[0].text.contains("GRANT pg_read_all_stats TO watcher"), "{judged:?}");
    }
}
