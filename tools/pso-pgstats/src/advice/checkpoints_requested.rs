//! `checkpoints_requested`: checkpoints come because `max_wal_size` is used up and not because it is time. Each makes the
//! server write every page once more to its log (`full_page_writes`), so they should be few.

use pso_common::Severity;
use pso_common::config::ConfigValue as _;
use pso_common::record::{Confidence, PgCheckpointsRecord};

use super::{Advice, Judged, Rule, alter_system, evidence, whole_seconds};
use crate::records::Snapshot;
use crate::settings::Limits;

pub(super) const RULE: Rule = Rule { name: "checkpoints_requested", on_standby: false, needs: &["checkpoints"], judge };

/// Fewer say nothing: each backup requests one, too.
const FEWEST: i64 = 10;

fn judge(snapshot: &Snapshot, limits: &Limits) -> Judged {
    let mut judged = Judged::default();
    let server = &snapshot.server;
    let age = |record: &PgCheckpointsRecord| record.stats_reset_at.unwrap_or(server.started_at).until(server.now);
    if let Some(young) = snapshot.records.checkpoints.iter().map(age).find(|age| *age < limits.min_stats_age) {
        let text = format!(
            "not judged, the statistics are {} old and should be {} (--min-stats-age)",
            whole_seconds(young).show(),
            limits.min_stats_age.show()
        );
        judged.note(Severity::Info, text);
        return judged;
    }
    let often = |record: &&PgCheckpointsRecord| {
        let share = record.requested_percent.unwrap_or_default();
        record.num_requested >= FEWEST && share > limits.max_requested_checkpoints.0
    };
    let records = snapshot.records.checkpoints.iter().filter(often);
    judged.advice = records.map(|record| advice(record, snapshot, limits)).collect();
    judged
}

fn advice(record: &PgCheckpointsRecord, snapshot: &Snapshot, limits: &Limits) -> Advice {
    let mebibytes = record.max_wal_size_bytes >> 20;
    let age = record.stats_reset_at.map(|at| whole_seconds(at.until(snapshot.server.now)).show());
    let share = record.requested_percent.unwrap_or_default();
    let (way, sql, undo_sql) = way(record, snapshot);
    Advice {
        severity: Severity::Info,
        object: "max_wal_size".to_owned(),
        why: format!(
            "{share} % of the checkpoints were requested and not on time; commands and backups request some, but as a rule \
             max_wal_size ({mebibytes}MB) is too small. {way}; \
             the counters tell whether it helped only after pg_stat_reset_shared"
        ),
        evidence: evidence([
            ("num_requested", Some(record.num_requested.to_string())),
            ("num_timed", Some(record.num_timed.to_string())),
            ("requested_percent", Some(share.to_string())),
            ("limit", Some(limits.max_requested_checkpoints.show())),
            ("max_wal_size_bytes", Some(record.max_wal_size_bytes.to_string())),
            ("max_wal_size_source", Some(record.max_wal_size_source.clone())),
            ("stats_reset", record.stats_reset_at.map(|at| at.to_string())),
            ("statistics_age", age),
        ]),
        confidence: Confidence::Medium,
        sql,
        undo_sql,
        gain_bytes: None,
    }
}

/// How it can be made larger, and as it was.
fn way(record: &PgCheckpointsRecord, snapshot: &Snapshot) -> (String, Option<String>, Option<String>) {
    const NAME: &str = "max_wal_size";
    let source = Some(record.max_wal_size_source.as_str());
    if let Some(reason) = alter_system::obstacle(source, snapshot) {
        return (format!("{reason}; it needs room on the disk"), None, None);
    }
    let mebibytes = record.max_wal_size_bytes >> 20;
    let undo = alter_system::undo(NAME, &format!("'{mebibytes}MB'"), source, alter_system::file(NAME, snapshot));
    let sql = format!("ALTER SYSTEM SET {NAME} = '{}MB'", mebibytes.saturating_mul(2));
    ("It needs room on the disk and pg_reload_conf()".to_owned(), Some(sql), Some(undo))
}

#[cfg(test)]
mod tests {
    use pso_common::record::PgSettingRecord;

    use super::*;
    use crate::advice::tests::{judged, snapshot};

    fn advised(num_requested: i64, percent: f64, source: &str) -> Vec<Advice> {
        let record = PgCheckpointsRecord {
            num_requested,
            requested_percent: Some(percent),
            max_wal_size_bytes: 1 << 30,
            max_wal_size_source: source.to_owned(),
            ..PgCheckpointsRecord::default()
        };
        judged(&RULE, &snapshot(|records| records.checkpoints = vec![record])).advice
    }

    #[test]
    fn requested_checkpoints_are_advised_past_the_limit_and_not_when_few() {
        assert_eq!(advised(9, 100.0, "default"), []);
        assert_eq!(advised(10, 50.0, "default"), []);
        let advice = advised(10, 50.01, "default").remove(0);
        assert_eq!(advice.sql.as_deref(), Some("ALTER SYSTEM SET max_wal_size = '2048MB'"));
        assert_eq!(advice.undo_sql.as_deref(), Some("ALTER SYSTEM RESET max_wal_size"));
    }

    #[test]
    fn young_statistics_judge_nothing() {
        let record = |reset: &str| {
            let stats_reset_at = Some(reset.parse().expect("a time"));
            PgCheckpointsRecord {
                stats_reset_at,
                num_requested: 10,
                requested_percent: Some(99.0),
                ..Default::default()
            }
        };
        let judge_one = |reset| judged(&RULE, &snapshot(|records| records.checkpoints = vec![record(reset)]));
        assert_eq!(judge_one("2026-11-08T09:00:00Z").advice.len(), 1);
        let young = judge_one("2026-11-08T09:00:00.001Z");
        assert_eq!(young.advice, []);
        assert!(young.notes[0].text.contains("--min-stats-age"), "{young:?}");
    }

    #[test]
    fn what_somebody_had_set_is_set_again() {
        let undo = advised(10, 99.0, "configuration file").remove(0).undo_sql;
        assert_eq!(undo.as_deref(), Some("ALTER SYSTEM SET max_wal_size = '1024MB'"));
    }

    #[test]
    fn what_another_file_says_comes_back_by_itself() {
        let undo = |file: &str| {
            let snapshot = snapshot(|records| {
                records.checkpoints = vec![PgCheckpointsRecord {
                    num_requested: 10,
                    requested_percent: Some(99.0),
                    max_wal_size_bytes: 1 << 30,
                    max_wal_size_source: "configuration file".to_owned(),
                    ..PgCheckpointsRecord::default()
                }];
                records.settings = vec![PgSettingRecord {
                    scope: "server".to_owned(),
                    setting_name: Some("max_wal_size".to_owned()),
                    sourcefile: Some(file.to_owned()),
                    ..PgSettingRecord::default()
                }];
            });
            judged(&RULE, &snapshot).advice.remove(0).undo_sql.expect("SQL")
        };
        assert_eq!(undo("/etc/postgresql/postgresql.conf"), "ALTER SYSTEM RESET max_wal_size");
        assert_eq!(undo("/data/postgresql.auto.conf"), "ALTER SYSTEM SET max_wal_size = '1024MB'");
    }

    #[test]
    fn what_no_statement_can_change_has_none() {
        let started = advised(10, 99.0, "command line").remove(0);
        assert_eq!((started.sql, started.undo_sql), (None, None));
        assert!(started.why.contains("see how it is started"), "{}", started.why);
    }
}
