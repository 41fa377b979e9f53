//! `tables`: rows written, live and dead, and how they are read (`pg_stat_user_tables`).

use pso_common::Severity;
use pso_common::record::PgTableRecord;

use crate::report::{Report, count};
use crate::watch::{Failure, Watch, get, moment};

pub(super) fn read(watch: &mut Watch) -> Result<Report, Failure> {
    let mut report = Report::default();
    for row in watch.query(include_str!("../../queries/tables.sql"), &[])? {
        let (schemaname, relname): (String, String) = (get(&row, "schemaname")?, get(&row, "relname")?);
        let (n_live_tup, n_dead_tup) = (get(&row, "n_live_tup")?, get(&row, "n_dead_tup")?);
        let name = format!("{schemaname}.{relname}");
        let body = PgTableRecord {
            schemaname,
            relname,
            n_tup_ins: get(&row, "n_tup_ins")?,
            n_tup_upd: get(&row, "n_tup_upd")?,
            n_tup_del: get(&row, "n_tup_del")?,
            n_live_tup,
            n_dead_tup,
            dead_percent: dead_percent(n_live_tup, n_dead_tup),
            seq_scan: get(&row, "seq_scan")?,
            idx_scan: get(&row, "idx_scan")?,
            last_vacuum_at: moment(&row, "last_vacuum")?,
            last_analyze_at: moment(&row, "last_analyze")?,
        };
        report.push(Severity::Ok, name, "", body);
    }
    report.note(Severity::Ok, count(report.findings.len(), "table", "tables"));
    Ok(report)
}

/// Dead rows as a share of the live ones, in percent with two decimals; none where there are no live ones.
pub(crate) fn dead_percent(live: i64, dead: i64) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "two decimals are kept")]
    let percent = dead as f64 * 100.0 / live as f64;
    (live > 0).then(|| (percent * 100.0).round() / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_needs_a_whole() {
        assert_eq!(dead_percent(3, 1), Some(33.33));
        assert_eq!(dead_percent(10, 0), Some(0.0));
        assert_eq!(dead_percent(0, 5), None);
    }
}
