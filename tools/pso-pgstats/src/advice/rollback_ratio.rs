//! `rollback_ratio`: many of the database's transactions are rolled back: errors that nobody sees, or retries.

use pso_common::Severity;
use pso_common::config::ConfigValue as _;
use pso_common::record::{Confidence, PgDatabaseRecord};

use super::{Advice, Judged, Rule, evidence, rates};
use crate::records::Snapshot;
use crate::settings::Limits;

pub(super) const RULE: Rule = Rule { name: "rollback_ratio", on_standby: true, needs: &["databases"], judge };

/// Fewer transactions say nothing.
const FEWEST: i64 = 1000;

fn judge(snapshot: &Snapshot, limits: &Limits) -> Judged {
    let many = |database: &&PgDatabaseRecord| {
        let enough = database.xact_commit.saturating_add(database.xact_rollback) >= FEWEST;
        enough && database.rollback_percent.is_some_and(|percent| percent > limits.max_rollbacks.0)
    };
    rates::current(snapshot).filter(many).map(|database| advice(database, snapshot, limits)).collect()
}

fn advice(database: &PgDatabaseRecord, snapshot: &Snapshot, limits: &Limits) -> Advice {
    let percent = database.rollback_percent.unwrap_or_default();
    Advice {
        severity: Severity::Info,
        object: rates::object(database),
        why: format!(
            "{percent} % of its transactions were rolled back. Some applications end reading ones so, by design; else they \
             fail: the server's log has the errors (pso-logscan), and each did its work for nothing and left dead rows"
        ),
        evidence: evidence([
            ("xact_rollback", Some(database.xact_rollback.to_string())),
            ("xact_commit", Some(database.xact_commit.to_string())),
            ("rollback_percent", Some(percent.to_string())),
            ("limit", Some(limits.max_rollbacks.show())),
            ("deadlocks", Some(database.deadlocks.to_string())),
            ("statistics_age", rates::shown_age(database, &snapshot.server)),
        ]),
        confidence: Confidence::Low,
        // What fails is the application's.
        sql: None,
        undo_sql: None,
        gain_bytes: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::tests::{judged, snapshot};

    fn advised(xact_commit: i64, xact_rollback: i64, percent: Option<f64>, current: bool) -> usize {
        let database =
            PgDatabaseRecord { xact_commit, xact_rollback, rollback_percent: percent, current, ..Default::default() };
        judged(&RULE, &snapshot(|records| records.databases = vec![database])).advice.len()
    }

    #[test]
    fn the_ratio_is_advised_past_the_limit_and_of_many_transactions_only() {
        assert_eq!(advised(800, 200, Some(10.01), true), 1);
        assert_eq!(advised(800, 200, Some(10.0), true), 0);
        assert_eq!(advised(800, 199, Some(90.0), true), 0);
        assert_eq!(advised(800, 200, Some(90.0), false), 0);
        assert_eq!(advised(800, 200, None, true), 0);
    }
}
