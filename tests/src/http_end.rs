//! A small HTTP server in this process, with a thread a request, which remembers what it was asked.

use std::io::Cursor;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use serde_json::Value;
use tiny_http::{Header, Request, Response, Server, StatusCode};

use crate::wait;

/// A request as it came in.
#[derive(Debug, Clone)]
pub struct Seen {
    /// `GET`, `POST`, …
    pub method: String,
    /// The path with its query, as sent.
    pub path: String,
    /// In the order sent.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: Vec<u8>,
    /// When its body had been read.
    pub at: Instant,
}

impl Seen {
    /// The value of a header, whatever its case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The body as text; bytes that are not UTF-8 are replaced.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    #[must_use]
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// Headers beside Content-Length.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// How long to wait before answering; `None` never answers.
    pub after: Option<Duration>,
}

impl Reply {
    /// An answer with a body of the given type.
    #[must_use]
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("Content-Type".to_owned(), content_type.to_owned())];
        Self { status, headers, body: body.into(), after: Some(Duration::ZERO) }
    }

    /// An answer in JSON.
    #[must_use]
    pub fn json(status: u16, body: &Value) -> Self {
        Self::new(status, "application/json", body.to_string())
    }

    /// A bare status.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new(), after: Some(Duration::ZERO) }
    }

    /// No answer, ever; the connection stays open.
    #[must_use]
    pub fn hang() -> Self {
        Self { after: None, ..Self::status(200) }
    }

    /// With one more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same, later.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        self.after = Some(delay);
        self
    }
}

/// Answers a request.
pub(crate) type Handler = dyn Fn(&Seen) -> Reply + Send + Sync;

#[derive(Default)]
struct Shared {
    seen: Mutex<Vec<Seen>>,
    ending: Mutex<bool>,
    ended: Condvar,
}

/// The server. Dropping it closes the port and lets go of every request that hangs.
pub(crate) struct HttpEnd {
    server: Arc<Server>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    port: u16,
}

impl HttpEnd {
    pub(crate) fn start(port: u16, handler: Arc<Handler>) -> Result<Self> {
        let server =
            Server::http(("127.0.0.1", port)).map_err(|error| anyhow!("listen on 127.0.0.1:{port}: {error}"))?;
        let port = server.server_addr().to_ip().context("find the port that was given")?.port();
        let server = Arc::new(server);
        let shared = Arc::new(Shared::default());
        let (listening, state) = (Arc::clone(&server), Arc::clone(&shared));
        let thread = thread::spawn(move || {
            for request in listening.incoming_requests() {
                let (state, handler) = (Arc::clone(&state), Arc::clone(&handler));
                thread::spawn(move || answer(request, &state, handler.as_ref()));
            }
        });
        Ok(Self { server, shared, thread: Some(thread), port })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        locked(&self.shared.seen).clone()
    }

    pub(crate) fn forget(&self) {
        locked(&self.shared.seen).clear();
    }

    pub(crate) fn wait_for(&self, count: usize, limit: Duration) -> Result<Vec<Seen>> {
        wait::until(&format!("{count} requests"), limit, || {
            let seen = self.seen();
            (seen.len() >= count).then_some(seen)
        })
    }
}

impl Drop for HttpEnd {
    fn drop(&mut self) {
        *locked(&self.shared.ending) = true;
        self.shared.ended.notify_all();
        self.server.unblock();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn answer(mut request: Request, shared: &Shared, handler: &Handler) {
    let mut body = Vec::new();
    if request.as_reader().read_to_end(&mut body).is_err() {
        return;
    }
    let headers = request.headers().iter().map(|header| (header.field.to_string(), header.value.to_string())).collect();
    let (method, path) = (request.method().to_string(), request.url().to_owned());
    let seen = Seen { method, path, headers, body, at: Instant::now() };
    // The handler first: what a test sees in the list has had its effect.
    let reply = handler(&seen);
    locked(&shared.seen).push(seen);
    let wait = reply.after.unwrap_or(Duration::from_secs(86_400));
    let ending = locked(&shared.ending);
    let waited = shared.ended.wait_timeout_while(ending, wait, |ending| !*ending);
    drop(waited);
    let headers =
        reply.headers.iter().filter_map(|(name, value)| Header::from_bytes(name.as_bytes(), value.as_bytes()).ok());
    let length = reply.body.len();
    let response =
        Response::new(StatusCode(reply.status), headers.collect(), Cursor::new(reply.body), Some(length), None);
    // The client may have given up; that is its right.
    let _ = request.respond(response);
}

/// A lock whose data are plain values, whole even when a test panicked while holding it.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
