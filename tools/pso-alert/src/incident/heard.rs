//! What was heard, and when: by it is known that somebody who should report does not.

use std::collections::HashMap;
use std::time::Duration;

use pso_common::Timestamp;
use pso_common::output::duration_ms;

use super::absence::DAY;
use crate::batch::Batch;
use crate::finding::{Condition, Finding, Subject};
use crate::policy::{Expectation, Policy};

/// Writing each time would cost more than it tells.
const GRAIN: Duration = Duration::from_secs(60);

/// What was not heard for so long, and is not expected, is forgotten.
const FORGET: Duration = Duration::from_secs(90 * DAY.as_secs());

/// Pipes and tools that are kept apart; beyond them new ones are not taken in.
const MAX_HEARD: usize = 10_000;

/// Pipe (`--source`), host and tool whose runs come to their end. Host and tool are empty for the pipe itself; what is
/// expected and was never heard begins with an entry without a host.
pub(crate) type Heard3 = (String, String, String);

/// When each was heard last.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Heard {
    pub(crate) at: HashMap<Heard3, Timestamp>,
    /// Entries that are not as they were read.
    pub(crate) changed: Vec<Heard3>,
}

impl Heard {
    /// Takes in a batch, and begins the clock of what was never expected before.
    pub(super) fn take_in(&mut self, batch: &Batch, source: &str, policy: &Policy, now: Timestamp) {
        if batch.until.is_some() {
            self.note((source.to_owned(), String::new(), String::new()), now);
        }
        for run in &batch.completed {
            self.note((source.to_owned(), run.host.clone(), run.tool.clone()), run.ended_at.min(now));
        }
        for expected in &policy.expect {
            if self.last(expected).is_none() {
                let part = |part: &Option<String>| part.clone().unwrap_or_default();
                self.note((part(&expected.source), String::new(), part(&expected.tool)), now);
            }
        }
        let old: Vec<Heard3> =
            self.at.iter().filter(|(_, at)| at.until(now) >= FORGET).map(|(key, _)| key.clone()).collect();
        for key in old {
            if !policy.expect.iter().any(|expected| concerns(expected, &key)) {
                self.at.remove(&key);
                self.changed.push(key);
            }
        }
    }

    fn note(&mut self, key: Heard3, at: Timestamp) {
        let leave = match self.at.get(&key) {
            Some(last) => last.until(at) < GRAIN,
            None => self.at.len() >= MAX_HEARD,
        };
        if !leave {
            self.at.insert(key.clone(), at);
            self.changed.push(key);
        }
    }

    /// Whether runs of a tool come to their end in that pipe: then it is they who say what is over.
    pub(super) fn completes(&self, source: &str, subject: &Subject) -> bool {
        self.at.contains_key(&(source.to_owned(), subject.host.clone(), subject.tool.clone()))
    }

    fn last(&self, expected: &Expectation) -> Option<Timestamp> {
        self.at.iter().filter(|(key, _)| concerns(expected, key)).map(|(_, at)| *at).max()
    }

    /// Those that should have been heard by now.
    pub(super) fn overdue(&self, policy: &Policy, now: Timestamp) -> Vec<Finding> {
        let overdue = |expected: &Expectation| {
            let last = self.last(expected)?;
            // What was noted may be older than what was heard.
            let late = last.until(now) >= expected.within.saturating_add(GRAIN.min(expected.within));
            late.then(|| finding(expected, last, now))
        };
        policy.expect.iter().filter_map(overdue).collect()
    }

    pub(super) fn pull_back(&mut self, now: Timestamp) {
        for (key, at) in &mut self.at {
            if *at > now {
                *at = now;
                self.changed.push(key.clone());
            }
        }
    }
}

fn concerns(expected: &Expectation, (source, _, tool): &Heard3) -> bool {
    expected.source.as_ref().is_none_or(|wanted| wanted == source)
        && expected.tool.as_ref().is_none_or(|wanted| wanted == tool)
}

/// Who that is, in words.
fn who(expected: &Expectation) -> String {
    match (&expected.tool, &expected.source) {
        (Some(tool), Some(source)) => format!("{tool} of {source}"),
        (Some(tool), None) => tool.clone(),
        (None, Some(source)) => source.clone(),
        (None, None) => "anything".to_owned(),
    }
}

fn finding(expected: &Expectation, last: Timestamp, now: Timestamp) -> Finding {
    let who = who(expected);
    let within = duration_ms(u64::try_from(expected.within.as_millis()).unwrap_or(u64::MAX));
    let message = format!("nothing was heard of {who} since {last}: it should report every {within}");
    let subject =
        Subject { kind: super::absence::SOURCE.to_owned(), name: crate::finding::bounded(&who), ..Subject::input("") };
    Finding { condition: Condition::NoData, ..Finding::about(subject, "no_data", expected.severity, &message, now) }
}
