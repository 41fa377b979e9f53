//! `autovacuum_behind`: a table to which autovacuum should have come long ago, or came and could do nothing.

use pso_common::Severity;
use pso_common::record::{Confidence, PgVacuumRecord};

use super::{Advice, Judged, Rule, evidence};
use crate::records::Snapshot;
use crate::settings::Limits;

pub(super) const RULE: Rule = Rule { name: "autovacuum_behind", on_standby: false, needs: &["vacuum"], judge };

/// Autovacuum comes from 100 on. It may be on its way, and a large table takes its time; twice that is late.
const LATE_PERCENT: f64 = 200.0;

fn judge(snapshot: &Snapshot, limits: &Limits) -> Judged {
    let late = |table: &&PgVacuumRecord| {
        let enough = table.n_dead_tup >= i64::from(limits.min_rows);
        let past = table.threshold_percent.is_none_or(|percent| percent > LATE_PERCENT);
        table.autovacuum && !table.temporary && enough && past
    };
    snapshot.records.vacuum.iter().filter(late).map(advice).collect()
}

fn advice(table: &PgVacuumRecord) -> Advice {
    let (dead, threshold) = (table.n_dead_tup, table.vacuum_threshold.round());
    let why = match (table.worker_pid, &table.horizon_holder, table.horizon_age) {
        (Some(pid), _, _) => {
            format!("pid {pid} vacuums it now; should that take too long, autovacuum_vacuum_cost_limit slows it")
        }
        (None, Some(holder), Some(age)) => {
            format!(
                "what the last {age} transactions deleted cannot be removed yet, because {holder} may still see it: end that first"
            )
        }
        _ => "nothing is seen to hold vacuum back; the workers may be too few or too slow (autovacuum_max_workers, \
              autovacuum_vacuum_cost_limit), or the counters be reset"
            .to_owned(),
    };
    Advice {
        severity: Severity::Warning,
        object: table.object.clone(),
        why: format!("{dead} dead rows, and autovacuum should come from {threshold} on; {why}"),
        evidence: evidence([
            ("n_dead_tup", Some(dead.to_string())),
            ("vacuum_threshold", Some(threshold.to_string())),
            ("n_live_tup", Some(table.n_live_tup.to_string())),
            (
                "last_autovacuum_at",
                Some(table.last_autovacuum_at.map_or_else(|| "never".to_owned(), |at| at.to_string())),
            ),
            ("worker_pid", table.worker_pid.map(|pid| pid.to_string())),
            ("horizon_holder", table.horizon_holder.clone()),
            ("horizon_age", table.horizon_age.map(|age| age.to_string())),
        ]),
        // The counters are estimates.
        confidence: Confidence::Medium,
        sql: table.worker_pid.is_none().then(|| format!("VACUUM {}", table.object)),
        undo_sql: None,
        gain_bytes: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::tests::{judged, snapshot};

    fn table(n_dead_tup: i64, percent: f64) -> PgVacuumRecord {
        let object = "public.t".to_owned();
        let threshold_percent = Some(percent);
        PgVacuumRecord { object, n_dead_tup, threshold_percent, autovacuum: true, ..PgVacuumRecord::default() }
    }

    fn advised(table: PgVacuumRecord) -> Vec<Advice> {
        judged(&RULE, &snapshot(|records| records.vacuum = vec![table])).advice
    }

    #[test]
    fn twice_the_threshold_is_late() {
        assert_eq!(advised(table(1000, 200.0)), []);
        assert_eq!(advised(table(999, 900.0)), []);
        assert_eq!(advised(table(1000, 200.01))[0].sql.as_deref(), Some("VACUUM public.t"));
        assert_eq!(advised(PgVacuumRecord { autovacuum: false, ..table(1000, 900.0) }), []);
        assert_eq!(advised(PgVacuumRecord { temporary: true, ..table(1000, 900.0) }), []);
    }

    #[test]
    fn what_holds_it_back_is_named() {
        let held =
            PgVacuumRecord { horizon_holder: Some("pid 7".to_owned()), horizon_age: Some(5), ..table(1000, 900.0) };
        assert!(advised(held.clone())[0].why.contains("because pid 7 may still see it"));
        let running = advised(PgVacuumRecord { worker_pid: Some(8), ..held }).remove(0);
        assert!(running.why.contains("pid 8 vacuums it now") && running.sql.is_none());
    }
}
