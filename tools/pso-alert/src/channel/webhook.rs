//! A generic webhook: all notices as JSON, for programs.
//!
//! ```json
//! {"schema": 1, "tool": "pso-alert", "host": "web-1", "at": "2026-11-22T09:00:00.000Z", "severity": "high",
//!  "notices": [{"incident": "…", "rule": "…", "state": "firing", "severity": "high", "message": "…", "count": 1,
//!               "first_at": "…", "last_at": "…", "labels": {"host": "…", "tool": "…", "name": "…"}}],
//!  "more": 0}
//! ```

use pso_common::Severity;
use pso_common::record::{AlertNoticeRecord, SCHEMA};
use serde::Serialize;
use serde_json::{Value, json};

use super::Digest;

/// Notices in one message; the others are counted in `more`.
const MAX_NOTICES: usize = 500;

#[derive(Serialize)]
struct Item<'a> {
    severity: Severity,
    message: &'a str,
    #[serde(flatten)]
    notice: AlertNoticeRecord,
}

pub(super) fn message(digest: &Digest<'_>) -> Value {
    let notices: Vec<Item<'_>> = digest
        .notices
        .iter()
        .take(MAX_NOTICES)
        .map(|notice| Item { severity: notice.severity, message: &notice.message, notice: notice.record() })
        .collect();
    json!({
        "schema": SCHEMA,
        "tool": crate::TOOL.name,
        "host": digest.host,
        "at": digest.at,
        "severity": digest.worst(),
        "notices": notices,
        "more": digest.notices.len().saturating_sub(MAX_NOTICES)
    })
}
