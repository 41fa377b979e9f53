//! `dead_tuples`: rows that are deleted and still take their place. `VACUUM` makes it usable again and blocks nobody;
//! `VACUUM FULL`, which the old procedure advised, locks the table for as long as it copies it, and is never advised here.

use std::cmp::Reverse;

use pso_common::Severity;
use pso_common::record::{Confidence, PgTableRecord};

use super::{Advice, Judged, Rule, evidence};
use crate::records::Snapshot;
use crate::settings::Limits;

pub(super) const RULE: Rule = Rule { name: "dead_tuples", on_standby: false, needs: &["tables"], judge };

/// `autovacuum_vacuum_scale_factor`'s default in percent: past it autovacuum should have come, and something keeps it.
const AUTOVACUUM_PERCENT: f64 = 20.0;

fn judge(snapshot: &Snapshot, limits: &Limits) -> Judged {
    let mut tables: Vec<&PgTableRecord> = snapshot.records.tables.iter().filter(|table| past(table, limits)).collect();
    tables.sort_by_key(|table| Reverse(table.n_dead_tup));
    tables.into_iter().map(|table| advice(table, limits)).collect()
}

fn past(table: &PgTableRecord, limits: &Limits) -> bool {
    #[expect(clippy::cast_precision_loss, reason = "the counters are estimates")]
    let past = table.n_dead_tup as f64 > table.n_live_tup as f64 * limits.max_dead.0 / 100.0;
    !table.temporary && table.n_dead_tup >= i64::from(limits.min_rows) && past
}

fn advice(table: &PgTableRecord, limits: &Limits) -> Advice {
    let (live, dead, percent) = (table.n_live_tup, table.n_dead_tup, table.dead_percent);
    let share =
        percent.map_or_else(|| "and no live ones".to_owned(), |percent| format!("{percent} % of the live ones"));
    Advice {
        severity: severity(percent),
        object: table.object.clone(),
        why: format!("{dead} dead rows, {share}; scans read them, and their space is not used again before a vacuum"),
        evidence: evidence([
            ("n_dead_tup", Some(dead.to_string())),
            ("n_live_tup", Some(live.to_string())),
            ("dead_percent", percent.map(|percent| percent.to_string())),
            ("max_dead_percent", Some(limits.max_dead.0.to_string())),
            ("last_vacuum_at", Some(table.last_vacuum_at.map_or_else(|| "never".to_owned(), |at| at.to_string()))),
        ]),
        // The counters are estimates.
        confidence: Confidence::Medium,
        sql: Some(format!("VACUUM (ANALYZE) {}", table.object)),
        undo_sql: None,
        gain_bytes: None,
    }
}

fn severity(percent: Option<f64>) -> Severity {
    match percent {
        Some(percent) if percent <= AUTOVACUUM_PERCENT => Severity::Info,
        _ => Severity::Warning,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::tests::{judged, snapshot};

    fn table(n_live_tup: i64, n_dead_tup: i64, dead_percent: Option<f64>) -> PgTableRecord {
        let object = "public.t".to_owned();
        PgTableRecord { object, n_live_tup, n_dead_tup, dead_percent, ..PgTableRecord::default() }
    }

    fn advised(table: PgTableRecord) -> Vec<Advice> {
        judged(&RULE, &snapshot(|records| records.tables = vec![table])).advice
    }

    #[test]
    fn more_dead_rows_than_the_limit_are_advised() {
        assert_eq!(advised(table(20_000, 2000, Some(10.0))), []);
        assert_eq!(advised(table(20_000, 2001, Some(10.01)))[0].sql.as_deref(), Some("VACUUM (ANALYZE) public.t"));
        assert_eq!(advised(table(0, 999, None)), [], "too few to matter");
        assert_eq!(advised(table(0, 1000, None))[0].severity, Severity::Warning);
        assert_eq!(advised(PgTableRecord { temporary: true, ..table(0, 1000, None) }), []);
    }

    #[test]
    fn what_autovacuum_would_leave_is_no_warning() {
        assert_eq!([Some(12.0), Some(20.0), Some(20.1), None].map(severity), {
            use Severity::{Info, Warning};
            [Info, Info, Warning, Warning]
        });
    }
}
