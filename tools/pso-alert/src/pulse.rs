//! Tools that report in rounds, and whether they still do: a pipe that stays open and says nothing is not all well.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use pso_common::output::duration_ms;
use pso_common::record::{Header, Labels};
use pso_common::{Severity, Timestamp};

use crate::finding::{Condition, Finding, Subject};
use crate::incident::ROUNDS;

/// The longest gap between two rounds, so many times over, is too long.
const PATIENCE: u32 = 3;

/// A round that is late by less is not worth a word.
const AT_LEAST: Duration = Duration::from_secs(60);

/// Tools that are followed at a time.
const MAX_TOOLS: usize = 1_000;

/// When each tool of this input ended a round. By the clock that nobody sets.
#[derive(Default)]
pub(crate) struct Pulse(HashMap<Subject, Beat>);

struct Beat {
    last: Instant,
    /// Between two rounds; nothing after the first.
    longest: Duration,
    /// It was said that it is late.
    late: bool,
}

impl Pulse {
    /// Takes in the end of a round. Returns the subject that is well by it.
    pub(crate) fn round(&mut self, header: &Header, now: Instant) -> Subject {
        let subject = Subject { kind: ROUNDS.to_owned(), ..Subject::of(header, &Labels::new()) };
        let subject = Subject { name: subject.tool.clone(), ..subject };
        if let Some(beat) = self.0.get_mut(&subject) {
            // How long it was silent says nothing of how long its rounds take.
            if !beat.late {
                beat.longest = beat.longest.max(now.saturating_duration_since(beat.last));
            }
            (beat.last, beat.late) = (now, false);
        } else if self.0.len() < MAX_TOOLS {
            self.0.insert(subject.clone(), Beat { last: now, longest: Duration::ZERO, late: false });
        }
        subject
    }

    /// Those that have become late.
    pub(crate) fn late(&mut self, severity: Severity, now: Instant, at: Timestamp) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (subject, beat) in &mut self.0 {
            let silent = now.saturating_duration_since(beat.last);
            if !beat.late && !beat.longest.is_zero() && silent >= (beat.longest * PATIENCE).max(AT_LEAST) {
                beat.late = true;
                let span = |span: Duration| duration_ms(u64::try_from(span.as_millis()).unwrap_or(u64::MAX));
                let message = format!(
                    "{} has said nothing for {}; its rounds took {} at most",
                    subject.tool,
                    span(silent),
                    span(beat.longest)
                );
                let finding = Finding::about(subject.clone(), "no_data", severity, &message, at);
                findings.push(Finding { condition: Condition::NoData, ..finding });
            }
        }
        findings
    }
}

#[cfg(test)]
mod tests {
    use pso_common::record::AnyRecord;

    use super::*;

    #[test]
    fn a_round_is_late_when_three_of_the_longest_fit_into_the_silence() {
        let line = r#"{"schema":1,"kind":"health.round","at":"2026-11-22T09:00:00Z","tool":"pso-health","host":"h","severity":"ok","name":"round","message":""}"#;
        let header = AnyRecord::parse(line.to_owned()).expect("a record").header;
        let (mut pulse, begin) = (Pulse::default(), Instant::now());
        let after = |seconds| begin + Duration::from_secs(seconds);
        let late = |pulse: &mut Pulse, seconds| {
            let findings = pulse.late(Severity::High, after(seconds), header.at);
            findings.into_iter().map(|finding| finding.message).collect::<Vec<_>>()
        };
        pulse.round(&header, begin);
        // One round has no rhythm.
        assert!(late(&mut pulse, 100_000).is_empty());
        pulse.round(&header, after(300));
        pulse.round(&header, after(310));
        assert!(late(&mut pulse, 310 + 899).is_empty());
        let said = late(&mut pulse, 310 + 900);
        assert_eq!(said, ["pso-health has said nothing for 15m 00s; its rounds took 5m 00s at most"]);
        assert!(late(&mut pulse, 310 + 2_000).is_empty(), "it is said once");
        // The silence does not make it more patient.
        let subject = pulse.round(&header, after(10_000));
        assert_eq!((subject.kind.as_str(), subject.name.as_str()), ("rounds", "pso-health"));
        assert_eq!(late(&mut pulse, 10_900).len(), 1);
    }

    #[test]
    fn fast_rounds_have_a_minute() {
        let line = r#"{"schema":1,"kind":"health.round","at":"2026-11-22T09:00:00Z","tool":"t","host":"h","severity":"ok","name":"round","message":""}"#;
        let header = AnyRecord::parse(line.to_owned()).expect("a record").header;
        let (mut pulse, begin) = (Pulse::default(), Instant::now());
        pulse.round(&header, begin);
        pulse.round(&header, begin + Duration::from_secs(1));
        assert!(pulse.late(Severity::High, begin + Duration::from_secs(60), header.at).is_empty());
        assert_eq!(pulse.late(Severity::High, begin + Duration::from_secs(61), header.at).len(), 1);
    }
}
