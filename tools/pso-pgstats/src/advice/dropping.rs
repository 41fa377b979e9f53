//! What the rules that advise to drop an index have in common: what is never dropped, and how sure one has to be.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use pso_common::Severity;
use pso_common::config::ConfigValue as _;
use pso_common::record::{Confidence, Labels, PgIndexRecord, PgTableRecord};

use super::{Advice, Judged, evidence, whole_seconds};
use crate::records::Snapshot;
use crate::report::{Note, count};
use crate::settings::Limits;

/// Not droppable, whatever their use: what keeps a promise, the mark of CLUSTER (undo would not bring it back), indexes of
/// partitions (dropped only with their parent), of extensions, of temporary tables, and those not finished yet.
pub(super) fn droppable(index: &PgIndexRecord) -> bool {
    let promised = index.constraint || index.primary || index.unique || index.exclusion || index.replica_identity;
    let bound = index.clustered || index.partition || index.extension || index.temporary;
    finished(index) && !promised && !bound
}

/// Whether queries can use it.
pub(super) const fn finished(index: &PgIndexRecord) -> bool {
    index.valid && index.ready
}

/// The statistics are too young to drop anything by.
pub(super) fn young(snapshot: &Snapshot, limits: &Limits) -> Option<Note> {
    let age = snapshot.server.stats_since_at.until(snapshot.server.now);
    (age < limits.min_stats_age).then(|| {
        let text = format!(
            "not judged, the statistics are {} old and should be {} (--min-stats-age)",
            whole_seconds(age).show(),
            limits.min_stats_age.show()
        );
        Note::new(Severity::Info, text)
    })
}

/// Some could be judged by their use, but not measured and made again.
pub(super) fn held(number: usize) -> Option<Note> {
    (number > 0).then(|| {
        let indexes = count(number, ("index", "indexes"));
        let text = format!("{indexes} not judged, because another session holds or wants them in ACCESS EXCLUSIVE");
        Note::new(Severity::Info, text)
    })
}

/// The tables that are large enough for an advice, by their quoted name.
pub(super) fn large_tables<'a>(snapshot: &'a Snapshot, limits: &Limits) -> BTreeMap<&'a str, &'a PgTableRecord> {
    let large = |table: &&PgTableRecord| {
        #[expect(clippy::cast_precision_loss, reason = "both are estimates")]
        let rows = (table.n_live_tup as f64).max(table.reltuples);
        rows >= f64::from(limits.min_rows)
    };
    snapshot.records.tables.iter().filter(large).map(|table| (table.object.as_str(), table)).collect()
}

/// The indexes of each table, by its quoted name.
pub(super) fn by_table(snapshot: &Snapshot) -> BTreeMap<&str, Vec<&PgIndexRecord>> {
    let mut tables: BTreeMap<&str, Vec<&PgIndexRecord>> = BTreeMap::new();
    for index in &snapshot.records.indexes {
        tables.entry(&index.on_table).or_default().push(index);
    }
    tables
}

/// Why an index is not needed: because another one of the same table stands in for it.
pub(super) struct Substitute<'a> {
    /// The one that stays.
    pub(super) kept: &'a PgIndexRecord,
    pub(super) confidence: Confidence,
    pub(super) why: String,
}

/// Advises to drop those indexes of large tables for which `substitute` finds another one among those of the table, the
/// largest first.
pub(super) fn with_substitute(
    snapshot: &Snapshot,
    limits: &Limits,
    substitute: impl for<'a> Fn(&PgIndexRecord, &[&'a PgIndexRecord]) -> Option<Substitute<'a>>,
) -> Judged {
    let mut judged = Judged::default();
    if let Some(note) = young(snapshot, limits) {
        judged.notes.push(note);
        return judged;
    }
    let large = large_tables(snapshot, limits);
    let mut held_ones = 0;
    for (_, indexes) in by_table(snapshot).into_iter().filter(|(table, _)| large.contains_key(table)) {
        for index in &indexes {
            let Some(substitute) = substitute(index, &indexes) else { continue };
            let (Some(definition), Some(size)) = (&index.definition, index.size_bytes) else {
                held_ones += 1;
                continue;
            };
            judged.advice.push(Advice {
                severity: Severity::Info,
                object: index.object.clone(),
                why: substitute.why,
                evidence: instead(index, substitute.kept, size, snapshot),
                confidence: substitute.confidence,
                sql: Some(format!("DROP INDEX CONCURRENTLY {}", index.object)),
                undo_sql: Some(definition.clone()),
                gain_bytes: Some(size),
            });
        }
    }
    judged.advice.sort_by_key(|advice| Reverse(advice.gain_bytes));
    judged.notes.extend(held(held_ones));
    judged
}

/// What speaks for dropping an index that another one stands in for.
fn instead(index: &PgIndexRecord, other: &PgIndexRecord, size: i64, snapshot: &Snapshot) -> Labels {
    let server = &snapshot.server;
    evidence([
        ("table", Some(index.on_table.clone())),
        ("columns", Some(columns(index))),
        ("idx_scan", Some(index.idx_scan.to_string())),
        ("size_bytes", Some(size.to_string())),
        ("kept", Some(other.object.clone())),
        ("kept_columns", Some(columns(other))),
        ("kept_idx_scan", Some(other.idx_scan.to_string())),
        ("kept_size_bytes", other.size_bytes.map(|size| size.to_string())),
        ("statistics_since", Some(server.stats_since_at.to_string())),
        ("statistics_age", Some(whole_seconds(server.stats_since_at.until(server.now)).show())),
        ("replicas", Some("not consulted".to_owned())),
    ])
}

/// Its columns to be read by people.
fn columns(index: &PgIndexRecord) -> String {
    let names: Vec<&str> = index.columns.iter().map(|name| name.as_deref().unwrap_or("(expression)")).collect();
    names.join(", ")
}
