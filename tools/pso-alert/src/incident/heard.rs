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

/// Pipe (`--source`), host and tool whose runs come to their end. Host and tool are empty for the pipe itself.
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
                self.note(begun(expected), now);
            }
        }
        let old: Vec<Heard3> =
            self.at.iter().filter(|(_, at)| at.until(now) >= FORGET).map(|(key, _)| key.clone()).collect();
        for key in old {
            if !policy.expect.iter().any(|expected| concerns(expected, &key) || key == begun(expected)) {
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
        let heard = self.at.iter().filter(|(key, _)| concerns(expected, key)).map(|(_, at)| *at).max();
        heard.or_else(|| self.at.get(&begun(expected)).copied())
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

fn concerns(expected: &Expectation, (source, host, tool): &Heard3) -> bool {
    let fits = |wanted: &Option<String>, is: &String| wanted.as_ref().is_none_or(|wanted| wanted == is);
    fits(&expected.source, source) && fits(&expected.host, host) && fits(&expected.tool, tool)
}

/// The entry that says since when something is expected that was never heard.
fn begun(expected: &Expectation) -> Heard3 {
    (String::new(), who(expected), "expect".to_owned())
}

/// Who that is, in words.
fn who(expected: &Expectation) -> String {
    let mut who = expected.tool.clone().unwrap_or_default();
    for (word, part) in [("of", &expected.source), ("on", &expected.host)] {
        if let Some(part) = part {
            who = if who.is_empty() { part.clone() } else { format!("{who} {word} {part}") };
        }
    }
    who
}

fn finding(expected: &Expectation, last: Timestamp, now: Timestamp) -> Finding {
    let who = who(expected);
    let within = duration_ms(u64::try_from(expected.within.as_millis()).unwrap_or(u64::MAX));
    let message = format!("nothing was heard of {who} since {last}: it should report every {within}");
    let subject =
        Subject { kind: super::absence::SOURCE.to_owned(), name: crate::finding::bounded(&who), ..Subject::input("") };
    Finding { condition: Condition::NoData, ..Finding::about(subject, "no_data", expected.severity, &message, now) }
}
