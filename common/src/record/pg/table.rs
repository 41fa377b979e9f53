//! What was written to tables and read from them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::{Kind, Timestamp};

/// `pg.table`: activity of one table. `name` is `schema.table`. Source: `pg_stat_user_tables`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PgTableRecord {
    /// `pg_stat_user_tables.schemaname`.
    pub schemaname: String,
    /// `pg_stat_user_tables.relname`.
    pub relname: String,
    /// Both names, quoted as SQL needs them.
    pub object: String,
    /// What it is (`pg_class.relkind`): `r` a table, `p` a partitioned one, `m` a materialised view.
    pub relkind: String,
    /// Whether it is a session's temporary table (`pg_class.relpersistence`).
    pub temporary: bool,
    /// Rows inserted since the statistics were reset (`n_tup_ins`).
    pub n_tup_ins: i64,
    /// Rows updated (`n_tup_upd`).
    pub n_tup_upd: i64,
    /// Rows deleted (`n_tup_del`).
    pub n_tup_del: i64,
    /// Estimated live rows (`n_live_tup`).
    pub n_live_tup: i64,
    /// Estimated dead rows (`n_dead_tup`).
    pub n_dead_tup: i64,
    /// Dead rows as a share of live ones, in percent; absent when there are no live ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead_percent: Option<f64>,
    /// Rows changed since the last analyse (`n_mod_since_analyze`).
    pub n_mod_since_analyze: i64,
    /// Rows as the planner takes them (`pg_class.reltuples`); -1 from 14 on until the first VACUUM or ANALYZE.
    pub reltuples: f64,
    /// Pages as the planner takes them (`pg_class.relpages`); 0 until the first VACUUM or ANALYZE.
    pub relpages: i64,
    /// Sequential scans (`seq_scan`).
    pub seq_scan: i64,
    /// Index scans (`idx_scan`); absent for a table without an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idx_scan: Option<i64>,
    /// The later of `last_vacuum` and `last_autovacuum`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_vacuum_at: Option<Timestamp>,
    /// The later of `last_analyze` and `last_autoanalyze`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_analyze_at: Option<Timestamp>,
}

impl Kind for PgTableRecord {
    const KIND: &'static str = "pg.table";
    const COLUMNS: &'static [&'static str] =
        &["n_live_tup", "n_dead_tup", "n_tup_ins", "n_tup_upd", "n_tup_del", "seq_scan", "idx_scan"];
}
