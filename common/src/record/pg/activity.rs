//! Client connections.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::QueryText;
use crate::record::{Kind, Label, Metric, Metrics, Timestamp};

/// `pg.activity`: one client connection, or another process in a transaction. `name` is `pid <pid>`. Source: `pg_stat_activity`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PgActivityRecord {
    /// `pg_stat_activity.pid`.
    pub pid: i32,
    /// `pg_stat_activity.datname`; absent for processes without a database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datname: Option<String>,
    /// `pg_stat_activity.usename`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usename: Option<String>,
    /// `pg_stat_activity.application_name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application_name: Option<String>,
    /// `pg_stat_activity.client_addr`; absent for connections through a Unix socket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_addr: Option<String>,
    /// `pg_stat_activity.backend_type`: `client backend`, or of what else is in a transaction `parallel worker`, `logical
    /// replication worker`, …; absent where the role may not see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend_type: Option<String>,
    /// `pg_stat_activity.leader_pid`: whose parallel worker it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leader_pid: Option<i32>,
    /// `pg_stat_activity.state`: `active`, `idle`, `idle in transaction`, …; absent where the role may not see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// `pg_stat_activity.backend_start`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend_start: Option<Timestamp>,
    /// `pg_stat_activity.xact_start`; absent outside a transaction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xact_start: Option<Timestamp>,
    /// `pg_stat_activity.query_start`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query_start: Option<Timestamp>,
    /// Milliseconds since `query_start`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query_ms: Option<u64>,
    /// Milliseconds since `pg_stat_activity.xact_start`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xact_ms: Option<u64>,
    /// Milliseconds since `pg_stat_activity.state_change`: how long it has been in its `state`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_ms: Option<u64>,
    /// Transactions since the oldest that its snapshot sees as running (`age(backend_xmin)`): what vacuum is held back by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xmin_age: Option<i64>,
    /// Transactions since its own (`age(backend_xid)`), which hold back vacuum, too; absent where it has changed nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xid_age: Option<i64>,
    /// `pg_stat_activity.wait_event_type` and `wait_event`, as `Type:event`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_event: Option<String>,
    /// Whom it waits for (`pg_blocking_pids(pid)`, asked where `wait_event_type` is `Lock`); 0 is a prepared transaction.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blocked_by: Vec<i32>,
    /// `pg_stat_activity.query_id`, as text: it is larger than the numbers that every reader of JSON takes exactly. Absent
    /// before version 14, and where `compute_query_id` is off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query_id: Option<String>,
    /// `pg_stat_activity.query`, first 1,000 characters, passwords masked; may hold other literals of the application.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<QueryText>,
}

impl Kind for PgActivityRecord {
    const KIND: &'static str = "pg.activity";
    const COLUMNS: &'static [&'static str] =
        &["usename", "application_name", "client_addr", "state", "query_ms", "xact_ms", "wait_event", "blocked_by"];
    const METRICS: Metrics = Metrics::new(
        &[
            Label::Field("datname"),
            Label::Field("usename"),
            Label::Field("application_name"),
            Label::Field("state"),
            Label::Field("pid"),
        ],
        &[
            Metric::moment("query_ms", "pso_pg_activity_query_seconds"),
            Metric::moment("xact_ms", "pso_pg_activity_transaction_seconds"),
            Metric::moment("state_ms", "pso_pg_activity_state_seconds"),
            Metric::moment("xmin_age", "pso_pg_activity_xmin_age"),
        ],
    );
}
