//! The databases of a server.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::{Kind, Label, Metric, Metrics, Timestamp};

/// `pg.database`: counters and size of one database. `name` is the database, or `shared objects` for what belongs to all of
/// them. Source: `pg_stat_database`, `pg_database`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PgDatabaseRecord {
    /// `pg_stat_database.datname`; absent for the objects that all databases share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datname: Option<String>,
    /// The same, quoted as SQL needs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// Whether it is the one that was asked.
    pub current: bool,
    /// Bytes on disk (`pg_database_size`); absent where the role may neither connect to it nor read all statistics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<i64>,
    /// Sessions and workers in it now (`numbackends`); absent for shared objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub numbackends: Option<i64>,
    /// Connections that it allows (`pg_database.datconnlimit`); absent where it has no limit of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection_limit: Option<i64>,
    /// Transactions committed (`xact_commit`).
    pub xact_commit: i64,
    /// Transactions rolled back (`xact_rollback`).
    pub xact_rollback: i64,
    /// Those as a share of both, in percent; absent where there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback_percent: Option<f64>,
    /// Pages that were not in `shared_buffers` (`blks_read`); the operating system may have had them.
    pub blks_read: i64,
    /// Pages that were (`blks_hit`).
    pub blks_hit: i64,
    /// Those as a share of both, in percent; absent where there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hit_percent: Option<f64>,
    /// Rows read by scans (`tup_returned`).
    pub tup_returned: i64,
    /// Rows fetched through indexes (`tup_fetched`).
    pub tup_fetched: i64,
    /// Rows inserted (`tup_inserted`).
    pub tup_inserted: i64,
    /// Rows updated (`tup_updated`).
    pub tup_updated: i64,
    /// Rows deleted (`tup_deleted`).
    pub tup_deleted: i64,
    /// Files that sorts, hashes and others wrote because `work_mem` was used up (`temp_files`).
    pub temp_files: i64,
    /// Bytes in them (`temp_bytes`).
    pub temp_bytes: i64,
    /// Deadlocks (`deadlocks`).
    pub deadlocks: i64,
    /// Queries cancelled because they were in the way of replay, only on a standby (`conflicts`).
    pub conflicts: i64,
    /// Milliseconds in which pages were read (`blk_read_time`); 0 without `track_io_timing`.
    pub blk_read_ms: f64,
    /// Milliseconds in which pages were written (`blk_write_time`); 0 without `track_io_timing`.
    pub blk_write_ms: f64,
    /// Sessions that were begun (`sessions`, since 14).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sessions: Option<i64>,
    /// Sessions whose client was lost (`sessions_abandoned`, since 14).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sessions_abandoned: Option<i64>,
    /// Sessions ended by fatal errors (`sessions_fatal`, since 14).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sessions_fatal: Option<i64>,
    /// Sessions ended by an operator (`sessions_killed`, since 14).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sessions_killed: Option<i64>,
    /// Pages whose checksum was wrong when they were read (`checksum_failures`); absent where checksums are off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum_failures: Option<i64>,
    /// When the last of them was read (`checksum_last_failure`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum_last_failure_at: Option<Timestamp>,
    /// The database's own `work_mem`, as it was written (`pg_db_role_setting`); absent where it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_work_mem: Option<String>,
    /// `stats_reset`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stats_reset_at: Option<Timestamp>,
    /// Since when the counters count, never later than in truth, so that a rate by it is never too high: `stats_reset`, else
    /// the last loss of all counters (the earlier `stats_reset` of `pg_stat_bgwriter` and `pg_stat_archiver`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stats_since_at: Option<Timestamp>,
}

impl Kind for PgDatabaseRecord {
    const KIND: &'static str = "pg.database";
    const COLUMNS: &'static [&'static str] = &[
        "size_bytes",
        "numbackends",
        "xact_commit",
        "rollback_percent",
        "hit_percent",
        "temp_bytes",
        "deadlocks",
        "checksum_failures",
    ];
    const METRICS: Metrics = Metrics::new(
        &[Label::Field("datname")],
        &[
            Metric::level("size_bytes", "pg_database_size_bytes"),
            Metric::moment("connection_limit", "pg_database_connection_limit"),
            Metric::moment("numbackends", "pg_stat_database_numbackends"),
            Metric::counter("xact_commit", "pg_stat_database_xact_commit"),
            Metric::counter("xact_rollback", "pg_stat_database_xact_rollback"),
            Metric::counter("blks_read", "pg_stat_database_blks_read"),
            Metric::counter("blks_hit", "pg_stat_database_blks_hit"),
            Metric::counter("tup_returned", "pg_stat_database_tup_returned"),
            Metric::counter("tup_fetched", "pg_stat_database_tup_fetched"),
            Metric::counter("tup_inserted", "pg_stat_database_tup_inserted"),
            Metric::counter("tup_updated", "pg_stat_database_tup_updated"),
            Metric::counter("tup_deleted", "pg_stat_database_tup_deleted"),
            Metric::counter("temp_files", "pg_stat_database_temp_files"),
            Metric::counter("temp_bytes", "pg_stat_database_temp_bytes"),
            Metric::counter("deadlocks", "pg_stat_database_deadlocks"),
            Metric::counter("conflicts", "pg_stat_database_conflicts"),
            Metric::counter("blk_read_ms", "pg_stat_database_blk_read_time"),
            Metric::counter("blk_write_ms", "pg_stat_database_blk_write_time"),
            Metric::counter("sessions", "pso_pg_database_sessions_total"),
            Metric::counter("sessions_abandoned", "pso_pg_database_sessions_abandoned_total"),
            Metric::counter("sessions_fatal", "pso_pg_database_sessions_fatal_total"),
            Metric::counter("sessions_killed", "pso_pg_database_sessions_killed_total"),
            Metric::counter("checksum_failures", "pso_pg_database_checksum_failures_total"),
        ],
    )
    .since("stats_since_at");
}
