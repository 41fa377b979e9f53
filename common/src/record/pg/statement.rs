//! Normalised statements.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::QueryText;
use crate::record::{Kind, Label, Metric, Metrics, Timestamp};

/// `pg.statement`: one normalised statement as one role runs it. `name` is `<queryid> of <usename>`, and `, nested` where a
/// function sent it. Source: `pg_stat_statements`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PgStatementRecord {
    /// `pg_stat_statements.queryid`, as text: it is larger than the numbers that every reader of JSON takes exactly.
    pub queryid: String,
    /// `pg_stat_statements.query`, first 1,000 characters, constants replaced by `$n`, passwords masked; empty where it
    /// cannot be read.
    pub query: QueryText,
    /// Executions (`calls`).
    pub calls: i64,
    /// Milliseconds in all (`total_exec_time`; `total_time` before version 1.8).
    pub total_ms: f64,
    /// Milliseconds an execution (`mean_exec_time`; `mean_time` before version 1.8).
    pub mean_ms: f64,
    /// Rows returned or changed (`rows`).
    pub rows: i64,
    /// The role that ran it (`pg_roles.rolname` of `userid`); absent where that was dropped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usename: Option<String>,
    /// Whether a client sent it, not a function that it called (`toplevel`); absent before version 1.9.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub toplevel: Option<bool>,
    /// Its part of the time of all statements of the database, in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_percent: Option<f64>,
    /// Milliseconds of the shortest execution (`min_exec_time`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_ms: Option<f64>,
    /// Milliseconds of the longest execution (`max_exec_time`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_ms: Option<f64>,
    /// Standard deviation of the milliseconds an execution (`stddev_exec_time`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stddev_ms: Option<f64>,
    /// Times that it was planned (`plans`); 0 unless `pg_stat_statements.track_planning` is on; absent before version 1.8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plans: Option<i64>,
    /// Milliseconds of planning in all (`total_plan_time`); as `plans`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_ms: Option<f64>,
    /// Pages found in shared buffers (`shared_blks_hit`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared_blks_hit: Option<i64>,
    /// Pages read into shared buffers (`shared_blks_read`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared_blks_read: Option<i64>,
    /// Pages changed in shared buffers (`shared_blks_dirtied`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared_blks_dirtied: Option<i64>,
    /// Pages written from shared buffers by the statement itself (`shared_blks_written`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared_blks_written: Option<i64>,
    /// Pages of temporary files read, for sorts and hashes that did not fit (`temp_blks_read`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temp_blks_read: Option<i64>,
    /// Pages of temporary files written (`temp_blks_written`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temp_blks_written: Option<i64>,
    /// Milliseconds of reading pages (`shared_blk_read_time`; `blk_read_time`, with local ones, before version 1.11); 0 unless
    /// `track_io_timing` is on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blk_read_ms: Option<f64>,
    /// Milliseconds of writing pages (`shared_blk_write_time`; `blk_write_time`, with local ones, before version 1.11); 0 unless
    /// `track_io_timing` is on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blk_write_ms: Option<f64>,
    /// Bytes of WAL (`wal_bytes`); absent before version 1.8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wal_bytes: Option<i64>,
    /// Functions compiled (`jit_functions`); absent before version 1.10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jit_functions: Option<i64>,
    /// Milliseconds of compiling: `jit_generation_time`, inlining, optimization and emission; absent before version 1.10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jit_ms: Option<f64>,
    /// Since when it has been counted (`stats_since`); absent before version 1.11.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stats_since_at: Option<Timestamp>,
}

impl Kind for PgStatementRecord {
    const KIND: &'static str = "pg.statement";
    const COLUMNS: &'static [&'static str] = &["calls", "mean_ms", "total_ms", "total_percent", "rows", "query"];
    const METRICS: Metrics = Metrics::new(
        &[Label::As("user", "usename"), Label::Given("datname"), Label::Field("queryid"), Label::Field("toplevel")],
        &[
            Metric::counter("calls", "pg_stat_statements_calls_total"),
            Metric::counter("total_ms", "pg_stat_statements_seconds_total"),
            Metric::counter("rows", "pg_stat_statements_rows_total"),
            Metric::counter("blk_read_ms", "pg_stat_statements_block_read_seconds_total"),
            Metric::counter("blk_write_ms", "pg_stat_statements_block_write_seconds_total"),
            Metric::counter("wal_bytes", "pso_pg_statement_wal_bytes_total"),
            Metric::moment("mean_ms", "pso_pg_statement_mean_seconds"),
        ],
    )
    .since("stats_since_at");
}
