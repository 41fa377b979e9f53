//! What was written to tables and read from them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::{Kind, Label, Metric, Metrics, Timestamp};

/// `pg.table`: activity of one table. `name` is `schema.table`. Source: `pg_stat_user_tables`, `pg_statio_user_tables`.
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
    /// Of these, those that needed no new entries in indexes (`n_tup_hot_upd`).
    #[serde(default)]
    pub n_tup_hot_upd: i64,
    /// Of these, those whose new version went to another page (`n_tup_newpage_upd`, since 16).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n_tup_newpage_upd: Option<i64>,
    /// Rows deleted (`n_tup_del`).
    pub n_tup_del: i64,
    /// Estimated live rows (`n_live_tup`).
    pub n_live_tup: i64,
    /// Of a partitioned table, which has no rows of its own, and is no partition itself: those of all partitions together
    /// (`pg_inherits`); absent for others, and before 14, where `pg_stat_user_tables` has no partitioned tables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partitions_live_tup: Option<i64>,
    /// Estimated dead rows (`n_dead_tup`).
    pub n_dead_tup: i64,
    /// Dead rows as a share of live ones, in percent; absent when there are no live ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead_percent: Option<f64>,
    /// Rows changed since the last analyse (`n_mod_since_analyze`).
    pub n_mod_since_analyze: i64,
    /// Rows inserted since the last vacuum (`n_ins_since_vacuum`).
    #[serde(default)]
    pub n_ins_since_vacuum: i64,
    /// Rows as the planner takes them (`pg_class.reltuples`); -1 from 14 on until the first VACUUM or ANALYZE.
    pub reltuples: f64,
    /// Pages as the planner takes them (`pg_class.relpages`); 0 until the first VACUUM or ANALYZE.
    pub relpages: i64,
    /// Sequential scans (`seq_scan`).
    pub seq_scan: i64,
    /// Rows that these read (`seq_tup_read`).
    #[serde(default)]
    pub seq_tup_read: i64,
    /// The last of them (`last_seq_scan`, since 16).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seq_scan_at: Option<Timestamp>,
    /// Index scans (`idx_scan`); absent for a table without an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idx_scan: Option<i64>,
    /// Rows that these fetched (`idx_tup_fetch`); absent as `idx_scan`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idx_tup_fetch: Option<i64>,
    /// The last of them (`last_idx_scan`, since 16).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_idx_scan_at: Option<Timestamp>,
    /// Pages of the table that were read from outside shared memory (`heap_blks_read`); absent for a partitioned table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heap_blks_read: Option<i64>,
    /// Pages of it that were found in shared memory (`heap_blks_hit`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heap_blks_hit: Option<i64>,
    /// The same of its indexes (`idx_blks_read`); absent where it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idx_blks_read: Option<i64>,
    /// The same of its indexes (`idx_blks_hit`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idx_blks_hit: Option<i64>,
    /// The same of its TOAST table (`toast_blks_read`); absent where it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub toast_blks_read: Option<i64>,
    /// The same of its TOAST table (`toast_blks_hit`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub toast_blks_hit: Option<i64>,
    /// The later of `last_vacuum` and `last_autovacuum`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_vacuum_at: Option<Timestamp>,
    /// The later of `last_analyze` and `last_autoanalyze`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_analyze_at: Option<Timestamp>,
    /// Whether the planner has statistics of its columns (`pg_stats`): asked where no analyse is on record, which a crash or a
    /// reset forgets. Absent otherwise, and where the role may not see them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub planner_statistics: Option<bool>,
    /// Vacuums by hand (`vacuum_count`).
    #[serde(default)]
    pub vacuum_count: i64,
    /// Vacuums by autovacuum (`autovacuum_count`).
    #[serde(default)]
    pub autovacuum_count: i64,
    /// Analyses by hand (`analyze_count`).
    #[serde(default)]
    pub analyze_count: i64,
    /// Analyses by autovacuum (`autoanalyze_count`).
    #[serde(default)]
    pub autoanalyze_count: i64,
    /// Milliseconds that vacuums by hand took (`total_vacuum_time`, since 18).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_vacuum_ms: Option<i64>,
    /// Milliseconds that those by autovacuum took (`total_autovacuum_time`, since 18).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_autovacuum_ms: Option<i64>,
    /// Milliseconds that analyses by hand took (`total_analyze_time`, since 18).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_analyze_ms: Option<i64>,
    /// Milliseconds that those by autovacuum took (`total_autoanalyze_time`, since 18).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_autoanalyze_ms: Option<i64>,
}

impl Kind for PgTableRecord {
    const KIND: &'static str = "pg.table";
    const COLUMNS: &'static [&'static str] =
        &["n_live_tup", "n_dead_tup", "n_tup_ins", "n_tup_upd", "n_tup_del", "seq_scan", "idx_scan"];
    const METRICS: Metrics = Metrics::new(
        &[Label::Given("datname"), Label::Field("schemaname"), Label::Field("relname")],
        &[
            Metric::counter("n_tup_ins", "pg_stat_user_tables_n_tup_ins"),
            Metric::counter("n_tup_upd", "pg_stat_user_tables_n_tup_upd"),
            Metric::counter("n_tup_del", "pg_stat_user_tables_n_tup_del"),
            Metric::counter("n_tup_hot_upd", "pg_stat_user_tables_n_tup_hot_upd"),
            Metric::counter("seq_scan", "pg_stat_user_tables_seq_scan"),
            Metric::counter("seq_tup_read", "pg_stat_user_tables_seq_tup_read"),
            Metric::counter("idx_scan", "pg_stat_user_tables_idx_scan"),
            Metric::counter("idx_tup_fetch", "pg_stat_user_tables_idx_tup_fetch"),
            Metric::counter("heap_blks_read", "pg_statio_user_tables_heap_blocks_read"),
            Metric::counter("heap_blks_hit", "pg_statio_user_tables_heap_blocks_hit"),
            Metric::counter("idx_blks_read", "pg_statio_user_tables_idx_blocks_read"),
            Metric::counter("idx_blks_hit", "pg_statio_user_tables_idx_blocks_hit"),
            Metric::counter("toast_blks_read", "pg_statio_user_tables_toast_blocks_read"),
            Metric::counter("toast_blks_hit", "pg_statio_user_tables_toast_blocks_hit"),
            Metric::counter("vacuum_count", "pg_stat_user_tables_vacuum_count"),
            Metric::counter("autovacuum_count", "pg_stat_user_tables_autovacuum_count"),
            Metric::counter("analyze_count", "pg_stat_user_tables_analyze_count"),
            Metric::counter("autoanalyze_count", "pg_stat_user_tables_autoanalyze_count"),
            Metric::level("n_live_tup", "pg_stat_user_tables_n_live_tup"),
            Metric::level("n_dead_tup", "pg_stat_user_tables_n_dead_tup"),
            Metric::moment("n_mod_since_analyze", "pg_stat_user_tables_n_mod_since_analyze"),
            Metric::level("reltuples", "pso_pg_table_estimated_rows"),
            Metric::level("relpages", "pso_pg_table_estimated_pages"),
            Metric::moment("last_vacuum_at", "pso_pg_table_last_vacuum_timestamp_seconds"),
            Metric::moment("last_analyze_at", "pso_pg_table_last_analyze_timestamp_seconds"),
        ],
    );
}
