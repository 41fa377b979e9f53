//! Who read and wrote how much.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::{Kind, Label, Metric, Metrics, Timestamp};

/// `pg.io`: what one sort of process of the server read and wrote of one sort of thing, since the reset. `name` is the three of
/// them. Those that did nothing are left out; what a sort of process never does is absent. Source: `pg_stat_io` (since 16).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PgIoRecord {
    /// Such as `client backend`, `autovacuum worker`, `checkpointer` (`backend_type`).
    pub backend_type: String,
    /// `relation`, `temp relation`, or since 18 `wal` (`object`).
    pub object: String,
    /// `normal`, `vacuum`, `bulkread` or `bulkwrite` (through a small ring of pages), since 18 `init` (`context`).
    pub context: String,
    /// Read operations (`reads`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reads: Option<i64>,
    /// Bytes that they read (`read_bytes`; up to 17 `reads` times `op_bytes`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_bytes: Option<i64>,
    /// Milliseconds that they took (`read_time`); absent while `track_io_timing` (for `wal` `track_wal_io_timing`) has measured none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_ms: Option<i64>,
    /// Write operations (`writes`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writes: Option<i64>,
    /// Bytes that they wrote (`write_bytes`; up to 17 `writes` times `op_bytes`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub write_bytes: Option<i64>,
    /// Milliseconds that they took (`write_time`); absent as `read_ms`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub write_ms: Option<i64>,
    /// Pages that the kernel was asked to write out (`writebacks`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writebacks: Option<i64>,
    /// Milliseconds that this took (`writeback_time`); absent as `read_ms`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writeback_ms: Option<i64>,
    /// Operations that made a file longer (`extends`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extends: Option<i64>,
    /// Bytes that they added (`extend_bytes`; up to 17 `extends` times `op_bytes`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extend_bytes: Option<i64>,
    /// Milliseconds that they took (`extend_time`); absent as `read_ms`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extend_ms: Option<i64>,
    /// Pages that were found in shared memory (`hits`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hits: Option<i64>,
    /// Pages that were put out of shared memory for others (`evictions`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evictions: Option<i64>,
    /// Pages of the small ring that were used again (`reuses`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reuses: Option<i64>,
    /// Calls of fsync (`fsyncs`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fsyncs: Option<i64>,
    /// Milliseconds that they took (`fsync_time`); absent as `read_ms`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fsync_ms: Option<i64>,
    /// Since when it counts (`stats_reset`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stats_reset_at: Option<Timestamp>,
}

impl Kind for PgIoRecord {
    const KIND: &'static str = "pg.io";
    const COLUMNS: &'static [&'static str] = &[
        "reads",
        "read_bytes",
        "read_ms",
        "writes",
        "write_bytes",
        "write_ms",
        "extend_bytes",
        "hits",
        "evictions",
        "fsyncs",
    ];
    const METRICS: Metrics = Metrics::new(
        &[Label::Field("backend_type"), Label::Field("object"), Label::Field("context")],
        &[
            Metric::counter("reads", "pso_pg_io_reads_total"),
            Metric::counter("read_bytes", "pso_pg_io_read_bytes_total"),
            Metric::counter("writes", "pso_pg_io_writes_total"),
            Metric::counter("write_bytes", "pso_pg_io_write_bytes_total"),
            Metric::counter("writebacks", "pso_pg_io_writebacks_total"),
            Metric::counter("extends", "pso_pg_io_extends_total"),
            Metric::counter("extend_bytes", "pso_pg_io_extend_bytes_total"),
            Metric::counter("hits", "pso_pg_io_hits_total"),
            Metric::counter("evictions", "pso_pg_io_evictions_total"),
            Metric::counter("reuses", "pso_pg_io_reuses_total"),
            Metric::counter("fsyncs", "pso_pg_io_fsyncs_total"),
            Metric::counter("read_ms", "pso_pg_io_read_seconds_total"),
            Metric::counter("write_ms", "pso_pg_io_write_seconds_total"),
            Metric::counter("extend_ms", "pso_pg_io_extend_seconds_total"),
            Metric::counter("fsync_ms", "pso_pg_io_fsync_seconds_total"),
        ],
    )
    .since("stats_reset_at");
}
