//! How far transaction ids have run ahead of what is frozen.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::{Kind, Label, Metric, Metrics};

/// `pg.wraparound`: the age of the oldest transaction id and multixact id that are not frozen, in a database or a table. At
/// 2^31 less three million (one before 14) the server gives out no more ids. `name` is the database, or `database/schema.table`.
/// Source: `pg_database`, `pg_class`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PgWraparoundRecord {
    /// `database` or `table`.
    pub scope: String,
    /// The database (`pg_database.datname`).
    pub datname: String,
    /// Schema of the table (`pg_namespace.nspname`); absent for a database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schemaname: Option<String>,
    /// Name of the table (`pg_class.relname`); absent for a database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relname: Option<String>,
    /// What it is, quoted as SQL needs it.
    pub object: String,
    /// Whether the database is the one that was asked (`current_database()`).
    pub current: bool,
    /// Whether the database lets anybody connect (`pg_database.datallowconn`).
    pub connectable: bool,
    /// Whether the table is a session's temporary one, which only that session can vacuum (`pg_class.relpersistence`).
    pub temporary: bool,
    /// Transaction ids since (`age(datfrozenxid)`; the larger of `age(relfrozenxid)` of the table and its TOAST table).
    pub xid_age: i64,
    /// The age at which autovacuum freezes it whatever else is set, in transaction ids (`autovacuum_freeze_max_age`, or the
    /// table's own where that is smaller).
    pub freeze_max_age: i64,
    /// `xid_age` as a share of 2^31, in percent.
    pub xid_percent: f64,
    /// Multixact ids since (`mxid_age(datminmxid)`; the larger of `mxid_age(relminmxid)` of the table and its TOAST table).
    pub multixact_age: i64,
    /// As `freeze_max_age`, in multixact ids (`autovacuum_multixact_freeze_max_age`).
    pub multixact_freeze_max_age: i64,
    /// `multixact_age` as a share of 2^31, in percent.
    pub multixact_percent: f64,
}

impl Kind for PgWraparoundRecord {
    const KIND: &'static str = "pg.wraparound";
    const COLUMNS: &'static [&'static str] =
        &["xid_age", "freeze_max_age", "xid_percent", "multixact_age", "multixact_freeze_max_age", "multixact_percent"];
    const METRICS: Metrics = Metrics::new(
        &[Label::Field("datname"), Label::Field("schemaname"), Label::Field("relname")],
        &[
            Metric::level("xid_age", "pg_database_wraparound_age_datfrozenxid_seconds").without("relname"),
            Metric::level("multixact_age", "pg_database_wraparound_age_datminmxid_seconds").without("relname"),
            Metric::level("xid_age", "pso_pg_wraparound_table_xid_age").with("relname"),
            Metric::level("multixact_age", "pso_pg_wraparound_table_multixact_age").with("relname"),
            Metric::moment("freeze_max_age", "pso_pg_wraparound_freeze_max_age"),
            Metric::moment("multixact_freeze_max_age", "pso_pg_wraparound_multixact_freeze_max_age"),
        ],
    );
}
