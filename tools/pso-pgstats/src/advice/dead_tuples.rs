//! `dead_tuples`: rows that are deleted and still take their place. `VACUUM` makes it usable again and blocks nobody;
//! `VACUUM FULL`, which the old procedure advised, locks the table for as long as it copies it, and is never advised here.

use std::cmp::Reverse;

use pso_common::Severity;
use pso_common::record::{Confidence, PgTableRecord, PgVacuumRecord};

use super::{Advice, Judged, Rule, autovacuum_behind, evidence};
use crate::records::Snapshot;
use crate::settings::Limits;

pub(super) const RULE: Rule = Rule { name: "dead_tuples", on_standby: false, needs: &["tables"], judge };

/// `autovacuum_vacuum_scale_factor`'s default in percent: past it autovacuum should have come, and something keeps it.
const AUTOVACUUM_PERCENT: f64 = 20.0;

fn judge(snapshot: &Snapshot, limits: &Limits) -> Judged {
    let mut tables: Vec<&PgTableRecord> = snapshot.records.tables.iter().filter(|table| past(table, limits)).collect();
    tables.sort_by_key(|table| Reverse(table.n_dead_tup));
    let vacuum = |table: &PgTableRecord| snapshot.records.vacuum.iter().find(|vacuum| vacuum.object == table.object);
    tables.into_iter().map(|table| advice(table, vacuum(table), limits)).collect()
}

fn past(table: &PgTableRecord, limits: &Limits) -> bool {
    #[expect(clippy::cast_precision_loss, reason = "the counters are estimates")]
    let past = table.n_dead_tup as f64 > table.n_live_tup as f64 * limits.max_dead.0 / 100.0;
    !table.temporary && table.n_dead_tup >= i64::from(limits.min_rows) && past
}

/// `vacuum`: what is known of its vacuum, if that was read.
fn advice(table: &PgTableRecord, vacuum: Option<&PgVacuumRecord>, limits: &Limits) -> Advice {
    let (live, dead, percent) = (table.n_live_tup, table.n_dead_tup, table.dead_percent);
    let share =
        percent.map_or_else(|| "and no live ones".to_owned(), |percent| format!("{percent} % of the live ones"));
    let worker = vacuum.and_then(|vacuum| vacuum.worker_pid);
    let cause = vacuum.and_then(autovacuum_behind::hindrance);
    Advice {
        severity: severity(percent),
        object: table.object.clone(),
        why: format!(
            "{dead} dead rows, {share}; scans read them, and their space is not used again before a vacuum{}",
            cause.map_or_else(String::new, |cause| format!("; {cause}"))
        ),
        evidence: evidence([
            ("n_dead_tup", Some(dead.to_string())),
            ("n_live_tup", Some(live.to_string())),
            ("dead_percent", percent.map(|percent| percent.to_string())),
            ("max_dead_percent", Some(limits.max_dead.0.to_string())),
            ("worker_pid", worker.map(|pid| pid.to_string())),
            ("horizon_holder", vacuum.and_then(|vacuum| vacuum.horizon_holder.clone())),
            ("horizon_age", vacuum.and_then(|vacuum| vacuum.horizon_age).map(|age| age.to_string())),
            ("last_vacuum_at", Some(table.last_vacuum_at.map_or_else(|| "never".to_owned(), |at| at.to_string()))),
        ]),
        // The counters are estimates.
        confidence: Confidence::Medium,
        // Another one would send autovacuum's away, and begin anew.
        sql: worker.is_none().then(|| format!("VACUUM (ANALYZE) {}", table.object)),
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
    fn what_is_in_the_way_of_a_vacuum_is_said() {
        let advised = |vacuum: PgVacuumRecord| {
            let object = "public.t".to_owned();
            let snapshot = snapshot(|records| {
                records.tables = vec![table(0, 1000, None)];
                records.vacuum = vec![PgVacuumRecord { object, ..vacuum }];
            });
            judged(&RULE, &snapshot).advice.remove(0)
        };
        assert!(advised(PgVacuumRecord::default()).why.ends_with("before a vacuum"));
        let running = advised(PgVacuumRecord { worker_pid: Some(8), ..PgVacuumRecord::default() });
        assert!(running.sql.is_none() && running.why.contains("pid 8 vacuums it now"), "{}", running.why);
        let (horizon_holder, horizon_age) = (Some("the slot s".to_owned()), Some(5));
        let held = advised(PgVacuumRecord { horizon_holder, horizon_age, ..PgVacuumRecord::default() });
        assert!(held.sql.is_some() && held.why.contains("because the slot s may still see it"), "{}", held.why);
    }

    #[test]
    fn what_autovacuum_would_leave_is_no_warning() {
        assert_eq!([Some(12.0), Some(20.0), Some(20.1), None].map(severity), {
            use Severity::{Info, Warning};
            [Info, Info, Warning, Warning]
        });
    }
}
