//! `deadlocks`: transactions of the database wait for each other, and the server ends one of them, again and again.

use pso_common::Severity;
use pso_common::record::{Confidence, PgDatabaseRecord};

use super::{Advice, Judged, Rule, evidence, rates};
use crate::records::Snapshot;
use crate::settings::Limits;

pub(super) const RULE: Rule = Rule { name: "deadlocks", on_standby: false, needs: &["databases"], judge };

fn judge(snapshot: &Snapshot, limits: &Limits) -> Judged {
    let rates = rates::current(snapshot).map(|database| {
        let rate = rates::per_day(database.deadlocks, database, &snapshot.server);
        (database, rate)
    });
    let often = rates.filter(|(_, rate)| *rate > f64::from(limits.max_deadlocks));
    often.map(|(database, rate)| advice(database, rate, snapshot, limits)).collect()
}

fn advice(database: &PgDatabaseRecord, rate: f64, snapshot: &Snapshot, limits: &Limits) -> Advice {
    let age = rates::shown_age(database, &snapshot.server);
    Advice {
        severity: Severity::Warning,
        object: rates::object(database),
        why: format!(
            "{} deadlocks in {}: each time the server ended a transaction of the application with an error, after \
             deadlock_timeout. The server's log names the statements of both; let all take their rows and tables in the same order",
            database.deadlocks,
            age.as_deref().unwrap_or("an unknown time"),
        ),
        evidence: evidence([
            ("deadlocks", Some(database.deadlocks.to_string())),
            ("deadlocks_per_day", Some(format!("{rate:.1}"))),
            ("limit_per_day", Some(limits.max_deadlocks.to_string())),
            ("statistics_age", age.clone()),
            ("stats_reset", Some(database.stats_reset_at.map_or_else(|| "never".to_owned(), |at| at.to_string()))),
        ]),
        confidence: Confidence::High,
        // The order of locks is the application's.
        sql: None,
        undo_sql: None,
        gain_bytes: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::tests::{judged, snapshot};

    fn advised(deadlocks: i64, since: &str, current: bool) -> Vec<Advice> {
        let stats_since_at = Some(since.parse().expect("a time"));
        let database = PgDatabaseRecord { deadlocks, stats_since_at, current, ..PgDatabaseRecord::default() };
        judged(&RULE, &snapshot(|records| records.databases = vec![database])).advice
    }

    #[test]
    fn deadlocks_are_advised_by_the_day() {
        let (hour, days) = ("2026-11-22T08:00:00Z", "2026-11-12T09:00:00Z");
        assert_eq!(advised(5, hour, true), []);
        assert_eq!(advised(6, hour, true)[0].evidence["deadlocks_per_day"], "6.0");
        assert_eq!(advised(50, days, true), []);
        assert_eq!(advised(51, days, true)[0].evidence["statistics_age"], "10d");
        assert_eq!(advised(51, days, false), []);
    }
}
