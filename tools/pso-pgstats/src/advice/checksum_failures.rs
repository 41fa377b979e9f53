//! `checksum_failures`: pages came from the disk other than they were written. Data may be lost already, and the backups of
//! today may not have them either.

use pso_common::Severity;
use pso_common::record::{Confidence, PgDatabaseRecord};

use super::{Advice, Judged, Rule, evidence, rates};
use crate::records::{Row as _, Snapshot};
use crate::settings::Limits;

pub(super) const RULE: Rule = Rule { name: "checksum_failures", on_standby: true, needs: &["databases"], judge };

fn judge(snapshot: &Snapshot, _: &Limits) -> Judged {
    let failing = |database: &&PgDatabaseRecord| database.checksum_failures.is_some_and(|failures| failures > 0);
    snapshot.records.databases.iter().filter(failing).map(|database| advice(database, snapshot)).collect()
}

fn advice(database: &PgDatabaseRecord, snapshot: &Snapshot) -> Advice {
    let failures = database.checksum_failures.unwrap_or_default();
    let forget = if database.datname.is_some() { "; pg_stat_reset() there sets it back when all is well" } else { "" };
    Advice {
        severity: Severity::Critical,
        object: database.object.clone().unwrap_or_else(|| database.name()),
        why: format!(
            "{failures} times a page was read whose checksum was wrong, the last time at {}: the disk, its controller or the memory \
             has changed data. Keep the backups that there are, have a copy made of the data folder, see in the server's log \
             which files they are (invalid page), and restore them from a backup of before. Who reads such a page gets an \
             error, and so does pg_dump. The counter keeps what was since its reset{forget}",
            database.checksum_last_failure_at.map_or_else(|| "an unknown time".to_owned(), |at| at.to_string()),
        ),
        evidence: evidence([
            ("checksum_failures", Some(failures.to_string())),
            ("checksum_last_failure", database.checksum_last_failure_at.map(|at| at.to_string())),
            ("stats_reset", Some(database.stats_reset_at.map_or_else(|| "never".to_owned(), |at| at.to_string()))),
            ("statistics_age", rates::shown_age(database, &snapshot.server)),
        ]),
        confidence: Confidence::High,
        // What would make the error go away (zero_damaged_pages) throws the data away.
        sql: None,
        undo_sql: None,
        gain_bytes: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::tests::{judged, snapshot};

    fn advised(checksum_failures: Option<i64>, datname: Option<&str>) -> Vec<Advice> {
        let datname = datname.map(str::to_owned);
        let database = PgDatabaseRecord { checksum_failures, object: datname.clone(), datname, ..Default::default() };
        judged(&RULE, &snapshot(|records| records.databases = vec![database])).advice
    }

    #[test]
    fn one_is_too_many_in_any_database() {
        assert_eq!(advised(None, Some("app")), []);
        assert_eq!(advised(Some(0), Some("app")), []);
        let advice = advised(Some(1), Some("other")).remove(0);
        assert_eq!((advice.severity, advice.object.as_str(), advice.sql), (Severity::Critical, "other", None));
        assert_eq!(advised(Some(1), None)[0].object, "shared objects");
    }
}
