//! What `pso-alert` tells people, and whether it arrived.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Kind, Labels, Timestamp};

/// Where an incident stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum IncidentState {
    /// The condition holds, but not yet for long enough.
    Pending,
    /// People are told.
    Firing,
    /// It is over.
    Resolved,
}

/// `alert.notice`: something that people should know. `name` is the rule, `message` is what they read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AlertNoticeRecord {
    /// Stable key of the incident: the same trouble gives the same key in every run.
    pub incident: String,
    /// The rule that made it.
    pub rule: String,
    /// Where the incident stands.
    pub state: IncidentState,
    /// Records that it speaks for.
    pub count: u64,
    /// `at` of the earliest of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_at: Option<Timestamp>,
    /// `at` of the latest of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_at: Option<Timestamp>,
    /// What it is about: `host`, `tool` and `name` of the records, and the labels that tell them apart; of a notice by
    /// hand the labels that were given.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
}

impl Kind for AlertNoticeRecord {
    const KIND: &'static str = "alert.notice";
    const COLUMNS: &'static [&'static str] = &["rule", "state", "count"];
}

/// How far a delivery has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryState {
    /// The other end took it.
    Sent,
    /// It did not arrive yet; it will be tried again.
    Retrying,
    /// It will not arrive.
    Failed,
    /// It was given up because it is too old.
    Expired,
}

/// `alert.delivery`: one attempt to tell one channel. `name` is the channel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AlertDeliveryRecord {
    /// The channel: `slack`, `discord`, `webhook`, `stdout`, …
    pub channel: String,
    /// How far it has come.
    pub state: DeliveryState,
    /// Number of this attempt, from 1; 0 when none could be made.
    pub attempt: u32,
    /// Notices in this delivery.
    pub notices: u64,
    /// HTTP status that the other end answered; absent when it answered none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Milliseconds that the attempt took.
    pub elapsed_ms: u64,
}

impl Kind for AlertDeliveryRecord {
    const KIND: &'static str = "alert.delivery";
    const COLUMNS: &'static [&'static str] = &["channel", "state", "attempt", "notices", "status", "elapsed_ms"];
}
