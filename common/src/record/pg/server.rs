//! The server behind the other records.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::{Kind, Labels, Metric, Metrics, Timestamp};

/// `pg.server`: what was asked, and as whom. The first record of a run; the others are to be judged by it. `name` is the
/// database.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PgServerRecord {
    /// `current_setting('server_version_num')`: 150004 is 15.4.
    pub version_num: i32,
    /// `current_setting('server_version')`.
    pub version: String,
    /// `current_database()`.
    pub database: String,
    /// `current_user`, quoted as SQL needs it.
    pub role: String,
    /// Whether the role sees other roles' sessions and statements (`pg_has_role(…, 'pg_read_all_stats', 'USAGE')`).
    pub reads_all_stats: bool,
    /// Whether the role may do everything (`pg_roles.rolsuper`).
    pub is_superuser: bool,
    /// Whether it is a standby, or still recovers (`pg_is_in_recovery()`).
    pub in_recovery: bool,
    /// The server's clock when it was asked (`clock_timestamp()`).
    pub now: Timestamp,
    /// Which cluster it is, as text: it is larger than the numbers that every reader of JSON takes exactly
    /// (`pg_control_system().system_identifier`). Its standbys have the same. Absent where the role may not ask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_identifier: Option<String>,
    /// `pg_postmaster_start_time()`.
    pub started_at: Timestamp,
    /// `pg_stat_database.stats_reset` of the database; absent where it was never reset, nor (before 15) ever used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stats_reset_at: Option<Timestamp>,
    /// Since when the counters of the database have been counting, never earlier than in truth: `stats_reset_at`, else the
    /// later of the server's start and the last loss of all counters (`pg_stat_bgwriter.stats_reset`).
    pub stats_since_at: Timestamp,
    /// Where `stats_since_at` comes from: `pg_stat_database.stats_reset` or `server start`.
    pub stats_source: String,
    /// Settings that rules judge by, as in `pg_settings.reset_val`: in the setting's base unit (`pg_settings.unit`), as it is
    /// for a new session of the role. Those that the role may not see are absent.
    pub settings: Labels,
}

impl Kind for PgServerRecord {
    const KIND: &'static str = "pg.server";
    const COLUMNS: &'static [&'static str] = &["version", "role", "in_recovery", "started_at", "stats_since_at"];
    const METRICS: Metrics = Metrics::new(
        &[],
        &[
            Metric::presence("version", "pg_up"),
            Metric::moment("started_at", "pg_postmaster_start_time_seconds"),
            Metric::moment("in_recovery", "pg_replication_is_replica"),
            Metric::moment("version_num", "pso_pg_server_version_num"),
            Metric::moment("settings.max_connections", "pg_settings_max_connections"),
            Metric::moment("settings.superuser_reserved_connections", "pg_settings_superuser_reserved_connections"),
            Metric::moment("settings.max_replication_slots", "pg_settings_max_replication_slots"),
            Metric::moment("settings.max_prepared_transactions", "pg_settings_max_prepared_transactions"),
            Metric::moment("settings.autovacuum_max_workers", "pg_settings_autovacuum_max_workers"),
            Metric::moment("settings.autovacuum_freeze_max_age", "pg_settings_autovacuum_freeze_max_age"),
            Metric::moment("settings.autovacuum", "pg_settings_autovacuum"),
            Metric::moment("settings.fsync", "pg_settings_fsync"),
            Metric::moment("settings.full_page_writes", "pg_settings_full_page_writes"),
            Metric::moment("settings.track_counts", "pg_settings_track_counts"),
            Metric::moment("stats_since_at", "pso_pg_server_stats_since_timestamp_seconds"),
        ],
    )
    .gives(&[("datname", "database")]);
}
