//! What is wrong with TLS at the other end, in plain words.

use std::fmt;
use std::io;

use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError, Error, InvalidMessage, PeerIncompatible};
use time::OffsetDateTime;

use super::certificate::shown;
use crate::Timestamp;

/// As many names of a certificate are told; the rest are counted.
const SHOWN_NAMES: usize = 5;

/// Why TLS with the other end fails, or must not be trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsFault {
    /// A certificate of the chain is past its end.
    Expired(Option<Timestamp>),
    /// A certificate of the chain is before its beginning.
    NotYetValid(Option<Timestamp>),
    /// The chain does not lead to a trusted root.
    UnknownIssuer,
    /// The certificate is for other names.
    WrongName {
        /// The name that was asked for.
        expected: String,
        /// The names that the certificate is for.
        names: Vec<String>,
    },
    /// A certificate of the chain was revoked.
    Revoked,
    /// A signature in the chain or of the handshake is wrong.
    BadSignature,
    /// The server shows a certificate authority's certificate as its own, as `openssl req -x509` makes them.
    CaAsServer,
    /// The certificate is for another purpose than a server's.
    WrongPurpose,
    /// The other end speaks something else than TLS.
    NotTls,
    /// The PostgreSQL server answers that it has no TLS.
    NotOffered,
    /// The other end wants a certificate from us.
    ClientCertificateWanted,
    /// The two ends cannot agree, or the other end refuses; its alert or the reason.
    Handshake(String),
    /// The handshake did not end within the time-out.
    Timeout,
    /// The other end ended the connection in the middle of the handshake.
    Closed,
    /// Anything else.
    Other(String),
}

impl TlsFault {
    /// Whether trying again would fail as well, until somebody changes something. Only what the network may have done passes.
    #[must_use]
    pub const fn is_lasting(&self) -> bool {
        !matches!(self, Self::Timeout | Self::Closed)
    }

    /// The fault in an error of a handshake, which rustls wraps in an I/O error.
    pub(crate) fn of_handshake(error: &io::Error) -> Self {
        if let Some(fault) = Self::inside(error) {
            return fault;
        }
        match error.kind() {
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Self::Timeout,
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe => Self::Closed,
            _ => Self::Other(error.to_string()),
        }
    }

    /// The fault where rustls is what failed.
    #[must_use]
    pub fn inside(error: &io::Error) -> Option<Self> {
        error.get_ref()?.downcast_ref::<Error>().map(Self::from)
    }
}

impl fmt::Display for TlsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expired(Some(at)) => write!(f, "the certificate expired on {}", at.to_utc().date()),
            Self::Expired(None) => f.write_str("the certificate has expired"),
            Self::NotYetValid(Some(at)) => write!(f, "the certificate is not valid before {}", at.to_utc().date()),
            Self::NotYetValid(None) => f.write_str("the certificate is not valid yet"),
            Self::UnknownIssuer => {
                f.write_str("the certificate's issuer is not trusted (self-signed, or an own authority?)")
            }
            Self::WrongName { expected, names } => {
                let listed = names.iter().take(SHOWN_NAMES).map(String::as_str).collect::<Vec<_>>().join(", ");
                match names.len() {
                    0 => write!(f, "the certificate is for no host name, so not for {expected}"),
                    1..=SHOWN_NAMES => write!(f, "the certificate is for {listed}, not for {expected}"),
                    all => {
                        write!(f, "the certificate is for {listed} and {} more, not for {expected}", all - SHOWN_NAMES)
                    }
                }
            }
            Self::Revoked => f.write_str("the certificate was revoked"),
            Self::BadSignature => f.write_str(
                "a signature is wrong (an authority of that name, but with another key than the trusted one?)",
            ),
            Self::CaAsServer => {
                f.write_str("the server's certificate is a certificate authority's (made by `openssl req -x509`?)")
            }
            Self::WrongPurpose => f.write_str("the certificate is not for servers"),
            Self::NotTls => f.write_str("the other end does not speak TLS"),
            Self::NotOffered => f.write_str("the server offers no TLS"),
            Self::ClientCertificateWanted => f.write_str("the other end wants a client certificate"),
            Self::Handshake(reason) => write!(f, "the handshake failed: {reason}"),
            Self::Timeout => f.write_str("the handshake did not end within the time-out"),
            Self::Closed => f.write_str("the other end closed the connection during the handshake"),
            Self::Other(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for TlsFault {}

impl From<&Error> for TlsFault {
    fn from(error: &Error) -> Self {
        match error {
            Error::InvalidCertificate(error) => certificate(error),
            // What comes first from such an end is text, whose first bytes are no record of TLS.
            Error::InvalidMessage(InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion) => {
                Self::NotTls
            }
            Error::AlertReceived(AlertDescription::CertificateRequired) => Self::ClientCertificateWanted,
            Error::AlertReceived(alert) => Self::Handshake(words(*alert)),
            Error::PeerIncompatible(
                PeerIncompatible::ServerDoesNotSupportTls12Or13
                | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
            ) => Self::Handshake("the other end speaks only versions of TLS older than 1.2".to_owned()),
            Error::PeerIncompatible(why) => {
                Self::Handshake(format!("the two ends have too little in common ({why:?})"))
            }
            Error::NoCertificatesPresented => Self::Handshake("the other end shows no certificate".to_owned()),
            other => Self::Handshake(shown(&other.to_string())),
        }
    }
}

fn certificate(error: &CertificateError) -> TlsFault {
    use CertificateError as C;
    match error {
        C::Expired => TlsFault::Expired(None),
        C::ExpiredContext { not_after, .. } => TlsFault::Expired(moment(*not_after)),
        C::NotValidYet => TlsFault::NotYetValid(None),
        C::NotValidYetContext { not_before, .. } => TlsFault::NotYetValid(moment(*not_before)),
        C::UnknownIssuer => TlsFault::UnknownIssuer,
        C::NotValidForNameContext { expected, presented } => TlsFault::WrongName {
            expected: expected.to_str().into_owned(),
            names: presented.iter().map(|name| bare(name)).collect(),
        },
        C::Revoked => TlsFault::Revoked,
        C::BadSignature => TlsFault::BadSignature,
        C::InvalidPurpose | C::InvalidPurposeContext { .. } => TlsFault::WrongPurpose,
        // rustls passes on by its text what it has no word of its own for.
        C::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => TlsFault::CaAsServer,
        other => TlsFault::Other(format!("the certificate is refused: {}", shown(&other.to_string()))),
    }
}

/// webpki writes a name as `DnsName("a.example")` or `IpAddress(127.0.0.1)`.
fn bare(name: &str) -> String {
    let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or(name);
    shown(inner.trim_matches('"'))
}

fn moment(at: UnixTime) -> Option<Timestamp> {
    let seconds = i64::try_from(at.as_secs()).ok()?;
    OffsetDateTime::from_unix_timestamp(seconds).ok().map(Timestamp::new)
}

fn words(alert: AlertDescription) -> String {
    let meaning = match alert {
        AlertDescription::ProtocolVersion => "the other end accepts neither TLS 1.2 nor 1.3",
        AlertDescription::HandshakeFailure => "the other end finds nothing in common, or wants a client certificate",
        AlertDescription::UnrecognisedName => "the other end does not know that host name",
        AlertDescription::NoApplicationProtocol => "the other end wants another application protocol",
        AlertDescription::InternalError => "the other end has an internal error",
        _ => return format!("the other end sent the alert {alert:?}"),
    };
    format!("{meaning} (alert {alert:?})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_is_said_in_plain_words() {
        let at = Timestamp::new(OffsetDateTime::from_unix_timestamp(1_795_132_800).expect("a moment"));
        let names = |count| (0..count).map(|number| format!("h{number}.example")).collect();
        let wrong = |count| TlsFault::WrongName { expected: "b".to_owned(), names: names(count) };
        let cases = [
            (TlsFault::Expired(Some(at)), "the certificate expired on 2026-11-20"),
            (TlsFault::NotYetValid(Some(at)), "the certificate is not valid before 2026-11-20"),
            (wrong(0), "the certificate is for no host name, so not for b"),
            (wrong(2), "the certificate is for h0.example, h1.example, not for b"),
            (
                wrong(7),
                "the certificate is for h0.example, h1.example, h2.example, h3.example, h4.example and 2 more, not for b",
            ),
        ];
        for (fault, expected) in cases {
            assert_eq!(fault.to_string(), expected);
        }
    }

    #[test]
    fn an_alert_is_explained() {
        let fault = TlsFault::from(&Error::AlertReceived(AlertDescription::ProtocolVersion));
        let expected = "the handshake failed: the other end accepts neither TLS 1.2 nor 1.3 (alert ProtocolVersion)";
        assert_eq!(fault.to_string(), expected);
        assert_eq!(bare("DnsName(\"a.example\")"), "a.example");
        assert_eq!(bare("IpAddress(127.0.0.1)"), "127.0.0.1");
    }

    #[test]
    fn only_what_the_network_does_may_pass() {
        assert!(TlsFault::UnknownIssuer.is_lasting() && TlsFault::NotTls.is_lasting());
        assert!(!TlsFault::Timeout.is_lasting() && !TlsFault::Closed.is_lasting());
    }
}
