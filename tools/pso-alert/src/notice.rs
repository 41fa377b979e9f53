//! What people are told: one moment of one incident, as it lies in the outbox and as channels show it.

use pso_common::io::host_name;
pub(crate) use pso_common::record::Because;
use pso_common::record::{AlertNoticeRecord, IncidentState, Labels, Telling};
use pso_common::{Severity, Timestamp};
use serde::{Deserialize, Serialize};

use crate::finding::{bounded, rank};
use crate::text::one_line;

/// Longest message by hand, in bytes; each channel cuts it to its own limit.
const MAX_MESSAGE_BY_HAND: usize = 10_000;

/// One moment of one incident.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Notice {
    /// Stable key of the incident.
    pub(crate) incident: String,
    /// Which time it fires, from 1.
    pub(crate) episode: u32,
    pub(crate) rule: String,
    pub(crate) state: IncidentState,
    pub(crate) because: Because,
    pub(crate) severity: Severity,
    pub(crate) message: String,
    /// Records that it speaks for.
    pub(crate) count: u64,
    pub(crate) labels: Labels,
    pub(crate) first_at: Timestamp,
    pub(crate) last_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ended_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) runbook: Option<String>,
}

impl Notice {
    /// A notice by hand. Its labels say what it is about; without any, its text does.
    pub(crate) fn by_hand(severity: Severity, message: &str, labels: Labels, now: Timestamp) -> Self {
        let about = if labels.is_empty() {
            message.to_owned()
        } else {
            labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
        };
        Self {
            incident: bounded(&format!("send/{}/{about}", host_name())),
            episode: 1,
            rule: "send".to_owned(),
            state: IncidentState::Firing,
            because: Because::ByHand,
            severity,
            message: one_line(message, MAX_MESSAGE_BY_HAND),
            count: 1,
            labels,
            first_at: now,
            last_at: now,
            ended_at: None,
            runbook: None,
        }
    }

    /// The record's own fields.
    pub(crate) fn record(&self, told: Telling) -> AlertNoticeRecord {
        AlertNoticeRecord {
            incident: self.incident.clone(),
            rule: self.rule.clone(),
            state: self.state,
            count: self.count,
            first_at: Some(self.first_at),
            last_at: Some(self.last_at),
            ended_at: self.ended_at,
            episode: Some(self.episode),
            told: Some(told),
            because: (told == Telling::Now).then_some(self.because),
            runbook: self.runbook.clone(),
            labels: self.labels.clone(),
        }
    }

    /// Whether a channel that is not told what is less bad, and perhaps not the end, is to be told.
    pub(crate) const fn is_wanted(&self, min_severity: Severity, ends: bool) -> bool {
        rank(self.severity) >= rank(min_severity) && (ends || !self.is_end())
    }

    /// Whether it says that something is over.
    pub(crate) const fn is_end(&self) -> bool {
        matches!(self.state, IncidentState::Resolved)
    }
}
