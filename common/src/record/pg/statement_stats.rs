//! The extension that counts statements.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::{Kind, Metric, Metrics, Timestamp};

/// `pg.statement_stats`: the extension `pg_stat_statements` on this server. `name` is `pg_stat_statements`. Source:
/// `pg_extension`, `pg_settings`, `pg_stat_statements`, `pg_stat_statements_info`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PgStatementStatsRecord {
    /// Whether the library is loaded (`shared_preload_libraries`), without which nothing is counted.
    pub loaded: bool,
    /// Whether the extension is created in this database, without which nobody can read what is counted.
    pub created: bool,
    /// Whether the server's installation has it (`pg_available_extensions`); absent where that was of no matter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub available: Option<bool>,
    /// `pg_extension.extversion`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Statements counted now, of all databases; absent where it cannot be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entries: Option<i64>,
    /// Statements that can be counted (`pg_stat_statements.max`); of more the least used are forgotten.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_entries: Option<i64>,
    /// Where that is set (`pg_settings.source`): `default`, `configuration file`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_entries_source: Option<String>,
    /// Times that the least used twentieth was forgotten since the reset (`pg_stat_statements_info.dealloc`); absent before
    /// version 1.9.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dealloc: Option<i64>,
    /// `pg_stat_statements_info.stats_reset`; absent before version 1.9.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stats_reset_at: Option<Timestamp>,
}

impl Kind for PgStatementStatsRecord {
    const KIND: &'static str = "pg.statement_stats";
    const COLUMNS: &'static [&'static str] =
        &["loaded", "created", "version", "entries", "max_entries", "dealloc", "stats_reset_at"];
    const METRICS: Metrics = Metrics::new(
        &[],
        &[
            Metric::moment("loaded", "pso_pg_statement_stats_loaded"),
            Metric::moment("entries", "pso_pg_statement_stats_entries"),
            Metric::moment("max_entries", "pso_pg_statement_stats_max_entries"),
            Metric::counter("dealloc", "pso_pg_statement_stats_dealloc_total"),
        ],
    )
    .since("stats_reset_at");
}
