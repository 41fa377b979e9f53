//! What PostgreSQL says (`pso-pgstats`).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Kind, Labels, Timestamp};

/// `pg.section`: the end of a section: how much it gave, what it could not show and why. `name` is the section.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PgSectionRecord {
    /// Records that the section gave; absent when it could not be read, so that empty and failed do not look alike.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// Milliseconds that its queries took; absent when none was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elapsed_ms: Option<u64>,
}

impl Kind for PgSectionRecord {
    const KIND: &'static str = "pg.section";
    const COLUMNS: &'static [&'static str] = &["rows", "elapsed_ms"];
}

/// `pg.activity`: one client connection. `name` is `pid <pid>`. Source: `pg_stat_activity`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PgActivityRecord {
    /// `pg_stat_activity.pid`.
    pub pid: i32,
    /// `pg_stat_activity.datname`; absent for processes without a database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datname: Option<String>,
    /// `pg_stat_activity.usename`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usename: Option<String>,
    /// `pg_stat_activity.application_name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application_name: Option<String>,
    /// `pg_stat_activity.state`: `active`, `idle`, `idle in transaction`, …; absent where the role may not see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// `pg_stat_activity.query_start`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query_start: Option<Timestamp>,
    /// Milliseconds since `query_start`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query_ms: Option<u64>,
    /// Milliseconds since `pg_stat_activity.xact_start`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xact_ms: Option<u64>,
    /// `pg_stat_activity.wait_event_type` and `wait_event`, as `Type:event`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_event: Option<String>,
    /// `pg_stat_activity.query`, first 1,000 characters; may hold literals of the application.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
}

impl Kind for PgActivityRecord {
    const KIND: &'static str = "pg.activity";
    const COLUMNS: &'static [&'static str] = &["usename", "application_name", "state", "query_ms", "wait_event"];
}

/// `pg.table`: activity of one table. `name` is `schema.table`. Source: `pg_stat_user_tables`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PgTableRecord {
    /// `pg_stat_user_tables.schemaname`.
    pub schemaname: String,
    /// `pg_stat_user_tables.relname`.
    pub relname: String,
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
}

/// `pg.index`: use of one index. `name` is `schema.index`. Source: `pg_stat_user_indexes`, `pg_index`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PgIndexRecord {
    /// `pg_stat_user_indexes.schemaname`.
    pub schemaname: String,
    /// `pg_stat_user_indexes.relname`: the table.
    pub relname: String,
    /// `pg_stat_user_indexes.indexrelname`.
    pub indexrelname: String,
    /// Scans since the statistics were reset (`idx_scan`).
    pub idx_scan: i64,
    /// Index entries read (`idx_tup_read`).
    pub idx_tup_read: i64,
    /// Rows fetched by simple index scans (`idx_tup_fetch`).
    pub idx_tup_fetch: i64,
    /// Bytes on disk (`pg_relation_size`); absent while another session holds the index exclusively.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<i64>,
    /// Backs a primary key, unique or exclusion constraint, or is a replica identity: never to be dropped for lack of use.
    pub constraint: bool,
    /// `pg_index.indisvalid`.
    pub valid: bool,
}

impl Kind for PgIndexRecord {
    const KIND: &'static str = "pg.index";
    const COLUMNS: &'static [&'static str] = &["relname", "idx_scan", "idx_tup_read", "idx_tup_fetch", "size_bytes"];
}

/// `pg.statement`: one normalised statement. `name` is its `queryid`. Source: `pg_stat_statements`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PgStatementRecord {
    /// `pg_stat_statements.query`, first 1,000 characters, constants replaced by `$n`.
    pub query: String,
    /// Executions (`calls`).
    pub calls: i64,
    /// Milliseconds in all (`total_exec_time`; `total_time` before PostgreSQL 13).
    pub total_ms: f64,
    /// Milliseconds an execution (`mean_exec_time`; `mean_time` before PostgreSQL 13).
    pub mean_ms: f64,
    /// Rows returned or changed (`rows`).
    pub rows: i64,
}

impl Kind for PgStatementRecord {
    const KIND: &'static str = "pg.statement";
    const COLUMNS: &'static [&'static str] = &["calls", "mean_ms", "total_ms", "rows", "query"];
}

/// How sure an advice is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// Worth a look; the evidence is thin or an estimate.
    #[default]
    Low,
    /// Likely right; look at the evidence first.
    Medium,
    /// Follows from the catalogues alone.
    High,
}

/// `pg.advice`: something to do, with what speaks for it. `name` is `<rule>:<object>`, `message` says why.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PgAdviceRecord {
    /// The rule, such as `unused_index`.
    pub rule: String,
    /// What it is about, quoted as SQL needs it.
    pub object: String,
    /// The numbers that the rule judged, by their source column.
    pub evidence: Labels,
    /// How sure the advice is.
    pub confidence: Confidence,
    /// The statement that follows the advice; absent when there is none to run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sql: Option<String>,
    /// The statement that brings back what was there; absent when nothing is lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo_sql: Option<String>,
    /// Bytes that following it would free, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gain_bytes: Option<i64>,
}

impl Kind for PgAdviceRecord {
    const KIND: &'static str = "pg.advice";
    const COLUMNS: &'static [&'static str] = &["confidence", "gain_bytes", "sql"];
}
