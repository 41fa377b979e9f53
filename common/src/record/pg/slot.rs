//! What keeps the server's log of changes (WAL) for somebody.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::{Kind, Label, Metric, Metrics, Timestamp};

/// `pg.slot`: a replication slot of the server. `name` is the slot. Source: `pg_replication_slots`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PgSlotRecord {
    /// `slot_name`.
    pub slot_name: String,
    /// `physical` or `logical` (`slot_type`).
    pub slot_type: String,
    /// The output plugin of a logical one (`plugin`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plugin: Option<String>,
    /// The database of a logical one (`database`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// Whether it ends with its session (`temporary`).
    pub temporary: bool,
    /// Whether it decodes prepared transactions (`two_phase`, since 14; before, false).
    pub two_phase: bool,
    /// Whether standbys keep a copy of it (`failover`, since 17; before, false).
    pub failover: bool,
    /// Whether it is such a copy, which only the primary's slot controls (`synced`, since 17; before, false).
    pub synced: bool,
    /// Whether somebody reads from it now (`active`).
    pub active: bool,
    /// The process that does (`active_pid`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_pid: Option<i32>,
    /// Bytes of the log from `restart_lsn` on to its end, which the slot keeps; absent for one that keeps nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retained_bytes: Option<i64>,
    /// Bytes of the log from `confirmed_flush_lsn` on to its end, which the reader has not confirmed; only of a logical one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unconfirmed_bytes: Option<i64>,
    /// `reserved`, `extended` (past `max_wal_size`), `unreserved` (soon to be removed) or `lost` (`wal_status`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wal_status: Option<String>,
    /// Bytes that can be written until the slot is in danger of being lost (`safe_wal_size`); absent without
    /// `max_slot_wal_keep_size`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub safe_wal_bytes: Option<i64>,
    /// Why it can no longer be used (`invalidation_reason`, since 17; in 16 `conflicting`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invalidation_reason: Option<String>,
    /// Since when nobody reads from it (`inactive_since`, since 17).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inactive_since_at: Option<Timestamp>,
    /// Milliseconds since then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inactive_ms: Option<u64>,
    /// Transaction ids since the oldest whose dead rows it keeps from vacuum (`age(xmin)`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xmin_age: Option<i64>,
    /// The same of the system catalogues only (`age(catalog_xmin)`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub catalog_xmin_age: Option<i64>,
}

impl Kind for PgSlotRecord {
    const KIND: &'static str = "pg.slot";
    const COLUMNS: &'static [&'static str] = &[
        "slot_type",
        "active",
        "wal_status",
        "retained_bytes",
        "safe_wal_bytes",
        "inactive_ms",
        "xmin_age",
        "catalog_xmin_age",
    ];
    const METRICS: Metrics = Metrics::new(
        &[Label::Field("slot_name"), Label::Field("slot_type")],
        &[
            Metric::moment("active", "pg_replication_slot_slot_is_active"),
            Metric::moment("safe_wal_bytes", "pg_replication_slot_safe_wal_size_bytes"),
            Metric::state("wal_status", "pg_replication_slot_wal_status"),
            Metric::level("retained_bytes", "pso_pg_slot_retained_bytes"),
            Metric::level("unconfirmed_bytes", "pso_pg_slot_unconfirmed_bytes"),
            Metric::moment("inactive_ms", "pso_pg_slot_inactive_seconds"),
            Metric::level("xmin_age", "pso_pg_slot_xmin_age"),
            Metric::level("catalog_xmin_age", "pso_pg_slot_catalog_xmin_age"),
        ],
    );
}
