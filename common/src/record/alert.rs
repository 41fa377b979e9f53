//! What `pso-alert` tells people, and whether it arrived.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Kind, Labels, Timestamp};

/// Where an incident stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum IncidentState {
    /// The condition holds, but not yet for long enough.
    Pending,
    /// The condition holds.
    Firing,
    /// Nothing is known of it any more: who should report on it does not.
    NoData,
    /// A tool began and never ended: what it did not come to say is not known.
    Unfinished,
    /// It is over.
    Resolved,
}

/// Whether people are told of an incident, and if not, why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Telling {
    /// A message is on its way, by this run.
    Now,
    /// They were told before, and nothing has changed.
    Already,
    /// Not yet: the condition does not hold for long enough.
    Pending,
    /// A silence covers it.
    Silenced,
    /// It follows from another incident that fires.
    Inhibited,
    /// It comes and goes too often; its last state is told when it has calmed down.
    Flapping,
    /// Nobody wants to know: the rule has no channel, or tells no end.
    Unwanted,
}

/// Why people are told at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Because {
    /// It began.
    Fired,
    /// It became worse, or nothing is known of it any more.
    Worse,
    /// It is still so, and was told long ago.
    Again,
    /// It comes and goes; the next notice is of how it stands when it has calmed down.
    Flapping,
    /// It is over.
    Ended,
    /// Somebody says so (`pso-alert send`).
    ByHand,
    /// Somebody tries a channel (`pso-alert test`).
    Test,
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
    /// `at` of the earliest of them since the trouble began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_at: Option<Timestamp>,
    /// `at` of the latest of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_at: Option<Timestamp>,
    /// When it was over; absent while it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// How many times it has fired, this time included: with `incident` it names one episode of the trouble.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub episode: Option<u32>,
    /// Whether people are told, and if not, why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<Telling>,
    /// Why people are told now; absent when they are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<Because>,
    /// Where it stands what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runbook: Option<String>,
    /// What it is about: `host`, `tool` and `name` of the records, and the labels that tell them apart; of a notice by
    /// hand the labels that were given.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
}

impl Kind for AlertNoticeRecord {
    const KIND: &'static str = "alert.notice";
    const COLUMNS: &'static [&'static str] = &["incident", "state", "first_at", "count", "told"];
}

/// `alert.silence`: a time in which nobody is told of some incidents. `name` is its id, `message` its comment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AlertSilenceRecord {
    /// Its id, for `pso-alert silence expire`.
    pub id: String,
    /// What it covers: labels, `rule`, `severity`, `host`, `tool`, `name` and `kind`, each with a value or a pattern with `*`.
    /// All of them must fit.
    pub matchers: Labels,
    /// When it begins.
    pub starts_at: Timestamp,
    /// When it ends.
    pub ends_at: Timestamp,
    /// Who made it.
    pub by: String,
    /// Whether it holds now.
    pub active: bool,
}

impl Kind for AlertSilenceRecord {
    const KIND: &'static str = "alert.silence";
    const COLUMNS: &'static [&'static str] = &["matchers", "starts_at", "ends_at", "by", "active"];
}

/// `alert.channel`: how it stands with a channel. `name` is the channel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AlertChannelRecord {
    /// The channel.
    pub channel: String,
    /// Its type: `slack`, `email`, …
    pub r#type: String,
    /// Notices that wait to be delivered.
    pub waiting: u64,
    /// When the oldest of them was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest_at: Option<Timestamp>,
    /// When the next attempt is due; absent when nothing holds it up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_at: Option<Timestamp>,
    /// Since when it cannot be told; absent while it can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<Timestamp>,
    /// When it took a message last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<Timestamp>,
}

impl Kind for AlertChannelRecord {
    const KIND: &'static str = "alert.channel";
    const COLUMNS: &'static [&'static str] = &["type", "waiting", "oldest_at", "next_at", "failing_since", "sent_at"];
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
    /// The same for each attempt of one message, so that the other end can tell a second copy from a second message;
    /// absent where none could be made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Status that the other end answered (HTTP, SMTP, exit code of a command); absent when it answered none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Milliseconds that the attempt took.
    pub elapsed_ms: u64,
}

impl Kind for AlertDeliveryRecord {
    const KIND: &'static str = "alert.delivery";
    const COLUMNS: &'static [&'static str] = &["channel", "state", "attempt", "notices", "status", "elapsed_ms"];
}
