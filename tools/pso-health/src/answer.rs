//! One HTTP exchange with something that is looked at, and at which layer it failed.

use std::time::Instant;

use pso_common::Severity;
use pso_common::http::{Answer, Request};
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
    method: &'static str,
    pub(crate) url: String,
    pub(crate) answer: Answer,
}

/// `GET` of a path on the service.
pub(crate) fn get(context: &Context, path: &str) -> Result<Got, Failure> {
    let url = format!("{}{path}", context.settings.service.url);
    send(context.http.request("GET", url.as_str()), "GET", &url)
}

/// Sends a request; `method` and `url` are the request's, for the message.
pub(crate) fn send(request: Request<'_>, method: &'static str, url: &str) -> Result<Got, Failure> {
    let url = shown_url(url);
    let started = Instant::now();
    match request.send() {
        Ok(answer) => Ok(Got { method, url, answer }),
        Err(error) => {
            let layer = error.layer();
            // A URL that is none says nothing about the server.
            let severity = if layer.is_none() { Severity::Unknown } else { Severity::Critical };
            let message = format!("{method} {url}: {error}");
            Err(Failure { severity, layer, message, elapsed_ms: elapsed_ms(started) })
        }
    }
}

/// A URL as it may be shown.
pub(crate) fn shown_url(url: &str) -> String {
    let url = redact_url(url);
    // What follows the `#` is never sent, and may be a secret as well.
    url.split('#').next().unwrap_or_default().to_owned()
}

impl Got {
    /// The failure that an answer with another status than 200 is.
    pub(crate) fn wrong_status(&self) -> Option<Failure> {
        self.status_instead_of(&|status| status == 200, "200")
    }

    /// The failure that an answer with another status is than was expected.
    pub(crate) fn status_instead_of(&self, is_expected: &dyn Fn(u16) -> bool, expected: &str) -> Option<Failure> {
        let what = match self.answer.status {
            status if is_expected(status) => return None,
            status @ 300..=399 => {
                let target = self.answer.header("location").map_or_else(|| "nowhere".to_owned(), shown_url);
                format!("HTTP {status}, a redirect to {}; redirects are not followed", shown(&target))
            }
            status => format!("HTTP {status} instead of {expected}{}", self.beginning()),
        };
        Some(self.failure(Layer::Http, &what))
    }

    /// The failure that a body is which is not what was asked for.
    pub(crate) fn wrong_body(&self, reason: &str) -> Failure {
        let status = self.answer.status;
        if self.answer.body.is_empty() {
            return self.failure(Layer::Body, &format!("HTTP {status} with an empty body"));
        }
        let kind = self.answer.header("content-type").unwrap_or("no Content-Type");
        let what = format!("HTTP {status}, but the body ({}) is {reason}{}", shown(kind), self.beginning());
        self.failure(Layer::Body, &what)
    }

    /// The failure that a body is from which a field is missing: nothing can be told.
    pub(crate) fn wrong_field(&self, what: &str) -> Failure {
        Failure { severity: Severity::Unknown, ..self.failure(Layer::Field, what) }
    }

    pub(crate) fn failure(&self, layer: Layer, what: &str) -> Failure {
        Failure {
            severity: Severity::Critical,
            layer: Some(layer),
            message: format!("{} {}: {what}", self.method, self.url),
            elapsed_ms: self.answer.elapsed_ms,
        }
    }

    fn beginning(&self) -> String {
        let excerpt = self.answer.excerpt();
        if excerpt.is_empty() { String::new() } else { format!("; it begins with {:?}", shown(&excerpt)) }
    }
}

#[cfg(test)]
mod tests {
    use super::shown_url;

    #[test]
    fn a_url_is_shown_without_what_may_be_secret() {
        assert_eq!(shown_url("http://me:pw@h/a?token=x#y"), "http://***@h/a?***");
        assert_eq!(shown_url("http://h/a#token=x"), "http://h/a");
    }
}
