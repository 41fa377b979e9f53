//! Whether a port is open from here, and whether TLS is spoken there.

use std::time::Duration;

use pso_common::net::{self, NetError};
use pso_common::tls::{Peer, StartTls, TlsFault, Trust, peer};

use super::target::{Speaks, Target};

/// How a port answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Open(Spoken),
    /// Nobody listens there, or a firewall says so.
    Closed,
    /// It cannot be told; why.
    Unknown(String),
}

/// TLS or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Spoken {
    Tls {
        version: &'static str,
        /// What is wrong with it: the certificate, or what the server wants.
        fault: Option<String>,
    },
    Plain,
    /// Neither was to be seen.
    Untold(String),
}

impl Spoken {
    /// For the evidence.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Tls { version, .. } => (*version).to_owned(),
            Self::Plain => "none".to_owned(),
            Self::Untold(reason) => format!("not seen: {reason}"),
        }
    }
}

/// Asks, within `timeout` for each of the two questions.
pub(super) fn ask(target: &Target, trust: &Trust, timeout: Duration) -> Answer {
    let place = &target.place;
    let stream = match net::connect(&place.host, place.port, timeout) {
        Ok(stream) => stream,
        // A firewall that drops closes it too, for us.
        Err(NetError::Refused | NetError::Timeout(_) | NetError::Unreachable(_)) => return Answer::Closed,
        Err(error) => return Answer::Unknown(error.to_string()),
    };
    let starttls = if target.speaks == Speaks::Postgres { StartTls::Postgres } else { StartTls::None };
    Answer::Open(spoken(peer(&stream, &place.host, starttls, trust, timeout)))
}

fn spoken(seen: Result<Peer, TlsFault>) -> Spoken {
    match seen {
        Ok(peer) => Spoken::Tls {
            version: peer.version.unwrap_or("TLS, handshake broken off"),
            fault: peer.verdict.err().map(|fault| fault.to_string()),
        },
        Err(TlsFault::NotTls | TlsFault::NotOffered | TlsFault::Closed) => Spoken::Plain,
        Err(fault @ (TlsFault::Timeout | TlsFault::Other(_))) => Spoken::Untold(fault.to_string()),
        // It answers in TLS, if only to refuse.
        Err(fault) => Spoken::Tls { version: "TLS", fault: Some(fault.to_string()) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_failed_handshake_says() {
        assert_eq!(spoken(Err(TlsFault::NotTls)), Spoken::Plain);
        assert_eq!(spoken(Err(TlsFault::NotOffered)), Spoken::Plain);
        assert!(matches!(spoken(Err(TlsFault::Timeout)), Spoken::Untold(_)));
        let refused = spoken(Err(TlsFault::Handshake("protocol version".to_owned())));
        assert!(matches!(refused, Spoken::Tls { fault: Some(_), .. }), "{refused:?}");
    }
}
