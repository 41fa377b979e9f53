//! Something that takes connections: a host's port, or a socket in the file system.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use pso_common::net;
use pso_common::record::Layer;

use pso_common::net::Address;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    Tcp(Address),
    /// A Unix socket.
    Socket(PathBuf),
}

/// Why there is no connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Closed {
    pub(super) layer: Option<Layer>,
    pub(super) message: String,
}

impl Endpoint {
    /// As libpq has it: a host that begins with a slash is the folder of a socket.
    pub(super) fn of_postgres(host: &str, port: u16) -> Self {
        if host.starts_with('/') {
            return Self::Socket(PathBuf::from(host).join(format!(".s.PGSQL.{port}")));
        }
        Self::Tcp(Address { host: host.to_owned(), port })
    }

    /// Connects, and hangs up without a word.
    pub(super) fn connect(&self, timeout: Duration) -> Result<(), Closed> {
        match self {
            Self::Tcp(Address { host, port }) => net::connect(host, *port, timeout).map(drop).map_err(|error| Closed {
                layer: Some(if error.is_resolve() { Layer::Resolve } else { Layer::Connect }),
                message: error.to_string(),
            }),
            Self::Socket(path) => socket(path.clone(), timeout),
        }
    }
}

/// In a thread of its own: where a server takes no more connections, connecting waits without an end.
#[cfg(unix)]
fn socket(path: PathBuf, timeout: Duration) -> Result<(), Closed> {
    use std::os::unix::net::UnixStream;
    use std::sync::mpsc;

    let closed = |layer, message| Closed { layer, message };
    let (sender, receiver) = mpsc::sync_channel(1);
    std::thread::Builder::new()
        .name("socket".to_owned())
        .spawn(move || {
            // Nobody waits any more if this fails.
            let _ = sender.send(UnixStream::connect(path).map(drop));
        })
        .map_err(|error| closed(None, format!("start a thread: {error}")))?;
    match receiver.recv_timeout(timeout) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => {
            let message = match error.kind() {
                std::io::ErrorKind::NotFound => "there is no such socket".to_owned(),
                std::io::ErrorKind::ConnectionRefused => "connection refused: nobody listens on this socket".to_owned(),
                _ => error.to_string(),
            };
            Err(closed(Some(Layer::Connect), message))
        }
        Err(_) => {
            Err(closed(Some(Layer::Connect), format!("no connection within {timeout:?}: the server takes no more")))
        }
    }
}

#[cfg(not(unix))]
fn socket(_path: PathBuf, _timeout: Duration) -> Result<(), Closed> {
    Err(Closed { layer: None, message: "this operating system has no such sockets".to_owned() })
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Socket(path) => path.display().fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_socket_is_tried_as_a_port_is() {
        use std::os::unix::net::UnixListener;

        let folder = tempfile::tempdir().expect("a folder");
        let endpoint = Endpoint::of_postgres(folder.path().to_str().expect("UTF-8"), 5433);
        let second = Duration::from_secs(60);
        let said = |endpoint: &Endpoint| endpoint.connect(second).expect_err("closed").message;
        assert_eq!(said(&endpoint), "there is no such socket");
        let path = folder.path().join(".s.PGSQL.5433");
        let listener = UnixListener::bind(&path).expect("bound");
        assert_eq!(endpoint.connect(second), Ok(()));
        drop(listener);
        assert_eq!(said(&endpoint), "connection refused: nobody listens on this socket");
    }
}
