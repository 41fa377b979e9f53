//! Prometheus' Alertmanager: <https://prometheus.io/docs/alerting/latest/alerts_api/>.
//!
//! It takes states, not moments: an alert is its labels, and it is over when its `endsAt` has passed. So what fires is sent
//! with an end that lies behind the next time that we tell it again, and what is over with the end that it had.

use std::collections::BTreeMap;
use std::time::Duration;

use pso_common::{Severity, Timestamp};
use serde::Serialize;

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

    fn fingerprint(&self) -> String {
        self.post.fingerprint()
    }

    fn send(&self, digest: &Digest<'_>, timeout: Duration) -> Outcome {
        self.post.json(&alerts(digest, self.expires_after), digest.key, timeout).outcome
    }
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
    // Its severity is a label, so a worse one is another alert; what it was before is over.
    for notice in digest.notices.iter().filter(|notice| notice.because == Because::Worse) {
        let below = [Severity::Info, Severity::Warning, Severity::High]
            .into_iter()
            .filter(|severity| crate::finding::rank(*severity) < crate::finding::rank(notice.severity));
        alerts.extend(below.map(|severity| alert(notice, severity, digest.at)));
    }
    for notice in shown(digest.notices) {
        let end = if notice.is_end() { notice.ended_at.unwrap_or(digest.at) } else { digest.at.plus(expires_after) };
        alerts.push(alert(notice, notice.severity, end));
    }
    alerts
}

fn alert(notice: &Notice, severity: Severity, end: Timestamp) -> Alert {
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
    Alert { labels, annotations, starts_at, ends_at: end }
}

/// A name that every version takes: `[a-zA-Z_][a-zA-Z0-9_]*`. Ours must not take the place of those that we set.
fn label_name(key: &str) -> String {
    let mut name: String = key.chars().take(100).map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if !name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        name.insert(0, '_');
    }
    if matches!(name.as_str(), "alertname" | "severity") { format!("{name}_") } else { name }
}
