//! The dead man's switch: each healthy run pings an address, and somebody else raises the alarm when the pings stay away.
//!
//! Signals are those of healthchecks.io (<https://healthchecks.io/docs/http_api/>): the address itself says that all is well,
//! `/start` that a run begins, `/fail` or `/{exit status}` that it went wrong; `rid` is the same for all pings of one run. A ping that
//! fails is told on stderr and changes nothing else.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread;
use std::time::{Duration, Instant};

use pso_common::http::{HttpClient, HttpError, HttpRoots, HttpSettings};
use pso_common::io::host_name;
use pso_common::{Run, Secret, Severity};

/// How long a ping may take; also how long the end of a run waits for the last one.
const TIMEOUT: Duration = Duration::from_secs(5);

/// What is pinged, and when.
#[derive(Debug)]
pub(crate) struct Heartbeat {
    /// Or why it cannot be.
    pub(crate) target: Result<Target, String>,
    /// Whether the beginning of a run is told.
    pub(crate) start: bool,
    pub(crate) on_failure: OnFailure,
    pub(crate) method: &'static str,
}

/// What a run that is not healthy says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnFailure {
    /// `/2`
    ExitStatus,
    /// `/fail`
    Fail,
    /// Nothing, for services that know only one signal.
    Silence,
}

/// Where to ping. All of the URL is secret: who has it can say that all is well.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    client: HttpClient,
    url: Secret,
}

impl Target {
    /// A URL, whose certificate must lead to one of `roots`.
    pub(crate) fn new(url: Secret, roots: HttpRoots) -> Self {
        let settings = HttpSettings {
            connect_timeout: TIMEOUT,
            timeout: TIMEOUT,
            max_body_bytes: 1 << 16,
            proxy_from_env: true,
            roots,
            ..HttpSettings::default()
        };
        Self { client: HttpClient::new(&settings), url }
    }

    fn ping(&self, method: &'static str, signal: &str, run_id: &str, body: &str) -> Result<(), String> {
        let request = self.client.request(method, address(self.url.expose(), signal, run_id)).timeout(TIMEOUT);
        let answer = if method == "POST" { request.send_bytes("text/plain", body.as_bytes()) } else { request.send() };
        match answer {
            Ok(answer) if answer.is_success() => Ok(()),
            Ok(answer) => Err(format!("it answered {}", answer.status)),
            // Its text may show what was asked for.
            Err(HttpError::Protocol(_)) => Err("its answer is not HTTP".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// The address of a signal: the path's end, before what the URL may ask for.
fn address(url: &str, signal: &str, run_id: &str) -> String {
    let url = url.split_once('#').map_or(url, |(url, _)| url);
    let (path, query) = url.split_once('?').map_or((url, ""), |(path, query)| (path, query));
    let path = if signal.is_empty() { path } else { path.trim_end_matches('/') };
    let slash = if signal.is_empty() { "" } else { "/" };
    let and = if query.is_empty() { "" } else { "&" };
    format!("{path}{slash}{signal}?{query}{and}rid={run_id}")
}

/// The pings of one run, which are made in a thread of their own.
#[derive(Debug)]
pub(crate) struct Beating {
    on_failure: OnFailure,
    pings: SyncSender<(String, String)>,
    results: Receiver<Result<(), String>>,
}

impl Beating {
    /// Begins, where there is something to ping.
    pub(crate) fn start(run: &mut Run<'_>, heartbeat: Option<&Heartbeat>) -> Option<Self> {
        let heartbeat = heartbeat?;
        let target = match &heartbeat.target {
            Ok(target) => target.clone(),
            Err(reason) => {
                run.warn(format_args!("the heartbeat is not sent: {reason}"));
                return None;
            }
        };
        let (method, run_id) = (heartbeat.method, run_id());
        // The end of a run finds room beside its beginning or a round.
        let (pings, orders) = mpsc::sync_channel::<(String, String)>(2);
        let (answers, results) = mpsc::channel();
        thread::spawn(move || {
            for (signal, body) in orders {
                // Who asked may have ended.
                let _ = answers.send(target.ping(method, &signal, &run_id, &body));
            }
        });
        let beating = Self { on_failure: heartbeat.on_failure, pings, results };
        if heartbeat.start {
            beating.send("start", "begins");
        }
        Some(beating)
    }

    /// One round of a run that goes on is over.
    pub(crate) fn round(&self, worst: Severity) {
        if let Some((signal, body)) = self.signal(worst, false) {
            self.send(&signal, &body);
        }
    }

    /// The run is over; `undelivered` says that people were not told what they should know. Waits for the last ping, but not long.
    pub(crate) fn end(self, run: &mut Run<'_>, worst: Severity, undelivered: bool) {
        if let Some((signal, body)) = self.signal(worst, undelivered) {
            self.send(&signal, &body);
        }
        let Self { pings, results, .. } = self;
        drop(pings);
        let (mut failed, limit) = (None, Instant::now() + TIMEOUT);
        loop {
            match results.recv_timeout(limit.saturating_duration_since(Instant::now())) {
                Ok(Ok(())) => failed = None,
                Ok(Err(reason)) => failed = Some(reason),
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    failed = Some(format!("no answer within {} s", TIMEOUT.as_secs()));
                    break;
                }
            }
        }
        if let Some(reason) = failed {
            run.warn(format_args!("the heartbeat could not be sent: {reason}"));
        }
    }

    /// What is pinged, and with which text. A warning is healthy, unless somebody was not told.
    fn signal(&self, worst: Severity, undelivered: bool) -> Option<(String, String)> {
        let code = worst.exit_code();
        if code < 2 && !undelivered {
            return Some((String::new(), worst.to_string()));
        }
        let body = format!("{worst}{}", if undelivered { ", and not all of it could be delivered" } else { "" });
        match self.on_failure {
            OnFailure::ExitStatus => Some((code.max(1).to_string(), body)),
            OnFailure::Fail => Some(("fail".to_owned(), body)),
            OnFailure::Silence => None,
        }
    }

    /// Has a ping made; one that finds no room because those before it hang is left out.
    fn send(&self, signal: &str, text: &str) {
        let body = format!("pso-alert on {}: {text}", host_name());
        let _ = self.pings.try_send((signal.to_owned(), body));
    }
}

/// A random UUID (version 4), as healthchecks.io wants run ids.
fn run_id() -> String {
    let part = || {
        let mut hasher = RandomState::new().build_hasher();
        hasher.write_u32(std::process::id());
        hasher.finish()
    };
    let (a, b) = (part(), part());
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        a >> 32,
        (a >> 16) & 0xffff,
        a & 0xfff,
        0x8000 | ((b >> 48) & 0x3fff),
        b & 0xffff_ffff_ffff
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_are_the_end_of_the_path() {
        let url = "https://hc-ping.com/uuid";
        assert_eq!(address(url, "", "r"), "https://hc-ping.com/uuid?rid=r");
        assert_eq!(address(url, "start", "r"), "https://hc-ping.com/uuid/start?rid=r");
        assert_eq!(address("http://h/p/?create=1#x", "2", "r"), "http://h/p/2?create=1&rid=r");
        assert_eq!(address("http://h/p/?create=1", "", "r"), "http://h/p/?create=1&rid=r");
    }

    #[test]
    fn run_ids_are_random_uuids() {
        let (one, other) = (run_id(), run_id());
        assert_ne!(one, other);
        let lengths: Vec<usize> = one.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12], "{one}");
        assert_eq!((&one[14..15], "89ab".contains(&one[19..20])), ("4", true), "{one}");
    }
}
