//! A mail server: STARTTLS or TLS from the first byte, login with PLAIN or LOGIN. It keeps every mail that it took, refuses what strict
//! servers refuse, and misbehaves when told to.

mod session;

use std::collections::VecDeque;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustls::ServerConfig;

use crate::certificates::Certificates;
pub use crate::certificates::Kind;
use crate::http_end::locked;
use crate::tls_end;
use crate::wait;

/// The name that logs in.
pub const USER: &str = "alerts@example.com";

/// Its password.
pub const PASSWORD: &str = "s3cr3tSmtpPassword";

/// How a server speaks TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// Not at all; it lets anybody log in over a plain connection.
    None,
    /// After STARTTLS, and takes neither login nor mail before it.
    StartTls,
    /// From the first byte.
    Implicit,
}

/// How a server is to be; `Options::default()` is the usual one.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// How it speaks TLS.
    pub security: Security,
    /// Its certificate.
    pub certificate: Kind,
    /// The words after AUTH, such as `PLAIN LOGIN`; empty: nobody needs to log in, and nobody can.
    pub mechanisms: &'static str,
}

impl Default for Options {
    fn default() -> Self {
        Self { security: Security::StartTls, certificate: Kind::Good, mechanisms: "PLAIN LOGIN" }
    }
}

/// Where a session goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// In place of the greeting.
    Greeting,
    /// At EHLO.
    Ehlo,
    /// At STARTTLS.
    StartTls,
    /// At the end of a login, whatever its password is.
    Auth,
    /// At MAIL FROM.
    Mail,
    /// At RCPT TO.
    Rcpt,
    /// At DATA, before the mail's text.
    Data,
    /// In the middle of the mail's text.
    Text,
    /// After the mail's text. What [`How::Accept`] is not the case for, is not taken.
    End,
}

/// In what way it goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    /// This line is the answer: `450 4.2.0 greylisted`. With 421 the connection ends, as it does with real servers.
    Answer(String),
    /// The connection ends without a word.
    Drop,
    /// No answer, ever; the connection stays open.
    Silence,
    /// Only at [`Stage::End`]: the mail is taken, and then the connection ends without a word, so that a second copy will come.
    Accept,
}

/// One thing that goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where.
    pub at: Stage,
    /// How.
    pub how: How,
}

impl Fault {
    /// Another answer than the usual one.
    #[must_use]
    pub fn answer(at: Stage, line: &str) -> Self {
        Self { at, how: How::Answer(line.to_owned()) }
    }

    /// The connection ends.
    #[must_use]
    pub const fn drop(at: Stage) -> Self {
        Self { at, how: How::Drop }
    }

    /// No answer.
    #[must_use]
    pub const fn silence(at: Stage) -> Self {
        Self { at, how: How::Silence }
    }

    /// The mail is taken, and its sender does not learn it.
    #[must_use]
    pub const fn lost_answer() -> Self {
        Self { at: Stage::End, how: How::Accept }
    }
}

/// A mail that was taken.
#[derive(Debug, Clone)]
pub struct Mail {
    /// The envelope's sender.
    pub from: String,
    /// The envelope's recipients that were accepted.
    pub to: Vec<String>,
    /// Headers and body as they came, with CRLF, without the dots that SMTP adds.
    pub text: String,
    /// Whether it came through TLS.
    pub encrypted: bool,
    /// Who had logged in.
    pub user: Option<String>,
    /// When it had been read.
    pub at: Instant,
}

/// Decides, per connection (numbered from 0), what goes wrong in it.
type Decide = dyn Fn(u64) -> Option<Fault> + Send + Sync;

struct Shared {
    options: Options,
    tls: Arc<ServerConfig>,
    mails: Mutex<Vec<Mail>>,
    planned: Mutex<VecDeque<Option<Fault>>>,
    decide: Mutex<Option<Arc<Decide>>>,
    /// Recipients that are refused, with the line.
    refused: Mutex<Vec<(String, String)>>,
    connections: AtomicU64,
    ending: AtomicBool,
    ended: (Mutex<bool>, Condvar),
}

/// The server. Dropping it closes the port.
pub struct SmtpSink {
    certificates: Certificates,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    port: u16,
}

impl SmtpSink {
    /// The usual one: STARTTLS, and nothing without login.
    ///
    /// # Errors
    /// When its certificate cannot be made, or it cannot listen.
    pub fn start() -> Result<Self> {
        Self::with(Options::default())
    }

    /// Another one.
    ///
    /// # Errors
    /// As [`SmtpSink::start`].
    pub fn with(options: Options) -> Result<Self> {
        let certificates = Certificates::new(options.certificate)?;
        let tls = tls_end::config(&certificates, tls_end::Options::default()).context("set up TLS")?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).context("listen on 127.0.0.1")?;
        let port = listener.local_addr().context("find the port that was given")?.port();
        let shared = Arc::new(Shared {
            options,
            tls: Arc::new(tls),
            mails: Mutex::default(),
            planned: Mutex::default(),
            decide: Mutex::default(),
            refused: Mutex::default(),
            connections: AtomicU64::new(0),
            ending: AtomicBool::new(false),
            ended: (Mutex::new(false), Condvar::new()),
        });
        let state = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if state.ending.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let number = state.connections.fetch_add(1, Ordering::SeqCst);
                let state = Arc::clone(&state);
                thread::spawn(move || session::serve(stream, number, &state));
            }
        });
        Ok(Self { certificates, shared, thread: Some(thread), port })
    }

    /// The port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The certificate of the authority, which a client must trust.
    #[must_use]
    pub fn ca_file(&self) -> PathBuf {
        self.certificates.ca_file()
    }

    /// A section of alerts.yaml that mails to this server; its password is `${SMTP_PASSWORD}`.
    #[must_use]
    pub fn section(&self, recipients: &[&str]) -> String {
        let (port, ca_file, recipients) = (self.port, self.ca_file().display().to_string(), recipients.join(", "));
        let tls = match self.shared.options.security {
            Security::None => "none",
            Security::StartTls => "starttls",
            Security::Implicit => "tls",
        };
        format!(
            "{{type: email, enabled: true, smtp_server: localhost, smtp_port: {port}, tls: {tls}, ca_file: '{ca_file}', \
             username: {USER}, password: '${{SMTP_PASSWORD}}', recipients: [{recipients}]}}"
        )
    }

    /// What goes wrong in the next connections, one each; `None` is a good one. After them all is well again.
    pub fn plan(&self, faults: impl IntoIterator<Item = Option<Fault>>) {
        locked(&self.shared.planned).extend(faults);
    }

    /// What goes wrong in each connection that has no plan, by its number from 0.
    pub fn misbehave(&self, decide: impl Fn(u64) -> Option<Fault> + Send + Sync + 'static) {
        *locked(&self.shared.decide) = Some(Arc::new(decide));
    }

    /// From now on all goes well again.
    pub fn behave(&self) {
        *locked(&self.shared.decide) = None;
        locked(&self.shared.planned).clear();
    }

    /// Refuses a recipient with this line, until [`SmtpSink::accept_all`].
    pub fn refuse(&self, recipient: &str, line: &str) {
        locked(&self.shared.refused).push((recipient.to_owned(), line.to_owned()));
    }

    /// Refuses no recipient any more.
    pub fn accept_all(&self) {
        locked(&self.shared.refused).clear();
    }

    /// Every mail so far.
    #[must_use]
    pub fn mails(&self) -> Vec<Mail> {
        locked(&self.shared.mails).clone()
    }

    /// How many connections it has accepted.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// Waits for the `count`th mail and gives all so far.
    ///
    /// # Errors
    /// When `limit` passes first.
    pub fn wait_for(&self, count: usize, limit: Duration) -> Result<Vec<Mail>> {
        wait::until(&format!("{count} mails"), limit, || {
            let mails = self.mails();
            (mails.len() >= count).then_some(mails)
        })
    }
}

impl Drop for SmtpSink {
    fn drop(&mut self) {
        self.shared.ending.store(true, Ordering::SeqCst);
        *locked(&self.shared.ended.0) = true;
        self.shared.ended.1.notify_all();
        // Wakes the accepting thread.
        let woken = TcpStream::connect(("127.0.0.1", self.port));
        if let (Some(thread), Ok(_)) = (self.thread.take(), woken) {
            let _ = thread.join();
        }
    }
}
