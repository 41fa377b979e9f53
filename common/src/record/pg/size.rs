//! What tables take on disk.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::{Kind, Label, Metric, Metrics};

/// `pg.size`: bytes on disk of one table. `name` is `schema.table`. Source: `pg_total_relation_size` and its parts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PgSizeRecord {
    /// Schema of the table (`pg_namespace.nspname`).
    pub schemaname: String,
    /// Name of the table (`pg_class.relname`).
    pub relname: String,
    /// Table, TOAST and indexes together (`pg_total_relation_size`).
    pub size_bytes: i64,
    /// The table's main fork with TOAST (`pg_table_size`).
    pub table_bytes: i64,
    /// Its indexes (`pg_indexes_size`).
    pub index_bytes: i64,
}

impl Kind for PgSizeRecord {
    const KIND: &'static str = "pg.size";
    const COLUMNS: &'static [&'static str] = &["size_bytes", "table_bytes", "index_bytes"];
    const METRICS: Metrics = Metrics::new(
        &[Label::Given("datname"), Label::Field("schemaname"), Label::Field("relname")],
        &[
            Metric::level("table_bytes", "pg_stat_user_tables_table_size_bytes"),
            Metric::level("index_bytes", "pg_stat_user_tables_index_size_bytes"),
            Metric::level("size_bytes", "pso_pg_size_bytes"),
        ],
    );
}
