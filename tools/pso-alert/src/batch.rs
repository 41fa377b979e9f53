//! What one input, or one round of it, says of incidents: gathered while records are read, judged as a whole at the end.
//!
//! Records themselves are not kept. Of each incident a few steps remain (it was bad from then to then, it was well …), and of
//! what is well only what was known to be otherwise, so that a million records need no more memory than a thousand.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use pso_common::{Severity, Timestamp};

use crate::finding::{Finding, Subject, rank};

/// Incidents that are kept apart. Beyond them only the number and the worst are told.
const MAX_INCIDENTS: usize = 10_000;

/// Changes of one incident within one batch; beyond them only the last state counts.
const MAX_STEPS: usize = 16;

/// What is known of subjects before the batch begins: those of incidents that are not over, with the incidents' keys.
pub(crate) type Known = HashMap<Arc<Subject>, Vec<String>>;

/// A stretch of time in which an incident was bad, or well.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Step {
    /// What is wrong; absent where all was well.
    pub(crate) trouble: Option<Finding>,
    /// `at` of the first record of this stretch.
    pub(crate) from: Timestamp,
    /// `at` of the last one.
    pub(crate) to: Timestamp,
}

/// What a batch says of one incident, in the order of the input.
#[derive(Clone, Debug, Default)]
pub(crate) struct Track {
    pub(crate) steps: Vec<Step>,
}

impl Track {
    fn push(&mut self, step: Step) {
        let full = self.steps.len() >= MAX_STEPS;
        match self.steps.last_mut() {
            Some(last) if full || last.trouble.is_some() == step.trouble.is_some() => {
                last.to = last.to.max(step.to);
                match (&mut last.trouble, step.trouble) {
                    (Some(known), Some(more)) => known.absorb(more),
                    (known, other) => *known = other,
                }
            }
            _ => {
                // Nearly all have one, and a growing list would have room for four.
                self.steps.reserve_exact(1);
                self.steps.push(step);
            }
        }
    }
}

/// A tool whose run (or round) came to its end in this batch: what it did not mention is not there any more.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Completed {
    pub(crate) host: String,
    pub(crate) tool: String,
    /// When that run, or round, began: what it mentioned was seen since.
    pub(crate) began_at: Timestamp,
    /// When it ended.
    pub(crate) ended_at: Timestamp,
}

/// One input, or one round of it.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// Incidents by their key.
    pub(crate) tracks: HashMap<String, Track>,
    pub(crate) completed: HashSet<Completed>,
    /// `at` of the latest record.
    pub(crate) until: Option<Timestamp>,
    known: Known,
    /// Incidents of this batch by their subject.
    seen: HashMap<Arc<Subject>, Vec<String>>,
    overflow: Option<Finding>,
}

impl Batch {
    /// An empty batch; `known` are the incidents that are not over.
    pub(crate) fn new(known: Known) -> Self {
        Self { known, ..Self::default() }
    }

    /// Whether a record that finds nothing wrong can change anything: if not, its subject need not be looked at.
    pub(crate) fn is_listening(&self) -> bool {
        !self.known.is_empty() || !self.seen.is_empty()
    }

    /// A subject as it is held here, so that ten thousand of them are held once.
    pub(crate) fn shared(&self, subject: &Subject) -> Option<Arc<Subject>> {
        let known = self.known.get_key_value(subject).or_else(|| self.seen.get_key_value(subject));
        known.map(|(subject, _)| Arc::clone(subject))
    }

    /// Takes in the moment of a record.
    pub(crate) fn passed(&mut self, at: Timestamp) {
        self.until = Some(self.until.map_or(at, |until| until.max(at)));
    }

    /// Takes in what a record says of its subject: what it finds, and that all else known of that subject is well.
    pub(crate) fn saw(&mut self, subject: &Subject, at: Timestamp, findings: Vec<Finding>) {
        let known = self.known.get(subject).into_iter().flatten();
        let seen = self.seen.get(subject).into_iter().flatten();
        let mut well: Vec<String> = known.chain(seen).cloned().collect();
        well.sort_unstable();
        well.dedup();
        well.retain(|key| findings.iter().all(|finding| finding.incident != *key));
        for key in well {
            let track = self.tracks.entry(key).or_default();
            // Events do not take each other back.
            if subject.is_level() || track.steps.iter().all(|step| step.trouble.is_none()) {
                track.push(Step { trouble: None, from: at, to: at });
            }
        }
        findings.into_iter().for_each(|finding| self.add(finding));
    }

    /// Takes in one finding.
    pub(crate) fn add(&mut self, mut finding: Finding) {
        if let Some(subject) = self.shared(&finding.subject) {
            finding.subject = subject;
        }
        let key = finding.incident.clone();
        if !self.tracks.contains_key(&key) && self.tracks.len() >= MAX_INCIDENTS {
            match &mut self.overflow {
                Some(overflow) => overflow.absorb(finding),
                None => self.overflow = Some(finding),
            }
            return;
        }
        let keys = self.seen.entry(Arc::clone(&finding.subject)).or_default();
        if !keys.contains(&key) {
            keys.reserve_exact(1);
            keys.push(key.clone());
        }
        let (from, to) = (finding.first_at, finding.last_at);
        let track = self.tracks.entry(key).or_default();
        if !finding.subject.is_level() {
            // Events do not take each other back, whichever came first.
            track.steps.retain(|step| step.trouble.is_some());
        }
        track.push(Step { trouble: Some(finding), from, to });
    }

    /// Ends the gathering: what did not fit becomes an incident of its own.
    pub(crate) fn close(&mut self, source: &str, now: Timestamp) {
        let Some(worst) = self.overflow.take() else { return };
        let message = format!(
            "{} more findings about other incidents than the {MAX_INCIDENTS} told one by one; the worst of them: {}",
            worst.count, worst.message
        );
        let mut rest = Finding::about(Subject::input(source), "incidents.overflow", worst.severity, &message, now);
        rest.count = worst.count;
        (rest.first_at, rest.last_at) = (worst.first_at, worst.last_at);
        let step = Step { from: rest.first_at, to: rest.last_at, trouble: Some(rest.clone()) };
        self.tracks.entry(rest.incident).or_default().push(step);
    }

    /// The worst that is in it.
    pub(crate) fn worst(&self) -> Severity {
        let troubles = self.tracks.values().flat_map(|track| &track.steps).filter_map(|step| step.trouble.as_ref());
        troubles.map(|trouble| trouble.severity).max_by_key(|severity| rank(*severity)).unwrap_or(Severity::Ok)
    }
}

impl Subject {
    /// Whether its records tell how it stands, so that a later one replaces an earlier one. All others tell of events, which
    /// do not take each other back.
    pub(crate) fn is_level(&self) -> bool {
        ["health.", "backup.", "run", "input", "source", "alert.channel"]
            .iter()
            .any(|start| self.kind.starts_with(start))
    }
}

#[cfg(test)]
mod tests {
    use pso_common::record::{Header, Labels};

    use super::*;

    fn at(second: u8) -> Timestamp {
        format!("2026-11-22T09:00:{second:02}Z").parse().expect("a time")
    }

    fn finding(kind: &str, name: &str, severity: Severity, second: u8) -> Finding {
        let header = Header {
            schema: 1,
            kind: kind.to_owned(),
            at: at(second),
            tool: "t".to_owned(),
            host: "h".to_owned(),
            severity,
            name: name.to_owned(),
            message: String::new(),
        };
        Finding::of(&header, "rule", severity, name, Labels::new())
    }

    fn saw(batch: &mut Batch, kind: &str, bad: bool, second: u8) {
        let finding = finding(kind, "n", Severity::High, second);
        let subject = finding.subject.clone();
        batch.saw(&subject, at(second), if bad { vec![finding] } else { Vec::new() });
    }

    fn steps(batch: &Batch) -> Vec<(bool, Timestamp, Timestamp)> {
        let track = &batch.tracks["rule/h/t/n"];
        track.steps.iter().map(|step| (step.trouble.is_some(), step.from, step.to)).collect()
    }

    #[test]
    fn a_level_has_its_history_and_an_event_stays() {
        let mut batch = Batch::default();
        for (second, bad) in [(1, true), (2, true), (3, false), (4, false), (5, true)] {
            saw(&mut batch, "health.check", bad, second);
        }
        assert_eq!(steps(&batch), [(true, at(1), at(2)), (false, at(3), at(4)), (true, at(5), at(5))]);
        let mut batch = Batch::default();
        for (second, bad) in [(1, true), (2, false), (3, true)] {
            saw(&mut batch, "log.event", bad, second);
        }
        assert_eq!(steps(&batch), [(true, at(1), at(3))]);
    }

    #[test]
    fn a_good_event_before_a_bad_one_ends_nothing() {
        let subject = finding("log.event", "n", Severity::High, 1).subject;
        let mut batch = Batch::new(Known::from([(subject, vec!["rule/h/t/n".to_owned()])]));
        for (second, bad) in [(1, false), (2, true), (3, false)] {
            saw(&mut batch, "log.event", bad, second);
        }
        assert_eq!(steps(&batch), [(true, at(2), at(2))]);
    }

    #[test]
    fn what_is_well_is_kept_only_where_it_was_known_to_be_otherwise() {
        let mut batch = Batch::default();
        saw(&mut batch, "health.check", false, 1);
        assert!(batch.tracks.is_empty() && !batch.is_listening());
        let subject = finding("health.check", "n", Severity::High, 1).subject;
        let mut batch = Batch::new(Known::from([(subject, vec!["rule/h/t/n".to_owned()])]));
        saw(&mut batch, "health.check", false, 1);
        assert_eq!(steps(&batch), [(false, at(1), at(1))]);
    }

    #[test]
    fn what_is_beyond_the_cap_is_counted_and_its_worst_is_told() {
        let mut batch = Batch::default();
        for number in 0..MAX_INCIDENTS + 5 {
            batch.add(finding("x.y", &format!("n{number}"), Severity::High, 1));
        }
        batch.add(finding("x.y", "the worst", Severity::Critical, 1));
        batch.add(finding("x.y", "n0", Severity::High, 1));
        batch.close("stdin", at(2));
        assert_eq!(batch.tracks.len(), MAX_INCIDENTS + 1);
        let rest = batch.tracks.values().filter_map(|track| track.steps[0].trouble.as_ref());
        let rest = rest.clone().find(|finding| &*finding.rule == "incidents.overflow").expect("told");
        assert_eq!((rest.severity, rest.count), (Severity::Critical, 6));
        assert!(rest.message.ends_with("the worst of them: the worst"), "{}", rest.message);
        assert_eq!(batch.worst(), Severity::Critical);
    }
}
