//! `slow_statement`: one that takes long each time, and was run often enough that it is no accident.

use pso_common::Severity;
use pso_common::config::ConfigValue as _;
use pso_common::record::{Confidence, PgStatementRecord};

use super::{Advice, Judged, Rule, command, evidence, whole_seconds};
use crate::records::{Row as _, Snapshot};
use crate::settings::Limits;

pub(super) const RULE: Rule = Rule { name: "slow_statement", on_standby: true, needs: &["statements"], judge };

/// Of fewer the average says little.
const FEWEST: i64 = 10;

/// What copies a table, as backups do, or keeps the house, and has no plan to look at.
const LONG_BY_NATURE: [&str; 9] = [
    "COPY",
    "VACUUM",
    "ANALYZE",
    "CREATE INDEX",
    "CREATE UNIQUE INDEX",
    "REINDEX",
    "CLUSTER",
    "CHECKPOINT",
    "ALTER TABLE",
];

fn judge(snapshot: &Snapshot, limits: &Limits) -> Judged {
    let limit = limits.min_mean.as_secs_f64() * 1000.0;
    let slow = |statement: &&PgStatementRecord| {
        statement.calls >= FEWEST
            && statement.mean_ms > limit
            && command(statement.query.as_str(), &LONG_BY_NATURE).is_none()
    };
    // Of a function that is slow because of its statements they are told, too; that is where to begin.
    snapshot.records.statements.iter().filter(slow).map(|statement| advice(statement, snapshot, limits)).collect()
}

fn advice(statement: &PgStatementRecord, snapshot: &Snapshot, limits: &Limits) -> Advice {
    let number = |value: Option<i64>| value.map(|value| value.to_string());
    let ms = |value: Option<f64>| value.map(|value| format!("{value:.1}"));
    let reset = snapshot.records.statement_stats.first().and_then(|stats| stats.stats_reset_at);
    let since = statement.stats_since_at.or(reset);
    let share = statement.total_percent.map(|percent| format!(", {percent} % of all statements' time"));
    Advice {
        severity: Severity::Info,
        object: statement.name(),
        why: format!(
            "{:.0} ms on average in {} calls{}; {}. Look at EXPLAIN (ANALYZE, BUFFERS) of: {}",
            statement.mean_ms,
            statement.calls,
            share.unwrap_or_default(),
            where_it_goes(statement),
            statement
                .query
                .as_str()
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ")
                .chars()
                .take(200)
                .collect::<String>()
        ),
        evidence: evidence([
            ("calls", Some(statement.calls.to_string())),
            ("mean_exec_time", ms(Some(statement.mean_ms))),
            ("limit", Some(limits.min_mean.show())),
            ("stddev_exec_time", ms(statement.stddev_ms)),
            ("min_exec_time", ms(statement.min_ms)),
            ("max_exec_time", ms(statement.max_ms)),
            ("total_exec_time", ms(Some(statement.total_ms))),
            ("total_percent", statement.total_percent.map(|percent| percent.to_string())),
            ("rows", Some(statement.rows.to_string())),
            ("shared_blks_hit", number(statement.shared_blks_hit)),
            ("shared_blks_read", number(statement.shared_blks_read)),
            ("temp_blks_written", number(statement.temp_blks_written)),
            ("jit_ms", ms(statement.jit_ms)),
            ("toplevel", statement.toplevel.map(|toplevel| toplevel.to_string())),
            ("usename", statement.usename.clone()),
            ("since", since.map(|at| at.to_string())),
            ("statistics_age", since.map(|at| whole_seconds(at.until(snapshot.server.now)).show())),
        ]),
        // That it is slow is certain; that it matters is not.
        confidence: Confidence::Medium,
        sql: None,
        undo_sql: None,
        gain_bytes: None,
    }
}

/// What the counters say about why.
fn where_it_goes(statement: &PgStatementRecord) -> String {
    #[expect(clippy::cast_precision_loss, reason = "told in round numbers")]
    let each = |count: Option<i64>| count.unwrap_or_default() as f64 / statement.calls.max(1) as f64;
    let pages = each(statement.shared_blks_hit) + each(statement.shared_blks_read);
    let mut parts = vec![format!("each time {:.0} rows from {pages:.0} pages", each(Some(statement.rows)))];
    let temporary = each(statement.temp_blks_written);
    if temporary >= 1.0 {
        parts.push(format!("{temporary:.0} pages of temporary files (work_mem)"));
    }
    if let Some(jit) = statement.jit_ms.filter(|jit| *jit > statement.total_ms / 4.0) {
        parts.push(format!("{:.0} % of the time for compiling (jit)", jit * 100.0 / statement.total_ms));
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use pso_common::record::QueryText;

    use super::*;
    use crate::advice::tests::{NOW, judged, snapshot};

    fn statement(calls: i64, mean_ms: f64) -> PgStatementRecord {
        PgStatementRecord {
            queryid: "-7".to_owned(),
            usename: Some("bob".to_owned()),
            calls,
            mean_ms,
            total_ms: 100_000.0,
            rows: 50,
            shared_blks_hit: Some(900),
            shared_blks_read: Some(100),
            ..PgStatementRecord::default()
        }
    }

    fn advised(statement: PgStatementRecord) -> Vec<Advice> {
        judged(&RULE, &snapshot(|records| records.statements = vec![statement])).advice
    }

    #[test]
    fn what_is_slow_often_is_advised() {
        assert_eq!(advised(statement(9, 5000.0)), []);
        assert_eq!(advised(statement(10, 1000.0)), [], "those that are shown for their total");
        let advice = advised(statement(10, 1000.1)).remove(0);
        assert_eq!((advice.object.as_str(), advice.sql), ("-7 of bob", None));
        assert!(advice.why.starts_with("1000 ms on average in 10 calls; each time 5 rows from 100 pages. Look"));
    }

    #[test]
    fn what_a_backup_copies_and_keeping_house_is_as_slow_as_it_is() {
        let of = |query| advised(PgStatementRecord { query: QueryText::new(query), ..statement(99, 60_000.0) });
        for query in ["COPY public.t (a) TO stdout", "vacuum (analyze) t", "CREATE INDEX CONCURRENTLY i ON t (a)"] {
            assert_eq!(of(query), [], "{query}");
        }
        assert_eq!(of("SELECT 'COPY'").len(), 1);
    }

    #[test]
    fn what_the_counters_say_is_told() {
        let slow = PgStatementRecord {
            temp_blks_written: Some(70),
            jit_ms: Some(50_000.0),
            total_percent: Some(12.5),
            stats_since_at: Some(NOW.parse().expect("a time")),
            ..statement(10, 10_000.0)
        };
        let advice = advised(slow).remove(0);
        assert!(advice.why.contains(", 12.5 % of all statements' time; "), "{}", advice.why);
        assert!(advice.why.contains("7 pages of temporary files (work_mem), 50 % of the time for compiling (jit)"));
        assert_eq!(advice.evidence["since"], NOW);
    }
}
