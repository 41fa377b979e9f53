//! `statements_evicting`: more different statements are run than are counted, so that what is seldom or new is forgotten
//! before anybody looks, and its counters begin anew.

use std::time::Duration;

use pso_common::Severity;
use pso_common::config::ConfigValue as _;
use pso_common::record::{Confidence, PgStatementStatsRecord};

use super::{Advice, Judged, Rule, alter_system, evidence, whole_seconds};
use crate::records::Snapshot;
use crate::settings::Limits;

pub(super) const RULE: Rule =
    Rule { name: "statements_evicting", on_standby: true, needs: &["statement_stats"], judge };

const NAME: &str = "pg_stat_statements.max";

/// Fewer say nothing.
const FEWEST: i64 = 10;
/// More seldom is no loss: each time only the least used twentieth goes.
const OFTEN: Duration = Duration::from_secs(60 * 60);

fn judge(snapshot: &Snapshot, _: &Limits) -> Judged {
    snapshot.records.statement_stats.iter().filter_map(|stats| advice(stats, snapshot)).collect()
}

fn advice(stats: &PgStatementStatsRecord, snapshot: &Snapshot) -> Option<Advice> {
    let (dealloc, max) = (stats.dealloc?, stats.max_entries?);
    let age = stats.stats_reset_at?.until(snapshot.server.now);
    let times = u32::try_from(dealloc).unwrap_or(u32::MAX);
    if dealloc < FEWEST || OFTEN.saturating_mul(times) < age {
        return None;
    }
    let source = stats.max_entries_source.as_deref();
    let obstacle = alter_system::obstacle(source, snapshot);
    let sql = obstacle.is_none().then(|| format!("ALTER SYSTEM SET {NAME} = {}", max.saturating_mul(2)));
    let undo_sql =
        sql.as_ref().map(|_| alter_system::undo(NAME, &max.to_string(), source, alter_system::file(NAME, snapshot)));
    let shown = whole_seconds(age).show();
    Some(Advice {
        severity: Severity::Info,
        object: NAME.to_owned(),
        why: format!(
            "{dealloc} times in {shown} the least used of {max} statements were forgotten to make room for others, so their \
             counters are not to be trusted. A larger table needs a restart and some shared memory; where the statements \
             differ only in their number of values or in generated names, change them instead{}",
            obstacle.map_or_else(String::new, |reason| format!(". {reason}"))
        ),
        evidence: evidence([
            ("dealloc", Some(dealloc.to_string())),
            ("stats_reset", stats.stats_reset_at.map(|at| at.to_string())),
            ("statistics_age", Some(shown.clone())),
            ("limit", Some(format!("{FEWEST}, and one in {}", OFTEN.show()))),
            ("entries", stats.entries.map(|entries| entries.to_string())),
            ("max", Some(max.to_string())),
            ("max_source", stats.max_entries_source.clone()),
        ]),
        confidence: Confidence::Medium,
        sql,
        undo_sql,
        gain_bytes: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::tests::{judged, snapshot};

    fn advised(dealloc: i64, reset: &str, source: &str) -> Vec<Advice> {
        let stats = PgStatementStatsRecord {
            loaded: true,
            created: true,
            max_entries: Some(5000),
            max_entries_source: Some(source.to_owned()),
            dealloc: Some(dealloc),
            stats_reset_at: Some(reset.parse().expect("a time")),
            ..PgStatementStatsRecord::default()
        };
        judged(&RULE, &snapshot(|records| records.statement_stats = vec![stats])).advice
    }

    #[test]
    fn what_happens_often_and_every_hour_is_advised() {
        // The server's clock is at 09:00.
        assert_eq!(advised(9, "2026-11-22T08:00:00Z", "default"), []);
        let advice = advised(10, "2026-11-21T23:00:00Z", "default").remove(0);
        assert_eq!(advice.evidence["statistics_age"], "10h");
        assert_eq!(advised(10, "2026-11-21T22:59:59Z", "default"), []);
        assert_eq!(advice.sql.as_deref(), Some("ALTER SYSTEM SET pg_stat_statements.max = 10000"));
        assert_eq!(advice.undo_sql.as_deref(), Some("ALTER SYSTEM RESET pg_stat_statements.max"));
        let set = advised(10, "2026-11-22T08:00:00Z", "configuration file").remove(0);
        assert_eq!(set.undo_sql.as_deref(), Some("ALTER SYSTEM SET pg_stat_statements.max = 5000"));
        let fixed = advised(10, "2026-11-22T08:00:00Z", "command line").remove(0);
        assert!(fixed.why.ends_with("see how it is started"), "{}", fixed.why);
        assert_eq!((fixed.sql, fixed.undo_sql), (None, None));
    }

    #[test]
    fn what_is_not_counted_is_not_judged() {
        let stats =
            PgStatementStatsRecord { loaded: true, max_entries: Some(5000), ..PgStatementStatsRecord::default() };
        let judged = judged(&RULE, &snapshot(|records| records.statement_stats = vec![stats]));
        assert_eq!(judged.advice, []);
    }
}
