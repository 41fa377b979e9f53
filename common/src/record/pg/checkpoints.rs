//! What the checkpointer and the background writer did.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::{Kind, Metric, Metrics, Timestamp};

/// `pg.checkpoints`: checkpoints of the server, and who wrote its pages, since the reset. `name` is `checkpoints`. Source:
/// `pg_stat_checkpointer` and `pg_stat_bgwriter`, up to 16 `pg_stat_bgwriter` alone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PgCheckpointsRecord {
    /// Checkpoints because `checkpoint_timeout` had passed (`num_timed`; up to 16 `checkpoints_timed`, with restartpoints).
    pub num_timed: i64,
    /// Checkpoints because of `max_wal_size`, a command or a backup (`num_requested`; up to 16 `checkpoints_req`).
    pub num_requested: i64,
    /// The requested ones as a share of both, in percent; absent when there were none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_percent: Option<f64>,
    /// The same on a standby (`restartpoints_timed`, since 17).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restartpoints_timed: Option<i64>,
    /// The same on a standby (`restartpoints_req`, since 17).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restartpoints_requested: Option<i64>,
    /// Restartpoints that were carried out (`restartpoints_done`, since 17).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restartpoints_done: Option<i64>,
    /// Milliseconds in which pages were written (`write_time`; up to 16 `checkpoint_write_time`).
    pub write_ms: i64,
    /// Milliseconds in which files were synced (`sync_time`; up to 16 `checkpoint_sync_time`).
    pub sync_ms: i64,
    /// Pages written by checkpoints (`buffers_written`; up to 16 `buffers_checkpoint`).
    pub buffers_written: i64,
    /// Pages written by the background writer (`buffers_clean`).
    pub buffers_clean: i64,
    /// Times that it stopped because it had written `bgwriter_lru_maxpages` (`maxwritten_clean`).
    pub maxwritten_clean: i64,
    /// Pages that backends had to write themselves (`buffers_backend`, up to 16; since then see `pg_stat_io`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buffers_backend: Option<i64>,
    /// Files that backends had to sync themselves (`buffers_backend_fsync`, up to 16).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buffers_backend_fsync: Option<i64>,
    /// Pages taken into shared memory (`buffers_alloc`).
    pub buffers_alloc: i64,
    /// Since when the counters of checkpoints count (`stats_reset`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stats_reset_at: Option<Timestamp>,
    /// The setting `max_wal_size`, in bytes.
    pub max_wal_size_bytes: i64,
    /// Where it comes from (`pg_settings.source`), such as `default` or `configuration file`.
    pub max_wal_size_source: String,
}

impl Kind for PgCheckpointsRecord {
    const KIND: &'static str = "pg.checkpoints";
    const COLUMNS: &'static [&'static str] =
        &["num_timed", "num_requested", "requested_percent", "write_ms", "sync_ms", "buffers_written", "buffers_clean"];
    const METRICS: Metrics = Metrics::new(
        &[],
        &[
            Metric::counter("num_timed", "pg_stat_bgwriter_checkpoints_timed_total").without("restartpoints_timed"),
            Metric::counter("num_timed", "pg_stat_checkpointer_num_timed_total").with("restartpoints_timed"),
            Metric::counter("num_requested", "pg_stat_bgwriter_checkpoints_req_total").without("restartpoints_timed"),
            Metric::counter("num_requested", "pg_stat_checkpointer_num_requested_total").with("restartpoints_timed"),
            Metric::counter("write_ms", "pg_stat_bgwriter_checkpoint_write_time_total").without("restartpoints_timed"),
            Metric::counter("write_ms", "pg_stat_checkpointer_write_time_total").with("restartpoints_timed"),
            Metric::counter("sync_ms", "pg_stat_bgwriter_checkpoint_sync_time_total").without("restartpoints_timed"),
            Metric::counter("sync_ms", "pg_stat_checkpointer_sync_time_total").with("restartpoints_timed"),
            Metric::counter("buffers_written", "pg_stat_bgwriter_buffers_checkpoint_total")
                .without("restartpoints_timed"),
            Metric::counter("buffers_written", "pg_stat_checkpointer_buffers_written_total")
                .with("restartpoints_timed"),
            Metric::counter("restartpoints_timed", "pg_stat_checkpointer_restartpoints_timed_total"),
            Metric::counter("restartpoints_requested", "pg_stat_checkpointer_restartpoints_req_total"),
            Metric::counter("restartpoints_done", "pg_stat_checkpointer_restartpoints_done_total"),
            Metric::counter("buffers_clean", "pg_stat_bgwriter_buffers_clean_total"),
            Metric::counter("maxwritten_clean", "pg_stat_bgwriter_maxwritten_clean_total"),
            Metric::counter("buffers_backend", "pg_stat_bgwriter_buffers_backend_total"),
            Metric::counter("buffers_backend_fsync", "pg_stat_bgwriter_buffers_backend_fsync_total"),
            Metric::counter("buffers_alloc", "pg_stat_bgwriter_buffers_alloc_total"),
            Metric::moment("max_wal_size_bytes", "pg_settings_max_wal_size_bytes"),
        ],
    )
    .since("stats_reset_at");
}
