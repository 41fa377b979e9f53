//! `blocking_root`: one session that others have been waiting for too long. It waits for nobody, so the others go on only
//! when it ends its transaction, or somebody does that for it.

use std::time::Duration;

use pso_common::Severity;
use pso_common::config::ConfigValue as _;
use pso_common::record::{Confidence, PgBlockingRecord};

use super::{Advice, Judged, Rule, copies_database, ending, evidence, quoted, whole_seconds};
use crate::records::Snapshot;
use crate::report::count;
use crate::settings::Limits;

pub(super) const RULE: Rule = Rule { name: "blocking_root", on_standby: true, needs: &["blocking"], judge };

/// So many times the limit cannot wait any more.
const HIGH: u32 = 10;

fn judge(snapshot: &Snapshot, limits: &Limits) -> Judged {
    let records = &snapshot.records.blocking;
    // Who waits for others in a circle is the server's to end, after deadlock_timeout.
    let roots = records.iter().filter(|record| record.depth == 0 && record.blocked_by.is_empty());
    let late = roots.filter_map(|root| Some((root, Duration::from_millis(root.longest_wait_ms?))));
    late.filter(|(_, wait)| *wait >= limits.max_blocked)
        .map(|(root, wait)| {
            let mut advice = advice(root, wait, &waiters(records, root), limits.max_blocked, &snapshot.server.database);
            advice.why.push_str(&queue(records, root));
            advice
        })
        .collect()
}

/// Those right behind it, as many as somebody wants to read.
fn waiters(records: &[PgBlockingRecord], root: &PgBlockingRecord) -> String {
    const NAMED: usize = 5;
    let behind: Vec<String> = records
        .iter()
        .filter(|record| record.depth == 1 && record.root_pid == root.pid && record.path.starts_with(&root.path))
        .filter(|record| record.blocked_by.contains(&root.pid))
        .map(|record| match &record.lock_object {
            Some(object) => format!("pid {} ({object})", record.pid),
            None => format!("pid {}", record.pid),
        })
        .collect();
    let more = behind.len().saturating_sub(NAMED);
    let named = behind[..behind.len() - more].join(", ");
    if more == 0 { named } else { format!("{named} and {more} more") }
}

/// Who waits for a lock on a whole relation keeps all out that come after it, and can be taken out of the queue at no loss.
fn queue(records: &[PgBlockingRecord], root: &PgBlockingRecord) -> String {
    let waits = |record: &&PgBlockingRecord| {
        let of = record.depth > 0 && (record.root_pid, &record.gid) == (root.pid, &None);
        of && record.mode.as_deref() == Some("AccessExclusiveLock") && record.blocks_in_all > 0
    };
    let first = records.iter().filter(waits).max_by_key(|record| record.blocks_in_all);
    first.map_or_else(String::new, |first| {
        format!(
            ". Up to {} of them wait only because pid {} wants {} in AccessExclusiveLock: cancelling that one lets them go on",
            first.blocks_in_all,
            first.pid,
            first.lock_object.as_deref().unwrap_or("a relation")
        )
    })
}

fn advice(root: &PgBlockingRecord, wait: Duration, waiters: &str, limit: Duration, here: &str) -> Advice {
    let sessions = count(usize::try_from(root.blocks_in_all).unwrap_or(usize::MAX), ("session waits", "sessions wait"));
    let (way, sql) = way_out(root, here);
    Advice {
        severity: if wait >= limit.saturating_mul(HIGH) { Severity::High } else { Severity::Warning },
        object: match &root.gid {
            Some(gid) => gid.clone(),
            None => format!("pid {}", root.pid),
        },
        why: format!("{sessions} for {}, the longest for {}; {way}", who(root), whole_seconds(wait).show()),
        evidence: evidence([
            ("longest_wait", Some(whole_seconds(wait).show())),
            ("limit", Some(limit.show())),
            ("blocks", Some(root.blocks.to_string())),
            ("blocks_in_all", Some(root.blocks_in_all.to_string())),
            ("blocked", Some(waiters.to_owned())),
            ("state", root.state.clone()),
            ("usename", root.usename.clone()),
            ("application_name", root.application_name.clone()),
            ("client_addr", root.client_addr.clone()),
            ("transaction", root.xact_ms.map(|ms| whole_seconds(Duration::from_millis(ms)).show())),
            ("query", root.query.as_ref().map(|query| query.as_str().chars().take(200).collect())),
        ]),
        confidence: Confidence::Medium,
        sql,
        undo_sql: None,
        gain_bytes: None,
    }
}

/// `sync_user (psql), pid 7`.
fn who(root: &PgBlockingRecord) -> String {
    let user = root.usename.as_deref().unwrap_or("a session");
    match (&root.gid, root.application_name.as_deref()) {
        (Some(gid), _) => format!("the prepared transaction {gid} of {user}"),
        (None, Some(application)) if !application.is_empty() => format!("{user} ({application}), pid {}", root.pid),
        (None, _) => format!("{user}, pid {}", root.pid),
    }
}

/// What to do, and the statement for it.
fn way_out(root: &PgBlockingRecord, here: &str) -> (String, Option<String>) {
    if let Some(gid) = &root.gid {
        let text = "ask the transaction manager whether the others of it were committed: then COMMIT PREPARED it, else roll \
                    it back";
        return match root.datname.as_deref() {
            Some(database) if database != here => (format!("{text}, in the database {database}"), None),
            _ => (text.to_owned(), Some(format!("ROLLBACK PREPARED {}", quoted(gid)))),
        };
    }
    if copies_database(root.application_name.as_deref()) {
        let text = "it copies the database: let it finish, or cancel what waits for it and try that later";
        return (text.to_owned(), None);
    }
    let way = match (root.backend_type.as_deref(), root.state.as_deref()) {
        (Some("client backend"), Some("active")) => (
            "it is at work: see what it does, and if that can be lost, cancel it; where that does not help, end the session",
            ending::cancel(root.pid, root.backend_start, root.xact_start),
        ),
        (Some("client backend"), Some(_)) if root.xact_start.is_none() => (
            "it is in no transaction and holds a lock as a session (pg_advisory_lock): ending the session frees it",
            ending::terminate_idle(root.pid, root.backend_start),
        ),
        (Some("client backend"), Some(_)) => (
            "it does nothing and keeps its transaction open: ending the session loses what the transaction has not committed",
            ending::terminate(root.pid, root.backend_start, root.xact_start),
        ),
        (Some("startup"), _) => (
            "it replays what the primary did: statements that stand in its way are what ends, after max_standby_streaming_delay",
            None,
        ),
        (Some("autovacuum worker"), _) => (
            "it gives way by itself unless it prevents transaction ids from running out; then let it finish, and raise \
             autovacuum_vacuum_cost_limit so that it is done sooner",
            None,
        ),
        (Some(other), _) => return (format!("it is no client's but a {other}: see what it does"), None),
        (None, _) => ("what it does cannot be seen by this role", None),
    };
    (way.0.to_owned(), way.1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::tests::{NOW, judged, snapshot};

    const LIMIT: u64 = 30_000;

    fn root(state: &str, longest_wait_ms: u64) -> PgBlockingRecord {
        let now = Some(NOW.parse().expect("a time"));
        PgBlockingRecord {
            pid: 42,
            root_pid: 42,
            path: "42".to_owned(),
            blocks: 1,
            blocks_in_all: 2,
            longest_wait_ms: Some(longest_wait_ms),
            datname: Some("app".to_owned()),
            usename: Some("bob".to_owned()),
            backend_type: Some("client backend".to_owned()),
            state: Some(state.to_owned()),
            backend_start: now,
            xact_start: now,
            ..PgBlockingRecord::default()
        }
    }

    fn waiter() -> PgBlockingRecord {
        PgBlockingRecord {
            pid: 43,
            root_pid: 42,
            depth: 1,
            path: "42 > 43".to_owned(),
            blocked_by: vec![42],
            lock_object: Some("public.t".to_owned()),
            ..PgBlockingRecord::default()
        }
    }

    fn advised(root: PgBlockingRecord) -> Vec<Advice> {
        judged(&RULE, &snapshot(|records| records.blocking = vec![root, waiter()])).advice
    }

    fn sql(root: PgBlockingRecord) -> Option<String> {
        advised(root).remove(0).sql
    }

    #[test]
    fn a_root_is_advised_from_the_limit_on() {
        assert_eq!(advised(root("active", LIMIT - 1)), []);
        let advice = advised(root("active", LIMIT)).remove(0);
        assert_eq!((advice.severity, advice.object.as_str()), (Severity::Warning, "pid 42"));
        assert!(advice.why.starts_with("2 sessions wait for bob, pid 42, the longest for 30s; it is at work"));
        assert_eq!(advice.evidence["blocked"], "pid 43 (public.t)");
        assert_eq!(advised(root("active", LIMIT * 10 - 1))[0].severity, Severity::Warning);
        assert_eq!(advised(root("active", LIMIT * 10))[0].severity, Severity::High);
    }

    #[test]
    fn what_ends_it_depends_on_what_it_does() {
        assert!(sql(root("active", LIMIT)).expect("SQL").contains("pg_cancel_backend"));
        assert!(sql(root("idle in transaction", LIMIT)).expect("SQL").contains("pg_terminate_backend"));
        let session = PgBlockingRecord { xact_start: None, ..root("idle", LIMIT) };
        assert!(sql(session).expect("SQL").ends_with("xact_start IS NULL"));
    }

    #[test]
    fn a_copy_of_the_database_is_not_ended() {
        for state in ["active", "idle in transaction"] {
            let application_name = Some("pg_dump".to_owned());
            let advice = advised(PgBlockingRecord { application_name, ..root(state, LIMIT) }).remove(0);
            assert!(advice.sql.is_none() && advice.why.contains("cancel what waits for it"), "{}", advice.why);
        }
    }

    #[test]
    fn who_is_no_client_is_not_ended() {
        for backend in ["autovacuum worker", "startup", "walsender"] {
            let backend_type = Some(backend.to_owned());
            assert_eq!(sql(PgBlockingRecord { backend_type, ..root("active", LIMIT) }), None);
        }
        assert_eq!(sql(PgBlockingRecord { backend_type: None, state: None, ..root("active", LIMIT) }), None);
    }

    #[test]
    fn a_prepared_transaction_is_rolled_back_in_its_own_database() {
        let prepared = |datname: &str| {
            let (gid, datname) = (Some("it's".to_owned()), Some(datname.to_owned()));
            PgBlockingRecord { pid: 0, gid, datname, path: "0".to_owned(), ..root("", LIMIT) }
        };
        assert_eq!(sql(prepared("app")).as_deref(), Some("ROLLBACK PREPARED 'it''s'"));
        let advice = advised(prepared("other")).remove(0);
        assert!(advice.sql.is_none() && advice.why.ends_with("in the database other"), "{advice:?}");
    }

    #[test]
    fn who_keeps_others_out_while_it_waits_is_named() {
        let mode = Some("AccessExclusiveLock".to_owned());
        let ddl = PgBlockingRecord { mode: mode.clone(), blocks_in_all: 7, ..waiter() };
        let why = |waiter: PgBlockingRecord| {
            let records = vec![root("active", LIMIT), waiter];
            judged(&RULE, &snapshot(|all| all.blocking = records)).advice.remove(0).why
        };
        assert!(why(ddl).ends_with(
            "Up to 7 of them wait only because pid 43 wants public.t in AccessExclusiveLock: cancelling that one lets them go on"
        ));
        assert!(!why(PgBlockingRecord { mode, ..waiter() }).contains("Up to"), "nobody is behind it");
        assert!(!why(PgBlockingRecord { blocks_in_all: 7, ..waiter() }).contains("Up to"), "a row");
    }

    #[test]
    fn a_deadlock_is_left_to_the_server() {
        let deadlock = PgBlockingRecord { blocked_by: vec![43], deadlock: true, ..root("active", LIMIT) };
        assert_eq!(advised(deadlock), []);
    }
}
