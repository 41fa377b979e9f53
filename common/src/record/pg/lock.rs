//! Locks that others may have to wait for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::{Kind, Label, Metric, Metrics, Timestamp};

/// `pg.lock`: a lock that somebody waits for, or one on a relation that keeps others from changing rows or definitions. `name`
/// is `pid <pid>`, which several locks of a session have. Source: `pg_locks`, `pg_stat_activity`, `pg_prepared_xacts`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PgLockRecord {
    /// `pg_locks.pid`; absent for a prepared transaction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<i32>,
    /// `pg_prepared_xacts.gid` of a prepared transaction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gid: Option<String>,
    /// What is locked (`pg_locks.locktype`): `relation`, `tuple`, `transactionid`, `advisory`, …
    pub locktype: String,
    /// `pg_locks.mode`, such as `AccessExclusiveLock`.
    pub mode: String,
    /// Whether it is held; else it is waited for (`pg_locks.granted`).
    pub granted: bool,
    /// What the lock is on, quoted as SQL needs it: a relation, a row as `relation (page,row)`, a transaction, … (`pg_locks`).
    pub lock_object: String,
    /// Milliseconds that it has been waited for (`pg_locks.waitstart`; before version 14 since the statement began, which is
    /// longer); absent where it is held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_ms: Option<u64>,
    /// `pg_stat_activity.usename`, `pg_prepared_xacts.owner`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usename: Option<String>,
    /// `pg_stat_activity.application_name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application_name: Option<String>,
    /// `pg_stat_activity.state`; absent where the role may not see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// `pg_stat_activity.xact_start`, since which a lock may have been held; of a prepared transaction when it was prepared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xact_start: Option<Timestamp>,
    /// Milliseconds since `xact_start`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xact_ms: Option<u64>,
}

impl Kind for PgLockRecord {
    const KIND: &'static str = "pg.lock";
    const COLUMNS: &'static [&'static str] =
        &["granted", "mode", "lock_object", "waiting_ms", "xact_ms", "state", "usename", "application_name"];
    const METRICS: Metrics = Metrics::new(
        &[
            Label::Field("usename"),
            Label::Field("application_name"),
            Label::Field("pid"),
            Label::Field("gid"),
            Label::Field("locktype"),
            Label::Field("mode"),
            Label::Field("lock_object"),
        ],
        &[
            Metric::moment("granted", "pso_pg_lock_granted"),
            Metric::moment("waiting_ms", "pso_pg_lock_waiting_seconds"),
            Metric::moment("xact_ms", "pso_pg_lock_transaction_seconds"),
        ],
    );
}
