//! Whether a port is open from here, and what is spoken there: TLS, plain HTTP, or something else.

use std::time::Duration;

use pso_common::http::{HttpClient, HttpError, HttpSettings};
use pso_common::net::{self, NetError};
use pso_common::tls::{Peer, StartTls, TlsFault, Trust, peer};

use super::target::{Speaks, Target};
use pso_common::net::Address;

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
    /// HTTP without TLS.
    PlainHttp,
    /// Something without TLS.
    Plain,
    /// Neither was to be seen.
    Untold(String),
}

impl Spoken {
    /// For the evidence.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Tls { version, .. } => (*version).to_owned(),
            Self::PlainHttp => "none, plain HTTP".to_owned(),
            Self::Plain => "none".to_owned(),
            Self::Untold(reason) => format!("not seen: {reason}"),
        }
    }
}

/// Asks, within `timeout` for each of at most three questions.
pub(super) fn ask(target: &Target, trust: &Trust, timeout: Duration) -> Answer {
    let place = &target.place;
    let connect = || net::connect(&place.host, place.port, timeout);
    let stream = match connect() {
        Ok(stream) => stream,
        // A firewall that drops closes it too, for us.
        Err(NetError::Refused | NetError::Timeout(_) | NetError::Unreachable(_)) => return Answer::Closed,
        Err(error) => return Answer::Unknown(error.to_string()),
    };
    let shake = |stream, starttls| spoken(peer(stream, &place.host, starttls, trust, timeout));
    if target.speaks == Speaks::Postgres {
        return Answer::Open(shake(&stream, StartTls::Postgres));
    }
    drop(stream);
    // HTTP first: a server of plain HTTP may wait for the rest of what it takes for a request, where a TLS one answers both.
    let http = http(place, timeout);
    if http == Http::Spoken {
        return Answer::Open(Spoken::PlainHttp);
    }
    let spoken = match connect() {
        Ok(stream) => shake(&stream, StartTls::None),
        Err(error) => Spoken::Untold(error.to_string()),
    };
    Answer::Open(match (spoken, http) {
        (Spoken::Plain | Spoken::Untold(_), Http::Refused) => Spoken::PlainHttp,
        (Spoken::Untold(_), Http::LeadsToTls) => Spoken::Plain,
        (spoken, _) => spoken,
    })
}

/// What came back on a request in plain HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Http {
    /// An answer.
    Spoken,
    /// 400: the word of a TLS server that is asked without, and of others.
    Refused,
    /// A redirect to the same with TLS: nothing else is told here.
    LeadsToTls,
    No,
}

fn http(place: &Address, timeout: Duration) -> Http {
    let settings =
        HttpSettings { connect_timeout: timeout, timeout, max_body_bytes: 64 << 10, ..HttpSettings::default() };
    let url = format!("http://{place}/");
    match HttpClient::new(&settings).request("GET", url).send() {
        Ok(answer) => status(answer.status, answer.header("location")),
        Err(HttpError::TooLarge(_)) => Http::Spoken,
        Err(_) => Http::No,
    }
}

fn status(status: u16, location: Option<&str>) -> Http {
    match status {
        400 => Http::Refused,
        300..=399 if location.is_some_and(|location| location.starts_with("https://")) => Http::LeadsToTls,
        _ => Http::Spoken,
    }
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
    fn what_an_answer_says() {
        assert_eq!([200, 204, 301, 404, 500].map(|code| status(code, None)), [Http::Spoken; 5]);
        assert_eq!(status(400, None), Http::Refused);
        assert_eq!(status(308, Some("https://h/")), Http::LeadsToTls);
        assert_eq!(status(302, Some("http://h/login")), Http::Spoken);
    }

    #[test]
    fn what_a_failed_handshake_says() {
        assert_eq!(spoken(Err(TlsFault::NotTls)), Spoken::Plain);
        assert_eq!(spoken(Err(TlsFault::NotOffered)), Spoken::Plain);
        assert!(matches!(spoken(Err(TlsFault::Timeout)), Spoken::Untold(_)));
        let refused = spoken(Err(TlsFault::Handshake("protocol version".to_owned())));
        assert!(matches!(refused, Spoken::Tls { fault: Some(_), .. }), "{refused:?}");
    }
}
