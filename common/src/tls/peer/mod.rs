//! Who is at the other end of a stream.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustls::client::ResolvesClientCert;
use rustls::client::danger::{ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, ClientConnection, ProtocolVersion, SignatureScheme};

use super::certificate::Certificate;
use super::fault::TlsFault;
use super::judged::Judged;
use super::roots::Trust;
use crate::net::Timed;

/// So many certificates of a chain are looked at.
const MAX_CHAIN: usize = 10;
/// How long an end that has asked for a certificate is listened to, whether it refuses to go on without one. In TLS 1.3 it
/// says so after the handshake, and says nothing otherwise.
const OBJECTION: Duration = Duration::from_secs(1);

/// What is said before TLS begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartTls {
    /// Nothing: the port speaks TLS.
    None,
    /// PostgreSQL's SSLRequest.
    Postgres,
}

/// The other end, as it showed itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// `TLSv1.3` or `TLSv1.2`; none where the handshake broke off after the certificates.
    pub version: Option<&'static str>,
    /// The server's certificate.
    pub certificate: Certificate,
    /// The certificates that it sent along, nearest first; malformed ones are left out.
    pub intermediates: Vec<Certificate>,
    /// Whether it asked for a certificate of ours; it may do without.
    pub asks_for_client_certificate: bool,
    /// Whether the chain leads to a trusted root, is valid now and for that name, and the handshake succeeded.
    pub verdict: Result<(), TlsFault>,
}

/// Shakes hands with the other end of `stream`, whoever it is, within `timeout` in all, and says who it is and whether it
/// may be trusted as `server_name`. The stream is of no use afterwards.
///
/// # Errors
/// When it came to no certificate.
pub fn peer(
    stream: &TcpStream,
    server_name: &str,
    starttls: StartTls,
    trust: &Trust,
    timeout: Duration,
) -> Result<Peer, TlsFault> {
    let mut timed = Timed::new(stream, Instant::now() + timeout);
    if starttls == StartTls::Postgres {
        request_tls(&mut timed)?;
    }
    let bare = server_name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(server_name);
    let name = ServerName::try_from(bare)
        .map_err(|_| TlsFault::Other(format!("no certificate can be for the name {bare:?}")))?
        .to_owned();
    let seen = Arc::new(Mutex::new(None));
    let asked = Arc::new(Asked::default());
    let config = ClientConfig::builder_with_provider(Arc::clone(&trust.provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsFault::from(&error))?
        .dangerous()
        .with_custom_certificate_verifier(witness(trust, &seen))
        .with_client_cert_resolver(Arc::clone(&asked) as Arc<dyn ResolvesClientCert>);
    let mut connection = ClientConnection::new(Arc::new(config), name).map_err(|error| TlsFault::from(&error))?;

    let mut result = shake(&mut connection, &mut timed);
    let asks = asked.0.load(Ordering::SeqCst);
    if asks {
        if result.is_ok() && connection.protocol_version() == Some(ProtocolVersion::TLSv1_3) {
            result = objection(&mut connection, &mut timed, stream);
        }
        // Before TLS 1.3 there is no alert of its own for it.
        result = result.map_err(|fault| match fault {
            TlsFault::Handshake(_) | TlsFault::Closed => TlsFault::ClientCertificateWanted,
            fault => fault,
        });
    }
    connection.send_close_notify();
    // The verdict stands; a farewell that does not arrive changes nothing.
    let _ = connection.write_tls(&mut timed);

    let seen = seen.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(Seen { chain, verdict }) = seen else {
        return Err(result.err().unwrap_or(TlsFault::Handshake("the other end shows no certificate".to_owned())));
    };
    let mut chain = chain.iter().map(|der| Certificate::parse(der));
    let certificate =
        chain.next().flatten().ok_or_else(|| TlsFault::Other("the other end's certificate is malformed".to_owned()))?;
    Ok(Peer {
        version: connection.protocol_version().and_then(version),
        certificate,
        intermediates: chain.flatten().collect(),
        asks_for_client_certificate: asks,
        verdict: verdict.and(result),
    })
}

const fn version(version: ProtocolVersion) -> Option<&'static str> {
    match version {
        ProtocolVersion::TLSv1_2 => Some("TLSv1.2"),
        ProtocolVersion::TLSv1_3 => Some("TLSv1.3"),
        _ => None,
    }
}

/// PostgreSQL's SSLRequest: its length and the number 80877103; one letter is the answer (protocol 3.0, "SSL Session
/// Encryption").
fn request_tls(timed: &mut Timed<'_>) -> Result<(), TlsFault> {
    let mut answer = [0];
    timed
        .write_all(&[0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f])
        .and_then(|()| timed.read_exact(&mut answer))
        .map_err(|error| TlsFault::of_handshake(&error))?;
    match answer {
        [b'S'] => Ok(()),
        [b'N'] => Err(TlsFault::NotOffered),
        [b'E'] => Err(TlsFault::Other("the server answered the wish for TLS with an error".to_owned())),
        _ => Err(TlsFault::Other("the other end does not speak PostgreSQL".to_owned())),
    }
}

fn shake(connection: &mut ClientConnection, timed: &mut Timed<'_>) -> Result<(), TlsFault> {
    while connection.is_handshaking() {
        connection.complete_io(timed).map_err(|error| TlsFault::of_handshake(&error))?;
    }
    // What the handshake has left to say.
    while connection.wants_write() {
        connection.write_tls(timed).map_err(|error| TlsFault::of_handshake(&error))?;
    }
    Ok(())
}

/// Whether the other end refuses to go on. Silence for a while, or a ticket for the next time, is consent.
fn objection(connection: &mut ClientConnection, timed: &mut Timed<'_>, stream: &TcpStream) -> Result<(), TlsFault> {
    let mut soon = Timed::new(stream, timed.deadline().min(Instant::now() + OBJECTION));
    match connection.read_tls(&mut soon) {
        Ok(0) => Err(TlsFault::Closed),
        Ok(_) => connection.process_new_packets().map(|_| ()).map_err(|error| TlsFault::from(&error)),
        Err(error) if error.kind() == io::ErrorKind::TimedOut => Ok(()),
        Err(error) => Err(TlsFault::of_handshake(&error)),
    }
}

#[derive(Debug)]
struct Seen {
    chain: Vec<CertificateDer<'static>>,
    verdict: Result<(), TlsFault>,
}

/// Accepts every chain, and keeps it together with what a strict verifier says of it.
fn witness(trust: &Trust, seen: &Arc<Mutex<Option<Seen>>>) -> Arc<dyn ServerCertVerifier> {
    let (strict, seen) = (Arc::clone(&trust.verifier), Arc::clone(seen));
    Judged::verifier(&trust.provider, move |shown| {
        let verdict = shown.by(&*strict).map(|_| ()).map_err(|error| TlsFault::from(&error));
        let chain = std::iter::once(shown.certificate).chain(shown.intermediates).take(MAX_CHAIN);
        let chain = chain.map(|certificate| certificate.clone().into_owned()).collect();
        *seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(Seen { chain, verdict });
        Ok(ServerCertVerified::assertion())
    })
}

/// Has no certificate to show, and remembers that one was asked for.
#[derive(Debug, Default)]
struct Asked(AtomicBool);

impl ResolvesClientCert for Asked {
    fn resolve(&self, _hints: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.0.store(true, Ordering::SeqCst);
        None
    }

    fn has_certs(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests;
