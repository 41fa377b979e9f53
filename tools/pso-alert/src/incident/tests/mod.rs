//! Tests of incidents, and what they share: records at given seconds, and evaluations with a state that lives through a restart.

mod absent;
mod held;
mod life;
mod model;
mod simulation;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use pso_common::record::{IncidentState, Telling};
use pso_common::{Severity, Timestamp};

use super::{Book, Change, Ground, Silence};
use crate::batch::{Batch, Completed};
use crate::few_labels::FewLabels;
use crate::finding::{Condition, Finding, Subject};
use crate::notice::Because;
use crate::policy::{Policy, RuleOptions};

/// So many seconds after the tests' beginning.
pub(super) fn at(second: i64) -> Timestamp {
    let begin: Timestamp = "2026-11-01T00:00:00Z".parse().expect("a time");
    Timestamp::from_unix_millis(begin.unix_millis() + second * 1_000)
}

pub(super) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(super) fn subject(kind: &str, name: &str) -> Subject {
    Subject {
        kind: kind.to_owned(),
        host: "h".to_owned(),
        tool: "t".to_owned(),
        name: name.to_owned(),
        labels: FewLabels::default(),
    }
}

/// The rule of all findings here.
pub(super) const RULE: &str = "rule";

pub(super) fn finding(kind: &str, name: &str, severity: Severity, second: i64) -> Finding {
    Finding::about(subject(kind, name), RULE, severity, "it says so", at(second))
}

pub(super) fn key(name: &str) -> String {
    format!("{RULE}/h/t/{name}")
}

/// What was told: incident, why, in which episode.
pub(super) type Said = (String, Because, u32);

/// Of this incident, in its first episode.
pub(super) fn one_of(name: &str, because: Because) -> Vec<Said> {
    vec![(name.to_owned(), because, 1)]
}

/// That is told of the incident `a`.
pub(super) fn one(because: Because, episode: u32) -> Vec<Said> {
    vec![("a".to_owned(), because, episode)]
}

/// A state, and what is done to it.
pub(super) struct World {
    pub(super) book: Book,
    pub(super) policy: Policy,
    pub(super) silences: Vec<Silence>,
    pub(super) batch: Batch,
    pub(super) holds: bool,
    /// Incidents as they lie in the state file.
    pub(super) file: HashMap<String, String>,
}

impl World {
    /// Without built-in inhibitions.
    pub(super) fn new(options: RuleOptions) -> Self {
        let mut policy = Policy { inhibitions: Vec::new(), ..Policy::default() };
        policy.rules.insert(RULE.to_owned(), options);
        Self {
            book: Book::default(),
            policy,
            silences: Vec::new(),
            batch: Batch::default(),
            holds: true,
            file: HashMap::new(),
        }
    }

    /// A record that finds something bad, or well.
    pub(super) fn record(&mut self, kind: &str, name: &str, severity: Severity, second: i64) {
        let subject = subject(kind, name);
        let bad = severity >= Severity::Warning;
        let findings = if bad { vec![finding(kind, name, severity, second)] } else { Vec::new() };
        self.batch.passed(at(second));
        self.batch.saw(&subject, at(second), findings);
    }

    pub(super) fn bad(&mut self, name: &str, second: i64) {
        self.record("health.check", name, Severity::High, second);
    }

    pub(super) fn well(&mut self, name: &str, second: i64) {
        self.record("health.check", name, Severity::Ok, second);
    }

    pub(super) fn unfinished(&mut self, name: &str, second: i64) {
        let finding = Finding { condition: Condition::Unfinished, ..finding("run", name, Severity::Warning, second) };
        self.batch.add(finding);
    }

    /// The tool's run came to its end.
    pub(super) fn completed(&mut self, began: i64, ended: i64) {
        self.completed_on("h", began, ended);
    }

    /// As [`World::completed`], on another host.
    pub(super) fn completed_on(&mut self, host: &str, began: i64, ended: i64) {
        let (host, tool) = (host.to_owned(), "t".to_owned());
        self.batch.completed.insert(Completed { host, tool, began_at: at(began), ended_at: at(ended) });
    }

    /// Evaluates what was recorded.
    pub(super) fn evaluate(&mut self, second: i64) -> Vec<Change> {
        let batch = std::mem::take(&mut self.batch);
        let now = at(second);
        let (policy, silences) = (&self.policy, self.silences.as_slice());
        let changes = self.book.evaluate(&batch, &Ground { source: "stdin", policy, silences, now, holds: self.holds });
        self.restart();
        changes
    }

    /// What is told by it.
    pub(super) fn said(&mut self, second: i64) -> Vec<Said> {
        said(&self.evaluate(second))
    }

    /// What lies in the state file is all that is left of it.
    fn restart(&mut self) {
        for key in std::mem::take(&mut self.book.changed) {
            match self.book.incidents.get(&key) {
                Some(incident) => self.file.insert(key, serde_json::to_string(incident.as_ref()).expect("JSON")),
                None => self.file.remove(&key),
            };
        }
        let read =
            |(key, text): (&String, &String)| (key.clone(), Arc::new(serde_json::from_str(text).expect("an incident")));
        let read: HashMap<_, _> = self.file.iter().map(read).collect();
        // Nothing that has changed was left unsaid, and nothing is lost in the file.
        assert_eq!(read, self.book.incidents);
        self.book.incidents = read;
        self.batch = Batch::new(self.book.known());
    }

    pub(super) fn state(&self, name: &str) -> Option<IncidentState> {
        self.book.incidents.get(&key(name)).map(|incident| incident.state)
    }
}

pub(super) fn said(changes: &[Change]) -> Vec<Said> {
    let told = |change: &Change| {
        change.because.map(|because| (change.incident.subject.name.clone(), because, change.incident.episode))
    };
    changes.iter().filter_map(told).collect()
}

pub(super) fn tellings(changes: &[Change]) -> Vec<(String, Telling)> {
    changes.iter().map(|change| (change.incident.subject.name.clone(), change.telling)).collect()
}

pub(super) fn silence(matchers: &[(&str, &str)], from: i64, to: i64) -> Silence {
    Silence {
        id: "s".to_owned(),
        matchers: matchers.iter().map(|(key, pattern)| ((*key).to_owned(), (*pattern).to_owned())).collect(),
        starts_at: at(from),
        ends_at: at(to),
        by: "me".to_owned(),
        comment: "why".to_owned(),
    }
}

/// The names in a set of keys.
pub(super) fn names(keys: &HashSet<String>) -> Vec<String> {
    let mut names: Vec<String> = keys.iter().filter_map(|key| key.rsplit('/').next().map(str::to_owned)).collect();
    names.sort();
    names
}
