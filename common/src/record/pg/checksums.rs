//! Whether damage to the data is noticed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::{Kind, Metric, Metrics, Timestamp};

/// `pg.checksums`: the checksums of the server's pages, and what they found in all databases together; `pg.database` has it by
/// database. `name` is `checksums`. Source: the settings, `pg_stat_database`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PgChecksumsRecord {
    /// Whether pages have checksums (the setting `data_checksums`): made so by `initdb`, from 18 on unless told otherwise.
    pub data_checksums: bool,
    /// Whether wrong ones are passed over (the setting `ignore_checksum_failure`).
    pub ignore_checksum_failure: bool,
    /// Pages whose checksum was wrong when they were read (the sum of `checksum_failures`); absent without checksums.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum_failures: Option<i64>,
    /// Databases in which there were any; the objects that all share count as one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_databases: Option<i64>,
    /// When the last of them was read (`checksum_last_failure`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum_last_failure_at: Option<Timestamp>,
}

impl Kind for PgChecksumsRecord {
    const KIND: &'static str = "pg.checksums";
    const COLUMNS: &'static [&'static str] =
        &["data_checksums", "checksum_failures", "failing_databases", "checksum_last_failure_at"];
    const METRICS: Metrics = Metrics::new(
        &[],
        &[
            Metric::moment("data_checksums", "pg_settings_data_checksums"),
            Metric::moment("ignore_checksum_failure", "pg_settings_ignore_checksum_failure"),
            Metric::moment("checksum_failures", "pso_pg_checksums_failures"),
            Metric::moment("failing_databases", "pso_pg_checksums_failing_databases"),
            Metric::moment("checksum_last_failure_at", "pso_pg_checksums_last_failure_timestamp_seconds"),
        ],
    );
}
