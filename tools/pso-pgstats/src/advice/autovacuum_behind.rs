//! `autovacuum_behind`: a table to which autovacuum should have come long ago, or came and could do nothing.

use std::time::Duration;

use pso_common::Severity;
use pso_common::config::ConfigValue as _;
use pso_common::record::{Confidence, PgVacuumRecord};

use super::{Advice, Judged, Rule, evidence};
use crate::records::Snapshot;
use crate::settings::Limits;

pub(super) const RULE: Rule = Rule { name: "autovacuum_behind", on_standby: false, needs: &["vacuum"], judge };

/// `autovacuum_naptime`'s default in seconds.
const NAPTIME: u64 = 60;

fn judge(snapshot: &Snapshot, limits: &Limits) -> Judged {
    let tables = snapshot.records.vacuum.iter().filter(|table| table.autovacuum && !table.temporary);
    let nap = snapshot.server.settings.get("autovacuum_naptime").and_then(|seconds| seconds.parse().ok());
    let nap = Duration::from_secs(nap.unwrap_or(NAPTIME));
    tables.filter_map(|table| late(table, limits).map(|late| advice(table, late, limits, nap))).collect()
}

/// For what autovacuum should have come.
#[derive(Clone, Copy)]
enum Late {
    Dead,
    /// Rows that were only inserted: vacuum has to mark their pages, or index-only scans read them, and to freeze them.
    Inserted,
}

/// Autovacuum comes from 100 % on. It may be on its way, and a large table takes its time.
fn late(table: &PgVacuumRecord, limits: &Limits) -> Option<Late> {
    let past = |rows: i64, percent: Option<f64>| {
        rows >= i64::from(limits.min_rows) && percent.is_none_or(|percent| percent > limits.late_vacuum * 100.0)
    };
    if past(table.n_dead_tup, table.threshold_percent) {
        return Some(Late::Dead);
    }
    // Without a threshold it does not come for inserts.
    (table.insert_threshold.is_some() && past(table.n_ins_since_vacuum, table.insert_percent)).then_some(Late::Inserted)
}

fn advice(table: &PgVacuumRecord, late: Late, limits: &Limits, nap: Duration) -> Advice {
    let (what, severity) = match late {
        Late::Dead => {
            let (dead, threshold) = (table.n_dead_tup, table.vacuum_threshold.round());
            (format!("{dead} dead rows, and autovacuum should come from {threshold} on"), Severity::Warning)
        }
        Late::Inserted => {
            let (rows, threshold) = (table.n_ins_since_vacuum, table.insert_threshold.unwrap_or_default().round());
            let text = format!(
                "{rows} rows inserted since the last vacuum, and autovacuum should come from {threshold} on, so that \
                 index-only scans need not read the table and there is less to freeze later"
            );
            (text, Severity::Info)
        }
    };
    Advice {
        severity,
        object: table.object.clone(),
        why: format!("{what}; {}", cause(table, late, nap)),
        evidence: evidence([
            ("n_dead_tup", Some(table.n_dead_tup.to_string())),
            ("vacuum_threshold", Some(table.vacuum_threshold.round().to_string())),
            ("n_ins_since_vacuum", Some(table.n_ins_since_vacuum.to_string())),
            ("insert_threshold", table.insert_threshold.map(|threshold| threshold.round().to_string())),
            ("limit", Some(format!("{} times the threshold", limits.late_vacuum))),
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

/// What keeps it, as far as can be seen, and the way out.
fn cause(table: &PgVacuumRecord, late: Late, nap: Duration) -> String {
    let seen = match late {
        Late::Dead => hindrance(table),
        // Where nothing is to be removed, nobody is in the way of that.
        Late::Inserted => at_work(table),
    };
    // Since when it is so, the counters do not say.
    seen.unwrap_or_else(|| {
        format!(
            "nothing is seen to hold vacuum back; it comes by each {} only (autovacuum_naptime), so look again; if it is still \
             so, the workers are too few or too slow (autovacuum_max_workers, autovacuum_vacuum_cost_limit), or the counters \
             were reset",
            nap.show()
        )
    })
}

/// What is seen to be in the way of another vacuum.
pub(super) fn hindrance(table: &PgVacuumRecord) -> Option<String> {
    at_work(table).or_else(|| held(table))
}

fn at_work(table: &PgVacuumRecord) -> Option<String> {
    let text = "vacuums it now; should that take too long, autovacuum_vacuum_cost_limit slows it";
    table.worker_pid.map(|pid| format!("pid {pid} {text}"))
}

fn held(table: &PgVacuumRecord) -> Option<String> {
    // Who began with the last transaction keeps nothing.
    let (holder, age) = (table.horizon_holder.as_ref()?, table.horizon_age.filter(|age| *age > 0)?);
    Some(format!(
        "what the last {age} transactions deleted cannot be removed yet, because {holder} may still see it; if most of it is as \
         young as that, {}",
        way_out(table.horizon_kind.as_deref())
    ))
}

/// How to let the horizon go, by what holds it.
fn way_out(kind: Option<&str>) -> &'static str {
    match kind {
        Some("session") => "let its transaction end, or end it with pg_terminate_backend",
        Some("standby") => {
            "end what runs long there: the standby tells of its queries (hot_standby_feedback), its pg_stat_activity shows them"
        }
        Some("slot") => {
            "see to the standby that reads from it: a query may run long there, or it may be gone; drop the slot \
             (pg_drop_replication_slot) only if nobody will come back to it"
        }
        Some("prepared") => "end it with COMMIT PREPARED or ROLLBACK PREPARED",
        _ => "end that first",
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

    fn inserted(n_ins_since_vacuum: i64, percent: f64) -> PgVacuumRecord {
        let (insert_threshold, insert_percent) = (Some(1000.0), Some(percent));
        PgVacuumRecord { n_ins_since_vacuum, insert_threshold, insert_percent, ..table(0, 0.0) }
    }

    fn advised(table: PgVacuumRecord) -> Vec<Advice> {
        judged(&RULE, &snapshot(|records| records.vacuum = vec![table])).advice
    }

    #[test]
    fn twice_the_threshold_is_late() {
        assert_eq!(advised(table(1000, 200.0)), []);
        assert_eq!(advised(table(999, 900.0)), []);
        let advice = advised(table(1000, 200.01)).remove(0);
        assert_eq!((advice.sql.as_deref(), advice.severity), (Some("VACUUM public.t"), Severity::Warning));
        assert_eq!(advised(PgVacuumRecord { autovacuum: false, ..table(1000, 900.0) }), []);
        assert_eq!(advised(PgVacuumRecord { temporary: true, ..table(1000, 900.0) }), []);
    }

    #[test]
    fn the_limit_can_be_another() {
        let limits = Limits { late_vacuum: 3.0, ..Limits::default() };
        let judge = |table| (RULE.judge)(&snapshot(|records| records.vacuum = vec![table]), &limits).advice.len();
        assert_eq!([judge(table(1000, 300.0)), judge(table(1000, 300.01))], [0, 1]);
    }

    #[test]
    fn rows_that_were_only_inserted_are_late_too_but_no_warning() {
        assert_eq!(advised(inserted(2000, 200.0)), []);
        let advice = advised(inserted(2001, 200.01)).remove(0);
        assert_eq!((advice.sql.as_deref(), advice.severity), (Some("VACUUM public.t"), Severity::Info));
        assert!(advice.why.starts_with("2001 rows inserted since the last vacuum"), "{}", advice.why);
        let never = PgVacuumRecord { insert_threshold: None, insert_percent: None, ..inserted(9999, 0.0) };
        assert_eq!(advised(never), [], "autovacuum does not come for inserts");
        let both = PgVacuumRecord { n_dead_tup: 5000, threshold_percent: Some(900.0), ..inserted(2001, 200.01) };
        assert_eq!(advised(both)[0].severity, Severity::Warning);
    }

    #[test]
    fn nobody_is_named_who_is_not_in_the_way() {
        let holder = |table: PgVacuumRecord, age| {
            let horizon_holder = Some("pid 7".to_owned());
            let held = PgVacuumRecord { horizon_holder, horizon_age: Some(age), ..table };
            advised(held).remove(0).why.contains("pid 7 may still see it")
        };
        assert!(holder(table(1000, 900.0), 1));
        assert!(!holder(table(1000, 900.0), 0), "it began with the last transaction");
        assert!(!holder(inserted(2001, 200.01), 9), "nothing is to be removed");
    }

    #[test]
    fn what_may_still_come_is_said() {
        let mut snapshot = snapshot(|records| records.vacuum = vec![table(1000, 900.0)]);
        assert!(judged(&RULE, &snapshot).advice[0].why.contains("by each 1m only"));
        snapshot.server.settings.insert("autovacuum_naptime".to_owned(), "120".to_owned());
        assert!(judged(&RULE, &snapshot).advice[0].why.contains("by each 2m only"));
    }

    #[test]
    fn what_holds_it_back_is_named_with_the_way_out() {
        let (horizon_holder, horizon_kind) = (Some("pid 7".to_owned()), Some("session".to_owned()));
        let held = PgVacuumRecord { horizon_holder, horizon_kind, horizon_age: Some(5), ..table(1000, 900.0) };
        let why = advised(held.clone()).remove(0).why;
        assert!(why.contains("because pid 7 may still see it") && why.contains("pg_terminate_backend"), "{why}");
        for (kind, way) in [("standby", "hot_standby_feedback"), ("slot", "slot"), ("prepared", "ROLLBACK PREPARED")] {
            let why = advised(PgVacuumRecord { horizon_kind: Some(kind.to_owned()), ..held.clone() }).remove(0).why;
            assert!(why.contains(way), "{why}");
        }
        let running = advised(PgVacuumRecord { worker_pid: Some(8), ..held }).remove(0);
        assert!(running.why.contains("pid 8 vacuums it now") && running.sql.is_none());
    }
}
