//! Mail through a server that one logs in to.

mod html;
mod message;
mod session;
mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Mutex, PoisonError, mpsc};
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

/// Messages whose recipients are remembered.
const MAX_REMEMBERED: usize = 64;

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
    /// Who has a message already, by its key: after a failure in between, only the others get it once more.
    settled: Mutex<BTreeMap<String, Settled>>,
}

/// How far a message has come.
#[derive(Clone, Debug, Default)]
struct Settled {
    told: BTreeSet<usize>,
    refused: BTreeMap<usize, String>,
}

impl Email {
    pub(crate) fn new(mailing: Mailing) -> Self {
        Self { mailing, settled: Mutex::default() }
    }

    fn settled(&self, key: &str) -> Settled {
        self.settled.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned().unwrap_or_default()
    }

    fn settle(&self, key: &str, settled: Option<Settled>) {
        let mut all = self.settled.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(key);
        if let Some(settled) = settled {
            // What is forgotten is sent to all once more, under the same Message-ID.
            while all.len() >= MAX_REMEMBERED {
                all.pop_first();
            }
            all.insert(key.to_owned(), settled);
        }
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

    fn outcome(&self, key: &str, mut settled: Settled, report: Report) -> Outcome {
        let (status, said) = match report {
            Report::Broken { status, reason } => {
                let reason = format!("{}:{}: {reason}", self.mailing.server, self.mailing.port);
                return Outcome::Again { status, after: Duration::ZERO, reason: self.scrubbed(&reason) };
            }
            Report::Refused { status, reason } => return Outcome::Refused { status, reason: self.scrubbed(&reason) },
            Report::Unusable { status, reason } => return Outcome::Unusable { status, reason: self.scrubbed(&reason) },
            Report::Done { told, refused, later, status, said } => {
                settled.told.extend(told);
                settled.refused.extend(refused);
                if !later.is_empty() {
                    let status = later.values().find_map(|line| line.get(..3)?.parse().ok());
                    let reason = self.scrubbed(&self.list(&later));
                    self.settle(key, Some(settled));
                    return Outcome::Again { status, after: Duration::ZERO, reason };
                }
                (status, said)
            }
        };
        self.settle(key, None);
        let refused = (!settled.refused.is_empty()).then(|| self.scrubbed(&self.list(&settled.refused)));
        match refused {
            Some(reason) if settled.told.is_empty() => {
                let status = settled.refused.values().find_map(|line| line.get(..3)?.parse().ok());
                Outcome::Unusable { status, reason: one_line(&format!("no recipient is accepted: {reason}"), 300) }
            }
            complaint => Outcome::Sent { status, said: self.scrubbed(&said), pause: Duration::ZERO, complaint },
        }
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
        let settled = self.settled(digest.key);
        let pending = (0..self.mailing.recipients.len())
            .filter(|at| !settled.told.contains(at) && !settled.refused.contains_key(at))
            .collect();
        let job = Job { mailing: self.mailing.clone(), message, pending, deadline };
        // Each read has its time-out, but a server may send byte by byte; so the session has a thread, which is left
        // alone when the time is up. It sends no mail after that.
        let (done, report) = mpsc::channel();
        thread::spawn(move || {
            // Nobody listens any more when the time is up.
            let _ = done.send(session::run(&job));
        });
        let report = report.recv_timeout(deadline.saturating_duration_since(Instant::now()) + GRACE);
        let late = || Report::Broken { status: None, reason: "no complete answer within the time-out".to_owned() };
        self.outcome(digest.key, settled, report.unwrap_or_else(|_| late()))
    }
}

/// So much longer than the session's own end may take.
const GRACE: Duration = Duration::from_millis(250);
