//! One mail, one connection: <https://www.rfc-editor.org/rfc/rfc5321>.
//!
//! lettre's own `send` ends at the first recipient that is refused; here the others get the mail.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::io;
use std::time::{Duration, Instant};

use lettre::Address;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::SmtpConnection;
use lettre::transport::smtp::commands::{Data, Mail, Quit, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailParameter};
use pso_common::net;
use pso_common::tls::TlsFault;

use super::{Mailing, Security};

/// How long the end of a session may take when the mail is through.
const FAREWELL: Duration = Duration::from_millis(500);

/// What a session is to do.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) mailing: Mailing,
    /// Headers and body.
    pub(super) message: Vec<u8>,
    pub(super) deadline: Instant,
}

/// How it went.
#[derive(Debug)]
pub(super) enum Report {
    /// The server has said something to each recipient.
    Done(Done),
    /// Nobody was told; another attempt may go better.
    Broken { status: Option<u16>, reason: String },
    /// The server does not take this mail.
    Refused { status: Option<u16>, reason: String },
    /// The server takes no mail from us as we are configured.
    Unusable { status: Option<u16>, reason: String },
}

/// What the server has said to each recipient, by their place in the configuration.
#[derive(Debug, Default)]
pub(super) struct Done {
    pub(super) told: Vec<usize>,
    /// For good.
    pub(super) refused: BTreeMap<usize, String>,
    /// For now.
    pub(super) later: BTreeMap<usize, String>,
    pub(super) status: Option<u16>,
    pub(super) said: String,
}

/// The result of a step that may end the session.
type Step<T> = Result<T, Report>;

/// Tells what came of it as soon as that is certain: whoever is killed before it is written down sends the mail again.
pub(super) fn run(job: &Job, tell: impl FnOnce(Report)) {
    match session(job) {
        Ok((done, mut connection)) => {
            tell(Report::Done(done));
            // The mail is through, or it is not; how the server parts from us changes nothing.
            if connection.set_timeout(Some(FAREWELL)).is_ok() {
                let _ = connection.command(Quit);
            }
        }
        Err(report) => tell(report),
    }
}

fn session(job: &Job) -> Step<(Done, SmtpConnection)> {
    let mut connection = open(job)?;
    login(job, &mut connection)?;
    let all: Vec<usize> = (0..job.mailing.recipients.len()).collect();
    let mut done = transaction(job, &mut connection, &all)?;
    // 452 is also said to more recipients than one mail may have: <https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.1.10>.
    while !done.told.is_empty() && !done.later.is_empty() {
        let left: Vec<usize> = done.later.keys().copied().collect();
        match transaction(job, &mut connection, &left) {
            Ok(more) if !more.told.is_empty() => {
                done.told.extend(more.told);
                done.refused.extend(more.refused);
                done.later = more.later;
            }
            // The first have it already, so whatever this is, the mail is not sent again.
            _ => break,
        }
    }
    Ok((done, connection))
}

fn open(job: &Job) -> Step<SmtpConnection> {
    let Mailing { server, port, security, tls, .. } = &job.mailing;
    let connecting = |reason: String| Report::Broken { status: None, reason };
    let addresses = net::resolve(server, *port, left(job)?).map_err(|error| connecting(error.to_string()))?;
    // Each address has its share of the time.
    let share = left(job)? / u32::try_from(addresses.len().max(1)).unwrap_or(1);
    let hello = hello();
    let wrapped = (*security == Security::Tls).then_some(tls);
    // What is no 2xx for the greeting says nothing of us: Postfix says 554 to whole networks for a while.
    let mut connection = SmtpConnection::connect(addresses.as_slice(), Some(share), &hello, wrapped, None)
        .map_err(|error| broken(&error))?;
    let upgrade = matches!(security, Security::StartTls | Security::Opportunistic);
    if upgrade && connection.can_starttls() {
        ready(job, &mut connection)?;
        connection.starttls(tls, &hello).map_err(|error| broken(&error))?;
    } else if *security == Security::StartTls {
        let reason = "the server offers no STARTTLS; with `tls: tls` or `tls: none` it is not asked for".to_owned();
        return Err(Report::Unusable { status: None, reason });
    }
    Ok(connection)
}

fn login(job: &Job, connection: &mut SmtpConnection) -> Step<()> {
    let Some((user, password)) = &job.mailing.login else { return Ok(()) };
    if job.mailing.security == Security::Opportunistic && !connection.is_encrypted() {
        let reason = "the server offers no STARTTLS, and a password is not sent in the clear".to_owned();
        return Err(Report::Unusable { status: None, reason });
    }
    ready(job, connection)?;
    let credentials = Credentials::new(user.clone(), password.expose().to_owned());
    match connection.auth(&[Mechanism::Plain, Mechanism::Login], &credentials) {
        Ok(_) => Ok(()),
        Err(error) if error.is_client() => {
            let reason = "the server offers no login with PLAIN or LOGIN".to_owned();
            Err(Report::Unusable { status: None, reason })
        }
        Err(error) => {
            Err(lasting(&error, "the login is refused", |status, reason| Report::Unusable { status, reason }))
        }
    }
}

/// One copy of the mail, to these recipients.
fn transaction(job: &Job, connection: &mut SmtpConnection, to: &[usize]) -> Step<Done> {
    let mailing = &job.mailing;
    let sender = mailing.from.email.clone();
    let people = to.iter().filter_map(|&at| Some((at, mailing.recipients.get(at)?.email.clone())));
    let people: Vec<_> = people.collect();
    let ascii = |address: &Address| address.to_string().is_ascii();
    let international = !ascii(&sender) || people.iter().any(|(_, address)| !ascii(address));
    let mut options = Vec::new();
    if international {
        if !connection.server_info().supports_feature(Extension::SmtpUtfEight) {
            let reason = "an address is not ASCII, and the server takes no such (SMTPUTF8)".to_owned();
            return Err(Report::Unusable { status: None, reason });
        }
        options.push(MailParameter::SmtpUtfEight);
    }
    ready(job, connection)?;
    connection.command(Mail::new(Some(sender), options)).map_err(|error| {
        lasting(&error, "the sender is refused", |status, reason| Report::Unusable { status, reason })
    })?;
    let (mut accepted, mut refused, mut later) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
    for (at, address) in people {
        ready(job, connection)?;
        match connection.command(Rcpt::new(address, Vec::new())) {
            Ok(_) => accepted.push(at),
            // It ends the connection: <https://www.rfc-editor.org/rfc/rfc5321#section-3.8>.
            Err(error) if status(&error) == Some(421) => return Err(broken(&error)),
            Err(error) if error.is_permanent() => drop(refused.insert(at, words(&error))),
            Err(error) if error.is_transient() => drop(later.insert(at, words(&error))),
            Err(error) => return Err(broken(&error)),
        }
    }
    if accepted.is_empty() {
        return Ok(Done { refused, later, ..Done::default() });
    }
    ready(job, connection)?;
    let refuse = |status, reason| Report::Refused { status, reason };
    connection.command(Data).map_err(|error| lasting(&error, "the mail is refused", refuse))?;
    ready(job, connection)?;
    let response = connection.message(&job.message).map_err(|error| lasting(&error, "the mail is refused", refuse))?;
    let (status, said) = (u16::from(response.code()), response.message().collect::<Vec<_>>().join(" "));
    Ok(Done { told: accepted, refused, later, status: Some(status), said })
}

/// The time that is left.
fn left(job: &Job) -> Step<Duration> {
    let left = job.deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        let reason = "no complete answer within the time-out".to_owned();
        return Err(Report::Broken { status: None, reason });
    }
    Ok(left)
}

/// Gives the next command the time that is left, if there is any.
fn ready(job: &Job, connection: &mut SmtpConnection) -> Step<()> {
    let left = left(job)?;
    connection.set_timeout(Some(left)).map_err(|error| Report::Broken { status: None, reason: error.to_string() })
}

/// A name for EHLO; servers want a full one, or an address in brackets.
fn hello() -> ClientId {
    let host = pso_common::io::host_name();
    let named = host.contains('.')
        && host.len() <= 253
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'));
    if named { ClientId::Domain(host) } else { ClientId::default() }
}

/// A 5xx means what `kind` makes of it; anything else may pass.
fn lasting(error: &Error, what: &str, kind: impl Fn(Option<u16>, String) -> Report) -> Report {
    if error.is_permanent() {
        return kind(status(error), format!("{what}: {}", words(error)));
    }
    broken(error)
}

fn broken(error: &Error) -> Report {
    if let Some(fault) = tls_fault(error) {
        let reason = format!("TLS failed: {fault}");
        return if fault.is_lasting() {
            Report::Unusable { status: None, reason }
        } else {
            Report::Broken { status: None, reason }
        };
    }
    Report::Broken { status: status(error), reason: words(error) }
}

/// What rustls found, which lies in an I/O error in lettre's.
fn tls_fault(error: &Error) -> Option<TlsFault> {
    let mut source = error.source();
    while let Some(error) = source {
        if let Some(fault) = error.downcast_ref::<io::Error>().and_then(TlsFault::inside) {
            return Some(fault);
        }
        source = error.source();
    }
    None
}

fn status(error: &Error) -> Option<u16> {
    error.status().map(u16::from)
}

/// `535 5.7.8 Username and Password not accepted`, or why there is no answer.
fn words(error: &Error) -> String {
    let source = error.source().map(ToString::to_string).unwrap_or_default();
    match status(error) {
        Some(status) => format!("{status} {source}"),
        None => match error.source().and_then(|source| source.downcast_ref::<io::Error>()).map(io::Error::kind) {
            Some(io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                "no complete answer within the time-out".to_owned()
            }
            Some(io::ErrorKind::ConnectionRefused) => "connection refused: nothing listens there".to_owned(),
            _ if error.is_response() => format!("it does not speak SMTP, or ended in the middle ({source})"),
            _ => format!("the connection broke: {source}"),
        },
    }
}
