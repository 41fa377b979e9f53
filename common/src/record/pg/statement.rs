//! Normalised statements.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::Kind;

/// `pg.statement`: one normalised statement. `name` is its `queryid`. Source: `pg_stat_statements`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PgStatementRecord {
    /// `pg_stat_statements.queryid`, as text: it is larger than the numbers that every reader of JSON takes exactly.
    pub queryid: String,
    /// `pg_stat_statements.query`, first 1,000 characters, constants replaced by `$n`.
    pub query: String,
    /// Executions (`calls`).
    pub calls: i64,
    /// Milliseconds in all (`total_exec_time`; `total_time` before version 1.8).
    pub total_ms: f64,
    /// Milliseconds an execution (`mean_exec_time`; `mean_time` before version 1.8).
    pub mean_ms: f64,
    /// Rows returned or changed (`rows`).
    pub rows: i64,
}

impl Kind for PgStatementRecord {
    const KIND: &'static str = "pg.statement";
    const COLUMNS: &'static [&'static str] = &["calls", "mean_ms", "total_ms", "rows", "query"];
}
