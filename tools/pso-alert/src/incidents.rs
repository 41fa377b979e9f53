//! Findings about the same thing become one notice; how many are kept apart is bounded.

use std::collections::HashMap;

use pso_common::Timestamp;

use crate::notice::{Notice, rank};

/// Incidents that are kept apart. Beyond them only the number and the worst are told.
const MAX_INCIDENTS: usize = 10_000;

/// The incidents of one run.
#[derive(Default)]
pub(crate) struct Incidents {
    by_key: HashMap<String, Notice>,
    overflow: Option<Notice>,
}

impl Incidents {
    /// Takes in one finding.
    pub(crate) fn add(&mut self, notice: Notice) {
        if let Some(known) = self.by_key.get_mut(&notice.incident) {
            known.absorb(notice);
        } else if self.by_key.len() < MAX_INCIDENTS {
            self.by_key.insert(notice.incident.clone(), notice);
        } else if let Some(overflow) = &mut self.overflow {
            overflow.absorb(notice);
        } else {
            self.overflow = Some(notice);
        }
    }

    /// One notice an incident, worst first, then in the order of time.
    pub(crate) fn into_notices(self, now: Timestamp) -> Vec<Notice> {
        let mut notices: Vec<Notice> = self.by_key.into_values().collect();
        if let Some(worst) = self.overflow {
            let message = format!(
                "{} more findings about other incidents than the {MAX_INCIDENTS} told one by one; the worst of them: {}",
                worst.count, worst.message
            );
            let mut rest = Notice::of_input("incidents.overflow", worst.severity, &message, now);
            rest.count = worst.count;
            (rest.first_at, rest.last_at) = (worst.first_at, worst.last_at);
            notices.push(rest);
        }
        notices.sort_by(|a, b| {
            rank(b.severity)
                .cmp(&rank(a.severity))
                .then_with(|| a.first_at.cmp(&b.first_at))
                .then_with(|| a.incident.cmp(&b.incident))
        });
        notices
    }
}

#[cfg(test)]
mod tests {
    use pso_common::Severity;
    use pso_common::record::{Header, Labels};

    use super::*;

    fn at() -> Timestamp {
        "2026-11-22T09:00:00Z".parse().expect("a time")
    }

    fn finding(name: &str, severity: Severity) -> Notice {
        let header = Header {
            schema: 1,
            kind: "x.y".to_owned(),
            at: at(),
            tool: "t".to_owned(),
            host: "h".to_owned(),
            severity,
            name: name.to_owned(),
            message: String::new(),
        };
        Notice::of(&header, "rule", severity, name, Labels::new())
    }

    #[test]
    fn one_incident_is_told_once_and_the_worst_first() {
        let mut incidents = Incidents::default();
        for (name, severity) in [
            ("b", Severity::High),
            ("a", Severity::High),
            ("u", Severity::Unknown),
            ("b", Severity::High),
            ("c", Severity::Critical),
        ] {
            incidents.add(finding(name, severity));
        }
        let told: Vec<_> = incidents.into_notices(at()).into_iter().map(|n| (n.message, n.count)).collect();
        assert_eq!(told, [("c".into(), 1), ("u".into(), 1), ("a".into(), 1), ("b".into(), 2)]);
    }

    #[test]
    fn what_is_beyond_the_cap_is_counted_and_its_worst_is_told() {
        let mut incidents = Incidents::default();
        for number in 0..MAX_INCIDENTS + 5 {
            incidents.add(finding(&format!("n{number}"), Severity::High));
        }
        incidents.add(finding("the worst", Severity::Critical));
        incidents.add(finding("n0", Severity::High));
        let notices = incidents.into_notices(at());
        assert_eq!(notices.len(), MAX_INCIDENTS + 1);
        assert_eq!(
            (notices[0].rule, notices[0].severity, notices[0].count),
            ("incidents.overflow", Severity::Critical, 6)
        );
        assert!(notices[0].message.ends_with("the worst of them: the worst"), "{}", notices[0].message);
    }
}
