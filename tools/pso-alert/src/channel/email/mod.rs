//! Mail through a server that one logs in to.

mod html;
mod message;
mod session;
mod text;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lettre::message::Mailbox;
use lettre::transport::smtp::client::TlsParameters;
use pso_common::Secret;

use super::post::fingerprint;
use super::{Channel, Digest, Outcome};
use crate::text::one_line;
use session::{Job, Report};

#[cfg(test)]
pub(super) use message::{bodies, compose};

/// Notices in one mail.
const MAX_NOTICES: usize = 100;

/// How the connection becomes safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Security {
    /// Not at all.
    None,
    /// With STARTTLS where the server offers it.
    Opportunistic,
    /// With STARTTLS, or not at all.
    StartTls,
    /// TLS from the first byte.
    Tls,
}

/// The server and the people.
#[derive(Clone)]
pub(crate) struct Mailing {
    pub(crate) server: String,
    pub(crate) port: u16,
    pub(crate) security: Security,
    pub(crate) tls: TlsParameters,
    /// Differs when the certificates that are trusted differ.
    pub(crate) roots: String,
    pub(crate) login: Option<(String, Secret)>,
    pub(crate) from: Mailbox,
    pub(crate) recipients: Vec<Mailbox>,
}

impl fmt::Debug for Mailing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailing").field("server", &self.server).field("port", &self.port).finish_non_exhaustive()
    }
}

/// The channel.
#[derive(Debug)]
pub(crate) struct Email {
    mailing: Mailing,
}

impl Email {
    pub(crate) const fn new(mailing: Mailing) -> Self {
        Self { mailing }
    }

    /// What the server says, without the password: some repeat the command that they do not know.
    fn scrubbed(&self, text: &str) -> String {
        let mut text = text.to_owned();
        if let Some((user, password)) = &self.mailing.login {
            let password = password.expose();
            let sent = [format!("\0{user}\0{password}"), password.to_owned()].map(|text| STANDARD.encode(text));
            for secret in sent.iter().map(String::as_str).chain([password]).filter(|secret| secret.len() >= 4) {
                text = text.replace(secret, "***");
            }
        }
        one_line(&text, 300)
    }

    fn outcome(&self, report: Report) -> Outcome {
        let done = match report {
            Report::Broken { status, reason } => {
                let reason = format!("{}:{}: {reason}", self.mailing.server, self.mailing.port);
                return Outcome::Again { status, after: Duration::ZERO, reason: self.scrubbed(&reason) };
            }
            Report::Refused { status, reason } => return Outcome::Refused { status, reason: self.scrubbed(&reason) },
            Report::Unusable { status, reason } => return Outcome::Unusable { status, reason: self.scrubbed(&reason) },
            Report::Done(done) => done,
        };
        let status = |lines: &BTreeMap<usize, String>| lines.values().find_map(|line| line.get(..3)?.parse().ok());
        let (refused, later) = (self.list(&done.refused), self.list(&done.later));
        if done.told.is_empty() && !done.later.is_empty() {
            return Outcome::Again {
                status: status(&done.later),
                after: Duration::ZERO,
                reason: self.scrubbed(&later),
            };
        }
        if done.told.is_empty() {
            let reason = self.scrubbed(&format!("no recipient is accepted: {refused}"));
            return Outcome::Unusable { status: status(&done.refused), reason };
        }
        // One whose mailbox is full must not hold up the others, nor get them the same mail at each attempt.
        let not: Vec<String> = [refused, later].into_iter().filter(|list| !list.is_empty()).collect();
        let complaint = (!not.is_empty()).then(|| self.scrubbed(&not.join("; ")));
        Outcome::Sent { status: done.status, said: self.scrubbed(&done.said), pause: Duration::ZERO, complaint }
    }

    /// `ops@example.com: 550 5.1.1 no such user`, of each.
    fn list(&self, lines: &BTreeMap<usize, String>) -> String {
        let one = |(at, line): (&usize, &String)| {
            let who = self.mailing.recipients.get(*at).map(|mailbox| mailbox.email.to_string());
            format!("{}: {line}", who.unwrap_or_default())
        };
        lines.iter().map(one).collect::<Vec<_>>().join("; ")
    }
}

impl Channel for Email {
    fn kind(&self) -> &'static str {
        "email"
    }

    fn capacity(&self) -> usize {
        MAX_NOTICES
    }

    fn fingerprint(&self) -> String {
        let Mailing { server, port, security, tls: _, roots, login, from, recipients } = &self.mailing;
        let (user, password) = login.as_ref().map_or(("", ""), |(user, password)| (user.as_str(), password.expose()));
        let texts = [format!("{port} {security:?}"), from.to_string()];
        let recipients: Vec<String> = recipients.iter().map(ToString::to_string).collect();
        let own = [server.as_str(), roots, user, password].into_iter();
        fingerprint(own.chain(texts.iter().map(String::as_str)).chain(recipients.iter().map(String::as_str)))
    }

    fn send(&self, digest: &Digest<'_>, timeout: Duration) -> Outcome {
        let deadline = Instant::now() + timeout;
        let message = match message::compose(digest, &self.mailing.from, &self.mailing.recipients) {
            Ok(message) => message,
            Err(error) => {
                return Outcome::Refused { status: None, reason: format!("the mail cannot be written: {error:#}") };
            }
        };
        let job = Job { mailing: self.mailing.clone(), message, deadline };
        // Each read has its time-out, but a server may send byte by byte; so the session has a thread, which is left
        // alone when the time is up. It sends no mail after that.
        let (done, report) = mpsc::channel();
        thread::spawn(move || {
            session::run(&job, |report| {
                // Nobody listens any more when the time is up.
                let _ = done.send(report);
            });
        });
        let report = report.recv_timeout(deadline.saturating_duration_since(Instant::now()) + GRACE);
        let late = || Report::Broken { status: None, reason: "no complete answer within the time-out".to_owned() };
        self.outcome(report.unwrap_or_else(|_| late()))
    }
}

/// So much longer than the session's own end may take.
const GRACE: Duration = Duration::from_millis(250);
