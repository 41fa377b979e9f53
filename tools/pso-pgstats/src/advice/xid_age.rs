//! `xid_age`: a database whose oldest transaction id is so old that freezing has fallen behind. When ids run out, the server
//! refuses all writes until it was vacuumed.
//!
//! What `multixact_age` looks for differs in the counter only, so the search for both is here.

use pso_common::Severity;
use pso_common::record::{Confidence, PgWraparoundRecord};

use super::{Advice, Judged, Rule, evidence};
use crate::records::Snapshot;
use crate::settings::Limits;

pub(super) const RULE: Rule = Rule { name: "xid_age", on_standby: false, needs: &["wraparound"], judge };

/// As many tables as the section reads: where all of them are too old, others may be as well.
const TABLES: usize = 10;

/// The default of `vacuum_failsafe_age` and `vacuum_multixact_failsafe_age`, which servers before 14 do not have.
const FAILSAFE: i64 = 1_600_000_000;

/// One of the two counters that can run out.
pub(super) struct Counter {
    pub(super) what: &'static str,
    /// The name of its column.
    pub(super) column: &'static str,
    pub(super) age: fn(&PgWraparoundRecord) -> i64,
    pub(super) percent: fn(&PgWraparoundRecord) -> f64,
    pub(super) freeze_max_age: fn(&PgWraparoundRecord) -> i64,
    /// The setting of the age from which vacuum itself drops everything else.
    pub(super) failsafe: &'static str,
    /// What besides a slow autovacuum keeps it from being frozen.
    pub(super) held_by: &'static str,
}

const XID: Counter = Counter {
    what: "transaction id",
    column: "xid_age",
    age: |record| record.xid_age,
    percent: |record| record.xid_percent,
    freeze_max_age: |record| record.freeze_max_age,
    failsafe: "vacuum_failsafe_age",
    held_by: "an old transaction, a prepared one, a replication slot or a standby's feedback",
};

fn judge(snapshot: &Snapshot, limits: &Limits) -> Judged {
    too_old(&XID, snapshot, [limits.max_xid_age, Limits::default().max_xid_age].map(i64::from))
}

/// The databases in which the counter is at the limit or past it. A server that is told to freeze later than the default limit
/// is late only when it has not done so either: PostgreSQL itself allows 5 % more before it hurries (`vacuum_failsafe_age`), from
/// which age on it is late anyhow.
pub(super) fn too_old(counter: &Counter, snapshot: &Snapshot, [limit, default]: [i64; 2]) -> Judged {
    let records = &snapshot.records.wraparound;
    let later = records.iter().filter(|record| record.scope == "database").map(counter.freeze_max_age).max();
    let later = later.map_or(0, |age| (age + age / 20).min(failsafe(counter, snapshot)));
    let limit = if limit == default { limit.max(later) } else { limit };
    let old = |record: &&PgWraparoundRecord| (counter.age)(record) >= limit;
    let tables: Vec<_> = records.iter().filter(|record| record.scope == "table").filter(old).collect();
    let databases = records.iter().filter(|record| record.scope == "database").filter(old);
    databases.map(|database| advice(counter, database, &tables, snapshot, limit)).collect()
}

fn advice(
    counter: &Counter,
    database: &PgWraparoundRecord,
    tables: &[&PgWraparoundRecord],
    snapshot: &Snapshot,
    limit: i64,
) -> Advice {
    let Counter { what, column, held_by, .. } = counter;
    let (age, failsafe) = ((counter.age)(database), failsafe(counter, snapshot));
    let way = if !database.connectable {
        "nobody can connect to it, so autovacuum has to do it: see the server's log for why it does not"
    } else if database.current {
        "vacuum freezes it; it has to read much of the tables, so choose the hour"
    } else {
        "connect to it and look at the advice there"
    };
    let own: &[_] = if database.current { tables } else { &[] };
    let mut why = format!(
        "its oldest {what} is {age} old, {} % of what there are before the server refuses writes; {way}. What {held_by} holds \
         back cannot be frozen, so end that first",
        (counter.percent)(database)
    );
    if own.iter().any(|table| table.temporary) {
        why.push_str("; a temporary table can be vacuumed by its own session only: end that session");
    }
    Advice {
        severity: if age >= failsafe { Severity::High } else { Severity::Warning },
        object: database.object.clone(),
        why,
        evidence: evidence([
            (*column, Some(age.to_string())),
            ("limit", Some(limit.to_string())),
            ("freeze_max_age", Some((counter.freeze_max_age)(database).to_string())),
            ("failsafe_age", Some(failsafe.to_string())),
            ("oldest_table", own.first().map(|table| table.object.clone())),
        ]),
        confidence: Confidence::High,
        sql: (database.current && database.connectable).then(|| freeze(own)),
        undo_sql: None,
        gain_bytes: None,
    }
}

/// The tables by name, or all of the database where not all may be known.
fn freeze(tables: &[&PgWraparoundRecord]) -> String {
    let names: Vec<&str> = tables.iter().filter(|table| !table.temporary).map(|table| table.object.as_str()).collect();
    if names.is_empty() || tables.len() >= TABLES {
        return "VACUUM (FREEZE)".to_owned();
    }
    format!("VACUUM (FREEZE) {}", names.join(", "))
}

fn failsafe(counter: &Counter, snapshot: &Snapshot) -> i64 {
    snapshot.server.settings.get(counter.failsafe).and_then(|age| age.parse().ok()).unwrap_or(FAILSAFE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::tests::{judged, snapshot};

    const LIMIT: i64 = 500_000_000;

    fn database(xid_age: i64) -> PgWraparoundRecord {
        PgWraparoundRecord {
            scope: "database".to_owned(),
            object: "app".to_owned(),
            current: true,
            connectable: true,
            xid_age,
            ..PgWraparoundRecord::default()
        }
    }

    fn table(name: &str, xid_age: i64) -> PgWraparoundRecord {
        PgWraparoundRecord { scope: "table".to_owned(), object: name.to_owned(), ..database(xid_age) }
    }

    fn advised(records: Vec<PgWraparoundRecord>) -> Vec<Advice> {
        judged(&RULE, &snapshot(|all| all.wraparound = records)).advice
    }

    fn sql(records: Vec<PgWraparoundRecord>) -> Option<String> {
        advised(records).remove(0).sql
    }

    #[test]
    fn a_database_is_advised_from_the_limit_on() {
        assert_eq!(advised(vec![database(LIMIT - 1)]), []);
        assert_eq!(advised(vec![database(LIMIT)])[0].severity, Severity::Warning);
        assert_eq!(advised(vec![database(FAILSAFE - 1)])[0].severity, Severity::Warning);
        assert_eq!(advised(vec![database(FAILSAFE)])[0].severity, Severity::High);
        let mut own = snapshot(|all| all.wraparound = vec![database(LIMIT)]);
        own.server.settings.insert("vacuum_failsafe_age".to_owned(), LIMIT.to_string());
        assert_eq!(judged(&RULE, &own).advice[0].severity, Severity::High);
    }

    #[test]
    fn a_server_that_is_to_freeze_later_is_late_later() {
        let later = |age, freeze_max_age| PgWraparoundRecord { freeze_max_age, ..database(age) };
        assert_eq!(advised(vec![later(LIMIT, 200_000_000)]).len(), 1);
        assert_eq!(advised(vec![later(1_049_999_999, 1_000_000_000)]), []);
        assert_eq!(advised(vec![later(1_050_000_000, 1_000_000_000)])[0].evidence["limit"], "1050000000");
        assert_eq!(advised(vec![later(FAILSAFE - 1, 2_000_000_000)]), []);
        assert_eq!(advised(vec![later(FAILSAFE, 2_000_000_000)])[0].severity, Severity::High);
        // A limit that somebody set is that.
        let limits = Limits { max_xid_age: 300_000_000, ..Limits::default() };
        let snapshot = snapshot(|all| all.wraparound = vec![later(300_000_000, 1_000_000_000)]);
        assert_eq!((RULE.judge)(&snapshot, &limits).advice.len(), 1);
    }

    #[test]
    fn the_old_tables_are_frozen_and_no_others() {
        let few = vec![database(LIMIT), table("a.x", LIMIT), table("a.y", LIMIT - 1), table("a.z", LIMIT)];
        assert_eq!(sql(few).as_deref(), Some("VACUUM (FREEZE) a.x, a.z"));
        let many = (0..TABLES).map(|number| table(&format!("a.t{number}"), LIMIT));
        assert_eq!(sql([database(LIMIT)].into_iter().chain(many).collect()).as_deref(), Some("VACUUM (FREEZE)"));
    }

    #[test]
    fn a_temporary_table_is_not_named_in_the_statement() {
        let temporary = PgWraparoundRecord { temporary: true, ..table("pg_temp_3.t", LIMIT) };
        let advice = advised(vec![database(LIMIT), temporary, table("a.x", LIMIT)]).remove(0);
        assert_eq!(advice.sql.as_deref(), Some("VACUUM (FREEZE) a.x"));
        assert!(advice.why.contains("end that session"), "{}", advice.why);
    }

    #[test]
    fn another_database_is_named_without_a_statement() {
        let other = PgWraparoundRecord { current: false, ..database(LIMIT) };
        let advice = advised(vec![other.clone(), table("a.x", LIMIT)]).remove(0);
        assert_eq!((advice.sql, advice.evidence.get("oldest_table")), (None, None));
        let closed = advised(vec![PgWraparoundRecord { connectable: false, ..other }]).remove(0);
        assert!(closed.why.contains("nobody can connect"), "{}", closed.why);
    }
}
