//! `statements_missing`: nobody can tell which statements take the server's time, because the extension that counts them is
//! not loaded, or not created in this database.

use pso_common::Severity;
use pso_common::record::{Confidence, PgStatementStatsRecord};

use super::{Advice, Judged, Rule, evidence};
use crate::records::Snapshot;
use crate::sections::statements_way_out;
use crate::settings::Limits;

pub(super) const RULE: Rule =
    Rule { name: "statements_missing", on_standby: false, needs: &["statement_stats"], judge };

fn judge(snapshot: &Snapshot, _: &Limits) -> Judged {
    let missing = |stats: &&PgStatementStatsRecord| !(stats.loaded && stats.created);
    snapshot.records.statement_stats.iter().filter(missing).map(advice).collect()
}

fn advice(stats: &PgStatementStatsRecord) -> Advice {
    // Loading a library needs the list of those that are loaded, and a server that is told to load one that is not there
    // does not start: that is no statement to be run as it is.
    let creates = stats.loaded && !stats.created && stats.available != Some(false);
    Advice {
        severity: Severity::Info,
        object: "pg_stat_statements".to_owned(),
        why: format!(
            "which statements take the server's time is not known, because {}",
            statements_way_out(stats.available != Some(false), stats.loaded, stats.created)
        ),
        evidence: evidence([
            ("loaded", Some(stats.loaded.to_string())),
            ("created", Some(stats.created.to_string())),
            ("available", stats.available.map(|available| available.to_string())),
            ("extversion", stats.version.clone()),
        ]),
        confidence: Confidence::High,
        sql: creates.then(|| "CREATE EXTENSION pg_stat_statements".to_owned()),
        undo_sql: creates.then(|| "DROP EXTENSION pg_stat_statements".to_owned()),
        gain_bytes: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::tests::{judged, snapshot};

    fn advised(loaded: bool, created: bool, available: Option<bool>) -> Vec<Advice> {
        let stats = PgStatementStatsRecord { loaded, created, available, ..PgStatementStatsRecord::default() };
        judged(&RULE, &snapshot(|records| records.statement_stats = vec![stats])).advice
    }

    #[test]
    fn each_way_of_missing_has_its_own_way_out() {
        assert_eq!(advised(true, true, None), []);
        let created = advised(true, false, Some(true)).remove(0);
        assert_eq!(created.sql.as_deref(), Some("CREATE EXTENSION pg_stat_statements"));
        assert_eq!(created.undo_sql.as_deref(), Some("DROP EXTENSION pg_stat_statements"));
        for (loaded, created, available) in
            [(false, true, Some(true)), (false, false, Some(true)), (true, false, Some(false))]
        {
            let advice = advised(loaded, created, available).remove(0);
            assert_eq!((advice.sql, advice.undo_sql), (None, None));
            assert_eq!(advice.why.contains("shared_preload_libraries"), !loaded, "{}", advice.why);
            assert_eq!(advice.why.contains("contrib"), available == Some(false), "{}", advice.why);
        }
    }
}
