//! The ends that people read. A channel turns a run's notices into one message; how it is sent is not its business.

mod discord;
mod slack;
mod webhook;

use pso_common::{Secret, Severity, Timestamp};
use serde::Serialize;

use crate::notice::Notice;

/// A channel that can be told. The URL of a webhook is all one needs to post there, so all of it is secret.
#[derive(Debug)]
pub(crate) enum Channel {
    Slack { url: Secret, channel: Option<String> },
    Discord { url: Secret },
    Webhook { url: Secret },
}

impl Channel {
    /// Its name in records.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Slack { .. } => "slack",
            Self::Discord { .. } => "discord",
            Self::Webhook { .. } => "webhook",
        }
    }

    /// Where it is told.
    pub(crate) const fn url(&self) -> &Secret {
        match self {
            Self::Slack { url, .. } | Self::Discord { url } | Self::Webhook { url } => url,
        }
    }

    /// The body of the one message.
    pub(crate) fn message<'a>(&'a self, digest: &'a Digest<'_>) -> Message<'a> {
        match self {
            Self::Slack { channel, .. } => Message::Slack(slack::message(digest, channel.as_deref())),
            Self::Discord { .. } => Message::Discord(discord::message(digest)),
            Self::Webhook { .. } => Message::Webhook(webhook::message(digest)),
        }
    }
}

/// What is posted.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Message<'a> {
    Slack(slack::Message<'a>),
    Discord(discord::Message),
    Webhook(webhook::Message<'a>),
}

/// The notices of one run, worst first, as all channels tell them.
#[derive(Debug)]
pub(crate) struct Digest<'a> {
    host: String,
    at: Timestamp,
    notices: &'a [Notice],
}

impl<'a> Digest<'a> {
    pub(crate) fn new(host: String, at: Timestamp, notices: &'a [Notice]) -> Self {
        Self { host, at, notices }
    }

    fn worst(&self) -> Severity {
        self.notices.first().map_or(Severity::Ok, |notice| notice.severity)
    }

    /// One line that holds nothing from a record.
    fn headline(&self) -> String {
        let (sign, worst, host) = (sign(self.worst()), self.worst(), &self.host);
        match self.notices.len() {
            1 => format!("{sign} {worst} on {host}"),
            count => format!("{sign} {count} notices on {host}, the worst {worst}"),
        }
    }
}

const fn sign(severity: Severity) -> &'static str {
    match severity {
        Severity::Ok => "✅",
        Severity::Info => "🔵",
        Severity::Warning => "🟡",
        Severity::High => "🟠",
        Severity::Critical => "🔴",
        Severity::Unknown => "🟣",
    }
}

/// `CRITICAL`, as it stands before a notice.
fn shout(severity: Severity) -> String {
    severity.as_str().to_uppercase()
}

/// ` (3 times)`, where it is more than once.
fn times(notice: &Notice) -> String {
    if notice.count > 1 { format!(" ({} times)", notice.count) } else { String::new() }
}

/// `and 3 more`, where not all fit.
fn more(hidden: usize) -> Option<String> {
    (hidden > 0).then(|| format!("and {hidden} more"))
}

#[cfg(test)]
mod tests;
