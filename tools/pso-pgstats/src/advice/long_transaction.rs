//! `long_transaction`: one that has been open for long, at work or not. Vacuum keeps every row that was deleted since it
//! began, in all tables, and what it has locked stays so.

use std::cmp::Reverse;
use std::time::Duration;

use pso_common::Severity;
use pso_common::config::ConfigValue as _;
use pso_common::record::{Confidence, PgActivityRecord};

use super::{Advice, Judged, Rule, command, copies_database, ending, evidence, whole_seconds};
use crate::records::Snapshot;
use crate::settings::Limits;

pub(super) const RULE: Rule = Rule { name: "long_transaction", on_standby: true, needs: &["activity"], judge };

/// Commands that keep the house and may take long; who cancels one has it begin anew.
const TIDYING: [&str; 6] = ["VACUUM", "ANALYZE", "REINDEX", "CLUSTER", "CREATE INDEX", "CREATE UNIQUE INDEX"];

fn judge(snapshot: &Snapshot, limits: &Limits) -> Judged {
    let limit = limits.max_transaction;
    let mut long: Vec<(&PgActivityRecord, Duration)> = snapshot
        .records
        .activity
        .iter()
        // A worker's transaction is its leader's.
        .filter(|session| session.leader_pid.is_none())
        .filter_map(|session| Some((session, Duration::from_millis(session.xact_ms?))))
        .filter(|(_, open)| *open >= limit)
        .collect();
    long.sort_by_key(|(_, open)| Reverse(*open));
    let mut judged: Judged = long.into_iter().map(|(session, open)| advice(session, open, limit)).collect();
    judged.note_hidden_sessions(&snapshot.server);
    judged
}

fn advice(session: &PgActivityRecord, open: Duration, limit: Duration) -> Advice {
    let user = session.usename.as_deref().unwrap_or("nobody");
    let application = session.application_name.as_deref().unwrap_or_default();
    let who = if application.is_empty() { user.to_owned() } else { format!("{user} ({application})") };
    let tidying = tidying(session);
    let held = match session.xmin_age.max(session.xid_age) {
        // Its xmin is shown, and passed over by other vacuums; but for FULL, which copies the table.
        _ if tidying == Some("VACUUM") && session.xid_age.is_none() => "it holds back no other vacuum".to_owned(),
        Some(age) if age > 0 => {
            format!("vacuum removes nothing of what was deleted since, {age} transactions ago")
        }
        _ => "it holds back no vacuum now, but keeps its locks".to_owned(),
    };
    let copying = copies_database(Some(application));
    let (way, sql) = way_out(session, copying, tidying.is_some());
    let span = |ms: u64| whole_seconds(Duration::from_millis(ms)).show();
    Advice {
        severity: if copying || tidying.is_some() { Severity::Info } else { Severity::Warning },
        object: format!("pid {}", session.pid),
        why: format!("{who} has had a transaction open for {}; {held}. {way}", whole_seconds(open).show()),
        evidence: evidence([
            ("transaction", Some(whole_seconds(open).show())),
            ("limit", Some(limit.show())),
            ("state", session.state.clone()),
            ("in_state", session.state_ms.map(span)),
            ("backend_type", session.backend_type.clone()),
            ("usename", session.usename.clone()),
            ("application_name", session.application_name.clone()),
            ("client_addr", session.client_addr.clone()),
            ("xmin_age", session.xmin_age.map(|age| age.to_string())),
            ("xid_age", session.xid_age.map(|age| age.to_string())),
            ("wait_event", session.wait_event.clone()),
            ("query", session.query.as_ref().map(|query| query.as_str().chars().take(200).collect())),
        ]),
        // Nobody but its owner knows whether it is meant to take so long.
        confidence: Confidence::Low,
        sql,
        undo_sql: None,
        gain_bytes: None,
    }
}

/// The command that keeps the house and is at work.
fn tidying(session: &PgActivityRecord) -> Option<&'static str> {
    let at_work = session.state.as_deref() == Some("active");
    command(session.query.as_ref().filter(|_| at_work)?.as_str(), &TIDYING)
}

/// What to do, and the statement for it.
fn way_out(session: &PgActivityRecord, copying: bool, tidying: bool) -> (&'static str, Option<String>) {
    match (session.backend_type.as_deref(), session.state.as_deref()) {
        _ if copying => ("It copies the database; let it finish, and see why it takes so long", None),
        _ if tidying => ("Let it finish; the section progress says how far it is", None),
        (Some("client backend") | None, Some("active")) => (
            "It is at work: ask whose it is; cancelling the statement loses what the transaction has done",
            ending::cancel(session.pid, session.backend_start, session.xact_start),
        ),
        (Some("client backend") | None, Some(_)) => (
            "It waits for its client: ending the session loses what the transaction has not committed",
            ending::terminate(session.pid, session.backend_start, session.xact_start),
        ),
        _ => ("It is no client's: see what started it", None),
    }
}

#[cfg(test)]
mod tests {
    use pso_common::record::QueryText;

    use super::*;
    use crate::advice::tests::{NOW, judged, snapshot};

    const LIMIT: u64 = 3_600_000;

    fn session(state: &str, xact_ms: u64) -> PgActivityRecord {
        let now = Some(NOW.parse().expect("a time"));
        PgActivityRecord {
            pid: 42,
            usename: Some("bob".to_owned()),
            backend_type: Some("client backend".to_owned()),
            state: Some(state.to_owned()),
            xact_ms: Some(xact_ms),
            backend_start: now,
            xact_start: now,
            ..PgActivityRecord::default()
        }
    }

    fn advised(session: PgActivityRecord) -> Vec<Advice> {
        judged(&RULE, &snapshot(|records| records.activity = vec![session])).advice
    }

    #[test]
    fn a_transaction_is_advised_from_the_limit_on_in_any_state() {
        assert_eq!(advised(session("active", LIMIT - 1)), []);
        let active = advised(session("active", LIMIT)).remove(0);
        assert!(active.sql.expect("SQL").contains("pg_cancel_backend"));
        assert!(active.why.starts_with("bob has had a transaction open for 1h; it holds back no vacuum now"));
        let idle = advised(session("idle in transaction", LIMIT)).remove(0);
        assert!(idle.sql.expect("SQL").contains("pg_terminate_backend"));
        assert_eq!(advised(PgActivityRecord { xact_ms: None, ..session("idle", LIMIT) }), []);
    }

    #[test]
    fn what_it_holds_back_is_said() {
        let advice = advised(PgActivityRecord { xmin_age: Some(7), ..session("active", LIMIT) }).remove(0);
        assert!(advice.why.contains("vacuum removes nothing of what was deleted since, 7 transactions ago"));
        let own = PgActivityRecord { xmin_age: Some(7), xid_age: Some(9), ..session("active", LIMIT) };
        assert!(advised(own).remove(0).why.contains("9 transactions ago"));
    }

    #[test]
    fn what_keeps_the_house_is_let_finish() {
        let at_work = |query: &str, xmin_age| {
            let query = Some(QueryText::new(query));
            advised(PgActivityRecord { query, xmin_age, ..session("active", LIMIT) }).remove(0)
        };
        let vacuum = at_work(" vacuum (VERBOSE) t", Some(7));
        assert_eq!((vacuum.severity, &vacuum.sql), (Severity::Info, &None));
        assert!(vacuum.why.contains("it holds back no other vacuum. Let it finish"), "{}", vacuum.why);
        let index = at_work("CREATE INDEX i ON t (a)", Some(7));
        assert!(index.sql.is_none() && index.why.contains("7 transactions ago"), "{}", index.why);
        assert!(at_work("SELECT 'VACUUM'", Some(7)).sql.is_some());
        assert!(at_work("é", Some(7)).sql.is_some());
        let query = Some(QueryText::new("VACUUM t"));
        let left = PgActivityRecord { query, ..session("idle in transaction", LIMIT) };
        assert_eq!(advised(left).remove(0).severity, Severity::Warning, "what it did before");
    }

    #[test]
    fn a_worker_is_its_leaders_and_a_backup_is_not_ended() {
        assert_eq!(advised(PgActivityRecord { leader_pid: Some(7), ..session("active", LIMIT) }), []);
        let application_name = Some("pg_dump".to_owned());
        let dump = advised(PgActivityRecord { application_name, ..session("active", LIMIT) }).remove(0);
        assert_eq!((dump.severity, dump.sql), (Severity::Info, None));
        let backend_type = Some("logical replication worker".to_owned());
        let other = advised(PgActivityRecord { backend_type, ..session("active", LIMIT) }).remove(0);
        assert_eq!((other.severity, other.sql), (Severity::Warning, None));
    }
}
