//! Who holds the connections of a server, and how many there may be.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::{Kind, Label, Metric, Metrics};

/// `pg.connection`: client connections of the server, of a database or a role with a limit of its own, or of the same role,
/// database and application. `name` is `server`, `database X`, `role X`, or `role@database/application`. Source:
/// `pg_stat_activity`, `pg_database`, `pg_roles`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PgConnectionRecord {
    /// What they have in common: `server`, `database`, `role` or `holder`.
    pub scope: String,
    /// The database (`pg_stat_activity.datname`); absent where they have none in common.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datname: Option<String>,
    /// The role (`usename`); absent where they have none in common.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usename: Option<String>,
    /// The application (`application_name`); only of a holder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application_name: Option<String>,
    /// The database or role that has the limit, quoted as SQL needs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// How many there are, that of the tool itself included.
    pub connections: i64,
    /// How many there may be: of the server `max_connections` without `superuser_reserved_connections` and
    /// `reserved_connections` (since 16), else `pg_database.datconnlimit` or `pg_roles.rolconnlimit`; absent for a holder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection_limit: Option<i64>,
    /// `connections` as a share of `connection_limit`, in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_percent: Option<f64>,
    /// Those at work (`state`).
    pub active: i64,
    /// Those that wait for their client outside a transaction (`state`).
    pub idle: i64,
    /// Those that wait for their client in a transaction, failed ones too (`state`).
    pub idle_in_transaction: i64,
    /// Those of which the role may not see the state.
    pub hidden: i64,
    /// Milliseconds for which the longest has been idle outside a transaction (`state_change`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longest_idle_ms: Option<u64>,
}

impl Kind for PgConnectionRecord {
    const KIND: &'static str = "pg.connection";
    const COLUMNS: &'static [&'static str] = &[
        "connections",
        "connection_limit",
        "used_percent",
        "active",
        "idle",
        "idle_in_transaction",
        "longest_idle_ms",
    ];
    const METRICS: Metrics = Metrics::new(
        &[Label::Field("scope"), Label::Field("datname"), Label::Field("usename"), Label::Field("application_name")],
        &[
            Metric::level("connections", "pso_pg_connections"),
            Metric::moment("connection_limit", "pso_pg_connections_limit"),
            Metric::moment("active", "pso_pg_connections_active"),
            Metric::moment("idle", "pso_pg_connections_idle"),
            Metric::moment("idle_in_transaction", "pso_pg_connections_idle_in_transaction"),
            Metric::moment("longest_idle_ms", "pso_pg_connections_longest_idle_seconds"),
            // Of the server as a whole: of the holders only some are told.
            Metric::moment("active", "pg_stat_activity_count")
                .labelled("state", "active")
                .with("connection_limit")
                .without("object"),
            Metric::moment("idle", "pg_stat_activity_count")
                .labelled("state", "idle")
                .with("connection_limit")
                .without("object"),
            Metric::moment("idle_in_transaction", "pg_stat_activity_count")
                .labelled("state", "idle in transaction")
                .with("connection_limit")
                .without("object"),
        ],
    );
}
