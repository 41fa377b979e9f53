//! Who receives the server's log of changes, and from whom it receives its own.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::{Kind, Label, Metric, Metrics};

/// `pg.replication`: a process that sends the log of changes, or what a standby receives and replays. `name` is the
/// receiver's application name, with its slot or address where that is only `walreceiver`, else its pid; on a standby
/// `receiver`. Source: `pg_stat_replication`, `pg_stat_wal_receiver`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PgReplicationRecord {
    /// `sender`, or `receiver` for what a standby receives.
    pub direction: String,
    /// The process (`pid`); absent on a standby that is fed from an archive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<i32>,
    /// The role that receives (`usename`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usename: Option<String>,
    /// What it calls itself (`application_name`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application_name: Option<String>,
    /// Its address (`client_addr`); of a standby its sender's (`sender_host`). Absent for a socket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_addr: Option<String>,
    /// The slot that it uses (`pg_replication_slots.slot_name` by `active_pid`; `pg_stat_wal_receiver.slot_name`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot_name: Option<String>,
    /// `streaming`, `catchup`, … (`state`; of a standby `status`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// `async`, `potential`, `sync` or `quorum` (`sync_state`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sync_state: Option<String>,
    /// Bytes of the log that were not sent yet (from `sent_lsn`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_lag_bytes: Option<i64>,
    /// Bytes of the log that the receiver does not have on disk yet (from `flush_lsn`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flush_lag_bytes: Option<i64>,
    /// Bytes of the log that are not replayed yet (from `replay_lsn`); on a standby of what it has received
    /// (`pg_last_wal_replay_lsn()`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay_lag_bytes: Option<i64>,
    /// Milliseconds that the last commits took to be on the receiver's disk (`flush_lag`); absent when it is idle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flush_lag_ms: Option<u64>,
    /// The same until they could be seen there (`replay_lag`); on a standby milliseconds since the commit that was replayed
    /// last (`pg_last_xact_replay_timestamp()`), 0 when all was replayed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay_lag_ms: Option<u64>,
    /// Transaction ids since the oldest whose dead rows the receiver keeps from vacuum here (`age(backend_xmin)`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xmin_age: Option<i64>,
    /// Whether the standby was told not to replay (`pg_is_wal_replay_paused()`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay_paused: Option<bool>,
    /// Whether the role may not see more than that it is there.
    pub hidden: bool,
}

impl Kind for PgReplicationRecord {
    const KIND: &'static str = "pg.replication";
    const COLUMNS: &'static [&'static str] = &[
        "direction",
        "client_addr",
        "state",
        "sync_state",
        "sent_lag_bytes",
        "replay_lag_bytes",
        "replay_lag_ms",
        "replay_paused",
    ];
    const METRICS: Metrics = Metrics::new(
        &[
            Label::Field("direction"),
            Label::Field("application_name"),
            Label::Field("client_addr"),
            Label::Field("slot_name"),
            Label::Field("state"),
            Label::Field("pid"),
        ],
        &[
            Metric::level("sent_lag_bytes", "pso_pg_replication_sent_lag_bytes"),
            Metric::level("flush_lag_bytes", "pso_pg_replication_flush_lag_bytes"),
            Metric::level("replay_lag_bytes", "pg_stat_replication_pg_wal_lsn_diff"),
            Metric::moment("flush_lag_ms", "pso_pg_replication_flush_lag_seconds"),
            Metric::moment("replay_lag_ms", "pso_pg_replication_replay_lag_seconds"),
            Metric::moment("xmin_age", "pso_pg_replication_xmin_age"),
            Metric::moment("replay_paused", "pso_pg_replication_replay_paused"),
        ],
    );
}
