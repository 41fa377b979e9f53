//! Client connections.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::{Kind, Timestamp};

/// `pg.activity`: one client connection. `name` is `pid <pid>`. Source: `pg_stat_activity`.
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
    /// `pg_stat_activity.wait_event_type` and `wait_event`, as `Type:event`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_event: Option<String>,
    /// `pg_stat_activity.query`, first 1,000 characters; may hold literals of the application.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
}

impl Kind for PgActivityRecord {
    const KIND: &'static str = "pg.activity";
    const COLUMNS: &'static [&'static str] = &["usename", "application_name", "state", "query_ms", "wait_event"];
}
