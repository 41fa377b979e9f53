//! `sequential_scans`: a large table that is read from its first row to its last again and again. An index may be missing; it
//! may also be meant so, as for a report. Which statement does it, the counters do not say.

use std::cmp::Reverse;
use std::time::Duration;

use pso_common::Severity;
use pso_common::config::ConfigValue as _;
use pso_common::record::{Confidence, PgTableRecord};

use super::dropping::young;
use super::{Advice, Judged, Rule, evidence, whole_seconds};
use crate::records::Snapshot;
use crate::settings::Limits;

pub(super) const RULE: Rule = Rule { name: "sequential_scans", on_standby: false, needs: &["tables"], judge };

/// Backups and jobs read a table a few times a day, and that is as it should be.
const FEWEST_A_DAY: f64 = 24.0;
/// Fewer say nothing, whatever their rate.
const FEWEST: i64 = 100;

fn judge(snapshot: &Snapshot, limits: &Limits) -> Judged {
    let mut judged = Judged::default();
    let read = |table: &&PgTableRecord| past(table, age(snapshot), limits);
    let mut tables: Vec<&PgTableRecord> = snapshot.records.tables.iter().filter(read).collect();
    if let (Some(note), false) = (young(snapshot, limits), tables.is_empty()) {
        judged.notes.push(note);
        return judged;
    }
    tables.sort_by_key(|table| Reverse(table.seq_tup_read));
    judged.advice = tables.into_iter().map(|table| advice(table, snapshot, limits)).collect();
    judged
}

fn age(snapshot: &Snapshot) -> Duration {
    snapshot.server.stats_since_at.until(snapshot.server.now)
}

/// Rows that a scan read on average. One that ends early, as for `LIMIT 1`, makes it small.
#[expect(clippy::cast_precision_loss, reason = "a mean")]
fn rows_a_scan(table: &PgTableRecord) -> f64 {
    table.seq_tup_read as f64 / table.seq_scan.max(1) as f64
}

/// Sequential scans as a share of all.
#[expect(clippy::cast_precision_loss, reason = "a share")]
fn share(table: &PgTableRecord) -> f64 {
    let all = table.seq_scan.saturating_add(table.idx_scan.unwrap_or_default()).max(1);
    table.seq_scan as f64 * 100.0 / all as f64
}

fn past(table: &PgTableRecord, age: Duration, limits: &Limits) -> bool {
    let least = f64::from(limits.min_scan_rows);
    #[expect(clippy::cast_precision_loss, reason = "both are estimates")]
    let (rows, scans) = ((table.n_live_tup as f64).max(table.reltuples), table.seq_scan as f64);
    let often = table.seq_scan >= FEWEST && scans > age.as_secs_f64() / 86_400.0 * FEWEST_A_DAY;
    let large = rows >= least && rows_a_scan(table) >= least;
    !table.temporary && large && often && share(table) > limits.max_seq_scans.0
}

fn advice(table: &PgTableRecord, snapshot: &Snapshot, limits: &Limits) -> Advice {
    let (scans, mean, share) = (table.seq_scan, rows_a_scan(table).round(), share(table).round());
    let server = &snapshot.server;
    Advice {
        severity: Severity::Info,
        object: table.object.clone(),
        why: format!(
            "{scans} times it was read row by row, {mean} rows each time on average, which is {share} % of all scans of it. If its \
             statements want few rows, an index on what they search by is missing: find them by the table's name in \
             pg_stat_statements and look at their plan (EXPLAIN); if they want most rows, all is well"
        ),
        evidence: evidence([
            ("seq_scan", Some(scans.to_string())),
            ("seq_tup_read", Some(table.seq_tup_read.to_string())),
            ("idx_scan", table.idx_scan.map(|scans| scans.to_string())),
            ("n_live_tup", Some(table.n_live_tup.to_string())),
            ("rows_per_scan", Some(mean.to_string())),
            ("seq_scan_percent", Some(share.to_string())),
            ("limit", Some(limits.max_seq_scans.show())),
            ("last_seq_scan_at", table.last_seq_scan_at.map(|at| at.to_string())),
            ("statistics_since", Some(server.stats_since_at.to_string())),
            ("statistics_age", Some(whole_seconds(age(snapshot)).show())),
            ("replicas", Some("not consulted".to_owned())),
        ]),
        // Only the statements can tell.
        confidence: Confidence::Low,
        sql: None,
        undo_sql: None,
        gain_bytes: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::tests::{judged, snapshot};

    /// The statistics of [`snapshot`] are 14 days old: 336 scans are 24 a day.
    fn table(rows: i64, seq_scan: i64, idx_scan: Option<i64>) -> PgTableRecord {
        let object = "public.t".to_owned();
        let seq_tup_read = rows * seq_scan;
        PgTableRecord { object, n_live_tup: rows, seq_scan, seq_tup_read, idx_scan, ..PgTableRecord::default() }
    }

    fn advised(table: PgTableRecord) -> Vec<Advice> {
        judged(&RULE, &snapshot(|records| records.tables = vec![table])).advice
    }

    #[test]
    fn a_large_table_that_is_mostly_read_whole_is_advised() {
        let advice = advised(table(10_000, 337, None)).remove(0);
        assert_eq!((advice.severity, advice.confidence, advice.sql), (Severity::Info, Confidence::Low, None));
        assert_eq!(advice.evidence["rows_per_scan"], "10000");
        assert_eq!(advice.evidence["statistics_age"], "14d");
        assert_eq!(advised(table(9_999, 337, None)), [], "a small one is best read so");
        assert_eq!(advised(table(10_000, 336, None)), [], "as often as jobs do");
        assert_eq!(advised(table(10_000, 1000, Some(1000))), [], "half of the scans");
        assert_eq!(advised(table(10_000, 1000, Some(999))).len(), 1);
        assert_eq!(advised(PgTableRecord { temporary: true, ..table(10_000, 1000, None) }), []);
    }

    #[test]
    fn scans_that_end_early_are_none() {
        let early = PgTableRecord { seq_tup_read: 9_999 * 1000, ..table(1_000_000, 1000, None) };
        assert_eq!(advised(early), []);
    }

    #[test]
    fn young_statistics_judge_nothing_and_it_is_said_only_where_there_is_something() {
        let judge = |table| {
            let mut snapshot = snapshot(|records| records.tables = vec![table]);
            snapshot.server.stats_since_at = "2026-11-08T09:00:00.001Z".parse().expect("a time");
            judged(&RULE, &snapshot)
        };
        let young = judge(table(10_000, 1000, None));
        assert!(young.advice.is_empty() && young.notes[0].text.contains("--min-stats-age"), "{young:?}");
        assert!(judge(table(10, 1000, None)).notes.is_empty());
    }

    #[test]
    fn few_say_nothing_however_young_the_statistics_are() {
        let limits = Limits { min_stats_age: Duration::ZERO, ..Limits::default() };
        let judge = |scans| {
            let mut snapshot = snapshot(|records| records.tables = vec![table(10_000, scans, None)]);
            snapshot.server.stats_since_at = snapshot.server.now;
            (RULE.judge)(&snapshot, &limits).advice.len()
        };
        assert_eq!([99, 100].map(judge), [0, 1]);
    }
}
