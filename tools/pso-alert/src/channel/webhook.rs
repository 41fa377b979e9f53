//! A generic webhook: all notices as JSON, for programs.
//!
//! ```json
//! {"schema": 1, "tool": "pso-alert", "host": "web-1", "at": "2026-11-22T09:00:00.000Z", "severity": "high",
//!  "notices": [{"incident": "…", "rule": "…", "state": "firing", "severity": "high", "message": "…", "count": 1,
//!               "first_at": "…", "last_at": "…", "labels": {"host": "…", "tool": "…", "name": "…"}}],
//!  "more": 0}
//! ```

use std::time::Duration;

use pso_common::record::{AlertNoticeRecord, SCHEMA, Telling};
use pso_common::{Severity, Timestamp};
use serde::Serialize;

use super::{Channel, Digest, Outcome, Post};

/// Notices in one message; the others are counted in `more`.
const MAX_NOTICES: usize = 500;

/// A webhook of any program.
#[derive(Debug)]
pub(crate) struct Webhook {
    pub(crate) post: Post,
}

impl Channel for Webhook {
    fn kind(&self) -> &'static str {
        "webhook"
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
        self.post.json(&message(digest), digest.key, timeout).outcome
    }
}

/// What is posted.
#[derive(Debug, Serialize)]
pub(super) struct Message<'a> {
    schema: u32,
    tool: &'static str,
    host: &'a str,
    at: Timestamp,
    severity: Severity,
    notices: Vec<Item<'a>>,
    /// Notices that are not in `notices`.
    more: usize,
}

#[derive(Debug, Serialize)]
struct Item<'a> {
    severity: Severity,
    message: &'a str,
    #[serde(flatten)]
    notice: AlertNoticeRecord,
}

pub(super) fn message<'a>(digest: &'a Digest<'_>) -> Message<'a> {
    let notices = digest
        .notices
        .iter()
        .take(MAX_NOTICES)
        .map(|notice| Item { severity: notice.severity, message: &notice.message, notice: notice.record(Telling::Now) })
        .collect();
    Message {
        schema: SCHEMA,
        tool: crate::TOOL.name,
        host: digest.host,
        at: digest.at,
        severity: digest.worst(),
        notices,
        more: digest.notices.len().saturating_sub(MAX_NOTICES),
    }
}
