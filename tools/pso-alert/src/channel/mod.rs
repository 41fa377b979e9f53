//! The ends that people and programs read. A channel turns notices into one message and makes one attempt to hand it over; when,
//! how often and what happens if it fails is `delivery`'s business.

mod alertmanager;
mod command;
mod discord;
mod email;
mod file;
mod lines;
mod ntfy;
mod post;
mod records;
mod slack;
mod stdout;
mod webhook;

use std::fmt;
use std::time::Duration;

use pso_common::{Severity, Timestamp};

use crate::finding::rank;
use crate::notice::Notice;

pub(crate) use alertmanager::Alertmanager;
pub(crate) use command::Command;
pub(crate) use discord::{Discord, confirmed};
pub(crate) use email::{Email, Mailing, Security};
pub(crate) use file::LogFile;
pub(crate) use ntfy::Ntfy;
pub(crate) use post::{Post, fingerprint};
pub(crate) use slack::Slack;
pub(crate) use stdout::Stdout;
pub(crate) use webhook::{Template, Webhook};

/// A way to tell people or programs.
pub(crate) trait Channel: Send + Sync + fmt::Debug {
    /// Its type, as the configuration has it.
    fn kind(&self) -> &'static str;

    /// Notices that one message can hold.
    fn capacity(&self) -> usize;

    /// Whether people read it: then a flood of notices is told as a summary.
    fn is_for_people(&self) -> bool {
        true
    }

    /// The least time between two messages.
    fn pace(&self) -> Duration {
        Duration::ZERO
    }

    /// What it is not told again for so long is over for it; nothing for ends that wait until they are told so.
    fn forgets_after(&self) -> Option<Duration> {
        None
    }

    /// Differs when the configuration differs: what could not be used yesterday may be usable today.
    fn fingerprint(&self) -> String;

    /// Makes one attempt, which takes no longer than `timeout`.
    fn send(&self, digest: &Digest<'_>, timeout: Duration) -> Outcome;
}

/// A channel under its name.
#[derive(Debug)]
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) channel: Box<dyn Channel>,
    /// It is not told what is less bad.
    pub(crate) min_severity: Severity,
    /// Whether it is told the end.
    pub(crate) send_resolved: bool,
}

impl Named {
    /// Whether it is to be told.
    pub(crate) fn wants(&self, notice: &Notice) -> bool {
        notice.is_wanted(self.min_severity, self.send_resolved)
    }
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    /// The other end took it.
    Sent {
        status: Option<u16>,
        /// What it said, in one short line.
        said: String,
        /// It wants no other message before this time has passed.
        pause: Duration,
        /// What it did not take of it, though it took the message: a recipient of a mail, for instance.
        complaint: Option<String>,
    },
    /// Worth another attempt, not before the given time has passed.
    Again { status: Option<u16>, after: Duration, reason: String },
    /// This message will never be taken; another one may.
    Refused { status: Option<u16>, reason: String },
    /// No message will be taken while the channel is configured as it is.
    Unusable { status: Option<u16>, reason: String },
}

/// What one message tells.
#[derive(Debug)]
pub(crate) struct Digest<'a> {
    /// The same for each attempt, so that the other end can tell a second copy from a second message.
    pub(crate) key: &'a str,
    pub(crate) host: &'a str,
    pub(crate) at: Timestamp,
    /// Worst first, and in their order within an incident.
    pub(crate) notices: &'a [Notice],
    /// Notices that are not in `notices`: how many, and of what.
    pub(crate) rest: Option<&'a Rest>,
}

/// What a summary leaves out.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rest {
    pub(crate) notices: u64,
    /// Rules, and how many notices each has among them; the most frequent first.
    pub(crate) rules: Vec<(String, u64)>,
}

impl Digest<'_> {
    fn worst(&self) -> Severity {
        let open = self.notices.iter().filter(|notice| !notice.is_end());
        open.map(|notice| notice.severity).max_by_key(|severity| rank(*severity)).unwrap_or(Severity::Ok)
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

#[cfg(test)]
mod tests;
