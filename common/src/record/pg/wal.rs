//! The log of changes: how much is written, and how much of it lies on the disk.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::{Kind, Metric, Metrics, Timestamp};

/// `pg.wal`: what the server wrote to its log of changes (WAL) since the reset, and what `pg_wal` takes. `name` is `wal`. Source:
/// `pg_stat_wal` (since 14), from 18 on with `pg_stat_io`; `pg_ls_waldir()`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PgWalRecord {
    /// Records (`wal_records`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wal_records: Option<i64>,
    /// Of these, whole pages: the first change of each after a checkpoint (`wal_fpi`, `full_page_writes`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wal_fpi: Option<i64>,
    /// Bytes (`wal_bytes`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wal_bytes: Option<i64>,
    /// Times that it was written because `wal_buffers` was full (`wal_buffers_full`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wal_buffers_full: Option<i64>,
    /// Write operations (`wal_write`; from 18 on the sum of `pg_stat_io.writes`, with those of receivers).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wal_write: Option<i64>,
    /// Syncs (`wal_sync`; from 18 on the sum of `pg_stat_io.fsyncs`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wal_sync: Option<i64>,
    /// Milliseconds of the writes (`wal_write_time`; from 18 on of `pg_stat_io.write_time`); absent while `track_wal_io_timing` has measured none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wal_write_ms: Option<i64>,
    /// Milliseconds of the syncs (`wal_sync_time`; from 18 on of `pg_stat_io.fsync_time`); absent as `wal_write_ms`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wal_sync_ms: Option<i64>,
    /// Since when `wal_records`, `wal_bytes` and the like count (`stats_reset`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stats_reset_at: Option<Timestamp>,
    /// Files of the log in `pg_wal` (`pg_ls_waldir()`); absent where the role may not look there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<i64>,
    /// Bytes that these take; absent as `files`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory_bytes: Option<i64>,
    /// The setting `max_wal_size`, in bytes: what checkpoints try to keep `directory_bytes` below.
    pub max_wal_size_bytes: i64,
    /// The setting `wal_level`: `minimal`, `replica` or `logical`.
    pub wal_level: String,
    /// Whether the role may look into `pg_wal` (`has_function_privilege`).
    pub directory_readable: bool,
}

impl Kind for PgWalRecord {
    const KIND: &'static str = "pg.wal";
    const COLUMNS: &'static [&'static str] =
        &["wal_records", "wal_fpi", "wal_bytes", "wal_buffers_full", "files", "directory_bytes", "max_wal_size_bytes"];
    const METRICS: Metrics = Metrics::new(
        &[],
        &[
            Metric::counter("wal_records", "pso_pg_wal_records_total"),
            Metric::counter("wal_fpi", "pso_pg_wal_full_page_images_total"),
            Metric::counter("wal_bytes", "pso_pg_wal_bytes_total"),
            Metric::counter("wal_buffers_full", "pso_pg_wal_buffers_full_total"),
            Metric::counter("wal_write", "pso_pg_wal_writes_total"),
            Metric::counter("wal_sync", "pso_pg_wal_syncs_total"),
            Metric::level("files", "pg_wal_segments"),
            Metric::level("directory_bytes", "pg_wal_size_bytes"),
        ],
    )
    .since("stats_reset_at");
}
