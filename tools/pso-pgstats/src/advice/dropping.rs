//! What the rules that advise to drop an index have in common: what is never dropped, and how sure one has to be.

use std::collections::BTreeMap;

use pso_common::Severity;
use pso_common::config::ConfigValue as _;
use pso_common::record::{Labels, PgIndexRecord, PgTableRecord};

use super::{evidence, whole_seconds};
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

/// What speaks for dropping an index that another one stands in for.
pub(super) fn instead(index: &PgIndexRecord, other: &PgIndexRecord, size: i64, snapshot: &Snapshot) -> Labels {
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
