//! What `pso-health` sees.

use std::collections::BTreeMap;

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

/// `health.target`: something that `pso-health -` looks at beside what its configuration names. It is read, not written:
/// whoever knows of a target prints one. `name` is the check's name, without its `http.`, `tcp.` or `command.`; `severity`
/// and `message` mean nothing. Exactly one of `http`, `tcp` and `command` says what is looked at.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HealthTargetRecord {
    /// A URL that must answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<String>,
    /// A port that must take connections: `HOST:PORT`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tcp: Option<String>,
    /// A program and its arguments, run as a Nagios plugin; only with `--allow-commands`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Vec<String>>,
    /// For `http`: `GET` or `HEAD`; `GET` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// For `http`: the statuses that are right; 200 when absent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub status: Vec<u16>,
    /// For `http`: a text that the body must hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contains: Option<String>,
    /// For `http`: what must stand in the body at dotted paths, such as `{"status": "healthy"}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub json: BTreeMap<String, String>,
    /// For `http` and `tcp`: a longer answer than this is a warning, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_ms: Option<u64>,
    /// For `tcp`: whether TLS must be spoken there, with a certificate that can be trusted.
    #[serde(default, skip_serializing_if = "is_false")]
    pub tls: bool,
    /// A file with the root certificates to trust, as this machine's `pso-health` can read it; Mozilla's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<String>,
    /// How long one attempt may take, in milliseconds; `--timeout` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// How often a failed attempt is repeated; `--retries` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries: Option<u32>,
}

impl Kind for HealthTargetRecord {
    const KIND: &'static str = "health.target";
    const COLUMNS: &'static [&'static str] = &["http", "tcp", "command"];
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
    /// The unit of `value` and `limit`: `percent`, `seconds`, `ms`, `bytes`, `count`, `ratio`, `MB/s`, or what a plugin says.
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
