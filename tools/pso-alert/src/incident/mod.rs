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
//! Three things come one after the other: what the records say ([`step`]), what time does to all that is not over ([`absence`],
//! [`step::pass`]), and what of that people are told ([`decide`]), held back by silences ([`silence`]) and by what it follows
//! from ([`inhibit`]). What is told is decided from the state and from what was told before, not from the change alone: a run
//! that dies, a silence that ends or an inhibition that is lifted loses nothing.

mod absence;
mod decide;
mod flap;
mod heard;
mod inhibit;
mod machine;
mod quiet;
mod silence;
mod step;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use pso_common::record::{IncidentState, Telling};
use pso_common::{Severity, Timestamp};
use serde::{Deserialize, Serialize};

use crate::batch::{Batch, Known};
use crate::finding::Subject;
use crate::notice::{Because, Notice};
use crate::policy::{Matchers, Policy};
use crate::text::one_line;

pub(crate) use absence::ROUNDS;
pub(crate) use heard::Heard;
pub(crate) use inhibit::built_in as built_in_inhibitions;
pub(crate) use quiet::told_from;
pub(crate) use silence::Silence;

/// One thing that is, or was, wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Incident {
    /// Stable key: the same trouble gives the same key in every run.
    pub(crate) key: String,
    #[serde(with = "crate::finding::shared")]
    pub(crate) subject: Arc<Subject>,
    /// The pipe that reported it last (`--source`).
    pub(crate) source: String,
    pub(crate) rule: String,
    pub(crate) state: IncidentState,
    pub(crate) severity: Severity,
    pub(crate) message: String,
    /// Records of this episode.
    pub(crate) count: u64,
    /// Which time it fires, from 1.
    pub(crate) episode: u32,
    /// `at` of the first record of this episode.
    pub(crate) since: Timestamp,
    /// `at` of the last record that showed the trouble.
    pub(crate) last_at: Timestamp,
    /// `at` of the last record about it, good or bad, by the clock of whoever wrote it: it is held against the beginning of
    /// that tool's later runs.
    pub(crate) seen_at: Timestamp,
    /// When a run of its tool first came to its end without a word about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) missed_at: Option<Timestamp>,
    /// When what it followed from was over, or it followed from that no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) freed_at: Option<Timestamp>,
    /// Since when it is well, while that is not long enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) well_since: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ended_at: Option<Timestamp>,
    /// What people believe: absent when they were told nothing, or were told last that it is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) told: Option<Told>,
    /// Its last beginnings and ends, the newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) changes: Vec<Timestamp>,
    /// It comes and goes too often.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) flapping: bool,
    /// While this episode is pending: how the one before it ended. If nothing comes of this one, that is what is left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) before: Option<Box<Incident>>,
}

/// What people were told last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Told {
    pub(crate) at: Timestamp,
    pub(crate) severity: Severity,
    /// The worst that was told of this episode: whoever was told of that is told the end.
    pub(crate) worst: Severity,
    pub(crate) state: IncidentState,
    /// Of which episode.
    pub(crate) episode: u32,
    /// How many times it was told again.
    pub(crate) again: u32,
    /// That it comes and goes, and that they will hear of it when it has calmed down.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) flaps: bool,
}

/// One moment of an incident, and what comes of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Change {
    /// As it was at that moment.
    pub(crate) incident: Arc<Incident>,
    pub(crate) telling: Telling,
    /// Why people are told, where they are.
    pub(crate) because: Option<Because>,
}

impl Incident {
    /// Whether it is not over.
    pub(crate) const fn is_open(&self) -> bool {
        !matches!(self.state, IncidentState::Resolved)
    }

    /// Whether the trouble is there for sure: neither pending nor over.
    pub(crate) const fn is_firing(&self) -> bool {
        !matches!(self.state, IncidentState::Resolved | IncidentState::Pending)
    }

    /// Whether time can do nothing to it any more: it is over, and people know.
    pub(crate) const fn is_settled(&self) -> bool {
        !self.is_open() && self.told.is_none() && !self.flapping
    }

    /// This moment of it, as people are told.
    pub(crate) fn notice(&self, because: Because, runbook: Option<&str>) -> Notice {
        let message = match because {
            Because::Flapping => flap::message(self),
            _ => self.message.clone(),
        };
        Notice {
            incident: self.key.clone(),
            episode: self.episode,
            rule: self.rule.clone(),
            state: self.state,
            because,
            severity: self.severity,
            message,
            count: self.count,
            labels: self.subject.all_labels(),
            first_at: self.since,
            last_at: self.last_at,
            ended_at: self.ended_at,
            runbook: runbook.map(str::to_owned),
        }
    }

    /// What a matcher's key means for it.
    fn value(&self, key: &str) -> Option<&str> {
        Some(match key {
            "rule" => &self.rule,
            "kind" => &self.subject.kind,
            "state" => state_name(self.state),
            "severity" => self.severity.as_str(),
            label => return self.subject.label(label),
        })
    }

    /// Whether all of them fit; a label that it does not have fits nothing.
    pub(crate) fn fits(&self, matchers: &Matchers) -> bool {
        let fits = |(key, pattern): (&String, &String)| {
            self.value(key).is_some_and(|value| crate::pattern::fits(pattern, value))
        };
        matchers.iter().all(fits)
    }
}

/// A state as records carry it.
const fn state_name(state: IncidentState) -> &'static str {
    match state {
        IncidentState::Pending => "pending",
        IncidentState::Firing => "firing",
        IncidentState::NoData => "no_data",
        IncidentState::Unfinished => "unfinished",
        IncidentState::Resolved => "resolved",
    }
}

/// A message that is put before another.
fn before_message(what: &str, message: &str) -> String {
    one_line(&format!("{what}: {message}"), crate::finding::MAX_MESSAGE)
}

/// What an evaluation must know beside the batch and the book.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ground<'a> {
    /// The pipe that the batch came from.
    pub(crate) source: &'a str,
    pub(crate) policy: &'a Policy,
    pub(crate) silences: &'a [Silence],
    pub(crate) now: Timestamp,
    /// Whether an incident waits until it has held for long enough. Without a state file that lasts it never would: then it
    /// is told at once.
    pub(crate) holds: bool,
}

/// The incidents that an evaluation works on: all that time can act on, and those that the batch speaks of.
#[derive(Debug, Default)]
pub(crate) struct Book {
    pub(crate) incidents: HashMap<String, Arc<Incident>>,
    pub(crate) heard: Heard,
    /// Keys of those that are not as they were read.
    pub(crate) changed: HashSet<String>,
}

impl Book {
    /// The subjects of what is not over.
    pub(crate) fn known(&self) -> Known {
        let mut known = Known::new();
        for incident in self.incidents.values().filter(|incident| incident.is_open()) {
            let keys = known.entry(Arc::clone(&incident.subject)).or_default();
            keys.reserve_exact(1);
            keys.push(incident.key.clone());
        }
        known
    }

    /// Lets a batch, and time, act on the incidents. Returns each moment that is worth a record: worst incidents first, as
    /// people read, and the moments of one in the order in which they came. What is gone without a trace is removed from the
    /// book.
    pub(crate) fn evaluate(&mut self, batch: &Batch, ground: &Ground<'_>) -> Vec<Change> {
        machine::evaluate(self, batch, ground)
    }

    /// How all stands, worst first, and whether people are told; nothing is changed.
    pub(crate) fn standing(&self, ground: &Ground<'_>) -> Vec<Change> {
        machine::standing(self, ground)
    }

    /// A clock that went back: nothing may lie in the future.
    pub(crate) fn pull_back(&mut self, now: Timestamp) {
        for (key, incident) in &mut self.incidents {
            if step::pull_back(incident, now) {
                self.changed.insert(key.clone());
            }
        }
        self.heard.pull_back(now);
    }
}

#[cfg(test)]
mod tests;
