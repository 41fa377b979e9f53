//! What a rule finds wrong with what a record speaks of.

use std::fmt::Write as _;
use std::sync::Arc;

use pso_common::io::host_name;
use pso_common::record::{Header, Labels};
use pso_common::{Severity, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::few_labels::FewLabels;
use crate::text::one_line;

/// Longest message that is made from records, in bytes: ten thousand of them must fit into memory.
pub(crate) const MAX_MESSAGE: usize = 500;

/// Longest incident key, in bytes; longer ones end in a hash instead.
const MAX_KEY: usize = 200;

/// Labels of a record that are taken over.
const MAX_LABELS: usize = 6;

/// What sort of trouble it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Condition {
    /// A record says so.
    #[default]
    Bad,
    /// Nothing is known any more.
    NoData,
    /// A run began and never ended.
    Unfinished,
}

/// What a record speaks of: a later record about the same subject says how it stands now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Subject {
    pub(crate) kind: String,
    pub(crate) host: String,
    pub(crate) tool: String,
    pub(crate) name: String,
    /// The record's own labels, those that tell this subject from others of the same name.
    #[serde(default, skip_serializing_if = "FewLabels::is_empty")]
    pub(crate) labels: FewLabels,
}

impl Subject {
    /// What a record with these own labels speaks of.
    pub(crate) fn of(header: &Header, labels: &Labels) -> Self {
        Self {
            kind: one_line(&header.kind, 60),
            host: one_line(&header.host, 100),
            tool: one_line(&header.tool, 60),
            name: bounded(&header.name),
            labels: labels.iter().take(MAX_LABELS).map(|(k, v)| (one_line(k, 40), one_line(v, 80))).collect(),
        }
    }

    /// What people are shown of it, and what matchers look at: its labels, and `host`, `tool` and `name`.
    pub(crate) fn all_labels(&self) -> Labels {
        let own = [("host", &self.host), ("tool", &self.tool), ("name", &self.name)];
        let mut labels: Labels =
            self.labels.iter().map(|(label, value)| (label.to_owned(), value.to_owned())).collect();
        labels.extend(own.map(|(label, value)| (label.to_owned(), value.clone())));
        labels
    }

    /// One of [`Subject::all_labels`].
    pub(crate) fn label(&self, label: &str) -> Option<&str> {
        match label {
            "host" => Some(&self.host),
            "tool" => Some(&self.tool),
            "name" => Some(&self.name),
            _ => self.labels.get(label),
        }
    }

    /// The runs of a tool.
    pub(crate) fn run(header: &Header) -> Self {
        Self { kind: "run".to_owned(), ..Self::of(header, &Labels::new()) }
    }

    /// The input of this tool from one source.
    pub(crate) fn input(source: &str) -> Self {
        Self {
            kind: "input".to_owned(),
            host: host_name(),
            tool: crate::TOOL.name.to_owned(),
            name: bounded(source),
            labels: FewLabels::default(),
        }
    }
}

/// A subject that is shared, as it lies in the state file.
pub(crate) mod shared {
    use std::sync::Arc;

    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    use super::Subject;

    pub(crate) fn serialize<S: Serializer>(subject: &Arc<Subject>, serializer: S) -> Result<S::Ok, S::Error> {
        subject.as_ref().serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<Subject>, D::Error> {
        Subject::deserialize(deserializer).map(Arc::new)
    }
}

/// Something that is wrong. Findings with the same key belong to the same incident.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Finding {
    /// Stable key of the incident.
    pub(crate) incident: String,
    /// Shared by all that speak of it: there may be ten thousand.
    pub(crate) subject: Arc<Subject>,
    pub(crate) rule: Arc<str>,
    pub(crate) condition: Condition,
    pub(crate) severity: Severity,
    pub(crate) message: String,
    pub(crate) count: u64,
    pub(crate) first_at: Timestamp,
    pub(crate) last_at: Timestamp,
}

impl Finding {
    /// What a rule found in a record; `labels` are those that tell this incident from others of the same name.
    pub(crate) fn of(
        header: &Header,
        rule: impl Into<Arc<str>>,
        severity: Severity,
        message: &str,
        labels: Labels,
    ) -> Self {
        Self::about(Subject::of(header, &labels), rule, severity, message, header.at)
    }

    /// What is wrong with a subject.
    pub(crate) fn about(
        subject: impl Into<Arc<Subject>>,
        rule: impl Into<Arc<str>>,
        severity: Severity,
        message: &str,
        at: Timestamp,
    ) -> Self {
        let (subject, rule) = (subject.into(), rule.into());
        let mut key = format!("{rule}/{}/{}/{}", subject.host, subject.tool, subject.name);
        for (label, value) in subject.labels.iter() {
            // Writing to a String cannot fail.
            let _ = write!(key, ",{label}={value}");
        }
        Self {
            incident: bounded(&key),
            subject,
            rule,
            condition: Condition::Bad,
            severity,
            message: one_line(message, MAX_MESSAGE),
            count: 1,
            first_at: at,
            last_at: at,
        }
    }

    /// Says it in other words.
    pub(crate) fn say(&mut self, message: &str) {
        self.message = one_line(message, MAX_MESSAGE);
    }

    /// Takes in another finding of the same incident: the worst speaks for all, of several the latest.
    pub(crate) fn absorb(&mut self, other: Self) {
        self.count = self.count.saturating_add(other.count);
        self.first_at = self.first_at.min(other.first_at);
        // Of what is equally bad the latest is the news.
        let newer = other.last_at >= self.last_at;
        self.last_at = self.last_at.max(other.last_at);
        if rank(other.severity) > rank(self.severity) || (other.severity == self.severity && newer) {
            self.severity = other.severity;
            self.message = other.message;
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
pub(crate) fn bounded(key: &str) -> String {
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
        let key = |name: &str| Finding::of(&header(name), "rule", Severity::High, "m", Labels::new()).incident;
        assert_eq!(key("plans"), "rule/h/t/plans");
        let (a, b) = ("é".repeat(1000) + "a", "é".repeat(1000) + "b");
        assert!(key(&a).len() <= MAX_KEY && key(&a) != key(&b) && key(&a) == key(&a));
        assert_ne!(key("a\nb"), key("a b"));
        assert!(bounded("rule/h/t/\u{1}").ends_with("~0f9e64bed56b59cf"), "{}", bounded("rule/h/t/\u{1}"));
    }

    #[test]
    fn the_worst_speaks_for_all() {
        let labels = Labels::from([("mount".to_owned(), "/".to_owned())]);
        let mut first = Finding::of(&header("n"), "rule", Severity::Warning, "first", labels);
        let mut second = first.clone();
        second.severity = Severity::Critical;
        second.message = "second".to_owned();
        second.first_at = "2026-11-22T08:00:00Z".parse().expect("a time");
        first.absorb(second.clone());
        assert_eq!((first.count, first.severity, first.message.as_str()), (2, Severity::Critical, "second"));
        assert_eq!(first.incident, "rule/h/t/n,mount=/");
        assert_eq!((first.first_at, first.last_at), (second.first_at, second.last_at));
    }
}
