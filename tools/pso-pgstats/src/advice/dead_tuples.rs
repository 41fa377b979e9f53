//! `dead_tuples`: rows that are deleted and still take their place. `VACUUM` makes it usable again and blocks nobody;
//! `VACUUM FULL`, which the old procedure advised, locks the table for as long as it copies it, and is never advised here.

use pso_common::Severity;
use pso_common::record::Confidence;

use super::{Advice, evidence};
use crate::report::Report;
use crate::sections::dead_percent;
use crate::watch::{Failure, Watch, get, moment};

pub(super) const RULE: &str = "dead_tuples";

/// `autovacuum_vacuum_scale_factor`'s default in percent: past it autovacuum should have come, and something keeps it.
const AUTOVACUUM_PERCENT: f64 = 20.0;

pub(super) fn judge(watch: &mut Watch) -> Result<Report, Failure> {
    let mut report = Report::default();
    let (min_rows, max_dead) = (i64::from(watch.settings.min_rows), watch.settings.max_dead);
    for row in watch.query(include_str!("../../queries/dead_tuples.sql"), &[&min_rows, &max_dead])? {
        let (live, dead): (i64, i64) = (get(&row, "n_live_tup")?, get(&row, "n_dead_tup")?);
        let last_vacuum = moment(&row, "last_vacuum")?;
        let percent = dead_percent(live, dead);
        let share =
            percent.map_or_else(|| "and no live ones".to_owned(), |percent| format!("{percent} % of the live ones"));
        Advice {
            severity: severity(percent),
            rule: RULE,
            object: get(&row, "object")?,
            why: format!(
                "{dead} dead rows, {share}; scans read them, and their space is not used again before a vacuum"
            ),
            evidence: evidence([
                ("n_dead_tup", Some(dead.to_string())),
                ("n_live_tup", Some(live.to_string())),
                ("dead_percent", percent.map(|percent| percent.to_string())),
                ("max_dead_percent", Some(max_dead.to_string())),
                ("last_vacuum_at", Some(last_vacuum.map_or_else(|| "never".to_owned(), |at| at.to_string()))),
            ]),
            // The counters are estimates.
            confidence: Confidence::Medium,
            sql: Some(get(&row, "sql")?),
            undo_sql: None,
            gain_bytes: None,
        }
        .add_to(&mut report);
    }
    Ok(report)
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

    #[test]
    fn what_autovacuum_would_leave_is_no_warning() {
        assert_eq!([Some(12.0), Some(20.0), Some(20.1), None].map(severity), {
            use Severity::{Info, Warning};
            [Info, Info, Warning, Warning]
        });
    }
}
