//! A TCP proxy in front of a port of 127.0.0.1 that refuses, delays, cuts, corrupts, trickles or swallows, as it is told while it runs.

mod pump;

use std::io::ErrorKind;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::http_end::locked;
use crate::wait;

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the server.
    ToServer,
    /// From the server to the client.
    ToClient,
}

/// What the proxy does. A change holds for the connections that are open as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Passes everything.
    Pass,
    /// Closes the port: connections are refused, and those that are open end.
    Refuse,
    /// Accepts, and ends each connection at once: the server behind is gone.
    Drop,
    /// Waits this long before it passes each piece on, both ways.
    Delay(Duration),
    /// Ends the connection when so many bytes of it have passed in one direction.
    CutAfter {
        /// The direction that counts.
        direction: Direction,
        /// Bytes that still pass.
        bytes: u64,
    },
    /// Flips the lowest bit of one byte of each connection.
    Corrupt {
        /// The direction that counts.
        direction: Direction,
        /// The byte's offset in that direction.
        offset: u64,
    },
    /// Accepts and never answers. Connections that it accepts in this mode stay dead.
    BlackHole,
    /// Passes so few bytes at a time, both ways, and waits in between.
    Trickle {
        /// Bytes a piece; at least 1.
        bytes: usize,
        /// The time between two pieces.
        every: Duration,
    },
}

const STEP: Duration = Duration::from_millis(5);
const CHANGE_LIMIT: Duration = Duration::from_secs(10);

#[derive(Debug)]
struct Shared {
    mode: Mutex<Mode>,
    /// The mode that the accepting thread has put into force.
    in_force: Mutex<Option<Mode>>,
    ending: Mutex<bool>,
    ended: Condvar,
    /// How often all open connections were to end: one that is older ends, even when the mode has changed again since.
    breaks: AtomicU64,
    connections: AtomicU64,
    to_server: AtomicU64,
    to_client: AtomicU64,
}

impl Shared {
    fn mode(&self) -> Mode {
        *locked(&self.mode)
    }

    fn is_ending(&self) -> bool {
        *locked(&self.ending)
    }

    /// Waits, but no longer than the proxy lives.
    fn pause(&self, duration: Duration) {
        let waited = self.ended.wait_timeout_while(locked(&self.ending), duration, |ending| !*ending);
        drop(waited);
    }

    fn passed(&self, direction: Direction) -> &AtomicU64 {
        match direction {
            Direction::ToServer => &self.to_server,
            Direction::ToClient => &self.to_client,
        }
    }
}

/// The proxy. Dropping it closes its port and its connections and ends its threads.
#[derive(Debug)]
pub struct TcpProxy {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    port: u16,
}

impl TcpProxy {
    /// A proxy on a free port of 127.0.0.1 in front of another port there. Passes everything at first.
    ///
    /// # Errors
    /// When it cannot listen.
    pub fn start(target: u16) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).context("listen for the proxy")?;
        listener.set_nonblocking(true).context("listen for the proxy")?;
        let port = listener.local_addr().context("find the proxy's port")?.port();
        let shared = Arc::new(Shared {
            mode: Mutex::new(Mode::Pass),
            in_force: Mutex::new(None),
            ending: Mutex::new(false),
            ended: Condvar::new(),
            breaks: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            to_server: AtomicU64::new(0),
            to_client: AtomicU64::new(0),
        });
        let state = Arc::clone(&shared);
        let thread = thread::spawn(move || accept(listener, port, target, &state));
        Ok(Self { shared, thread: Some(thread), port })
    }

    /// The port to connect to.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `http://127.0.0.1:PORT`
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Changes the mode, and returns when it is in force.
    ///
    /// # Errors
    /// When the port, closed by [`Mode::Refuse`], cannot be opened again.
    pub fn set(&self, mode: Mode) -> Result<()> {
        *locked(&self.shared.in_force) = None;
        *locked(&self.shared.mode) = mode;
        if matches!(mode, Mode::Drop | Mode::Refuse) {
            self.shared.breaks.fetch_add(1, Ordering::SeqCst);
        }
        let in_force = || (*locked(&self.shared.in_force) == Some(mode)).then_some(());
        wait::until("the proxy to change its mode", CHANGE_LIMIT, in_force)
    }

    /// How many connections it has accepted.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// How many bytes it has passed in a direction, over all connections.
    #[must_use]
    pub fn passed(&self, direction: Direction) -> u64 {
        self.shared.passed(direction).load(Ordering::SeqCst)
    }
}

impl Drop for TcpProxy {
    fn drop(&mut self) {
        *locked(&self.shared.ending) = true;
        self.shared.ended.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn accept(listener: TcpListener, port: u16, target: u16, shared: &Arc<Shared>) {
    let mut listener = Some(listener);
    let mut pumps: Vec<JoinHandle<()>> = Vec::new();
    let mut swallowed: Vec<TcpStream> = Vec::new();
    while !shared.is_ending() {
        let mode = shared.mode();
        if mode == Mode::Refuse {
            listener = None;
            swallowed.clear();
        } else if listener.is_none() {
            // The standard library sets SO_REUSEADDR: connections of before that linger do not matter.
            listener = TcpListener::bind(("127.0.0.1", port)).ok().filter(|new| new.set_nonblocking(true).is_ok());
        }
        if listener.is_some() || mode == Mode::Refuse {
            *locked(&shared.in_force) = Some(mode);
        }
        match listener.as_ref().map(TcpListener::accept) {
            Some(Ok((client, _))) => {
                shared.connections.fetch_add(1, Ordering::SeqCst);
                match shared.mode() {
                    Mode::BlackHole => swallowed.push(client),
                    Mode::Drop | Mode::Refuse => drop(client),
                    _ => pumps.extend(connect(&client, target, shared)),
                }
            }
            Some(Err(error)) if error.kind() != ErrorKind::WouldBlock => shared.pause(STEP),
            _ => shared.pause(STEP),
        }
        pumps.retain(|pump| !pump.is_finished());
    }
    for pump in pumps {
        let _ = pump.join();
    }
}

/// Joins a client to the server with a thread each way. A server that refuses ends the client's connection.
fn connect(client: &TcpStream, target: u16, shared: &Arc<Shared>) -> Vec<JoinHandle<()>> {
    let Ok(server) = TcpStream::connect(("127.0.0.1", target)) else {
        let _ = client.shutdown(Shutdown::Both);
        return Vec::new();
    };
    let breaks = shared.breaks.load(Ordering::SeqCst);
    [(Direction::ToServer, client, &server), (Direction::ToClient, &server, client)]
        .into_iter()
        .filter_map(|(direction, from, to)| {
            let (from, to) = (from.try_clone().ok()?, to.try_clone().ok()?);
            let shared = Arc::clone(shared);
            Some(thread::spawn(move || pump::run(direction, from, to, breaks, &shared)))
        })
        .collect()
}
