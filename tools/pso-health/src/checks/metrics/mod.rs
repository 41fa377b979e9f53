//! `metrics`: planning-sync-server's `/metrics`, in the form of any of its versions.

mod json;
mod operations;
mod prometheus;

use pso_common::Severity;
use pso_common::config::ConfigValue;
use pso_common::record::{HealthCheckRecord, Labels, Layer};
use std::borrow::Cow;

use crate::answer::{Got, get};
use crate::check::{Check, Context};
use crate::finding::{Finding, Findings};
use crate::limits::{self, Quantity};
use crate::reading::Reading;

pub(crate) struct Metrics;

impl Check for Metrics {
    fn name(&self) -> &str {
        "metrics"
    }

    fn about(&self) -> Cow<'_, str> {
        "planning-sync-server's /metrics (JSON or Prometheus text): CPU, memory, disk I/O, sync duration, error rate"
            .into()
    }

    fn run(&self, context: &Context, findings: &Findings<'_>) {
        let got = match get(context, "/metrics") {
            Ok(got) => got,
            Err(failure) => return findings.push(failure.finding("metrics")),
        };
        if let Some(failure) = got.wrong_status() {
            return findings.push(failure.finding("metrics"));
        }
        match Readings::parse(&got.answer.body) {
            Ok(readings) => judge(&readings, &got, context, findings),
            Err(reason) => findings.push(got.wrong_body(&reason).finding("metrics")),
        }
    }
}

/// A number that `/metrics` must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Expected(&'static str);

impl Expected {
    const KNOWN: [&'static str; 5] = ["cpu_usage", "memory_usage", "disk_io", "sync_duration", "error_rate"];

    /// Those that every version of the server has.
    pub(crate) fn default() -> Vec<Self> {
        vec![Self("cpu_usage"), Self("memory_usage"), Self("error_rate")]
    }
}

impl ConfigValue for Expected {
    const EXPECTED: &'static str = "one of cpu_usage, memory_usage, disk_io, sync_duration and error_rate";

    fn parse(text: &str) -> Option<Self> {
        Self::KNOWN.into_iter().find(|known| *known == text.trim()).map(Self)
    }

    fn show(&self) -> String {
        self.0.to_owned()
    }
}

/// What a body says of the numbers that are judged; absent where it says nothing.
#[derive(Debug, Default, PartialEq)]
struct Readings {
    /// The form of the body, for the message.
    form: String,
    /// Percent.
    cpu_usage: Option<Reading>,
    /// Percent.
    memory_usage: Option<Reading>,
    /// Mean, seconds.
    sync_duration: Option<Reading>,
    /// Sync operations: since the server's start, or within `period`.
    total: Option<Reading>,
    /// Of these, the failed ones.
    failed: Option<Reading>,
    /// MB/s, where the server says so.
    disk_io: Option<Reading>,
    /// Of which span of time the operations are, in the server's word; none where they are counted since its start.
    period: Option<String>,
}

impl Readings {
    /// Understands a body by what it is, not by what its Content-Type says.
    ///
    /// # Errors
    /// What it is instead, to follow "the body is".
    fn parse(body: &[u8]) -> Result<Self, String> {
        let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii();
        if matches!(body.first(), Some(b'{' | b'[')) {
            return json::parse(body);
        }
        let text = std::str::from_utf8(body).ok();
        text.and_then(prometheus::parse).ok_or_else(|| "neither JSON nor Prometheus text".to_owned())
    }
}

fn judge(readings: &Readings, got: &Got, context: &Context, findings: &Findings<'_>) {
    let elapsed_ms = got.answer.elapsed_ms;
    let plain = |reading: &Option<Reading>| reading.clone().map(|reading| (reading, String::new()));
    let numbers = [
        (limits::CPU_USAGE, plain(&readings.cpu_usage)),
        (limits::MEMORY_USAGE, plain(&readings.memory_usage)),
        (limits::DISK_IO, plain(&readings.disk_io)),
        (limits::SYNC_DURATION, plain(&readings.sync_duration)),
        (limits::ERROR_RATE, operations::error_rate(readings, context)),
    ];
    if numbers.iter().all(|(_, number)| number.is_none()) {
        let what = format!("HTTP 200 and {}, but none of the known numbers is in it", readings.form);
        return findings.push(got.wrong_field(&what).finding("metrics"));
    }
    let record = HealthCheckRecord { elapsed_ms, ..HealthCheckRecord::default() };
    findings.push(Finding::check(Severity::Ok, "metrics", format!("GET {}: {}", got.url, readings.form), record));
    for (quantity, number) in numbers {
        match number {
            Some((Ok(value), detail)) => {
                findings.push(context.settings.limits.judge(&quantity, value, &detail, elapsed_ms, Labels::new()));
            }
            Some((Err(text), _)) => findings.push(no_value(&quantity, text, elapsed_ms)),
            None if context.settings.expected_metrics.iter().any(|expected| expected.0 == quantity.name) => {
                let what = format!("there is no {} in the answer", quantity.name);
                findings.push(got.wrong_field(&what).finding(quantity.name));
            }
            None => {}
        }
    }
}

fn no_value(quantity: &Quantity, text: String, elapsed_ms: u64) -> Finding {
    let message = format!("{text:?} cannot be judged: not a number of 0 or more");
    let record =
        HealthCheckRecord { status: Some(text), layer: Some(Layer::Field), elapsed_ms, ..HealthCheckRecord::default() };
    Finding::check(Severity::Unknown, quantity.name, message, record)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_of_something_else() {
        for body in ["", "<html><body>login</body></html>", "hello world", "\u{1}\u{2}", "cpu_usage"] {
            assert_eq!(Readings::parse(body.as_bytes()), Err("neither JSON nor Prometheus text".to_owned()), "{body}");
        }
        assert!(Readings::parse(b"\xff\xfe{\0").is_err());
        for body in ["[1]", "{", "{\"system\":{\"cpu_usage\":NaN}}", "{\"a\":1} {}"] {
            assert!(
                Readings::parse(body.as_bytes()).is_err_and(|reason| reason.starts_with("not a JSON object")),
                "{body}"
            );
        }
    }
}
