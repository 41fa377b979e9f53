//! The body of `/health`: services of any names, nested in any way.

use pso_common::Severity;
use serde_json::Value;

use crate::finding::shown;
use crate::reading::{self, field};

/// More services than this are a mistake, or an attack.
const MOST_PARTS: usize = 200;

/// Why a body is of no use.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Error {
    /// What it is instead, to follow "the body is".
    NotJson(String),
    /// A JSON object, of something else.
    NoStatus,
}

/// What the service says.
#[derive(Debug, PartialEq)]
pub(super) struct Body {
    /// Its word for the whole.
    pub(super) status: String,
    pub(super) pending_conflicts: Option<Value>,
    pub(super) active_syncs: Option<Value>,
    pub(super) last_sync: Option<Value>,
    parts: Vec<Part>,
}

/// One service and its word.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// Dotted, beginning with `service`.
    pub(super) name: String,
    pub(super) word: String,
}

impl Body {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let body = reading::object(bytes).map_err(Error::NotJson)?;
        let status = field(&body, &["status"]).filter(|status| is_plain(status)).ok_or(Error::NoStatus)?;
        let mut parts = Vec::new();
        if let Some(services) = field(&body, &["services"]) {
            gather("service", services, &mut parts);
        }
        let metric = |name| field(&body, &["metrics", name]).cloned();
        Ok(Self {
            status: reading::text(status),
            pending_conflicts: metric("pending_conflicts"),
            active_syncs: metric("active_syncs"),
            last_sync: metric("last_sync"),
            parts,
        })
    }

    pub(super) fn parts(&self) -> impl Iterator<Item = &Part> {
        self.parts.iter().take(MOST_PARTS)
    }

    pub(super) fn parts_left_out(&self) -> usize {
        self.parts.len().saturating_sub(MOST_PARTS)
    }
}

/// Every service below `value`. A plain value is a service's word; an object with a plain `status` is a service that says
/// more about itself, of which only nested services count. The parser bounds the depth.
fn gather(name: &str, value: &Value, parts: &mut Vec<Part>) {
    let below = |key: &str| format!("{name}.{}", shown(key));
    match value {
        Value::Object(fields) => {
            let status = fields.get("status").filter(|status| is_plain(status));
            if let Some(status) = status {
                parts.push(Part { name: name.to_owned(), word: reading::text(status) });
            }
            for (key, inner) in fields.iter().filter(|(_, inner)| status.is_none() || !is_plain(inner)) {
                gather(&below(key), inner, parts);
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                match item.get("name").and_then(Value::as_str) {
                    Some(own) => gather(&below(own), item, parts),
                    None => gather(&below(&at.to_string()), item, parts),
                }
            }
        }
        word => parts.push(Part { name: name.to_owned(), word: reading::text(word) }),
    }
}

const fn is_plain(value: &Value) -> bool {
    !matches!(value, Value::Object(_) | Value::Array(_))
}

/// How bad a service's word is; one that is not known is a failure until somebody has looked.
pub(super) fn severity(word: &str) -> Severity {
    match word.trim().to_ascii_lowercase().as_str() {
        "healthy" | "ok" | "up" | "pass" | "passing" | "green" | "ready" | "running" | "alive" | "active" | "true" => {
            Severity::Ok
        }
        "degraded" | "warning" | "warn" | "partial" | "yellow" | "slow" | "starting" | "stopping" | "maintenance" => {
            Severity::Warning
        }
        _ => Severity::Critical,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(services: &str) -> Vec<(String, String)> {
        let body = Body::parse(format!(r#"{{"status":"healthy","services":{services}}}"#).as_bytes()).expect("a body");
        body.parts().map(|part| (part.name.clone(), part.word.clone())).collect()
    }

    #[test]
    fn the_specifications_body() {
        let body = Body::parse(
            br#"{"status":"healthy","timestamp":"2025-06-12T09:00:00Z",
                 "services":{"database":{"postgres":"healthy","qdrant":"unhealthy"},"sync_engine":"healthy"},
                 "metrics":{"active_syncs":0,"pending_conflicts":"2","last_sync":null}}"#,
        )
        .expect("a body");
        let parts: Vec<_> = body.parts().map(|part| (part.name.as_str(), part.word.as_str())).collect();
        assert_eq!(
            parts,
            [
                ("service.database.postgres", "healthy"),
                ("service.database.qdrant", "unhealthy"),
                ("service.sync_engine", "healthy")
            ]
        );
        assert_eq!((body.status.as_str(), &body.last_sync), ("healthy", &None));
    }

    #[test]
    fn any_nesting() {
        let found = parts(
            r#"{"a":{"status":"up","latency_ms":3,"deep":{"b":true}},"list":[{"name":"x","status":"warn"},"ok"],
                "odd":null,"é\n":5}"#,
        );
        let found: Vec<_> = found.iter().map(|(name, word)| (name.as_str(), word.as_str())).collect();
        let expected = [
            ("service.a", "up"),
            ("service.a.deep.b", "true"),
            ("service.list.x", "warn"),
            ("service.list.1", "ok"),
            ("service.odd", "null"),
            ("service.é", "5"),
        ];
        assert_eq!(found, expected);
        assert_eq!(parts("null"), []);
        assert_eq!(parts(&format!("[{}]", ["\"up\""; 1000].join(","))).len(), MOST_PARTS);
    }

    #[test]
    fn words() {
        let severities =
            ["Healthy", "UP", "true", "Degraded", "warn", "unhealthy", "down", "false", "null", "", "fine?"]
                .map(severity);
        use Severity::{Critical, Ok, Warning};
        let expected = [Ok, Ok, Ok, Warning, Warning, Critical, Critical, Critical, Critical, Critical, Critical];
        assert_eq!(severities, expected);
    }

    #[test]
    fn what_is_no_body() {
        for text in
            ["", "<html>", "[]", "\"healthy\"", "{\"status\":\"healthy\"", "{\"status\":NaN}", "null", "[\"healthy\"]"]
        {
            assert!(matches!(Body::parse(text.as_bytes()), Err(Error::NotJson(_))), "{text}");
        }
        let deep = format!("{{\"status\":\"ok\",\"services\":{}1{}}}", "{\"a\":".repeat(5000), "}".repeat(5000));
        assert!(matches!(Body::parse(deep.as_bytes()), Err(Error::NotJson(reason)) if reason.contains("recursion")));
        let large = format!("{{\"status\":\"ok\",\"services\":[{}1]}}", "1,".repeat(200_000));
        assert!(matches!(Body::parse(large.as_bytes()), Err(Error::NotJson(reason)) if reason.contains("too large")));
        for text in ["{\"services\":{}}", "{\"status\":null}", "{\"status\":{}}", "{\"Status\":\"ok\"}"] {
            assert_eq!(Body::parse(text.as_bytes()), Err(Error::NoStatus));
        }
        assert!(Body::parse(b"\xef\xbb\xbf{\"status\":\"ok\"}").is_ok());
    }
}
