//! Prometheus' Alertmanager: <https://prometheus.io/docs/alerting/latest/alerts_api/>.
//!
//! It takes states, not moments: an alert is its labels, and it is over when its `endsAt` has passed. So what fires is sent
//! with an end that lies behind the next time that we tell it again, and what is over with the end that it had.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use pso_common::{Severity, Timestamp};
use serde::{Deserialize, Serialize};

use super::lines::shown;
use super::post::fingerprint;
use super::{Channel, Digest, Outcome, Post};
use crate::notice::{Because, Notice};
use crate::text::{is_http_url, one_line};

/// Notices in one message.
const MAX_NOTICES: usize = 100;

/// Longest value of a label, in bytes.
const MAX_LABEL: usize = 1_000;

/// Longest annotation, in bytes.
const MAX_ANNOTATION: usize = 4_000;

/// How long a test is seen: longer than Alertmanager waits before it tells somebody (`group_wait`).
const TEST: Duration = Duration::from_secs(300);

/// The server.
#[derive(Debug)]
pub(crate) struct Alertmanager {
    pub(crate) post: Post,
    /// What is not told again for so long is over for Alertmanager.
    pub(crate) expires_after: Duration,
}

impl Channel for Alertmanager {
    fn kind(&self) -> &'static str {
        "alertmanager"
    }

    fn capacity(&self) -> usize {
        MAX_NOTICES
    }

    fn is_for_people(&self) -> bool {
        false
    }

    fn forgets_after(&self) -> Option<Duration> {
        Some(self.expires_after)
    }

    fn fingerprint(&self) -> String {
        self.post.fingerprint()
    }

    fn send(&self, digest: &Digest<'_>, timeout: Duration) -> Outcome {
        let deadline = Instant::now() + timeout;
        let mut alerts = alerts(digest, self.expires_after);
        alerts.extend(self.outdated(digest, deadline));
        self.post.json(&alerts, digest.key, deadline.saturating_duration_since(Instant::now()).max(LEAST)).outcome
    }
}

/// What an attempt is given at least, however long it took to look.
const LEAST: Duration = Duration::from_millis(100);

/// Rules that are asked for at most; more in one message begin together, and have nothing outdated.
const MAX_ASKED: usize = 10;

/// An alert that it holds.
#[derive(Debug, Deserialize)]
pub(super) struct Held {
    labels: BTreeMap<String, String>,
}

impl Alertmanager {
    /// Its severity is a label, so a worse one is another alert. What it holds of an incident under another severity is over.
    /// Where it cannot be asked, that ends by itself.
    fn outdated(&self, digest: &Digest<'_>, deadline: Instant) -> Vec<Alert> {
        let known = |notice: &&Notice| !matches!(notice.because, Because::Fired | Because::ByHand | Because::Test);
        let rules: BTreeSet<&str> = digest.notices.iter().filter(known).map(|notice| notice.rule.as_str()).collect();
        let mut outdated = Vec::new();
        for rule in rules.into_iter().take(MAX_ASKED) {
            let left = deadline.saturating_duration_since(Instant::now()) / 2;
            let filter = format!("alertname={}", serde_json::Value::from(one_line(rule, MAX_LABEL)));
            let query =
                format!("active=true&silenced=true&inhibited=true&unprocessed=true&filter={}", encoded(&filter));
            let held = self.post.get(&query, left.max(LEAST)).and_then(|answer| answer.json::<Vec<Held>>().ok());
            outdated.extend(superseded(digest, rule, &held.unwrap_or_default()));
        }
        outdated
    }
}

pub(super) fn superseded(digest: &Digest<'_>, rule: &str, held: &[Held]) -> Vec<Alert> {
    let mut over = Vec::new();
    for notice in shown(digest.notices).into_iter().filter(|notice| notice.rule == rule) {
        let mut own = labels(notice, notice.severity);
        let severity = own.remove("severity");
        for held in held {
            let mut other = held.labels.clone();
            let was = other.remove("severity");
            if other == own && was != severity {
                let mut alert = alert(notice, notice.severity, digest.at);
                alert.labels.clone_from(&held.labels);
                over.push(alert);
            }
        }
    }
    over
}

/// For a query.
fn encoded(text: &str) -> String {
    let one = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(one).collect()
}

/// `postableAlert`: <https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml>.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Alert {
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<&'static str, String>,
    starts_at: Timestamp,
    ends_at: Timestamp,
}

pub(super) fn alerts(digest: &Digest<'_>, expires_after: Duration) -> Vec<Alert> {
    let mut alerts = Vec::new();
    for notice in shown(digest.notices) {
        let end = match notice.because {
            _ if notice.is_end() => notice.ended_at.unwrap_or(digest.at),
            Because::Test => digest.at.plus(TEST.min(expires_after)),
            _ => digest.at.plus(expires_after),
        };
        alerts.push(alert(notice, notice.severity, end));
    }
    alerts
}

fn labels(notice: &Notice, severity: Severity) -> BTreeMap<String, String> {
    let mut labels: BTreeMap<String, String> = BTreeMap::new();
    for (key, value) in &notice.labels {
        labels.insert(label_name(key), one_line(value, MAX_LABEL));
    }
    // Without labels its text says what it is about, and that is no label.
    if notice.labels.is_empty() {
        labels.insert("incident".to_owned(), fingerprint([notice.incident.as_str()]));
    }
    labels.insert("alertname".to_owned(), one_line(&notice.rule, MAX_LABEL));
    labels.insert("severity".to_owned(), severity.to_string());
    // Alertmanager knows none without a value.
    labels.retain(|_, value| !value.is_empty());
    labels
}

fn alert(notice: &Notice, severity: Severity, end: Timestamp) -> Alert {
    let mut annotations = BTreeMap::from([
        ("summary", one_line(&notice.message, MAX_ANNOTATION)),
        ("incident", one_line(&notice.incident, MAX_ANNOTATION)),
        ("count", notice.count.to_string()),
    ]);
    if let Some(url) = notice.runbook.as_ref().filter(|url| is_http_url(url)) {
        annotations.insert("runbook_url", url.clone());
    }
    // "start time must be before end time", or all alerts of the message are refused; a clock may have been set back.
    let starts_at = if notice.first_at > end { end } else { notice.first_at };
    Alert { labels: labels(notice, severity), annotations, starts_at, ends_at: end }
}

/// A name that every version takes: `[a-zA-Z_][a-zA-Z0-9_]*`. Ours must not take the place of those that we set.
fn label_name(key: &str) -> String {
    let mut name: String = key.chars().take(100).map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if !name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        name.insert(0, '_');
    }
    if matches!(name.as_str(), "alertname" | "severity") { format!("{name}_") } else { name }
}
