//! API keys.

use qdrant_standin::Keys;
use serde_json::json;

use crate::client::{Standin, error, form, ok};

const CALLS: [(&str, &str); 7] = [
    ("GET", "/metrics"),
    ("GET", "/collections"),
    ("GET", "/collections/plans/snapshots"),
    ("POST", "/collections/plans/snapshots"),
    ("GET", "/nosuchpath"),
    ("PATCH", "/collections/plans"),
    ("POST", "/snapshots"),
];

fn standin() -> Standin {
    let standin = Standin::with_keys(Keys { full: Some("secret".to_owned()), read_only: Some("rokey".to_owned()) });
    let body = json!({ "vectors": { "size": 8, "distance": "Cosine" } }).to_string();
    standin.call("PUT", "/collections/plans", "api-key: secret\r\n", body.as_bytes()).is_json(200, &ok("true"));
    standin
}

#[test]
fn without_a_good_key_all_but_the_health_checks_is_refused() {
    let standin = standin();
    for (headers, refusal) in [
        ("", "Must provide an API key or an Authorization bearer token"),
        ("api-key: nope\r\n", "Invalid API key or JWT"),
        ("Authorization: Bearer nope\r\n", "Invalid API key or JWT"),
    ] {
        for (method, path) in CALLS {
            standin.call(method, path, headers, b"{}").is(401, None, refusal);
        }
        for path in ["/", "/healthz", "/readyz", "/livez"] {
            assert_eq!(standin.call("GET", path, headers, b"").status, 200);
        }
    }
    let (head, body) = form("snapshot", "x.snapshot", &vec![0; 1 << 20]);
    standin.call("POST", "/collections/plans/snapshots/upload?priority=snapshot", &head, &body).is(
        401,
        None,
        "Must provide an API key or an Authorization bearer token",
    );
}

#[test]
fn the_key_and_the_bearer_token_open_everything() {
    let standin = standin();
    for headers in ["api-key: secret\r\n", "Authorization: Bearer secret\r\n"] {
        let statuses = CALLS.map(|(method, path)| standin.call(method, path, headers, b"{}").status);
        assert_eq!(statuses, [200, 200, 200, 200, 404, 200, 200]);
    }
}

#[test]
fn a_read_only_key_looks_and_changes_nothing() {
    let standin = standin();
    let key = "api-key: rokey\r\n";
    let statuses = CALLS.map(|(method, path)| standin.call(method, path, key, b"{}").status);
    assert_eq!(statuses, [200, 200, 200, 403, 404, 403, 403]);
    let refusal = error("Forbidden: Global manage access is required");
    standin.call("POST", "/collections/plans/snapshots", key, b"").is_json(403, &refusal);
    standin.call("DELETE", "/collections/plans/snapshots/x.snapshot", key, b"").is_json(403, &refusal);
    standin.call("PUT", "/collections/plans/points", key, b"{}").is_json(403, &refusal);
    standin.call("POST", "/collections/plans/points/count", key, b"{}").is_json(200, &ok(r#"{"count":0}"#));
    let (head, body) = form("snapshot", "x.snapshot", b"x");
    let head = format!("{key}{head}");
    standin.call("POST", "/collections/plans/snapshots/upload?priority=snapshot", &head, &body).is(
        403,
        Some("text/plain; charset=utf-8"),
        "Forbidden: Global manage access is required",
    );
}

#[test]
fn keys_are_masked_when_printed() {
    let keys = Keys { full: Some("secret".to_owned()), read_only: None };
    assert_eq!(format!("{keys:?}"), r#"Keys { full: Some("***"), read_only: None }"#);
}
