//! `unused_index`: an index that no scan has used since the statistics began, and that keeps no promise.

use std::cmp::Reverse;

use pso_common::Severity;
use pso_common::config::ConfigValue as _;
use pso_common::output::bytes;
use pso_common::record::{Confidence, PgIndexRecord, PgServerRecord, PgTableRecord};

use super::dropping::{droppable, held, large_tables, young};
use super::{Advice, Judged, Rule, evidence, whole_seconds};
use crate::records::Snapshot;
use crate::settings::Limits;

pub(super) const RULE: Rule = Rule { name: "unused_index", on_standby: false, needs: &["tables", "indexes"], judge };

fn judge(snapshot: &Snapshot, limits: &Limits) -> Judged {
    let mut judged = Judged::default();
    if let Some(note) = young(snapshot, limits) {
        judged.notes.push(note);
        return judged;
    }
    let tables = large_tables(snapshot, limits);
    let mut held_ones = 0;
    let mut unused: Vec<(i64, Advice)> = Vec::new();
    for index in snapshot.records.indexes.iter().filter(|index| index.idx_scan == 0 && !bound(index)) {
        let Some(table) = tables.get(index.on_table.as_str()) else { continue };
        match (&index.definition, index.size_bytes) {
            (Some(definition), Some(size)) => {
                unused.push((size, advice(index, table, definition, size, &snapshot.server)));
            }
            _ => held_ones += 1,
        }
    }
    unused.sort_by_key(|(size, _)| Reverse(*size));
    judged.advice = unused.into_iter().map(|(_, advice)| advice).collect();
    judged.notes.extend(held(held_ones));
    judged
}

/// Besides what is never dropped: what a foreign key's column leads, because deleting in the referenced table would read this
/// one.
fn bound(index: &PgIndexRecord) -> bool {
    !droppable(index) || index.leads_foreign_key
}

fn advice(
    index: &PgIndexRecord,
    table: &PgTableRecord,
    definition: &str,
    size: i64,
    server: &PgServerRecord,
) -> Advice {
    let (since, source) = (server.stats_since_at, &server.stats_source);
    let writes = table.n_tup_ins.saturating_add(table.n_tup_upd).saturating_add(table.n_tup_del);
    let mut why = format!(
        "no scan since {since}, and it takes {}; make sure that it is older than that, and that no replica and no \
         rare job uses it",
        bytes(size.unsigned_abs())
    );
    if index.has_expressions {
        why.push_str("; the planner may use the statistics of its expression even so");
    }
    Advice {
        severity: Severity::Info,
        object: index.object.clone(),
        why,
        evidence: evidence([
            ("table", Some(index.on_table.clone())),
            ("idx_scan", Some(index.idx_scan.to_string())),
            ("size_bytes", Some(size.to_string())),
            ("table_writes", Some(writes.to_string())),
            ("statistics_since", Some(since.to_string())),
            ("statistics_source", Some(source.clone())),
            ("statistics_age", Some(whole_seconds(since.until(server.now)).show())),
            ("replicas", Some("not consulted".to_owned())),
        ]),
        confidence: confidence(source, index.has_expressions),
        sql: Some(format!("DROP INDEX CONCURRENTLY {}", index.object)),
        undo_sql: Some(definition.to_owned()),
        gain_bytes: Some(size),
    }
}

/// PostgreSQL keeps no age of an index, so this never follows from the catalogues alone; and where the beginning of the
/// statistics is only the server's start, the whole database may be younger.
fn confidence(source: &str, expression: bool) -> Confidence {
    if source == "pg_stat_database.stats_reset" && !expression { Confidence::Medium } else { Confidence::Low }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::tests::{judged, snapshot};

    fn unused() -> PgIndexRecord {
        PgIndexRecord {
            object: "public.i".to_owned(),
            on_table: "public.t".to_owned(),
            size_bytes: Some(8192),
            valid: true,
            ready: true,
            definition: Some("CREATE INDEX i ON public.t USING btree (a)".to_owned()),
            ..PgIndexRecord::default()
        }
    }

    fn on_table(n_live_tup: i64, index: PgIndexRecord) -> Snapshot {
        let object = "public.t".to_owned();
        snapshot(|records| {
            records.tables = vec![PgTableRecord { object, n_live_tup, reltuples: -1.0, ..PgTableRecord::default() }];
            records.indexes = vec![index];
        })
    }

    fn advised(index: PgIndexRecord) -> Vec<Advice> {
        judged(&RULE, &on_table(1000, index)).advice
    }

    #[test]
    fn an_index_without_a_scan_is_advised() {
        let advice = advised(unused()).remove(0);
        assert_eq!(advice.sql.as_deref(), Some("DROP INDEX CONCURRENTLY public.i"));
        assert_eq!((advice.undo_sql, advice.gain_bytes), (unused().definition, Some(8192)));
        assert_eq!(advised(PgIndexRecord { idx_scan: 1, ..unused() }), []);
        assert_eq!(judged(&RULE, &on_table(999, unused())).advice, []);
    }

    #[test]
    fn what_keeps_a_promise_stays() {
        let change: [fn(&mut PgIndexRecord); 12] = [
            |index| index.constraint = true,
            |index| index.primary = true,
            |index| index.unique = true,
            |index| index.exclusion = true,
            |index| index.replica_identity = true,
            |index| index.clustered = true,
            |index| index.leads_foreign_key = true,
            |index| index.partition = true,
            |index| index.extension = true,
            |index| index.temporary = true,
            |index| index.valid = false,
            |index| index.ready = false,
        ];
        for (at, change) in change.into_iter().enumerate() {
            let mut index = unused();
            change(&mut index);
            assert_eq!(advised(index), [], "{at}");
        }
    }

    #[test]
    fn young_statistics_judge_nothing() {
        let mut snapshot = on_table(1000, unused());
        // The snapshot's statistics are 14 days old, which is the limit.
        snapshot.server.stats_since_at = "2026-11-08T09:00:00.001Z".parse().expect("a time");
        let young = judged(&RULE, &snapshot);
        assert_eq!(young.advice, []);
        assert!(young.notes[0].text.contains("13d") && young.notes[0].text.contains("--min-stats-age"), "{young:?}");
    }

    #[test]
    fn a_held_index_is_counted() {
        let held = judged(&RULE, &on_table(1000, PgIndexRecord { definition: None, ..unused() }));
        assert_eq!(held.advice, []);
        assert!(held.notes[0].text.starts_with("1 index not judged"), "{held:?}");
    }

    #[test]
    fn thin_evidence_is_called_so() {
        assert_eq!(confidence("pg_stat_database.stats_reset", false), Confidence::Medium);
        assert_eq!(confidence("pg_stat_database.stats_reset", true), Confidence::Low);
        assert_eq!(confidence("server start", false), Confidence::Low);
    }
}
