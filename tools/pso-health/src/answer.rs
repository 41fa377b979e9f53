//! GET something of planning-sync-server, and say at which layer that failed.

use std::io::ErrorKind;
use std::time::Instant;

use pso_common::Severity;
use pso_common::http::{Answer, HttpError};
use pso_common::io::elapsed_ms;
use pso_common::record::{HealthCheckRecord, Layer};
use pso_common::secret::redact_url;

use crate::check::Context;
use crate::finding::{Finding, shown};

/// Why there is nothing to look at.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Failure {
    severity: Severity,
    layer: Option<Layer>,
    message: String,
    elapsed_ms: u64,
}

impl Failure {
    /// The record of that name.
    pub(crate) fn finding(self, name: &str) -> Finding {
        self.finding_with_status(name, None)
    }

    /// The record of that name, with what the server says of itself all the same.
    pub(crate) fn finding_with_status(self, name: &str, status: Option<String>) -> Finding {
        let message = match &status {
            Some(status) => format!("{}; it says {status:?}", self.message),
            None => self.message,
        };
        let record = HealthCheckRecord {
            status,
            layer: self.layer,
            elapsed_ms: self.elapsed_ms,
            ..HealthCheckRecord::default()
        };
        Finding::check(self.severity, name, message, record)
    }
}

/// An answer, whatever its status, and its URL as it may be shown.
pub(crate) struct Got {
    pub(crate) url: String,
    pub(crate) answer: Answer,
}

/// `GET` of a path on the service.
pub(crate) fn get(context: &Context, path: &str) -> Result<Got, Failure> {
    let url = format!("{}{path}", context.settings.service.url);
    let started = Instant::now();
    let result = context.http.request("GET", url.as_str()).send();
    let url = redact_url(&url);
    match result {
        Ok(answer) => Ok(Got { url, answer }),
        Err(error) => {
            let layer = layer(&error);
            // A URL that is none says nothing about the server.
            let severity = if layer.is_none() { Severity::Unknown } else { Severity::Critical };
            let message = format!("GET {url}: {error}");
            Err(Failure { severity, layer, message, elapsed_ms: elapsed_ms(started) })
        }
    }
}

/// How far an exchange came.
pub(crate) fn layer(error: &HttpError) -> Option<Layer> {
    match error {
        HttpError::Io(error) if matches!(error.kind(), ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable) => {
            Some(Layer::Connect)
        }
        HttpError::Malformed => None,
        HttpError::Resolve => Some(Layer::Resolve),
        HttpError::Refused | HttpError::ConnectTimeout => Some(Layer::Connect),
        HttpError::Tls(_) => Some(Layer::Tls),
        HttpError::Timeout | HttpError::Io(_) | HttpError::TooLarge(_) => Some(Layer::Read),
        HttpError::Protocol(_) => Some(Layer::Http),
    }
}

impl Got {
    /// The failure that an answer with another status than 200 is.
    pub(crate) fn wrong_status(&self) -> Option<Failure> {
        let what = match self.answer.status {
            200 => return None,
            status @ 300..=399 => {
                let target = self.answer.header("location").map_or_else(|| "nowhere".to_owned(), redact_url);
                format!("HTTP {status}, a redirect to {}; redirects are not followed", shown(&target))
            }
            status => format!("HTTP {status} instead of 200{}", self.beginning()),
        };
        Some(self.failure(Layer::Http, &what))
    }

    /// The failure that a body is which is not what was asked for.
    pub(crate) fn wrong_body(&self, reason: &str) -> Failure {
        if self.answer.body.is_empty() {
            return self.failure(Layer::Body, "HTTP 200 with an empty body");
        }
        let kind = self.answer.header("content-type").unwrap_or("no Content-Type");
        self.failure(Layer::Body, &format!("HTTP 200, but the body ({}) is {reason}{}", shown(kind), self.beginning()))
    }

    /// The failure that a body is from which a field is missing.
    pub(crate) fn wrong_field(&self, what: &str) -> Failure {
        Failure { severity: Severity::Unknown, ..self.failure(Layer::Field, what) }
    }

    fn failure(&self, layer: Layer, what: &str) -> Failure {
        Failure {
            severity: Severity::Critical,
            layer: Some(layer),
            message: format!("GET {}: {what}", self.url),
            elapsed_ms: self.answer.elapsed_ms,
        }
    }

    fn beginning(&self) -> String {
        let excerpt = self.answer.excerpt();
        if excerpt.is_empty() { String::new() } else { format!("; it begins with {:?}", shown(&excerpt)) }
    }
}
