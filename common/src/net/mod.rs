//! Connecting over TCP within one time-out, and saying why that failed.
//!
//! The time-out covers looking the name up and trying all its addresses. An address that refuses or is dead does not
//! hide another one that answers.

mod address;

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs as _};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

pub use address::Address;

/// As many addresses of a name are tried at most.
const MAX_ADDRESSES: usize = 16;

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NetError {
    /// The host name is empty or none.
    Malformed,
    /// The host name does not resolve; the resolver's words.
    NotResolved(String),
    /// The resolver did not answer within this time.
    ResolveTimeout(Duration),
    /// The host answers; nobody listens on that port.
    Refused,
    /// There is no way to that host; the system's words.
    Unreachable(String),
    /// No connection within this time: a firewall that drops, or a host that is down.
    Timeout(Duration),
    /// This machine forbids the connection (a firewall rule, a sandbox).
    Permission,
    /// Anything else, such as too many open files; the system's words.
    Other(String),
}

impl NetError {
    /// Whether the name was the problem: nothing was connected to.
    #[must_use]
    pub const fn is_resolve(&self) -> bool {
        matches!(self, Self::Malformed | Self::NotResolved(_) | Self::ResolveTimeout(_))
    }

    /// Of several addresses' failures the one that says most is reported: that a host refuses means that it is up.
    const fn weight(&self) -> u8 {
        match self {
            Self::Refused => 4,
            Self::Timeout(_) => 3,
            Self::Permission => 2,
            Self::Unreachable(_) => 1,
            _ => 0,
        }
    }

    /// What the system says when a connection within `timeout` failed.
    pub(crate) fn of(error: &io::Error, timeout: Duration) -> Self {
        use io::ErrorKind as Kind;
        match error.kind() {
            Kind::ConnectionRefused => Self::Refused,
            Kind::TimedOut | Kind::WouldBlock => Self::Timeout(timeout),
            Kind::PermissionDenied => Self::Permission,
            Kind::HostUnreachable | Kind::NetworkUnreachable | Kind::NetworkDown | Kind::AddrNotAvailable => {
                Self::Unreachable(error.to_string())
            }
            _ => Self::Other(error.to_string()),
        }
    }
}

impl fmt::Display for NetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("the host name is malformed"),
            Self::NotResolved(reason) => write!(f, "the host name does not resolve: {reason}"),
            Self::ResolveTimeout(limit) => write!(f, "the host name was not resolved within {limit:?}"),
            Self::Refused => f.write_str("connection refused: nothing listens there"),
            Self::Unreachable(reason) => write!(f, "there is no way to that host: {reason}"),
            Self::Timeout(limit) => write!(f, "no connection within {limit:?}: a firewall, or a host that is down"),
            Self::Permission => f.write_str("this machine does not permit the connection"),
            Self::Other(reason) => write!(f, "no connection: {reason}"),
        }
    }
}

impl std::error::Error for NetError {}

/// A TCP connection to a host, by name or address (an IPv6 address with or without brackets), within `timeout` in all.
///
/// # Errors
/// When none of the host's addresses accepts in time.
pub fn connect(host: &str, port: u16, timeout: Duration) -> Result<TcpStream, NetError> {
    let deadline = Instant::now() + timeout;
    let addresses = resolve(host, port, timeout)?;
    connect_any(&addresses, deadline, timeout)
}

/// The addresses of a host, in the order in which the system wants them tried. An address is its own; it costs nothing.
///
/// # Errors
/// When the name has no address, or the resolver does not say so within `timeout`.
pub fn resolve(host: &str, port: u16, timeout: Duration) -> Result<Vec<SocketAddr>, NetError> {
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    if let Ok(address) = bare.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    if bare.is_empty() || bare.contains('\0') {
        return Err(NetError::Malformed);
    }
    let (sender, receiver) = mpsc::sync_channel(1);
    let name = bare.to_owned();
    // getaddrinfo cannot be interrupted. A thread that is left behind ends when the system's resolver gives up.
    std::thread::Builder::new()
        .name("resolve".to_owned())
        .spawn(move || {
            // Nobody waits any more if this fails.
            let _ = sender.send((name.as_str(), port).to_socket_addrs().map(Iterator::collect::<Vec<_>>));
        })
        .map_err(|error| NetError::Other(error.to_string()))?;
    let mut addresses = match receiver.recv_timeout(timeout) {
        Ok(Ok(addresses)) => addresses,
        Ok(Err(error)) => {
            let reason = error.to_string();
            // The standard library's own words in front of getaddrinfo's.
            let reason = reason.strip_prefix("failed to lookup address information: ").unwrap_or(&reason);
            return Err(NetError::NotResolved(reason.to_owned()));
        }
        Err(RecvTimeoutError::Timeout) => return Err(NetError::ResolveTimeout(timeout)),
        Err(RecvTimeoutError::Disconnected) => {
            return Err(NetError::Other("the resolving thread ended without a result".to_owned()));
        }
    };
    addresses.truncate(MAX_ADDRESSES);
    if addresses.is_empty() { Err(NetError::NotResolved("it has no address".to_owned())) } else { Ok(addresses) }
}

/// Tries one address after the other. Each gets an equal part of what is left, so a dead one leaves time for the rest.
fn connect_any(addresses: &[SocketAddr], deadline: Instant, timeout: Duration) -> Result<TcpStream, NetError> {
    let mut worst: Option<NetError> = None;
    for (index, address) in addresses.iter().enumerate() {
        let left = deadline.saturating_duration_since(Instant::now());
        let share = left / u32::try_from(addresses.len() - index).unwrap_or(1);
        let failed = if share.is_zero() {
            NetError::Timeout(timeout)
        } else {
            match TcpStream::connect_timeout(address, share) {
                Ok(stream) => return Ok(stream),
                Err(error) => NetError::of(&error, timeout),
            }
        };
        if worst.as_ref().is_none_or(|worst| failed.weight() > worst.weight()) {
            worst = Some(failed);
        }
    }
    Err(worst.unwrap_or(NetError::Malformed))
}

/// A stream whose reads and writes all end by one moment, even against an end that trickles.
#[derive(Debug)]
pub struct Timed<'s> {
    stream: &'s TcpStream,
    deadline: Instant,
}

impl<'s> Timed<'s> {
    /// The stream until `deadline`; after it everything is [`io::ErrorKind::TimedOut`].
    #[must_use]
    pub const fn new(stream: &'s TcpStream, deadline: Instant) -> Self {
        Self { stream, deadline }
    }

    /// The moment by which all ends.
    #[must_use]
    pub const fn deadline(&self) -> Instant {
        self.deadline
    }

    fn left(&self) -> io::Result<Duration> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
    }

    fn retried(&self, mut action: impl FnMut(Duration) -> io::Result<usize>) -> io::Result<usize> {
        loop {
            match action(self.left()?) {
                // A signal; and what a socket's own time-out is called on Unix.
                Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => {}
                result => return result,
            }
        }
    }
}

impl Read for Timed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.retried(|left| {
            self.stream.set_read_timeout(Some(left))?;
            (&mut &*self.stream).read(buffer)
        })
    }
}

impl Write for Timed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.retried(|left| {
            self.stream.set_write_timeout(Some(left))?;
            (&mut &*self.stream).write(bytes)
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    fn closed_port() -> SocketAddr {
        TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port")
    }

    /// A port that neither accepts nor refuses: Linux drops what a full queue of connections has no place for.
    #[cfg(target_os = "linux")]
    fn dead() -> (socket2::Socket, Vec<TcpStream>, SocketAddr) {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("a port");
        socket.listen(0).expect("listens");
        let address = socket.local_addr().expect("bound").as_socket().expect("IPv4");
        let mut queue = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
            queue.push(stream);
        }
        (socket, queue, address)
    }

    #[test]
    fn names_and_addresses_are_found() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("bound").port();
        // Where localhost is ::1 first, that one refuses and must not hide 127.0.0.1.
        for host in ["127.0.0.1", "localhost"] {
            let stream = connect(host, port, LIMIT).expect("connected");
            assert_eq!(stream.peer_addr().expect("a peer").port(), port, "{host}");
        }
        let bracketed = resolve("[::1]", 7, LIMIT).expect("an address");
        assert_eq!(bracketed, resolve("::1", 7, LIMIT).expect("an address"));
    }

    #[test]
    fn each_failure_has_its_reason() {
        let refused = connect("127.0.0.1", closed_port().port(), LIMIT);
        assert_eq!(refused.expect_err("refused"), NetError::Refused);
        // A label of a name has 63 letters at most: the resolver refuses this without asking anybody.
        let unresolved = connect(&format!("{}.invalid", "x".repeat(64)), 1, LIMIT).expect_err("no such name");
        assert!(matches!(unresolved, NetError::NotResolved(_)) && unresolved.is_resolve(), "{unresolved:?}");
        assert!(!unresolved.to_string().contains("failed to lookup"), "{unresolved}");
        assert_eq!(connect("", 1, LIMIT).expect_err("no name"), NetError::Malformed);
        let late = connect("localhost", 1, Duration::ZERO).expect_err("no time");
        assert_eq!(late, NetError::ResolveTimeout(Duration::ZERO));
        // Linux and the BSDs forbid connecting to a broadcast address with EACCES or ENETUNREACH.
        let broadcast = connect("255.255.255.255", 9, LIMIT).expect_err("forbidden");
        assert!(matches!(broadcast, NetError::Permission | NetError::Unreachable(_)), "{broadcast:?}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_dead_address_leaves_time_for_the_next() {
        let (_socket, _queue, dead) = dead();
        let limit = Duration::from_millis(400);
        let started = Instant::now();
        let late = connect("127.0.0.1", dead.port(), limit).expect_err("nobody accepts");
        assert_eq!(late, NetError::Timeout(limit));
        assert!(started.elapsed() >= limit, "{:?}", started.elapsed());

        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let alive = listener.local_addr().expect("bound");
        let found = connect_any(&[dead, closed_port(), alive], Instant::now() + LIMIT / 10, LIMIT / 10);
        assert_eq!(found.expect("the third").peer_addr().expect("a peer"), alive);
        // That one refuses says more than that another is dead.
        let failed = connect_any(&[dead, closed_port()], Instant::now() + limit, limit);
        assert_eq!(failed.expect_err("neither"), NetError::Refused);
    }

    #[test]
    fn a_trickle_ends_at_the_deadline() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let stream = TcpStream::connect(listener.local_addr().expect("bound")).expect("connected");
        let (mut peer, _) = listener.accept().expect("a client");
        // A byte every 20 ms: no single read waits for long.
        let trickle = std::thread::spawn(move || {
            while peer.write_all(b".").is_ok() {
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        let started = Instant::now();
        let mut timed = Timed::new(&stream, started + Duration::from_millis(300));
        let error = io::copy(&mut timed, &mut io::sink()).expect_err("it never ends");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
        drop(stream);
        trickle.join().expect("ends when the stream does");
    }
}
