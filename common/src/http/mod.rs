//! The only constructor of HTTP clients: rustls, no redirects, both time-outs, answers capped in size.

mod connector;
mod error;

use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;
use ureq::http::{HeaderMap, Request as HttpRequest};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, SendBody};

pub use error::HttpError;

use crate::io::elapsed_ms;
use crate::tls::Roots;

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
    /// So many connections at most are kept open for the next request, for 15 seconds. With 0 each request opens its own
    /// and closes it, which is what a probe wants.
    pub idle_connections: usize,
    /// Whom to trust.
    pub roots: HttpRoots,
}

/// The root certificates that a client trusts, read once; by default Mozilla's. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct HttpRoots(Option<Arc<Vec<Certificate<'static>>>>);

impl HttpRoots {
    /// Reads the certificates.
    ///
    /// # Errors
    /// When they cannot be read, or there are none.
    pub fn load(roots: &Roots) -> anyhow::Result<Self> {
        let Some(certificates) = roots.certificates()? else { return Ok(Self::default()) };
        let certificates = certificates.iter().map(|der| Certificate::from_der(der).to_owned()).collect();
        Ok(Self(Some(Arc::new(certificates))))
    }

    /// Those of a PEM file, or with the word `system` the operating system's; without a file Mozilla's.
    ///
    /// # Errors
    /// As [`HttpRoots::load`].
    pub fn named(file: Option<&Path>) -> anyhow::Result<Self> {
        file.map_or_else(|| Ok(Self::default()), |file| Self::load(&Roots::named(file)))
    }
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(3),
            timeout: Duration::from_secs(10),
            max_body_bytes: 4 << 20,
            proxy_from_env: false,
            idle_connections: 10,
            roots: HttpRoots::default(),
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
    /// A client.
    #[must_use]
    pub fn new(settings: &HttpSettings) -> Self {
        let tls = TlsConfig::builder();
        Self::build(
            settings,
            match &settings.roots.0 {
                Some(certificates) => tls.root_certs(RootCerts::Specific(Arc::clone(certificates))).build(),
                None => tls.build(),
            },
        )
    }

    /// A client that trusts the certificates in a PEM file.
    ///
    /// # Errors
    /// When the file cannot be read or holds no certificate.
    pub fn with_ca_file(settings: &HttpSettings, path: &Path) -> anyhow::Result<Self> {
        let roots = HttpRoots::load(&Roots::File(path.to_owned()))?;
        Ok(Self::new(&HttpSettings { roots, ..settings.clone() }))
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
                .max_idle_connections(settings.idle_connections)
                .tls_config(tls.clone())
                .user_agent(concat!("pso-tools/", env!("CARGO_PKG_VERSION")));
            if settings.proxy_from_env { config } else { config.proxy(None) }
        };
        let whole = base().timeout_global(Some(settings.timeout));
        let streamed = base()
            .timeout_per_read(Some(settings.timeout))
            .timeout_per_write(Some(settings.timeout))
            .timeout_recv_response(Some(settings.timeout));
        Self {
            whole: Agent::with_parts(whole.build(), connector::connector(), connector::Names),
            streamed: Agent::with_parts(streamed.build(), connector::connector(), connector::Names),
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
        self.send_bytes("application/json", &bytes)
    }

    /// Sends `body` as it is.
    ///
    /// # Errors
    /// As [`Request::send`].
    pub fn send_bytes(self, content_type: &str, body: &[u8]) -> Result<Answer, HttpError> {
        let length = body.len().to_string();
        let mut body = body;
        let request = self.header("content-type", content_type);
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
mod tests;
