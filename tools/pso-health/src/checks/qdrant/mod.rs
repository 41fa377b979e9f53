//! `qdrant`: ready, the state of every collection, and of the cluster where there is one.

mod cluster;

use std::borrow::Cow;
use std::time::Instant;

use pso_common::Severity;
use pso_common::io::elapsed_ms;
use pso_common::qdrant::{CollectionInfo, QdrantClient, QdrantError, UpdateQueue};
use pso_common::record::{HealthCheckRecord, Labels, Layer};
use serde_json::Value;

use crate::check::{Check, Context};
use crate::finding::{Finding, Findings, shown};
use crate::limits::{self, Limits};
use crate::reading;

pub(crate) struct Qdrant;

impl Check for Qdrant {
    fn name(&self) -> &str {
        "qdrant"
    }

    fn about(&self) -> Cow<'_, str> {
        "Qdrant: ready, its version, the status, the optimiser and the queue of each collection, the nodes of a cluster"
            .into()
    }

    fn run(&self, context: &Context, findings: &Findings<'_>) {
        let client = QdrantClient::new(&context.settings.qdrant);
        let started = Instant::now();
        let looked = client.ready().and_then(|_| Ok((client.version()?, client.collections()?)));
        let (version, collections) = match looked {
            Ok(found) => found,
            Err(error) => {
                let prefix = format!("Qdrant at {}: ", client.shown_url());
                return findings.push(failure("qdrant", &prefix, &error, elapsed_ms(started), Labels::new()));
            }
        };
        let (severity, note) = match collections.len() {
            0 => (Severity::Warning, "it has no collection".to_owned()),
            1 => (Severity::Ok, "1 collection".to_owned()),
            count => (Severity::Ok, format!("{count} collections")),
        };
        let message = format!("Qdrant {} at {} is ready: {note}", shown(&version), client.shown_url());
        let record = HealthCheckRecord {
            status: Some("ready".to_owned()),
            elapsed_ms: elapsed_ms(started),
            ..HealthCheckRecord::default()
        };
        findings.push(Finding::check(severity, "qdrant", message, record));
        for name in collections {
            let started = Instant::now();
            let info = client.info(&name);
            let elapsed_ms = elapsed_ms(started);
            if let Some(queue) = info.as_ref().ok().and_then(|info| info.update_queue) {
                findings.push(waiting(&name, queue, &context.settings.limits, elapsed_ms));
            }
            findings.push(collection(&name, info, elapsed_ms));
        }
        cluster::look(&client, findings);
    }
}

fn waiting(name: &str, queue: UpdateQueue, limits: &Limits, elapsed_ms: u64) -> Finding {
    #[expect(clippy::cast_precision_loss, reason = "a count of changes")]
    let length = queue.length as f64;
    let labels = Labels::from([("collection".to_owned(), name.to_owned())]);
    limits.judge(&limits::UPDATE_QUEUE, length, "changes that are not applied yet", elapsed_ms, labels)
}

fn collection(name: &str, info: Result<CollectionInfo, QdrantError>, elapsed_ms: u64) -> Finding {
    let own = format!("qdrant.collection.{name}");
    let labels = Labels::from([("collection".to_owned(), name.to_owned())]);
    let info = match info {
        Ok(info) => info,
        // It was in the list a moment ago: somebody has deleted it, or is replacing it.
        Err(error) if error.is_not_found() => {
            return failure(&own, "it is gone, or was never there: ", &error, elapsed_ms, labels);
        }
        Err(error) => return failure(&own, "", &error, elapsed_ms, labels),
    };
    let (mut severity, meaning) = match info.status.as_str() {
        "green" => (Severity::Ok, "all is optimised"),
        "yellow" => (Severity::Info, "it is being optimised"),
        // After a restart nothing is optimised before something changes; searches may be slow until then.
        "grey" => (Severity::Warning, "optimisations wait; they begin with the next change"),
        "red" => (Severity::Critical, "an operation failed and was not recovered"),
        _ => (Severity::Critical, "a status that is not known"),
    };
    let points = info.points_count.map_or_else(String::new, |points| format!(", {points} points"));
    // Below the threshold of indexing none is normal, so it is said and not judged.
    let indexed =
        info.indexed_vectors_count.map_or_else(String::new, |count| format!(", {count} vectors in the index"));
    let mut message = format!("{}: {meaning}{points}{indexed}", shown(&info.status));
    if let Some(optimizer) = optimizer_error(&info.optimizer_status) {
        severity = severity.max(Severity::High);
        message = format!("{message}; the optimiser failed: {optimizer}");
    }
    #[expect(clippy::cast_precision_loss, reason = "a count of points, exact up to 2^53")]
    let points = info.points_count.map(|points| points as f64);
    let record = HealthCheckRecord {
        value: points,
        unit: points.map(|_| "count".to_owned()),
        status: Some(info.status),
        elapsed_ms,
        labels,
        ..HealthCheckRecord::default()
    };
    Finding::check(severity, own, message, record)
}

/// What the optimiser says when it is not `"ok"`: an object with its error.
fn optimizer_error(status: &Value) -> Option<String> {
    match status {
        Value::String(text) if text == "ok" => None,
        Value::Object(fields) => Some(fields.get("error").map_or_else(|| reading::text(status), reading::text)),
        other => Some(reading::text(other)),
    }
}

fn failure(name: &str, prefix: &str, error: &QdrantError, elapsed_ms: u64, labels: Labels) -> Finding {
    let layer = match error {
        QdrantError::Http(error) => error.layer(),
        QdrantError::Status(..) => Some(Layer::Http),
        QdrantError::Shape(_) => Some(Layer::Body),
    };
    // A URL that is none says nothing about the server.
    let severity = if layer.is_none() { Severity::Unknown } else { Severity::Critical };
    let record = HealthCheckRecord { layer, elapsed_ms, labels, ..HealthCheckRecord::default() };
    Finding::check(severity, name, format!("{prefix}{error}"), record)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn finding(status: &str, optimizer_status: &Value) -> Finding {
        let info = json!({"status": status, "optimizer_status": optimizer_status, "points_count": 7, "config": {}});
        collection("plans", Ok(serde_json::from_value(info).expect("a collection")), 1)
    }

    #[test]
    fn colours() {
        use Severity::{Critical, Info, Ok, Warning};
        for (status, severity) in
            [("green", Ok), ("yellow", Info), ("grey", Warning), ("red", Critical), ("mauve", Critical)]
        {
            assert_eq!(finding(status, &json!("ok")).severity, severity, "{status}");
        }
        let failed = finding("green", &json!({"error": "no space left\non device"}));
        assert_eq!(failed.severity, Severity::High);
        assert_eq!(failed.message, "green: all is optimised, 7 points; the optimiser failed: no space left on device");
        assert_eq!(finding("red", &json!({"error": "x"})).severity, Severity::Critical);
    }
}
