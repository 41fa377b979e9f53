//! What tables and indexes take beyond what their rows need.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::{Kind, Label, Metric, Metrics};

/// `pg.bloat`: what writing a table or B-tree anew would give back; dead rows count as bloat, TOAST does not count at all.
/// `name` is `schema.relation`. Only relations of 16 pages or more. Source: `pg_class`, `pg_stats`; with `--exact` the
/// extension `pgstattuple`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PgBloatRecord {
    /// Schema of the relation (`pg_namespace.nspname`).
    pub schemaname: String,
    /// Name of the relation (`pg_class.relname`).
    pub relname: String,
    /// Both names, quoted as SQL needs them.
    pub object: String,
    /// The table of an index, quoted as SQL needs it; absent for a table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_table: Option<String>,
    /// What it is (`pg_class.relkind`): `r` a table, `m` a materialised view, `i` a B-tree.
    pub relkind: String,
    /// Bytes of the main fork: `pg_class.relpages` of the last vacuum or analyse; measured ones (`--exact`), and tables that
    /// were never analysed, as they are now.
    pub size_bytes: i64,
    /// Bytes of those that writing it anew with its fillfactor would give back; absent where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bloat_bytes: Option<i64>,
    /// The same as a share of `size_bytes`, in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bloat_percent: Option<f64>,
    /// Whether it was computed from statistics and not measured.
    pub estimated: bool,
    /// How it is known: `pg_stats`, `pg_stats with deduplication` (equal keys are kept together: how many are equal is itself an
    /// estimate), `pgstattuple` or `pgstatindex`; absent where it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// How full pages are to be written, in percent (`pg_class.reloptions`; 100, of an index 90).
    pub fillfactor: i32,
    /// Rows or entries as of the last vacuum or analyse (`pg_class.reltuples`); -1 where there was none.
    pub reltuples: f64,
}

impl Kind for PgBloatRecord {
    const KIND: &'static str = "pg.bloat";
    const COLUMNS: &'static [&'static str] = &["bloat_bytes", "bloat_percent", "size_bytes", "relkind", "method"];
    const METRICS: Metrics = Metrics::new(
        &[Label::Given("datname"), Label::Field("schemaname"), Label::Field("relname"), Label::Field("relkind")],
        &[Metric::level("bloat_bytes", "pso_pg_bloat_bytes")],
    );
}
