//! One thing that people should know: what rules find, and what channels get.

use std::fmt::Write as _;

use pso_common::io::host_name;
use pso_common::record::{AlertNoticeRecord, Header, IncidentState, Labels};
use pso_common::{Run, Severity, Timestamp};
use sha2::{Digest as _, Sha256};

use crate::text::one_line;

/// Longest message of a notice that was made from records, in bytes: ten thousand of them must fit into memory.
const MAX_MESSAGE: usize = 500;

/// Longest message of a notice by hand, in bytes; each channel cuts it to its own limit.
const MAX_MESSAGE_BY_HAND: usize = 10_000;

/// Longest incident key, in bytes; longer ones end in a hash instead.
const MAX_KEY: usize = 200;

/// Labels of a record that are taken over.
const MAX_LABELS: usize = 6;

/// Something that people should know. Findings of the same incident become one notice.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Notice {
    pub(crate) incident: String,
    pub(crate) rule: &'static str,
    pub(crate) severity: Severity,
    pub(crate) message: String,
    pub(crate) count: u64,
    pub(crate) labels: Labels,
    pub(crate) first_at: Timestamp,
    pub(crate) last_at: Timestamp,
}

impl Notice {
    /// What a rule found in a record; `labels` are those that tell this incident from others of the same name.
    pub(crate) fn of(header: &Header, rule: &'static str, severity: Severity, message: &str, labels: Labels) -> Self {
        let own = [("host", &header.host), ("tool", &header.tool), ("name", &header.name)];
        let mut key = format!("{rule}/{}/{}/{}", header.host, header.tool, header.name);
        let mut kept = Labels::new();
        for (label, value) in labels.iter().take(MAX_LABELS) {
            // Writing to a String cannot fail.
            let _ = write!(key, ",{label}={value}");
            kept.insert(one_line(label, 40), one_line(value, 80));
        }
        kept.extend(own.map(|(label, value)| (label.to_owned(), one_line(value, 100))));
        Self {
            incident: bounded(&key),
            rule,
            severity,
            message: one_line(message, MAX_MESSAGE),
            count: 1,
            labels: kept,
            first_at: header.at,
            last_at: header.at,
        }
    }

    /// What this tool itself has to say about its input.
    pub(crate) fn of_input(rule: &'static str, severity: Severity, message: &str, now: Timestamp) -> Self {
        let host = host_name();
        Self {
            incident: bounded(&format!("{rule}/{host}")),
            rule,
            severity,
            message: one_line(message, MAX_MESSAGE),
            count: 1,
            labels: Labels::from([("host".to_owned(), host)]),
            first_at: now,
            last_at: now,
        }
    }

    /// A notice by hand. Its labels say what it is about; without any, its text does.
    pub(crate) fn by_hand(severity: Severity, message: &str, labels: Labels, now: Timestamp) -> Self {
        let about = if labels.is_empty() {
            message.to_owned()
        } else {
            labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
        };
        Self {
            incident: bounded(&format!("send/{}/{about}", host_name())),
            rule: "send",
            severity,
            message: one_line(message, MAX_MESSAGE_BY_HAND),
            count: 1,
            labels,
            first_at: now,
            last_at: now,
        }
    }

    /// Takes in another finding of the same incident: the worst speaks for all.
    pub(crate) fn absorb(&mut self, other: Self) {
        self.count = self.count.saturating_add(other.count);
        self.first_at = self.first_at.min(other.first_at);
        self.last_at = self.last_at.max(other.last_at);
        if rank(other.severity) > rank(self.severity) {
            self.severity = other.severity;
            self.message = other.message;
        }
    }

    /// The record's own fields.
    pub(crate) fn record(&self) -> AlertNoticeRecord {
        AlertNoticeRecord {
            incident: self.incident.clone(),
            rule: self.rule.to_owned(),
            state: IncidentState::Firing,
            count: self.count,
            first_at: Some(self.first_at),
            last_at: Some(self.last_at),
            labels: self.labels.clone(),
        }
    }

    /// Writes the `alert.notice`; `counts` says whether its severity is that of this run.
    pub(crate) fn write(&self, run: &mut Run<'_>, counts: bool) -> anyhow::Result<()> {
        if counts {
            run.emit(self.severity, self.rule, self.message.clone(), self.record())
        } else {
            run.emit_uncounted(self.severity, self.rule, self.message.clone(), self.record())
        }
    }
}

/// The order in which people read: what is known to be critical stands before what is unknown, since only the first
/// lines of many are shown.
pub(crate) const fn rank(severity: Severity) -> u8 {
    match severity {
        Severity::Ok => 0,
        Severity::Info => 1,
        Severity::Warning => 2,
        Severity::High => 3,
        Severity::Unknown => 4,
        Severity::Critical => 5,
    }
}

/// A readable key of bounded length that is the same in every run.
fn bounded(key: &str) -> String {
    let shown = one_line(key, MAX_KEY);
    if shown == key {
        return shown;
    }
    let hash = Sha256::digest(key.as_bytes());
    let hex: String = hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    [one_line(key, MAX_KEY - hex.len() - 1), hex].join("~")
}

#[cfg(test)]
mod tests {
    use pso_common::record::AnyRecord;

    use super::*;

    fn header(name: &str) -> Header {
        let line = format!(
            r#"{{"schema":1,"kind":"x.y","at":"2026-11-22T09:00:00Z","tool":"t","host":"h","severity":"high","name":{},"message":"m"}}"#,
            serde_json::to_string(name).expect("JSON")
        );
        AnyRecord::parse(line).expect("a record").header
    }

    #[test]
    fn keys_are_readable_stable_and_bounded() {
        let notice = |name: &str| Notice::of(&header(name), "rule", Severity::High, "m", Labels::new()).incident;
        assert_eq!(notice("plans"), "rule/h/t/plans");
        let (a, b) = ("é".repeat(1000) + "a", "é".repeat(1000) + "b");
        assert!(notice(&a).len() <= MAX_KEY && notice(&a) != notice(&b) && notice(&a) == notice(&a));
        assert_ne!(notice("a\nb"), notice("a b"));
        assert!(notice("\u{1}").ends_with("~0f9e64bed56b59cf"), "{}", notice("\u{1}"));
    }

    #[test]
    fn the_worst_speaks_for_all() {
        let labels = Labels::from([("mount".to_owned(), "/".to_owned())]);
        let mut first = Notice::of(&header("n"), "rule", Severity::Warning, "first", labels);
        let mut second = first.clone();
        second.severity = Severity::Critical;
        second.message = "second".to_owned();
        second.first_at = "2026-11-22T08:00:00Z".parse().expect("a time");
        first.absorb(second);
        assert_eq!((first.count, first.severity, first.message.as_str()), (2, Severity::Critical, "second"));
        assert_eq!(first.incident, "rule/h/t/n,mount=/");
        assert_eq!(
            serde_json::to_string(&first.record()).expect("JSON"),
            r#"{"incident":"rule/h/t/n,mount=/","rule":"rule","state":"firing","count":2,"first_at":"2026-11-22T08:00:00.000Z","last_at":"2026-11-22T09:00:00.000Z","labels":{"host":"h","mount":"/","name":"n","tool":"t"}}"#
        );
    }
}
