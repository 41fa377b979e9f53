//! Why there is no answer.

use std::fmt;
use std::io;

/// Why there is no answer, by the layer at which the exchange ended.
#[derive(Debug)]
pub enum HttpError {
    /// The URL or a header is malformed. Neither is shown: the path of a webhook's URL is its secret.
    Malformed,
    /// The host's name does not resolve.
    Resolve,
    /// Nobody listens on that port.
    Refused,
    /// No connection within the time-out.
    ConnectTimeout,
    /// The TLS handshake failed, and how.
    Tls(String),
    /// Connected, but no whole answer within the time-out.
    Timeout,
    /// The connection ended in the middle.
    Io(io::Error),
    /// The answer is larger than the cap (bytes).
    TooLarge(u64),
    /// The answer is not HTTP, or not what was asked for.
    Protocol(String),
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("the URL, or a header, is malformed: expected http://HOST:PORT/PATH"),
            Self::Resolve => f.write_str("the host name does not resolve"),
            Self::Refused => f.write_str("connection refused: nothing listens there"),
            Self::ConnectTimeout => f.write_str("no connection within the time-out"),
            Self::Tls(reason) => write!(f, "TLS failed: {reason}"),
            Self::Timeout => f.write_str("connected, but no complete answer within the time-out"),
            Self::Io(error) => write!(f, "the connection broke: {error}"),
            Self::TooLarge(limit) => write!(f, "the answer is larger than {limit} bytes"),
            Self::Protocol(reason) => write!(f, "the answer is not valid HTTP: {reason}"),
        }
    }
}

impl std::error::Error for HttpError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => error.source(),
            _ => None,
        }
    }
}

impl From<ureq::Error> for HttpError {
    fn from(error: ureq::Error) -> Self {
        use ureq::{Error, Timeout};
        match error {
            Error::BadUri(_) | Error::Http(_) => Self::Malformed,
            Error::HostNotFound => Self::Resolve,
            Error::Timeout(Timeout::Resolve | Timeout::Connect) => Self::ConnectTimeout,
            Error::Timeout(_) => Self::Timeout,
            Error::Tls(reason) => Self::Tls(reason.to_owned()),
            Error::Rustls(error) => Self::Tls(error.to_string()),
            Error::Pem(error) => Self::Tls(error.to_string()),
            Error::ConnectionFailed => Self::Refused,
            Error::BodyExceedsLimit(limit) => Self::TooLarge(limit),
            Error::Io(error) => Self::from(error),
            other => Self::Protocol(other.to_string()),
        }
    }
}

/// The standard library has no error kind for a name that does not resolve: on Unix it is told by the text it gives
/// `getaddrinfo`'s errors, on Windows by WSAHOST_NOT_FOUND, WSATRY_AGAIN, WSANO_RECOVERY and WSANO_DATA.
fn is_resolve(error: &io::Error) -> bool {
    let windows = cfg!(windows) && matches!(error.raw_os_error(), Some(11001..=11004));
    windows || error.to_string().starts_with("failed to lookup address information")
}

impl From<io::Error> for HttpError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            _ if is_resolve(&error) => Self::Resolve,
            io::ErrorKind::ConnectionRefused => Self::Refused,
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Self::Timeout,
            // rustls reports a failed handshake through the stream it wraps.
            io::ErrorKind::InvalidData => Self::Tls(error.to_string()),
            _ => Self::Io(error),
        }
    }
}
