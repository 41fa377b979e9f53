//! `unused_index`: an index that no scan has used since the statistics began, and that keeps no promise.

use std::time::Duration;

use pso_common::Severity;
use pso_common::config::ConfigValue as _;
use pso_common::output::bytes;
use pso_common::record::Confidence;

use super::{Advice, evidence};
use crate::report::{Report, count};
use crate::watch::{Failure, Watch, get, moment, span};

pub(super) const RULE: &str = "unused_index";

pub(super) fn judge(watch: &mut Watch) -> Result<Report, Failure> {
    let mut report = Report::default();
    let statistics = watch.query_one(include_str!("../../queries/statistics_age.sql"), &[])?;
    let (since, age) = (moment(&statistics, "since")?, span(&statistics, "age_s")?.unwrap_or_default());
    let source: String = get(&statistics, "source")?;
    let wanted = watch.settings.min_stats_age;
    if age < wanted {
        let text = format!(
            "{RULE}: not judged, the statistics are {} old and should be {} (--min-stats-age)",
            whole(age).show(),
            wanted.show()
        );
        report.note(Severity::Info, text);
        return Ok(report);
    }
    let since = since.map_or_else(|| "their beginning".to_owned(), |since| since.to_string());
    let min_rows = f64::from(watch.settings.min_rows);
    let mut held = 0;
    for row in watch.query(include_str!("../../queries/unused_index.sql"), &[&min_rows])? {
        if get(&row, "held")? {
            held += 1;
            continue;
        }
        // Both are absent for an index that was dropped while the query ran.
        let (Some(gain), Some(undo)) =
            (get::<Option<i64>>(&row, "size_bytes")?, get::<Option<String>>(&row, "undo_sql")?)
        else {
            continue;
        };
        let (object, on_table): (String, String) = (get(&row, "object")?, get(&row, "on_table")?);
        let (idx_scan, writes): (i64, i64) = (get(&row, "idx_scan")?, get(&row, "writes")?);
        let expression: bool = get(&row, "expression")?;
        let mut why = format!(
            "no scan since {since}, and it takes {}; make sure that it is older than that, and that no replica and no \
             rare job uses it",
            bytes(gain.unsigned_abs())
        );
        if expression {
            why.push_str("; the planner may use the statistics of its expression even so");
        }
        Advice {
            severity: Severity::Info,
            rule: RULE,
            object,
            why,
            evidence: evidence([
                ("table", Some(on_table)),
                ("idx_scan", Some(idx_scan.to_string())),
                ("size_bytes", Some(gain.to_string())),
                ("table_writes", Some(writes.to_string())),
                ("statistics_since", Some(since.clone())),
                ("statistics_source", Some(source.clone())),
                ("statistics_age", Some(whole(age).show())),
                ("replicas", Some("not consulted".to_owned())),
            ]),
            confidence: confidence(&source, expression),
            sql: Some(get(&row, "sql")?),
            undo_sql: Some(undo),
            gain_bytes: Some(gain),
        }
        .add_to(&mut report);
    }
    if held > 0 {
        let indexes = count(held, "index", "indexes");
        let text =
            format!("{RULE}: {indexes} not judged, because another session holds or wants them in ACCESS EXCLUSIVE");
        report.note(Severity::Info, text);
    }
    Ok(report)
}

/// PostgreSQL keeps no age of an index, so this never follows from the catalogues alone; and where the beginning of the
/// statistics is only the server's start, the whole database may be younger.
fn confidence(source: &str, expression: bool) -> Confidence {
    if source == "pg_stat_database.stats_reset" && !expression { Confidence::Medium } else { Confidence::Low }
}

/// To be read by people: no fractions of a second.
const fn whole(age: Duration) -> Duration {
    Duration::from_secs(age.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thin_evidence_is_called_so() {
        assert_eq!(confidence("pg_stat_database.stats_reset", false), Confidence::Medium);
        assert_eq!(confidence("pg_stat_database.stats_reset", true), Confidence::Low);
        assert_eq!(confidence("server start", false), Confidence::Low);
    }
}
