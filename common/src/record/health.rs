//! What `pso-health` sees.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Kind, Labels};

/// `health.check`: one part of the system, up or not. `name` is `<part>` or `<part>.<detail>`, such as
/// `service.database.postgres` or `qdrant.collection.plans`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HealthCheckRecord {
    /// A number that says how the part is, where there is one (such as points in a collection).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// The unit of `value`: `ms`, `percent`, `bytes`, `seconds`, `count`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// What the part says of itself, word for word (`healthy`, `green`, …).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// The layer at which the probe ended, where it failed and the layer is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<Layer>,
    /// How often it was tried (`retries`); absent when once was enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// Milliseconds that the probe took.
    pub elapsed_ms: u64,
    /// What the check belongs to (`collection`, `path`, …).
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
}

impl Kind for HealthCheckRecord {
    const KIND: &'static str = "health.check";
    const COLUMNS: &'static [&'static str] = &["status", "elapsed_ms"];
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
const fn is_false(value: &bool) -> bool {
    !*value
}

/// `health.round`: the end of one round of checks (`--every`). `name` is `round`; `severity` is the worst of its records.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HealthRoundRecord {
    /// Its number, from 1.
    pub round: u64,
    /// Checks that were begun.
    pub checks: u64,
    /// Checks that were not, because they still hang from an earlier round.
    pub hanging: u64,
    /// Rounds before this one that were left out, because the one before them took too long.
    pub missed: u64,
    /// Milliseconds that the round took.
    pub elapsed_ms: u64,
}

impl Kind for HealthRoundRecord {
    const KIND: &'static str = "health.round";
    const COLUMNS: &'static [&'static str] = &["round", "checks", "hanging", "missed", "elapsed_ms"];
}

/// How far a probe came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Layer {
    /// The host name does not resolve.
    Resolve,
    /// No connection: refused, or none in time.
    Connect,
    /// The TLS handshake failed.
    Tls,
    /// Connected and spoken, but not let in: the password, pg_hba.conf, no such database, no free connection, starting up.
    Login,
    /// Connected, but the answer did not come, or not as a whole.
    Read,
    /// An answer with the wrong status.
    Http,
    /// The right status, but the body is something else.
    Body,
    /// The right kind of body, but a field is missing or is no value.
    Field,
    /// Let in, but the question failed.
    Query,
}

/// `health.metric`: one measured number with its limit. `name` is the specification's threshold where it has one
/// (`cpu_usage`, `memory_usage`, `disk_usage`, `sync_duration`, `error_rate`, `response_time`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HealthMetricRecord {
    /// The measured number.
    pub value: f64,
    /// The unit of `value` and `limit`: `percent`, `seconds`, `ms`, `bytes`, `count`, `ratio`.
    pub unit: String,
    /// The worst limit that the number is beyond, or the first one that it would be; absent when it is not judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<f64>,
    /// The limit beyond which the severity is `warning`, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning_limit: Option<f64>,
    /// The first limit beyond which the severity is `high` or `critical`, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub critical_limit: Option<f64>,
    /// Whether the limits are minima: the number is beyond one when it is smaller.
    #[serde(default, skip_serializing_if = "is_false")]
    pub minimum: bool,
    /// Milliseconds that the probe took.
    pub elapsed_ms: u64,
    /// What the number belongs to (`path`, `mount`, …).
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
}

impl Kind for HealthMetricRecord {
    const KIND: &'static str = "health.metric";
    const COLUMNS: &'static [&'static str] = &["value", "unit", "limit"];
}
