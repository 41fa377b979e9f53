//! The only constructor of HTTP clients: rustls, no redirects, both time-outs, answers capped in size.

mod error;

use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde::Serialize;
use serde::de::DeserializeOwned;
use ureq::http::{HeaderMap, Request as HttpRequest};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig};
use ureq::{Agent, SendBody};

pub use error::HttpError;

use crate::io::elapsed_ms;

/// How a client behaves.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// How long name resolution and connecting may take.
    pub connect_timeout: Duration,
    /// How long one exchange may take in all; for streamed bodies how long a single read or write may take.
    pub timeout: Duration,
    /// Longest answer that is read into memory, in bytes.
    pub max_body_bytes: u64,
    /// Use the proxy that `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` name. Right for addresses on the internet, wrong
    /// for probes of one's own servers.
    pub proxy_from_env: bool,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(3),
            timeout: Duration::from_secs(10),
            max_body_bytes: 4 << 20,
            proxy_from_env: false,
        }
    }
}

/// A client; clones share its connections.
#[derive(Clone, Debug)]
pub struct HttpClient {
    whole: Agent,
    streamed: Agent,
    max_body_bytes: u64,
}

impl HttpClient {
    /// A client that trusts Mozilla's root certificates.
    #[must_use]
    pub fn new(settings: &HttpSettings) -> Self {
        Self::build(settings, TlsConfig::builder().build())
    }

    /// A client that trusts the certificates in a PEM file instead.
    ///
    /// # Errors
    /// When the file cannot be read or holds no certificate.
    pub fn with_ca_file(settings: &HttpSettings, path: &Path) -> anyhow::Result<Self> {
        let pem = std::fs::read(path).with_context(|| format!("read the certificates in {}", path.display()))?;
        let certificates: Vec<Certificate<'static>> = ureq::tls::parse_pem(&pem)
            .filter_map(|item| match item {
                Ok(PemItem::Certificate(certificate)) => Some(certificate),
                _ => None,
            })
            .collect();
        anyhow::ensure!(!certificates.is_empty(), "{} holds no PEM certificate", path.display());
        let roots = RootCerts::Specific(std::sync::Arc::new(certificates));
        Ok(Self::build(settings, TlsConfig::builder().root_certs(roots).build()))
    }

    #[expect(clippy::disallowed_methods, reason = "this is the one place that opens HTTP")]
    fn build(settings: &HttpSettings, tls: TlsConfig) -> Self {
        let base = || {
            let config = Agent::config_builder()
                .http_status_as_error(false)
                .max_redirects(0)
                .max_redirects_will_error(false)
                .timeout_connect(Some(settings.connect_timeout))
                .timeout_resolve(Some(settings.connect_timeout))
                .tls_config(tls.clone())
                .user_agent(concat!("pso-tools/", env!("CARGO_PKG_VERSION")));
            if settings.proxy_from_env { config } else { config.proxy(None) }
        };
        Self {
            whole: base().timeout_global(Some(settings.timeout)).build().new_agent(),
            streamed: base()
                .timeout_per_read(Some(settings.timeout))
                .timeout_per_write(Some(settings.timeout))
                .timeout_recv_response(Some(settings.timeout))
                .build()
                .new_agent(),
            max_body_bytes: settings.max_body_bytes,
        }
    }

    /// Begins a request.
    pub fn request(&self, method: &'static str, url: impl Into<String>) -> Request<'_> {
        Request { client: self, method, url: url.into(), headers: Vec::new(), timeout: None }
    }
}

/// A request being put together.
#[must_use]
pub struct Request<'c> {
    client: &'c HttpClient,
    method: &'static str,
    url: String,
    headers: Vec<(String, String)>,
    timeout: Option<Duration>,
}

impl Request<'_> {
    /// Adds a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Replaces the client's time-out for this exchange: for all of it, and for the wait for an answer within it.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sends the request without a body.
    ///
    /// # Errors
    /// When there is no whole answer. An answer with an error status is an answer.
    pub fn send(self) -> Result<Answer, HttpError> {
        self.whole(SendBody::none())
    }

    /// Sends `body` as JSON.
    ///
    /// # Errors
    /// As [`Request::send`].
    pub fn send_json(self, body: &impl Serialize) -> Result<Answer, HttpError> {
        let bytes = serde_json::to_vec(body).map_err(|error| HttpError::Protocol(error.to_string()))?;
        let request = self.header("content-type", "application/json");
        let mut body = bytes.as_slice();
        let length = bytes.len().to_string();
        request.header("content-length", &length).whole(SendBody::from_reader(&mut body))
    }

    /// Sends a body of known length from a reader, without holding it in memory.
    ///
    /// # Errors
    /// As [`Request::send`].
    pub fn send_reader(self, length: u64, body: &mut dyn Read) -> Result<Answer, HttpError> {
        let mut body = body;
        let timeout = self.timeout;
        let request = self.header("content-length", &length.to_string());
        let started = Instant::now();
        let max = request.client.max_body_bytes;
        let agent = request.client.streamed.clone();
        let answer = request.run(&agent, SendBody::from_reader(&mut body), timeout)?;
        Answer::read(answer, max, started)
    }

    /// Sends the request and hands the answer's body over as a reader; each read has the client's time-out.
    ///
    /// # Errors
    /// When there is no answer at all.
    pub fn stream(self) -> Result<StreamedAnswer, HttpError> {
        let agent = self.client.streamed.clone();
        let timeout = self.timeout;
        let response = self.run(&agent, SendBody::none(), timeout)?;
        let length = response.headers().get("content-length").and_then(|v| v.to_str().ok()?.parse().ok());
        Ok(StreamedAnswer {
            status: response.status().as_u16(),
            length,
            body: Box::new(response.into_body().into_with_config().limit(u64::MAX).reader()),
        })
    }

    fn whole(self, body: SendBody<'_>) -> Result<Answer, HttpError> {
        let started = Instant::now();
        let max = self.client.max_body_bytes;
        let agent = self.client.whole.clone();
        let timeout = self.timeout;
        Answer::read(self.run(&agent, body, timeout)?, max, started)
    }

    fn run(
        self,
        agent: &Agent,
        body: SendBody<'_>,
        timeout: Option<Duration>,
    ) -> Result<ureq::http::Response<ureq::Body>, HttpError> {
        let mut request = HttpRequest::builder().method(self.method).uri(&self.url);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let request = request.body(body).map_err(|_| HttpError::Malformed)?;
        let request = match timeout {
            // Each of the other time-outs would end the wait for an answer earlier. A write keeps the client's own: a
            // server that takes nothing for so long is gone, one that says nothing may be at work.
            Some(timeout) => agent
                .configure_request(request)
                .timeout_global(Some(timeout))
                .timeout_recv_response(Some(timeout))
                .timeout_per_read(Some(timeout))
                .build(),
            None => request,
        };
        agent.run(request).map_err(HttpError::from)
    }
}

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, not larger than the client's cap.
    pub body: Vec<u8>,
    /// Milliseconds from sending the request to the last byte.
    pub elapsed_ms: u64,
}

impl Answer {
    fn read(response: ureq::http::Response<ureq::Body>, max: u64, started: Instant) -> Result<Self, HttpError> {
        let (parts, mut body) = response.into_parts();
        let body = body.with_config().limit(max).read_to_vec()?;
        Ok(Self { status: parts.status.as_u16(), headers: parts.headers, body, elapsed_ms: elapsed_ms(started) })
    }

    /// Whether the status is 2xx.
    #[must_use]
    pub const fn is_success(&self) -> bool {
        self.status / 100 == 2
    }

    /// A header's text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// When it is not JSON of that shape.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.body)
    }

    /// The beginning of the body for a message, without control characters.
    #[must_use]
    pub fn excerpt(&self) -> String {
        let text = String::from_utf8_lossy(&self.body[..self.body.len().min(300)]);
        crate::output::printable(text.trim()).into_owned()
    }
}

/// An answer whose body has not been read yet.
pub struct StreamedAnswer {
    /// The status code.
    pub status: u16,
    /// The body's length where the other end said it.
    pub length: Option<u64>,
    /// The body.
    pub body: Box<dyn Read + Send>,
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::net::TcpListener;

    use super::*;

    /// Answers one connection with `bytes`, after reading the request's head.
    fn serve(bytes: &'static [u8]) -> String {
        serve_later(b"\r\n\r\n", Duration::ZERO, bytes)
    }

    /// Reads one request up to `end`, waits, and answers with `bytes`.
    fn serve_later(end: &'static [u8], wait: Duration, bytes: &'static [u8]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}/x", listener.local_addr().expect("bound"));
        std::thread::spawn(move || {
            let (mut peer, _) = listener.accept().expect("a client");
            let mut request = Vec::new();
            let mut chunk = [0; 1024];
            while !request.windows(end.len()).any(|window| window == end) {
                let read = peer.read(&mut chunk).expect("readable");
                request.extend_from_slice(&chunk[..read]);
            }
            std::thread::sleep(wait);
            // A client that has lost its patience is gone.
            let _ = peer.write_all(bytes);
        });
        url
    }

    fn client() -> HttpClient {
        let timeout = Duration::from_millis(500);
        HttpClient::new(&HttpSettings { timeout, max_body_bytes: 100, ..HttpSettings::default() })
    }

    fn get(url: &str) -> Result<Answer, HttpError> {
        client().request("GET", url).send()
    }

    #[test]
    fn an_error_status_and_a_redirect_are_answers() {
        let answer = get(&serve(b"HTTP/1.1 503 Down\r\ncontent-length: 2\r\n\r\nno")).expect("an answer");
        assert_eq!((answer.status, answer.body.as_slice(), answer.is_success()), (503, &b"no"[..], false));
        let answer = get(&serve(b"HTTP/1.1 302 F\r\nlocation: http://127.0.0.1:9/\r\ncontent-length: 0\r\n\r\n"));
        assert_eq!(answer.expect("not followed").status, 302);
    }

    #[test]
    fn each_failure_names_its_layer() {
        let closed = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port");
        assert!(matches!(get(&format!("http://{closed}/")), Err(HttpError::Refused)));
        assert!(matches!(get("no url"), Err(HttpError::Malformed)));
        // A label of a name has 63 letters at most: the resolver refuses this without asking anybody.
        let unresolved = format!("http://{}.invalid/", "x".repeat(64));
        assert!(matches!(get(&unresolved), Err(HttpError::Resolve)));
        assert!(matches!(get(&serve(b"")), Err(HttpError::Io(_) | HttpError::Protocol(_))));
        assert!(matches!(get(&serve(b"SSH-2.0-x\r\n")), Err(HttpError::Protocol(_))));
        let large = b"HTTP/1.1 200 OK\r\ncontent-length: 200\r\n\r\n01234567890123456789012345678901234567890123456789\
            012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789";
        assert!(matches!(get(&serve(large)), Err(HttpError::TooLarge(_))));
        let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/", silent.local_addr().expect("bound"));
        assert!(matches!(get(&url), Err(HttpError::Timeout)));
    }

    #[test]
    fn a_streamed_request_waits_as_long_as_it_was_told() {
        // The answer comes after the client's own time-out.
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
        let slow = || serve_later(b"body", Duration::from_secs(1), answer);
        let client = client();
        let answer = client
            .request("POST", slow())
            .timeout(Duration::from_secs(20))
            .send_reader(4, &mut b"body".as_slice())
            .expect("an answer");
        assert_eq!(answer.body, b"ok");
        let impatient = client.request("POST", slow()).send_reader(4, &mut b"body".as_slice());
        assert!(matches!(impatient, Err(HttpError::Timeout)), "{impatient:?}");
    }

    #[test]
    fn a_malformed_header_is_not_shown() {
        let error = client().request("GET", "http://127.0.0.1:9/").header("api-key", "sec\nret").send();
        let message = error.expect_err("malformed").to_string();
        assert!(!message.contains("ret\n") && !message.contains("sec"), "{message}");
    }
}
