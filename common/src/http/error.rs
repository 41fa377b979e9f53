//! Why there is no answer.

use std::fmt;
use std::io;

use crate::net::NetError;
use crate::record::Layer;
use crate::tls::TlsFault;

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
    /// No TLS with the other end, or none that may be trusted.
    Tls(TlsFault),
    /// Connected, but no whole answer within the time-out.
    Timeout,
    /// There is no connection, for a rarer reason than those above.
    Connect(NetError),
    /// The connection ended in the middle.
    Io(io::Error),
    /// The answer is larger than the cap (bytes).
    TooLarge(u64),
    /// The answer is not HTTP, or not what was asked for.
    Protocol(String),
}

impl HttpError {
    /// How far the exchange came; none where the request itself was malformed.
    #[must_use]
    pub const fn layer(&self) -> Option<Layer> {
        match self {
            Self::Malformed => None,
            Self::Resolve => Some(Layer::Resolve),
            Self::Connect(error) if error.is_resolve() => Some(Layer::Resolve),
            Self::Refused | Self::ConnectTimeout | Self::Connect(_) => Some(Layer::Connect),
            Self::Tls(_) => Some(Layer::Tls),
            Self::Timeout | Self::Io(_) | Self::TooLarge(_) => Some(Layer::Read),
            Self::Protocol(_) => Some(Layer::Http),
        }
    }
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("the URL, or a header, is malformed: expected http://HOST:PORT/PATH"),
            Self::Resolve => f.write_str("the host name does not resolve"),
            Self::Refused => f.write_str("connection refused: nothing listens there"),
            Self::ConnectTimeout => f.write_str("no connection within the time-out"),
            Self::Tls(fault) => write!(f, "TLS failed: {fault}"),
            Self::Timeout => f.write_str("connected, but no complete answer within the time-out"),
            Self::Connect(error) => error.fmt(f),
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

impl From<NetError> for HttpError {
    fn from(error: NetError) -> Self {
        match error {
            NetError::Malformed => Self::Malformed,
            NetError::NotResolved(_) => Self::Resolve,
            NetError::Refused => Self::Refused,
            NetError::Timeout(_) => Self::ConnectTimeout,
            rarer => Self::Connect(rarer),
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
            Error::Tls(reason) => Self::Tls(TlsFault::Other(reason.to_owned())),
            Error::Rustls(error) => Self::Tls(TlsFault::from(&error)),
            Error::Pem(error) => Self::Tls(TlsFault::Other(error.to_string())),
            Error::ConnectionFailed => Self::Refused,
            Error::BodyExceedsLimit(limit) => Self::TooLarge(limit),
            Error::Io(error) => Self::from(error),
            // What our own parts of the connector say.
            Error::Other(other) => match other.downcast::<NetError>() {
                Ok(error) => Self::from(*error),
                Err(other) => match other.downcast::<TlsFault>() {
                    Ok(fault) => Self::Tls(*fault),
                    Err(other) => Self::Protocol(other.to_string()),
                },
            },
            other => Self::Protocol(other.to_string()),
        }
    }
}

/// Errors of a connection that stands.
impl From<io::Error> for HttpError {
    fn from(error: io::Error) -> Self {
        // In TLS 1.3 an end that wants a client certificate says so after the handshake.
        if let Some(fault) = TlsFault::inside(&error) {
            return Self::Tls(fault);
        }
        match error.get_ref().and_then(|inner| inner.downcast_ref::<ureq::Error>()) {
            Some(ureq::Error::Timeout(_)) => return Self::Timeout,
            Some(ureq::Error::BodyExceedsLimit(limit)) => return Self::TooLarge(*limit),
            _ => {}
        }
        match error.kind() {
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Self::Timeout,
            _ => Self::Io(error),
        }
    }
}
