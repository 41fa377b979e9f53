//! `never_analyzed`: a table of which the planner knows nothing, as after a restore.

use pso_common::Severity;
use pso_common::record::{Confidence, PgTableRecord};

use super::{Advice, Judged, Rule, evidence};
use crate::records::Snapshot;
use crate::settings::Limits;

pub(super) const RULE: Rule = Rule { name: "never_analyzed", on_standby: false, needs: &["tables"], judge };

fn judge(snapshot: &Snapshot, limits: &Limits) -> Judged {
    let never = |table: &&PgTableRecord| {
        #[expect(clippy::cast_precision_loss, reason = "both are estimates")]
        let rows = (table.n_live_tup.max(table.partitions_live_tup.unwrap_or_default()) as f64).max(table.reltuples);
        let unknown = table.last_analyze_at.is_none() && table.planner_statistics != Some(true);
        !table.temporary && unknown && rows >= f64::from(limits.min_rows)
    };
    let tables = snapshot.records.tables.iter().filter(never);
    tables.map(|table| advice(table, certain(table, snapshot.server.version_num))).collect()
}

/// What the planner has would be seen, and there is nothing; or, for who may not see that: `reltuples` is -1 until the first
/// VACUUM or ANALYZE since 14; before, `relpages` was 0 until then. Where neither says so, the missing times may also come from a
/// reset of the counters, or a crash, and the planner still have its statistics.
fn certain(table: &PgTableRecord, version_num: i32) -> bool {
    if table.planner_statistics == Some(false) {
        return true;
    }
    if version_num >= 140_000 { table.reltuples < 0.0 } else { table.relpages == 0 }
}

fn advice(table: &PgTableRecord, certain: bool) -> Advice {
    let why = if table.partitions_live_tup.is_some() {
        "the planner knows its partitions, and nothing of all of them together, as joins and groups over them need: autovacuum \
         analyses partitions only, so have a job do it, again when much has changed"
    } else if certain {
        "it was never analysed, so the planner guesses; after a restore that is so for every table"
    } else {
        "no analyse is on record, so the planner may be guessing; the statistics may also have been reset since"
    };
    Advice {
        severity: Severity::Info,
        object: table.object.clone(),
        why: why.to_owned(),
        evidence: evidence([
            ("n_live_tup", Some(table.n_live_tup.to_string())),
            ("partitions_live_tup", table.partitions_live_tup.map(|rows| rows.to_string())),
            ("n_mod_since_analyze", Some(table.n_mod_since_analyze.to_string())),
            ("reltuples", Some(table.reltuples.to_string())),
            ("planner_statistics", table.planner_statistics.map(|there| there.to_string())),
        ]),
        confidence: if certain { Confidence::High } else { Confidence::Low },
        sql: Some(format!("ANALYZE {}", table.object)),
        undo_sql: None,
        gain_bytes: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::tests::{NOW, judged, snapshot};

    fn table(n_live_tup: i64, reltuples: f64) -> PgTableRecord {
        PgTableRecord { object: "public.t".to_owned(), n_live_tup, reltuples, ..PgTableRecord::default() }
    }

    fn advised(version_num: i32, table: PgTableRecord) -> Vec<Advice> {
        let mut snapshot = snapshot(|records| records.tables = vec![table]);
        snapshot.server.version_num = version_num;
        judged(&RULE, &snapshot).advice
    }

    #[test]
    fn a_table_without_an_analyse_is_advised_from_the_limit_on() {
        assert_eq!(advised(150_000, table(999, -1.0)), []);
        assert_eq!(advised(150_000, table(1000, -1.0))[0].confidence, Confidence::High);
        assert_eq!(advised(150_000, table(0, 1000.0))[0].confidence, Confidence::Low);
        let analyzed = PgTableRecord { last_analyze_at: Some(NOW.parse().expect("a time")), ..table(1000, 1000.0) };
        assert_eq!(advised(150_000, analyzed), []);
        assert_eq!(advised(150_000, PgTableRecord { temporary: true, ..table(1000, -1.0) }), []);
    }

    #[test]
    fn what_the_planner_has_is_surer_than_the_counters() {
        let known = |planner_statistics| PgTableRecord { planner_statistics, ..table(1000, 1000.0) };
        assert_eq!(advised(150_000, known(Some(true))), [], "a crash or a reset took the time");
        assert_eq!(advised(150_000, known(Some(false)))[0].confidence, Confidence::High, "an index was made");
        assert_eq!(advised(150_000, known(None))[0].confidence, Confidence::Low);
    }

    #[test]
    fn a_partitioned_table_has_the_rows_of_its_partitions() {
        let parts = |rows| PgTableRecord { partitions_live_tup: Some(rows), ..table(0, -1.0) };
        assert_eq!(advised(150_000, parts(999)), []);
        let advice = advised(150_000, parts(1000)).remove(0);
        assert!(advice.why.contains("autovacuum analyses partitions only"), "{}", advice.why);
        assert_eq!(advised(150_000, PgTableRecord { planner_statistics: Some(true), ..parts(1000) }), []);
    }

    #[test]
    fn before_14_the_pages_tell() {
        assert_eq!(advised(130_000, table(1000, 0.0))[0].confidence, Confidence::High);
        assert_eq!(advised(130_000, PgTableRecord { relpages: 5, ..table(1000, 0.0) })[0].confidence, Confidence::Low);
    }
}
