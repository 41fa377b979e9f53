//! Commands that say how far they are.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::{Kind, Label, Metric, Metrics};

/// `pg.progress`: a command at work that says how far it is. `name` is `pid <pid>`. Source: `pg_stat_progress_vacuum`,
/// `…_analyze`, `…_create_index`, `…_cluster`, `…_basebackup`, `…_copy` (14 and newer), and `pg_stat_activity`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PgProgressRecord {
    /// `pid`.
    pub pid: i32,
    /// The command (`command`, or what the view is about): `VACUUM`, `CREATE INDEX CONCURRENTLY`, `COPY FROM`, …
    pub command: String,
    /// What it is doing (`phase`); a command has several. Absent where there are none, and where the role may not see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// The table, quoted as SQL needs it (`relid`); absent for a base backup and a COPY of a query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// The index that is built or used (`index_relid`, `cluster_index_relid`), quoted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index_object: Option<String>,
    /// How much of the phase is done, in `unit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<i64>,
    /// How much the phase has to do, in `unit`; absent where nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<i64>,
    /// What `done` and `total` count: `blocks`, `tuples`, `bytes`, `indexes`, or `lockers`, which are sessions that are waited
    /// for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// `done` of `total` in percent: of the phase, not of the command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<f64>,
    /// Rounds through the indexes so far (`index_vacuum_count`); more than one means that `maintenance_work_mem` is small for
    /// the dead rows. Indexes built again (`index_rebuild_count`) for CLUSTER.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rounds: Option<i64>,
    /// Rows copied (`tuples_processed`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tuples_done: Option<i64>,
    /// Whom it waits for before it goes on (`current_locker_pid`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_for_pid: Option<i32>,
    /// Milliseconds since the command began (`pg_stat_activity.query_start`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running_ms: Option<u64>,
    /// `pg_stat_activity.backend_type`: `autovacuum worker` tells autovacuum from a VACUUM of somebody's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend_type: Option<String>,
    /// `pg_stat_activity.usename`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usename: Option<String>,
    /// `pg_stat_activity.application_name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application_name: Option<String>,
    /// `pg_stat_activity.wait_event_type` and `wait_event`, as `Type:event`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_event: Option<String>,
    /// Whether the role may see no more than that there is something.
    pub hidden: bool,
}

impl Kind for PgProgressRecord {
    const KIND: &'static str = "pg.progress";
    const COLUMNS: &'static [&'static str] = &[
        "command",
        "object",
        "phase",
        "percent",
        "done",
        "total",
        "unit",
        "running_ms",
        "waits_for_pid",
        "wait_event",
    ];
    const METRICS: Metrics = Metrics::new(
        &[
            Label::Given("datname"),
            Label::Field("pid"),
            Label::Field("command"),
            Label::Field("object"),
            Label::Field("phase"),
            Label::Field("unit"),
        ],
        &[
            Metric::moment("done", "pso_pg_progress_done"),
            Metric::moment("total", "pso_pg_progress_to_do"),
            Metric::moment("running_ms", "pso_pg_progress_running_seconds"),
        ],
    );
}
