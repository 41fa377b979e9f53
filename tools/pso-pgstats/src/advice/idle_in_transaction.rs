//! `idle_in_transaction`: a transaction that was left open. It keeps its locks, and vacuum from removing dead rows.

use std::cmp::Reverse;
use std::time::Duration;

use pso_common::Severity;
use pso_common::config::ConfigValue as _;
use pso_common::record::{Confidence, PgActivityRecord};

use super::{Advice, Judged, Rule, copies_database, ending, evidence, whole_seconds};
use crate::records::Snapshot;
use crate::settings::Limits;

pub(super) const RULE: Rule = Rule { name: "idle_in_transaction", on_standby: true, needs: &["activity"], judge };

fn judge(snapshot: &Snapshot, limits: &Limits) -> Judged {
    let limit = limits.max_idle_in_transaction;
    let mut left: Vec<(&PgActivityRecord, Duration)> = snapshot
        .records
        .activity
        .iter()
        .filter(|session| session.state.as_deref().is_some_and(|state| state.starts_with("idle in transaction")))
        // That is another rule's, when it takes too long, and is not ended.
        .filter(|session| !copies_database(session.application_name.as_deref()))
        .filter_map(|session| Some((session, Duration::from_millis(session.state_ms?))))
        .filter(|(_, idle)| *idle >= limit)
        .collect();
    left.sort_by_key(|(_, idle)| Reverse(*idle));
    let mut judged: Judged = left.into_iter().map(|(session, idle)| advice(session, idle, limit)).collect();
    judged.note_hidden_sessions(&snapshot.server);
    judged
}

fn advice(session: &PgActivityRecord, idle: Duration, limit: Duration) -> Advice {
    let idle = whole_seconds(idle).show();
    let user = session.usename.as_deref().unwrap_or_default();
    let application = session.application_name.as_deref().unwrap_or_default();
    let who = if application.is_empty() { user.to_owned() } else { format!("{user} ({application})") };
    Advice {
        severity: Severity::Warning,
        object: format!("pid {}", session.pid),
        why: format!(
            "{who} has left a transaction open and idle for {idle}; it keeps its locks and holds back vacuum. Ending the \
             session loses what the transaction has not committed; idle_in_transaction_session_timeout would prevent it"
        ),
        evidence: evidence([
            ("state", session.state.clone()),
            ("usename", Some(user.to_owned())),
            ("application_name", Some(application.to_owned())),
            ("idle", Some(idle.clone())),
            ("transaction", session.xact_ms.map(|ms| whole_seconds(Duration::from_millis(ms)).show())),
            ("limit", Some(limit.show())),
            ("xmin_age", session.xmin_age.map(|age| age.to_string())),
        ]),
        confidence: Confidence::Medium,
        sql: ending::terminate(session.pid, session.backend_start, session.xact_start),
        undo_sql: None,
        gain_bytes: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::tests::{NOW, judged, snapshot};

    fn session(state: &str, state_ms: u64) -> PgActivityRecord {
        let now = Some(NOW.parse().expect("a time"));
        PgActivityRecord {
            pid: 42,
            state: Some(state.to_owned()),
            state_ms: Some(state_ms),
            backend_start: now,
            xact_start: now,
            ..PgActivityRecord::default()
        }
    }

    fn advised(session: PgActivityRecord) -> Vec<Advice> {
        judged(&RULE, &snapshot(|records| records.activity = vec![session])).advice
    }

    #[test]
    fn a_transaction_is_advised_from_the_limit_on() {
        const LIMIT: u64 = 600_000;
        assert_eq!(advised(session("idle in transaction", LIMIT - 1)), []);
        let advice = advised(session("idle in transaction", LIMIT)).remove(0);
        assert_eq!(advice.evidence["idle"], "10m");
        assert!(advice.sql.expect("SQL").contains(&format!("backend_start) = '{NOW}'")));
        assert_eq!(advised(session("idle in transaction (aborted)", LIMIT)).len(), 1);
        assert_eq!(advised(session("active", LIMIT)), []);
    }

    #[test]
    fn the_first_session_of_a_dump_that_waits_for_the_others_is_not_ended() {
        let of = |name: &str| {
            let application_name = Some(name.to_owned());
            advised(PgActivityRecord { application_name, ..session("idle in transaction", 600_000) }).len()
        };
        assert_eq!(["pg_dump", "pso-backup", "psql"].map(of), [0, 0, 1]);
    }

    #[test]
    fn a_role_that_does_not_see_all_says_so() {
        let mut snapshot = snapshot(|_| {});
        assert_eq!(judged(&RULE, &snapshot).notes, []);
        snapshot.server.reads_all_stats = false;
        assert!(judged(&RULE, &snapshot).notes[0].text.contains("GRANT pg_read_all_stats TO watcher"));
    }
}
