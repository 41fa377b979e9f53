//! A small HTTPS server in this process, with a thread a connection, for TLS 1.2 and 1.3 and any kind of certificate.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use serde_json::json;

pub use crate::certificates::{Certificates, Kind};
use crate::http_end::{Reply, locked};

/// How long a client may be silent.
const PATIENCE: Duration = Duration::from_secs(30);
const MAX_HEAD: usize = 64 * 1024;

/// How a server is to be; `Options::default()` is the usual one.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Only TLS 1.2.
    pub only_tls12: bool,
    /// Clients without a certificate of the server's authority are refused.
    pub wants_client_certificate: bool,
}

struct Shared {
    config: Arc<ServerConfig>,
    reply: Mutex<Reply>,
    ending: AtomicBool,
    connections: AtomicU64,
}

/// The server. Dropping it closes the port.
pub struct TlsEnd {
    certificates: Certificates,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    port: u16,
}

impl TlsEnd {
    /// A server with that kind of certificate. It answers `{"status":"healthy"}`.
    ///
    /// # Errors
    /// When its certificate cannot be made, or it cannot listen.
    pub fn start(kind: Kind) -> Result<Self> {
        Self::with(kind, Options::default())
    }

    /// The same, otherwise than usual.
    ///
    /// # Errors
    /// As [`TlsEnd::start`].
    pub fn with(kind: Kind, options: Options) -> Result<Self> {
        let certificates = Certificates::new(kind)?;
        let config = Arc::new(config(&certificates, options).context("set up TLS")?);
        let listener = TcpListener::bind(("127.0.0.1", 0)).context("listen on 127.0.0.1")?;
        let port = listener.local_addr().context("find the port that was given")?.port();
        let shared = Arc::new(Shared {
            config,
            reply: Mutex::new(Reply::json(200, &json!({"status": "healthy"}))),
            ending: AtomicBool::new(false),
            connections: AtomicU64::new(0),
        });
        let state = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if state.ending.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                state.connections.fetch_add(1, Ordering::SeqCst);
                let state = Arc::clone(&state);
                thread::spawn(move || answer(stream, &state));
            }
        });
        Ok(Self { certificates, shared, thread: Some(thread), port })
    }

    /// What it answers from now on, whatever it is asked. A reply that hangs does so after the handshake.
    pub fn set(&self, reply: Reply) {
        *locked(&self.shared.reply) = reply;
    }

    /// The port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `https://localhost:PORT`; the good certificate is for 127.0.0.1 as well.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://localhost:{}", self.port)
    }

    /// The certificate of the authority, which a client must trust.
    #[must_use]
    pub fn ca_file(&self) -> PathBuf {
        self.certificates.ca_file()
    }

    /// The server's certificate and its dates.
    #[must_use]
    pub fn certificates(&self) -> &Certificates {
        &self.certificates
    }

    /// How many connections it has accepted.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::SeqCst)
    }
}

impl Drop for TlsEnd {
    fn drop(&mut self) {
        self.shared.ending.store(true, Ordering::SeqCst);
        // Wakes the accepting thread.
        let woken = TcpStream::connect(("127.0.0.1", self.port));
        if let (Some(thread), Ok(_)) = (self.thread.take(), woken) {
            let _ = thread.join();
        }
    }
}

pub(crate) fn config(certificates: &Certificates, options: Options) -> Result<ServerConfig> {
    let provider = Arc::new(ring::default_provider());
    let versions: &[_] = if options.only_tls12 { &[&TLS12] } else { &[&TLS13, &TLS12] };
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_protocol_versions(versions)?;
    let builder = if options.wants_client_certificate {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(certificates.ca_file())?)?;
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build()?;
        builder.with_client_cert_verifier(verifier)
    } else {
        builder.with_no_client_auth()
    };
    let chain = vec![CertificateDer::from_pem_file(certificates.certificate_file())?];
    Ok(builder.with_single_cert(chain, PrivateKeyDer::from_pem_file(certificates.key_file())?)?)
}

/// A client that fails, or goes away, is the test's affair.
fn answer(stream: TcpStream, shared: &Shared) {
    let limits = stream.set_read_timeout(Some(PATIENCE)).and_then(|()| stream.set_write_timeout(Some(PATIENCE)));
    let (Ok(()), Ok(connection)) = (limits, ServerConnection::new(Arc::clone(&shared.config))) else { return };
    let mut tls = StreamOwned::new(connection, stream);
    if head(&mut tls).is_some() {
        let reply = locked(&shared.reply).clone();
        if let Some(wait) = reply.after {
            thread::sleep(wait);
            let mut head = format!("HTTP/1.1 {} Answer\r\n", reply.status);
            for (name, value) in &reply.headers {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
            head.push_str(&format!("Content-Length: {}\r\nConnection: close\r\n\r\n", reply.body.len()));
            let _ = tls.write_all(head.as_bytes()).and_then(|()| tls.write_all(&reply.body));
            tls.conn.send_close_notify();
        }
    }
    let _ = tls.flush();
    // To the client's end: closing with something unread would be a reset, which takes what was sent along.
    let _ = std::io::copy(&mut tls.sock, &mut std::io::sink());
}

/// The head of a request; none where the handshake fails, or the client goes.
fn head(tls: &mut impl Read) -> Option<Vec<u8>> {
    let mut head = Vec::new();
    let mut chunk = [0; 4096];
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        match tls.read(&mut chunk) {
            Ok(read) if read > 0 && head.len() < MAX_HEAD => head.extend_from_slice(&chunk[..read]),
            _ => return None,
        }
    }
    Some(head)
}
