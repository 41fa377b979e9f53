//! Transactions that wait for the second phase of their commit.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::{Kind, Label, Metric, Metrics, Timestamp};

/// `pg.prepared`: a prepared transaction. It keeps its locks, also over a restart, until somebody commits it or rolls it back.
/// `name` is its identifier. Source: `pg_prepared_xacts`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PgPreparedRecord {
    /// The identifier that it was given (`gid`).
    pub gid: String,
    /// The database, in which alone it can be ended (`database`).
    pub database: String,
    /// The role that prepared it (`owner`).
    pub owner: String,
    /// When it was prepared (`prepared`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prepared_at: Option<Timestamp>,
    /// Milliseconds since then.
    pub prepared_ms: u64,
    /// Transaction ids since it began; vacuum keeps what was deleted since (`age(transaction)`).
    pub xid_age: i64,
}

impl Kind for PgPreparedRecord {
    const KIND: &'static str = "pg.prepared";
    const COLUMNS: &'static [&'static str] = &["database", "owner", "prepared_ms", "xid_age"];
    const METRICS: Metrics = Metrics::new(
        &[Label::As("datname", "database"), Label::Field("owner"), Label::Field("gid")],
        &[
            Metric::moment("prepared_ms", "pso_pg_prepared_age_seconds"),
            Metric::moment("xid_age", "pso_pg_prepared_xid_age"),
        ],
    );
}
