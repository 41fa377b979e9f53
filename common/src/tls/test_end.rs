//! Real TLS servers for the tests, with certificates made on the spot.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion};
use tempfile::TempDir;
use time::{Duration, OffsetDateTime};

/// A certificate authority with its PEM file.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

/// A server's certificate and key.
pub(crate) struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivatePkcs8KeyDer<'static>,
}

/// What a server asks of its clients.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Clients {
    Anybody,
    MayShowCertificate,
    MustShowCertificate,
}

impl Authority {
    pub(crate) fn new() -> Self {
        Self::named("Test authority")
    }

    pub(crate) fn named(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a root");
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("ca.pem"), issuer.pem()).expect("written");
        Self { issuer, folder }
    }

    pub(crate) fn file(&self) -> std::path::PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// A certificate for `names`, valid from `from` to `until` days from now.
    pub(crate) fn identity(&self, names: &[&str], from: i64, until: i64) -> Identity {
        let key = KeyPair::generate().expect("a key");
        let certificate = params(names, from, until).signed_by(&key, &self.issuer).expect("signed");
        Identity { chain: vec![certificate.der().clone()], key: key.serialize_der().into() }
    }
}

impl Identity {
    /// One that has signed itself, as an authority or not.
    pub(crate) fn self_signed(names: &[&str], authority: bool) -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = params(names, -1, 30);
        if authority {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        let certificate = params.self_signed(&key).expect("signed");
        Self { chain: vec![certificate.der().clone()], key: key.serialize_der().into() }
    }

    pub(crate) fn pem(&self) -> String {
        let body = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &self.chain[0]);
        format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
    }
}

fn params(names: &[&str], from: i64, until: i64) -> CertificateParams {
    let names = names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    let mut params = CertificateParams::new(names).expect("names");
    params.distinguished_name.push(DnType::CommonName, "Test server");
    params.not_before = OffsetDateTime::now_utc() + Duration::days(from);
    params.not_after = OffsetDateTime::now_utc() + Duration::days(until);
    params
}

/// A server that shakes hands with each client, as long as the test's process lives.
pub(crate) struct TlsEnd {
    pub(crate) identity: Identity,
    pub(crate) versions: &'static [&'static SupportedProtocolVersion],
    pub(crate) clients: Clients,
    /// What is read and written before TLS begins.
    pub(crate) before: Option<(&'static [u8], &'static [u8])>,
    /// What answers the first bytes of a client.
    pub(crate) answer: &'static [u8],
}

pub(crate) const BOTH: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];
pub(crate) const ONLY_12: &[&SupportedProtocolVersion] = &[&TLS12];

impl TlsEnd {
    pub(crate) fn new(identity: Identity) -> Self {
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
        Self { identity, versions: BOTH, clients: Clients::Anybody, before: None, answer }
    }

    pub(crate) fn start(self) -> SocketAddr {
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(self.versions)
            .expect("versions");
        let builder = if self.clients == Clients::Anybody {
            builder.with_no_client_auth()
        } else {
            let mut roots = RootCertStore::empty();
            roots.add(Authority::new().issuer.der().clone()).expect("a root");
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            let verifier = match self.clients {
                Clients::MayShowCertificate => verifier.allow_unauthenticated(),
                _ => verifier,
            };
            builder.with_client_cert_verifier(verifier.build().expect("a verifier"))
        };
        let key = PrivateKeyDer::Pkcs8(self.identity.key.clone_key());
        let config = Arc::new(builder.with_single_cert(self.identity.chain.clone(), key).expect("a certificate"));
        serve(move |mut stream| {
            if let Some((expected, said)) = self.before {
                let mut got = vec![0; expected.len()];
                stream.read_exact(&mut got).expect("the beginning");
                assert_eq!(got, expected);
                stream.write_all(said).expect("said");
            }
            let connection = ServerConnection::new(Arc::clone(&config)).expect("a connection");
            let mut tls = StreamOwned::new(connection, stream);
            let mut chunk = [0; 4096];
            if tls.read(&mut chunk).is_ok_and(|read| read > 0) {
                let _ = tls.write_all(self.answer);
            }
            tls.conn.send_close_notify();
            let _ = tls.flush();
            // To the client's end: closing with something unread would be a reset, which takes an alert along.
            let _ = std::io::copy(&mut tls.sock, &mut std::io::sink());
        })
    }
}

/// A server with a thread a client.
pub(crate) fn serve(handle: impl Fn(TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    let handle = Arc::new(handle);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, handle) = (stream.expect("a client"), Arc::clone(&handle));
            thread::spawn(move || handle(stream));
        }
    });
    address
}
