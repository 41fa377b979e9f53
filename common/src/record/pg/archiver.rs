//! How the server's log of changes gets into the archive.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::{Kind, Metric, Metrics, Timestamp};

/// `pg.archiver`: the archiver of the server. `name` is `archiver`. Source: `pg_stat_archiver`,
/// `pg_ls_archive_statusdir`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PgArchiverRecord {
    /// `off`, `on` or `always` (the setting `archive_mode`).
    pub archive_mode: String,
    /// Files archived since the reset (`archived_count`).
    pub archived_count: i64,
    /// The last of them (`last_archived_wal`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_archived_wal: Option<String>,
    /// When it was archived (`last_archived_time`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_archived_at: Option<Timestamp>,
    /// Milliseconds since then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_archived_ms: Option<u64>,
    /// Attempts that failed since the reset (`failed_count`).
    pub failed_count: i64,
    /// The file of the last one (`last_failed_wal`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failed_wal: Option<String>,
    /// When it failed (`last_failed_time`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failed_at: Option<Timestamp>,
    /// Milliseconds since then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failed_ms: Option<u64>,
    /// Whether archiving is wanted, and the last attempt that is known failed.
    pub failing: bool,
    /// Files that are ready and wait for the archiver (`pg_ls_archive_statusdir`); absent where `archive_mode` is `off`, and where
    /// the role may not see them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_files: Option<i64>,
    /// Milliseconds for which the oldest of them has waited; absent where none waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longest_waiting_ms: Option<u64>,
    /// Whether the role may see them (`pg_monitor`).
    #[serde(default)]
    pub waiting_readable: bool,
    /// Since when the counters count (`stats_reset`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stats_reset_at: Option<Timestamp>,
}

impl Kind for PgArchiverRecord {
    const KIND: &'static str = "pg.archiver";
    const COLUMNS: &'static [&'static str] = &[
        "archive_mode",
        "failing",
        "archived_count",
        "last_archived_ms",
        "failed_count",
        "last_failed_ms",
        "waiting_files",
    ];
    const METRICS: Metrics = Metrics::new(
        &[],
        &[
            Metric::counter("archived_count", "pg_stat_archiver_archived_count"),
            Metric::counter("failed_count", "pg_stat_archiver_failed_count"),
            Metric::moment("last_archived_ms", "pg_stat_archiver_last_archive_age"),
            Metric::moment("failing", "pso_pg_archiver_failing"),
            Metric::level("waiting_files", "pso_pg_archiver_waiting_files"),
            Metric::moment("last_failed_at", "pso_pg_archiver_last_failed_timestamp_seconds"),
        ],
    )
    .since("stats_reset_at");
}
