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
    /// Connected, but the answer did not come, or not as a whole.
    Read,
    /// An answer with the wrong status.
    Http,
    /// The right status, but the body is something else.
    Body,
    /// The right kind of body, but a field is missing or is no value.
    Field,
}

/// `health.metric`: one measured number with its limit. `name` is the specification's threshold where it has one
/// (`cpu_usage`, `memory_usage`, `disk_usage`, `sync_duration`, `error_rate`, `response_time`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HealthMetricRecord {
    /// The measured number.
    pub value: f64,
    /// The unit of `value` and `limit`: `percent`, `seconds`, `ms`, `bytes`, `count`.
    pub unit: String,
    /// The limit beyond which the record's severity is not `ok`; absent when the number is not judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<f64>,
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
