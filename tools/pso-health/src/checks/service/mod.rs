//! `service`: planning-sync-server's `/health`, every nested service one record.

mod body;

use std::borrow::Cow;
use std::time::Duration;

use pso_common::record::{HealthCheckRecord, Labels, Layer};
use pso_common::{Severity, Timestamp};
use serde_json::Value;

use self::body::{Body, Part};
use crate::answer::{Got, get};
use crate::check::{Check, Context};
use crate::finding::{Finding, Findings};
use crate::limits::{self, Limits};
use crate::reading;

/// Clocks of two machines that agree to this are right.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(5);

pub(crate) struct Service;

impl Check for Service {
    fn name(&self) -> &str {
        "service"
    }

    fn about(&self) -> Cow<'_, str> {
        "planning-sync-server's /health: the whole, each nested service, response time, conflicts, age of the last sync"
            .into()
    }

    fn run(&self, context: &Context, findings: &Findings<'_>) {
        match get(context, "/health") {
            Ok(got) => judge(&got, context, findings),
            Err(failure) => findings.push(failure.finding("service")),
        }
    }
}

fn judge(got: &Got, context: &Context, findings: &Findings<'_>) {
    let elapsed_ms = got.answer.elapsed_ms;
    let body = match (Body::parse(&got.answer.body), got.wrong_status()) {
        (Ok(body), None) => {
            let whole = Part { name: "service".to_owned(), word: body.status.clone() };
            findings.push(whole.finding(&format!("{} ", got.url), elapsed_ms));
            body
        }
        // A server may say with 503 that it is up and not well; then what it says of its parts is worth having.
        (Ok(body), Some(failure)) => {
            findings.push(failure.finding_with_status("service", Some(body.status.clone())));
            body
        }
        (Err(_), Some(failure)) => return findings.push(failure.finding("service")),
        (Err(body::Error::NotJson(reason)), None) => {
            return findings.push(got.wrong_body(&reason).finding("service"));
        }
        (Err(body::Error::NoStatus), None) => {
            return findings
                .push(got.wrong_field("HTTP 200 and JSON, but there is no `status` in it").finding("service"));
        }
    };
    for part in body.parts() {
        findings.push(part.finding("", elapsed_ms));
    }
    if body.parts_left_out() > 0 {
        let message = format!("{} more services are not shown", body.parts_left_out());
        findings.push(Finding::check(Severity::Warning, "service.more", message, record(elapsed_ms)));
    }
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of one answer")]
    let took = elapsed_ms as f64;
    findings.push(context.settings.limits.judge(&limits::RESPONSE_TIME, took, "", elapsed_ms, Labels::new()));
    numbers(&body, context, elapsed_ms, findings);
}

/// What `/health` counts; each only when it is there.
fn numbers(body: &Body, context: &Context, elapsed_ms: u64, findings: &Findings<'_>) {
    let limits = &context.settings.limits;
    for (quantity, value, noun) in [
        (limits::PENDING_CONFLICTS, &body.pending_conflicts, "conflicts that wait to be resolved"),
        (limits::ACTIVE_SYNCS, &body.active_syncs, "syncs under way"),
    ] {
        let Some(value) = value else { continue };
        findings.push(match reading::number(value) {
            Ok(count) => limits.judge(&quantity, count, noun, elapsed_ms, Labels::new()),
            Err(text) => no_value(quantity.name, text, "is no number of 0 or more", elapsed_ms),
        });
    }
    if let Some(value) = &body.last_sync {
        findings.push(last_sync(value, context.now, limits, elapsed_ms));
    }
}

fn last_sync(value: &Value, now: Timestamp, limits: &Limits, elapsed_ms: u64) -> Finding {
    let name = limits::LAST_SYNC_AGE.name;
    let text = reading::text(value);
    let Some(Ok(at)) = value.as_str().map(str::parse::<Timestamp>) else {
        return no_value(name, text, "is no RFC 3339 time", elapsed_ms);
    };
    if now.until(at) > CLOCK_TOLERANCE {
        return no_value(name, text, "lies in the future: the clocks differ", elapsed_ms);
    }
    let detail = format!("since the end of the last sync, {text}");
    limits.judge(&limits::LAST_SYNC_AGE, at.until(now).as_secs_f64(), &detail, elapsed_ms, Labels::new())
}

fn no_value(name: &str, text: String, reason: &str, elapsed_ms: u64) -> Finding {
    let message = format!("{text:?} {reason}");
    let record = HealthCheckRecord { status: Some(text), layer: Some(Layer::Field), ..record(elapsed_ms) };
    Finding::check(Severity::Unknown, name, message, record)
}

fn record(elapsed_ms: u64) -> HealthCheckRecord {
    HealthCheckRecord { elapsed_ms, ..HealthCheckRecord::default() }
}

impl Part {
    fn finding(&self, prefix: &str, elapsed_ms: u64) -> Finding {
        let severity = body::severity(&self.word);
        let record = HealthCheckRecord { status: Some(self.word.clone()), ..record(elapsed_ms) };
        Finding::check(severity, &*self.name, format!("{prefix}says {:?}", self.word), record)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::finding;

    #[test]
    fn the_age_of_the_last_sync() {
        let now: Timestamp = "2026-11-22T09:00:00Z".parse().expect("RFC 3339");
        let age = |value| last_sync(&value, now, &Limits::default(), 1);
        let finding = age(json!("2026-11-22T08:44:38+00:00"));
        assert_eq!(finding.message, "15m 22s (since the end of the last sync, 2026-11-22T08:44:38+00:00)");
        assert!(matches!(finding.body, finding::Body::Metric(record) if record.value == 922.0));
        assert_eq!(age(json!("2026-11-22T09:00:03Z")).severity, Severity::Ok, "a little ahead");
        for value in [json!("2026-11-22T10:00:00Z"), json!("yesterday"), json!(1_700_000_000), json!("")] {
            let finding = age(value);
            assert_eq!((finding.severity, finding.name.as_str()), (Severity::Unknown, "last_sync_age"));
        }
    }
}
