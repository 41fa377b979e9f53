//! What vacuum has to do, and what holds it back.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::{Kind, Label, Metric, Metrics, Timestamp};

/// `pg.vacuum`: how far one table is from its next autovacuum. `name` is `schema.table`. Source: `pg_stat_user_tables`,
/// `pg_class.reloptions`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PgVacuumRecord {
    /// `pg_stat_user_tables.schemaname`.
    pub schemaname: String,
    /// `pg_stat_user_tables.relname`.
    pub relname: String,
    /// Both names, quoted as SQL needs them.
    pub object: String,
    /// Whether it is a session's temporary table (`pg_class.relpersistence`), to which autovacuum never comes.
    pub temporary: bool,
    /// Whether autovacuum may come: the server's `autovacuum` and the table's `autovacuum_enabled`.
    pub autovacuum: bool,
    /// The table's own `autovacuum_enabled`, as it was written; absent where it has none (`pg_class.reloptions`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autovacuum_enabled: Option<String>,
    /// Estimated live rows (`n_live_tup`).
    pub n_live_tup: i64,
    /// Estimated dead rows (`n_dead_tup`).
    pub n_dead_tup: i64,
    /// Dead rows from which autovacuum comes: `autovacuum_vacuum_threshold` and `autovacuum_vacuum_scale_factor` times
    /// `reltuples`, the table's own where it has them, at most `autovacuum_vacuum_max_threshold` (from 18 on).
    pub vacuum_threshold: f64,
    /// Dead rows as a share of `vacuum_threshold`, in percent; absent where that is 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold_percent: Option<f64>,
    /// Rows inserted since the last vacuum (`n_ins_since_vacuum`).
    pub n_ins_since_vacuum: i64,
    /// Inserted rows from which autovacuum comes: `autovacuum_vacuum_insert_threshold` and `…_scale_factor` times `reltuples`, the
    /// table's own where it has them; from 18 on times the share of pages that are not frozen (`pg_class.relallfrozen`). Absent
    /// where it does not come for inserts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub insert_threshold: Option<f64>,
    /// `n_ins_since_vacuum` as a share of it, in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub insert_percent: Option<f64>,
    /// `last_vacuum`: by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_vacuum_at: Option<Timestamp>,
    /// `last_autovacuum`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_autovacuum_at: Option<Timestamp>,
    /// Who vacuums it now (`pg_stat_progress_vacuum.pid`); absent also where the role may not see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker_pid: Option<i32>,
    /// Transactions since the oldest one whose rows no vacuum in this database may remove; absent when there is none, and
    /// where the role may not see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub horizon_age: Option<i64>,
    /// What keeps that one: a session (`pg_stat_activity.backend_xid`, `backend_xmin`), a slot (`pg_replication_slots.xmin`) or a
    /// prepared transaction (`pg_prepared_xacts.transaction`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub horizon_holder: Option<String>,
    /// What that is: `session`, `standby`, `slot` or `prepared`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub horizon_kind: Option<String>,
}

impl Kind for PgVacuumRecord {
    const KIND: &'static str = "pg.vacuum";
    const COLUMNS: &'static [&'static str] =
        &["threshold_percent", "n_dead_tup", "vacuum_threshold", "autovacuum", "last_autovacuum_at", "horizon_holder"];
    const METRICS: Metrics = Metrics::new(
        &[Label::Given("datname"), Label::Field("schemaname"), Label::Field("relname")],
        &[
            Metric::moment("vacuum_threshold", "pso_pg_vacuum_threshold"),
            Metric::moment("insert_threshold", "pso_pg_vacuum_insert_threshold"),
            Metric::moment("n_ins_since_vacuum", "pso_pg_vacuum_inserts_since"),
            Metric::moment("autovacuum", "pso_pg_vacuum_autovacuum"),
            Metric::moment("last_vacuum_at", "pg_stat_user_tables_last_vacuum"),
            Metric::moment("last_autovacuum_at", "pg_stat_user_tables_last_autovacuum"),
            Metric::moment("horizon_age", "pso_pg_vacuum_horizon_age"),
        ],
    );
}
