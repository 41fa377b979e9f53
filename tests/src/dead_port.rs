//! A port that neither accepts nor refuses, as behind a firewall that drops, or on a host that is down.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// More connections than fit into the queue of a socket of the standard library (128).
const MOST: usize = 1000;

/// The port: Linux drops what a full queue of connections has no place for. Dropping it closes it.
pub struct DeadPort {
    address: SocketAddr,
    _listener: TcpListener,
    _queue: Vec<TcpStream>,
}

impl DeadPort {
    /// A dead port on 127.0.0.1.
    ///
    /// # Errors
    /// When it cannot be had.
    pub fn start() -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).context("listen on 127.0.0.1")?;
        let address = listener.local_addr().context("find the port that was given")?;
        let mut queue = Vec::new();
        while queue.len() < MOST {
            match TcpStream::connect_timeout(&address, Duration::from_millis(500)) {
                Ok(stream) => queue.push(stream),
                Err(error) if error.kind() == ErrorKind::TimedOut => {
                    return Ok(Self { address, _listener: listener, _queue: queue });
                }
                Err(error) => return Err(error).context("fill the queue of a port"),
            }
        }
        bail!("{MOST} connections do not fill the queue of a port")
    }

    /// The port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }
}
