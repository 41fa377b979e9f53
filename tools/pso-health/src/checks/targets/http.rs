//! `http.NAME`: a URL that must answer with the right status, in time, and with the right things in its body.

use std::borrow::Cow;
use std::time::Duration;

use pso_common::Secret;
use pso_common::http::HttpClient;
use pso_common::record::{Labels, Layer};
use serde_json::Value;

use super::spec::{Common, Statuses};
use crate::answer::{Failure, Got, send, shown_url};
use crate::check::{Check, Context};
use crate::finding::{Body, Finding, Findings, shown};
use crate::reading;

pub(super) struct HttpTarget {
    pub(super) common: Common,
    pub(super) client: HttpClient,
    pub(super) method: &'static str,
    pub(super) url: String,
    pub(super) headers: Vec<(String, Secret)>,
    pub(super) status: Statuses,
    pub(super) contains: Option<String>,
    /// Dotted paths and what must stand there, as text; `*` is anything.
    pub(super) json: Vec<(String, String)>,
    pub(super) max: Option<Duration>,
}

impl Check for HttpTarget {
    fn name(&self) -> &str {
        &self.common.check
    }

    fn about(&self) -> Cow<'_, str> {
        let mut about = format!("{} {}: answers {}", self.method, shown_url(&self.url), self.status);
        if self.contains.is_some() || !self.json.is_empty() {
            about.push_str(", with the right things in its body");
        }
        about.into()
    }

    fn timeout(&self) -> Option<Duration> {
        self.common.timeout
    }

    fn retries(&self) -> Option<u32> {
        self.common.retries
    }

    fn run(&self, context: &Context, findings: &Findings<'_>) {
        let timeout = self.common.timeout.unwrap_or(context.settings.timeout);
        let request = self.client.request(self.method, self.url.as_str()).timeout(timeout);
        let request = self.headers.iter().fold(request, |request, (name, value)| request.header(name, value.expose()));
        let result = send(request, self.method, &self.url).and_then(|got| match self.unmet(&got) {
            Some(failure) => Err(failure),
            None => Ok(got),
        });
        let mut finding = match result {
            Ok(got) => self.met(&got),
            Err(failure) => failure.finding(self.name()),
        };
        if let Body::Check(record) = &mut finding.body {
            record.labels = Labels::from([("url".to_owned(), shown_url(&self.url))]);
        }
        findings.push(finding);
    }
}

impl HttpTarget {
    /// Why the answer is not the right one.
    fn unmet(&self, got: &Got) -> Option<Failure> {
        let expected = self.status.to_string();
        if let Some(failure) = got.status_instead_of(&|status| self.status.holds(status), &expected) {
            return Some(failure);
        }
        if let Some(text) = &self.contains
            && !String::from_utf8_lossy(&got.answer.body).contains(text.as_str())
        {
            return Some(got.wrong_body(&format!("without {:?}", shown(text))));
        }
        if self.json.is_empty() {
            return None;
        }
        let body = match reading::json(&got.answer.body) {
            Ok(body) => body,
            Err(reason) => return Some(got.wrong_body(&reason)),
        };
        self.json.iter().find_map(|(path, expected)| {
            let what = match at(&body, path) {
                None => format!("there is no {path} in the answer"),
                Some(_) if expected == "*" => return None,
                Some(found) if is(found, expected) => return None,
                Some(found) => format!("{path} is {:?} instead of {:?}", reading::text(found), shown(expected)),
            };
            Some(got.failure(Layer::Field, &what))
        })
    }

    fn met(&self, got: &Got) -> Finding {
        let elapsed_ms = got.answer.elapsed_ms;
        let took = Duration::from_millis(elapsed_ms);
        let (severity, note) = super::too_slow(took, self.max);
        let message = format!("{} {}: HTTP {}{note}", self.method, got.url, got.answer.status);
        let mut finding =
            Finding::check(severity, self.name(), message, pso_common::record::HealthCheckRecord::default());
        if let Body::Check(record) = &mut finding.body {
            record.value = Some(took.as_secs_f64() * 1000.0);
            record.unit = Some("ms".to_owned());
            record.status = Some(format!("HTTP {}", got.answer.status));
            record.elapsed_ms = elapsed_ms;
        }
        finding
    }
}

/// What stands at a dotted path; within lists a number counts from 0.
fn at<'a>(body: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(body, |value, step| match value {
        Value::Object(fields) => fields.get(step),
        Value::Array(items) => items.get(step.parse::<usize>().ok()?),
        _ => None,
    })
}

/// Whether a value is what its text says: `true`, `healthy`, `3`, `3.0`, `null`.
fn is(found: &Value, expected: &str) -> bool {
    match found {
        Value::String(text) => text == expected,
        Value::Number(number) => expected.trim().parse::<f64>().is_ok_and(|expected| number.as_f64() == Some(expected)),
        Value::Bool(found) => expected == if *found { "true" } else { "false" },
        Value::Null => expected == "null",
        Value::Array(_) | Value::Object(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_are_found_by_their_path() {
        let body = json!({"data": {"nodes": [{"state": "up"}, {"state": "down"}]}, "n": 3, "ok": true, "none": null});
        let found = |path: &str, expected: &str| at(&body, path).map(|value| is(value, expected));
        assert_eq!(found("data.nodes.1.state", "down"), Some(true));
        assert_eq!(found("data.nodes.0.state", "down"), Some(false));
        assert_eq!((found("n", "3"), found("n", "3.0"), found("n", "4")), (Some(true), Some(true), Some(false)));
        assert_eq!((found("ok", "true"), found("none", "null")), (Some(true), Some(true)));
        for path in ["", "data.nodes.2.state", "data.nodes.x", "n.m", "Data"] {
            assert_eq!(found(path, "x"), None, "{path}");
        }
        assert_eq!(at(&json!(["x"]), "0"), Some(&json!("x")));
    }
}
