//! A generic webhook: all notices as JSON, for programs.
//!
//! ```json
//! {"schema": 1, "tool": "pso-alert", "host": "web-1", "at": "2026-11-22T09:00:00.000Z", "severity": "high",
//!  "notices": [{"incident": "…", "rule": "…", "state": "firing", "severity": "high", "message": "…", "count": 1,
//!               "first_at": "…", "last_at": "…", "labels": {"host": "…", "tool": "…", "name": "…"}}],
//!  "more": 0}
//! ```
//!
//! With a template each notice is a message of its own, in one's own words; with `{text}` in it a message tells all. With a secret a header signs the body and the
//! time: `X-Pso-Signature: t=SECONDS,v1=HEX`, where HEX is the HMAC-SHA256 of `SECONDS.BODY`, as Stripe's webhooks have it
//! (<https://docs.stripe.com/webhooks#verify-manually>): who checks it refuses what is old, and so what is replayed.

mod placeholder;
mod template;

use std::time::{Duration, SystemTime};

use hmac::{Hmac, KeyInit as _, Mac as _};
use pso_common::record::{AlertNoticeRecord, SCHEMA, Telling};
use pso_common::{Secret, Severity, Timestamp};
use serde::Serialize;
use sha2::Sha256;

use super::post::fingerprint;
use super::{Channel, Digest, Outcome, Post};

pub(crate) use template::Template;

/// Notices in one message; the others are counted in `more`.
const MAX_NOTICES: usize = 500;

/// Notices in one message of a template with `{text}`; people read it.
const MAX_TOLD: usize = 20;

/// A webhook of any program.
#[derive(Debug)]
pub(crate) struct Webhook {
    pub(crate) post: Post,
    pub(crate) template: Option<Template>,
    /// The type that the body is said to have, where it is not the usual one.
    pub(crate) content_type: Option<String>,
    /// Signs each message.
    pub(crate) secret: Option<Secret>,
}

impl Channel for Webhook {
    fn kind(&self) -> &'static str {
        "webhook"
    }

    fn capacity(&self) -> usize {
        match &self.template {
            None => MAX_NOTICES,
            Some(template) if template.is_for_several() => MAX_TOLD,
            Some(_) => 1,
        }
    }

    fn is_for_people(&self) -> bool {
        self.template.as_ref().is_some_and(Template::is_for_several)
    }

    fn fingerprint(&self) -> String {
        let (post, template) = (self.post.fingerprint(), self.template.as_ref().map(Template::fingerprint));
        let kind = self.content_type.as_deref().unwrap_or_default();
        fingerprint([
            post.as_str(),
            template.as_deref().unwrap_or_default(),
            kind,
            self.secret.as_ref().map_or("", Secret::expose),
        ])
    }

    fn send(&self, digest: &Digest<'_>, timeout: Duration) -> Outcome {
        let (kind, body) = match &self.template {
            Some(template) => (template.content_type(), template.body(digest).into_bytes()),
            None => match serde_json::to_vec(&message(digest)) {
                Ok(body) => ("application/json", body),
                Err(error) => return Outcome::Refused { status: None, reason: error.to_string() },
            },
        };
        let mut headers = vec![("Idempotency-Key", digest.key.to_owned())];
        if let Some(secret) = &self.secret {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            headers.push(("X-Pso-Signature", signature(secret, now.as_secs(), &body)));
        }
        self.post.bytes(self.content_type.as_deref().unwrap_or(kind), &body, &headers, timeout).outcome
    }
}

/// A template's body.
#[cfg(test)]
pub(super) fn body(template: &Template, digest: &Digest<'_>) -> String {
    template.body(digest)
}

/// The time and the signature of both.
pub(super) fn signature(secret: &Secret, seconds: u64, body: &[u8]) -> String {
    // A key of any length is one.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()) else { return String::new() };
    mac.update(format!("{seconds}.").as_bytes());
    mac.update(body);
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={seconds},v1={hex}")
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
