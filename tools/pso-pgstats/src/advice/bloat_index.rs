//! `bloat_index`: a B-tree of which much is empty. A page of it is used again only for keys that belong between those beside it,
//! so what deletes of old keys leave stays; `REINDEX CONCURRENTLY` writes it anew beside the traffic.

use std::collections::BTreeMap;

use pso_common::Severity;
use pso_common::output::bytes;
use pso_common::record::{PgBloatRecord, PgIndexRecord, PgTableRecord};

use super::bloat_table::{ESTIMATED, confidence, numbers, past};
use super::dropping::finished;
use super::{Advice, Judged, Rule};
use crate::records::Snapshot;
use crate::settings::Limits;

pub(super) const RULE: Rule =
    Rule { name: "bloat_index", on_standby: false, needs: &["bloat", "indexes", "tables"], judge };

fn judge(snapshot: &Snapshot, limits: &Limits) -> Judged {
    let records = &snapshot.records;
    let indexes: BTreeMap<&str, &PgIndexRecord> =
        records.indexes.iter().map(|index| (index.object.as_str(), index)).collect();
    let tables: BTreeMap<&str, &PgTableRecord> =
        records.tables.iter().map(|table| (table.object.as_str(), table)).collect();
    records
        .bloat
        .iter()
        .filter(|record| record.relkind == "i" && past(record, limits))
        .filter_map(|record| {
            let index = indexes.get(record.object.as_str())?;
            // One that is not valid is built again, or dropped, for that (invalid_index).
            let table = record.on_table.as_deref().and_then(|table| tables.get(table)).copied();
            finished(index).then(|| advice(record, index, table, limits))
        })
        .collect()
}

fn advice(record: &PgBloatRecord, index: &PgIndexRecord, table: Option<&PgTableRecord>, limits: &Limits) -> Advice {
    let (size, bloat) = (bytes(record.size_bytes.unsigned_abs()), record.bloat_bytes.unwrap_or_default());
    let share = record.bloat_percent.unwrap_or_default();
    let estimated = if record.estimated { format!(" ({ESTIMATED})") } else { String::new() };
    // "cannot reindex exclusion constraint index concurrently".
    let (way, sql) = if index.exclusion {
        ("REINDEX INDEX writes it anew, but locks out who writes to the table, so choose the hour", None)
    } else {
        (
            "it is written anew beside the traffic, which needs room on the disk for both and waits for all transactions \
             that are open",
            Some(format!("REINDEX INDEX CONCURRENTLY {}", record.object)),
        )
    };
    Advice {
        severity: Severity::Info,
        object: record.object.clone(),
        why: format!("{} of its {size} hold no entries, {share} %{estimated}; {way}", bytes(bloat.unsigned_abs())),
        evidence: numbers(record, table, limits),
        confidence: confidence(record),
        sql,
        // What it was, only smaller.
        undo_sql: None,
        gain_bytes: record.bloat_bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::tests::{judged, snapshot};

    const MIB: i64 = 1 << 20;

    fn advised(percent: f64, bloat_mib: i64, index: PgIndexRecord) -> Vec<Advice> {
        let object = "public.i".to_owned();
        let record = PgBloatRecord {
            object: object.clone(),
            relkind: "i".to_owned(),
            size_bytes: 100 * MIB,
            bloat_bytes: Some(bloat_mib * MIB),
            bloat_percent: Some(percent),
            ..PgBloatRecord::default()
        };
        let snapshot = snapshot(|records| {
            records.bloat = vec![record];
            records.indexes = vec![PgIndexRecord { object, ..index }];
        });
        judged(&RULE, &snapshot).advice
    }

    fn valid() -> PgIndexRecord {
        PgIndexRecord { valid: true, ready: true, ..PgIndexRecord::default() }
    }

    #[test]
    fn an_index_that_is_mostly_empty_is_advised_past_both_limits() {
        assert_eq!(advised(50.0, 50, valid()), []);
        assert_eq!(advised(90.0, 31, valid()), []);
        let advice = advised(50.01, 50, valid()).remove(0);
        assert_eq!(advice.sql.as_deref(), Some("REINDEX INDEX CONCURRENTLY public.i"));
        assert_eq!((advice.severity, advice.gain_bytes), (Severity::Info, Some(50 * MIB)));
    }

    #[test]
    fn what_cannot_be_built_again_beside_the_traffic_has_no_statement() {
        let exclusion = advised(90.0, 90, PgIndexRecord { exclusion: true, ..valid() }).remove(0);
        assert!(exclusion.sql.is_none() && exclusion.why.contains("choose the hour"), "{}", exclusion.why);
        assert_eq!(advised(90.0, 90, PgIndexRecord { valid: false, ..valid() }), []);
        assert_eq!(advised(90.0, 90, PgIndexRecord { ready: false, ..valid() }), []);
    }
}
