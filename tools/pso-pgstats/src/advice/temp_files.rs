//! `temp_files`: the database's queries sort and hash on the disk, because `work_mem` does not hold what they need.

use pso_common::Severity;
use pso_common::output::bytes;
use pso_common::record::{Confidence, PgDatabaseRecord};

use super::{Advice, Judged, Rule, evidence, mebibytes, quoted, rates};
use crate::records::Snapshot;
use crate::settings::Limits;

pub(super) const RULE: Rule = Rule { name: "temp_files", on_standby: false, needs: &["databases"], judge };

/// More is not advised for all of a database: each sort and hash of each session may take it.
const MOST_MIB: i64 = 64;

#[expect(clippy::cast_precision_loss, reason = "a rate needs no more than 52 bits")]
fn judge(snapshot: &Snapshot, limits: &Limits) -> Judged {
    let rates = rates::current(snapshot).map(|database| {
        let rate = rates::per_day(database.temp_bytes, database, &snapshot.server);
        (database, rate)
    });
    let much = rates.filter(|(_, rate)| *rate > mebibytes(limits.max_temp_mib) as f64);
    much.map(|(database, rate)| advice(database, rate, snapshot, limits)).collect()
}

fn advice(database: &PgDatabaseRecord, rate: f64, snapshot: &Snapshot, limits: &Limits) -> Advice {
    let setting = |name: &str| snapshot.server.settings.get(name);
    let (object, age) = (rates::object(database), rates::shown_age(database, &snapshot.server));
    let average = database.temp_bytes / database.temp_files.max(1);
    let enough = setting("work_mem").and_then(|kib| kib.parse().ok()).and_then(|kib| enough(average, kib));
    let way = match enough {
        Some(mib) => format!(
            "They are small on average ({}), so work_mem = {mib}MB would keep most in memory; but each sort and hash of each \
             session may then take as much, so look at the machine's memory first",
            bytes(average.unsigned_abs())
        ),
        None => format!(
            "They are large on average ({}), so a larger work_mem for all is not the way: find the statements \
             (log_temp_files, or temp_blks_written of pg_stat_statements) and give them an index, or more work_mem alone",
            bytes(average.unsigned_abs())
        ),
    };
    Advice {
        severity: Severity::Info,
        why: format!(
            "its queries wrote {} of temporary files in {}, because work_mem was too small for what they sorted and hashed. {way}",
            bytes(database.temp_bytes.unsigned_abs()),
            age.as_deref().unwrap_or("an unknown time"),
        ),
        evidence: evidence([
            ("temp_files", Some(database.temp_files.to_string())),
            ("temp_bytes", Some(database.temp_bytes.to_string())),
            ("temp_bytes_per_day", Some(format!("{rate:.0}"))),
            ("limit_bytes_per_day", Some(mebibytes(limits.max_temp_mib).to_string())),
            ("average_bytes", Some(average.to_string())),
            ("work_mem_kib", setting("work_mem").cloned()),
            ("max_connections", setting("max_connections").cloned()),
            ("statistics_age", age.clone()),
            ("stats_reset", Some(database.stats_reset_at.map_or_else(|| "never".to_owned(), |at| at.to_string()))),
        ]),
        confidence: Confidence::Low,
        sql: enough.map(|mib| format!("ALTER DATABASE {object} SET work_mem = '{mib}MB'")),
        undo_sql: enough.map(|_| match &database.own_work_mem {
            Some(own) => format!("ALTER DATABASE {object} SET work_mem = {}", quoted(own)),
            None => format!("ALTER DATABASE {object} RESET work_mem"),
        }),
        object,
        gain_bytes: None,
    }
}

/// MiB of `work_mem` that hold what such a file holds: rows take about twice as much in memory as in a file, and some files are
/// larger than the average. None where that is more than all sessions should have, or than they have already.
fn enough(average: i64, work_mem_kib: i64) -> Option<i64> {
    let wanted = (average.saturating_mul(3) >> 20).saturating_add(1).unsigned_abs().checked_next_power_of_two()?;
    let wanted = i64::try_from(wanted).ok()?;
    (wanted <= MOST_MIB && wanted * 1024 > work_mem_kib).then_some(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::tests::{judged, snapshot};

    const LIMIT: i64 = 10_240 << 20;

    fn advised(temp_bytes: i64, temp_files: i64, own: Option<&str>) -> Vec<Advice> {
        let (object, own_work_mem) = (Some("\"My app\"".to_owned()), own.map(str::to_owned));
        let database =
            PgDatabaseRecord { current: true, object, temp_bytes, temp_files, own_work_mem, ..Default::default() };
        let mut snapshot = snapshot(|records| records.databases = vec![database]);
        snapshot.server.settings.insert("work_mem".to_owned(), "4096".to_owned());
        judged(&RULE, &snapshot).advice
    }

    #[test]
    fn temporary_files_are_advised_by_the_day() {
        assert_eq!(advised(LIMIT, 100, None), []);
        assert_eq!(advised(LIMIT + 1, 100, None).len(), 1);
    }

    #[test]
    fn more_memory_is_advised_where_it_helps_and_can_be_afforded() {
        let sql = |average_mib: i64| {
            let files = (LIMIT >> 20) / average_mib + 1;
            advised(files * (average_mib << 20), files, None).remove(0).sql
        };
        assert_eq!(sql(8).as_deref(), Some("ALTER DATABASE \"My app\" SET work_mem = '32MB'"));
        assert_eq!(sql(21).as_deref(), Some("ALTER DATABASE \"My app\" SET work_mem = '64MB'"));
        assert_eq!(sql(22), None);
        // It has that much already: they are no sorts, or work_mem was raised since.
        assert_eq!(sql(1), None);
    }

    #[test]
    fn what_the_database_had_is_set_again() {
        let undo = |own| advised(LIMIT + 1, 1280, own).remove(0).undo_sql;
        assert_eq!(undo(None).as_deref(), Some("ALTER DATABASE \"My app\" RESET work_mem"));
        assert_eq!(undo(Some("1MB")).as_deref(), Some("ALTER DATABASE \"My app\" SET work_mem = '1MB'"));
    }
}
