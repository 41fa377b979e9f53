//! Who waits for a lock, and for whom.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::QueryText;
use crate::record::{Kind, Label, Metric, Metrics, Timestamp};

/// `pg.blocking`: a session that waits for a lock or is waited for, as a place in the tree of who blocks whom. Parents come
/// before their children. `name` is `pid <pid>`, or `prepared transaction <gid>`. Source: `pg_locks`, `pg_blocking_pids`,
/// `pg_stat_activity`, `pg_prepared_xacts`. What a parallel worker waits for is told of its leader.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PgBlockingRecord {
    /// `pg_stat_activity.pid`; 0 for a prepared transaction, as in `pg_blocking_pids`.
    pub pid: i32,
    /// `pg_prepared_xacts.gid` of a prepared transaction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gid: Option<String>,
    /// The `pid` at the root of the tree: who waits for nobody, or of a deadlock the one that blocks most.
    pub root_pid: i32,
    /// Steps from the root, which is 0; the shortest way where there are several.
    pub depth: u32,
    /// The way from the root, as `1 > 2 > 3`.
    pub path: String,
    /// Whom it waits for (`pg_blocking_pids(pid)`, each once): first its parent in the tree, then those who wait for nobody, 20
    /// at most; empty for a root.
    #[serde(default)]
    pub blocked_by: Vec<i32>,
    /// How many more it waits for, mostly those that came before it; absent where `blocked_by` has all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked_by_more: Option<u64>,
    /// Sessions that wait for it.
    pub blocks: u64,
    /// Sessions that wait for it, for those, and so on.
    pub blocks_in_all: u64,
    /// Whether it waits for itself through others; the server ends one of them after `deadlock_timeout`.
    pub deadlock: bool,
    /// Milliseconds that it has been waiting (`pg_locks.waitstart`; before version 14 since its statement began, which is
    /// longer).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_ms: Option<u64>,
    /// Milliseconds that the longest of those that it blocks in all has been waiting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longest_wait_ms: Option<u64>,
    /// What kind of lock it waits for (`pg_locks.locktype`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locktype: Option<String>,
    /// The mode of the lock that it waits for (`pg_locks.mode`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// What the lock is on, quoted as SQL needs it: a relation, a row as `relation (page,row)`, a transaction, … (`pg_locks`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock_object: Option<String>,
    /// `pg_stat_activity.datname`, `pg_prepared_xacts.database`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datname: Option<String>,
    /// `pg_stat_activity.usename`, `pg_prepared_xacts.owner`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usename: Option<String>,
    /// `pg_stat_activity.application_name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application_name: Option<String>,
    /// `pg_stat_activity.client_addr`; absent for connections through a Unix socket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_addr: Option<String>,
    /// `pg_stat_activity.backend_type`; absent where the role may not see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend_type: Option<String>,
    /// `pg_stat_activity.state`; absent where the role may not see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// `pg_stat_activity.backend_start`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend_start: Option<Timestamp>,
    /// `pg_stat_activity.xact_start`; absent outside a transaction. Of a prepared one when it was (`pg_prepared_xacts.prepared`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xact_start: Option<Timestamp>,
    /// Milliseconds since `xact_start`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xact_ms: Option<u64>,
    /// Milliseconds since `pg_stat_activity.state_change`: how long it has been in its `state`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_ms: Option<u64>,
    /// `pg_stat_activity.query`, first 1,000 characters, passwords masked; of a session that is idle its last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<QueryText>,
}

impl Kind for PgBlockingRecord {
    const KIND: &'static str = "pg.blocking";
    const COLUMNS: &'static [&'static str] =
        &["path", "blocks_in_all", "waiting_ms", "mode", "lock_object", "state", "application_name", "query"];
    const METRICS: Metrics = Metrics::new(
        &[
            Label::Field("datname"),
            Label::Field("usename"),
            Label::Field("application_name"),
            Label::Field("pid"),
            Label::Field("gid"),
            Label::Field("root_pid"),
        ],
        &[
            Metric::moment("blocks_in_all", "pso_pg_blocking_blocked_sessions"),
            Metric::moment("waiting_ms", "pso_pg_blocking_waiting_seconds"),
            Metric::moment("longest_wait_ms", "pso_pg_blocking_longest_wait_seconds"),
        ],
    );
}
