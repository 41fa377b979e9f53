//! Incidents: what is wrong over time, and when people are told of it. Pure: no clock, no file, no network.
//!
//! ```text
//!            bad                 bad for long enough
//!  (nothing) ────▶ pending ────────────────────────▶ firing ─────────────▶ resolved
//!                     │ well                          ▲  │ well for long enough  │
//!                     ▼                               │  ▼                       │
//!                 (nothing)                    no data, unfinished               │
//!                     ▲                                                          │ bad: the next episode
//!                     └──────────────────────────────────────────────────────────┘
//! ```
//!
//! What is told is decided from the state and from what was told before, not from the change alone: a run that dies, a silence
//! that ends or an inhibition that is lifted loses nothing.

mod machine;

use std::collections::HashMap;

use pso_common::record::{IncidentState, Labels, Telling};
use pso_common::{Severity, Timestamp};
use serde::{Deserialize, Serialize};

use crate::batch::{Batch, Known};
use crate::finding::Subject;
use crate::notice::{Because, Notice};
use crate::policy::Policy;

/// One thing that is, or was, wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Incident {
    /// Stable key: the same trouble gives the same key in every run.
    pub(crate) key: String,
    pub(crate) subject: Subject,
    /// The pipe that reported it (`--source`).
    pub(crate) source: String,
    pub(crate) rule: String,
    pub(crate) state: IncidentState,
    pub(crate) severity: Severity,
    pub(crate) message: String,
    pub(crate) labels: Labels,
    /// Records of this episode.
    pub(crate) count: u64,
    /// Which time it fires, from 1.
    pub(crate) episode: u32,
    /// `at` of the first record of this episode.
    pub(crate) since: Timestamp,
    /// `at` of the last record that showed the trouble.
    pub(crate) last_at: Timestamp,
    /// `at` of the last record about it, good or bad.
    pub(crate) seen_at: Timestamp,
    /// Since when it is well, while that is not long enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) well_since: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ended_at: Option<Timestamp>,
    /// What people were told of this episode; absent when nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) told: Option<Told>,
    /// Its last beginnings and ends, the newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) changes: Vec<Timestamp>,
}

/// What people were told last of an episode.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Told {
    pub(crate) at: Timestamp,
    pub(crate) severity: Severity,
    /// How many times it was told again.
    pub(crate) again: u32,
}

/// One moment of an incident, and what comes of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Change {
    /// As it was at that moment.
    pub(crate) incident: Incident,
    pub(crate) telling: Telling,
    /// Why people are told, where they are.
    pub(crate) because: Option<Because>,
}

impl Incident {
    /// Whether it is not over.
    pub(crate) const fn is_open(&self) -> bool {
        !matches!(self.state, IncidentState::Resolved)
    }

    /// This moment of it, as people are told.
    pub(crate) fn notice(&self, because: Because, runbook: Option<&str>) -> Notice {
        Notice {
            incident: self.key.clone(),
            episode: self.episode,
            rule: self.rule.clone(),
            state: self.state,
            because,
            severity: self.severity,
            message: self.message.clone(),
            count: self.count,
            labels: self.labels.clone(),
            first_at: self.since,
            last_at: self.last_at,
            ended_at: self.ended_at,
            runbook: runbook.map(str::to_owned),
        }
    }
}

/// The incidents that an evaluation works on: all that are not over, and those that the batch speaks of.
#[derive(Debug, Default)]
pub(crate) struct Book {
    pub(crate) incidents: HashMap<String, Incident>,
}

impl Book {
    /// The subjects of what is not over.
    pub(crate) fn known(&self) -> Known {
        let mut known = Known::new();
        for incident in self.incidents.values().filter(|incident| incident.is_open()) {
            known.entry(incident.subject.clone()).or_default().push(incident.key.clone());
        }
        known
    }

    /// Lets a batch, and time, act on the incidents. Returns each moment that is worth a record, in the order in which
    /// people read: worst first. What is gone without a trace is removed from the book.
    pub(crate) fn evaluate(&mut self, batch: &Batch, source: &str, policy: &Policy, now: Timestamp) -> Vec<Change> {
        machine::evaluate(self, batch, source, policy, now)
    }
}
