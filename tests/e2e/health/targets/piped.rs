//! Targets that come as records on stdin.

use pso_tests::service::Service;
use serde_json::{Value, json};

use super::*;

fn record(name: &str, fields: &Value) -> String {
    let mut record = json!({
        "schema": 1, "kind": "health.target", "at": "2026-11-22T09:00:00Z", "tool": "inventory", "host": "h",
        "severity": "ok", "name": name, "message": "",
    });
    for (key, value) in fields.as_object().expect("fields") {
        record[key] = value.clone();
    }
    record.to_string()
}

#[test]
fn targets_come_through_a_pipe() {
    let service = Service::start().expect("a port");
    let url = format!("{}/health", service.url());
    let other = r#"{"schema":1,"kind":"x.y","at":"2026-11-22T09:00:00Z","tool":"t","host":"h","severity":"critical","name":"n","message":"m","odd":1.50}"#;
    let lines = [
        other.to_owned(),
        record("one", &json!({"http": url, "json": {"status": "healthy"}, "status": [200, 203], "timeout_ms": 3000})),
        "not a record".to_owned(),
        record("two", &json!({"tcp": format!("127.0.0.1:{}", service.port()), "retries": 1})),
        record("three", &json!({"tcp": "nowhere"})),
        record("one", &json!({"http": url})),
        record("cmd", &json!({"command": ["echo", "hello"]})),
        record("bad", &json!({"http": 5})),
    ];
    // As Windows PowerShell's `>` writes it.
    let text = format!("\u{feff}{}\r\n", lines.join("\r\n"));
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let folder = deployment(&[json!({"http": url, "name": "own"})]);
    for (input, allowed) in [(text.clone().into_bytes(), false), (utf16, true)] {
        let tool = tool(folder.path()).arg("-").args(allowed.then_some("--allow-commands")).stdin(input);
        let outcome = tool.run().expect("ends");
        outcome.assert_code(3);
        let said: Vec<&str> = outcome.stderr.lines().collect();
        assert_eq!(said.len(), 4, "{outcome}");
        for (line, text) in [
            (0, "line 3 of the input is not a record"),
            (1, "line 8 of the input is no health.target"),
            (2, "line 5 of the input is no target: tcp: expected HOST:PORT"),
            (3, "line 6 of the input is no target: there are two targets http.one"),
        ] {
            assert!(said[line].contains(text), "{outcome}");
        }
        let records: Vec<&str> = outcome.text().lines().collect();
        assert_eq!(records[1], other, "passed on as it came");
        let checks: Vec<_> = outcome
            .records_of_kind("health.check")
            .iter()
            .map(|record| (record["name"].clone(), record["severity"].clone()))
            .collect();
        let command = if allowed { "ok" } else { "unknown" };
        let expected = [("http.own", "ok"), ("http.one", "ok"), ("tcp.two", "ok"), ("command.cmd", command)];
        assert_eq!(checks, expected.map(|(name, severity)| (json!(name), json!(severity))), "{outcome}");
        assert_eq!(outcome.records_of_kind("health.target").len(), 6, "all are passed on, the malformed one as well");
        let said = outcome.record("health.check", "command.cmd")["message"].clone();
        let expected = if allowed { "hello" } else { "--allow-commands" };
        assert!(said.as_str().is_some_and(|text| text.contains(expected)), "{said}");
    }
    // With rounds it is read once, and the targets stay.
    let outcome = tool(folder.path())
        .args(["-", "--every", "100ms", "--count", "2"])
        .stdin(record("one", &json!({"http": url})))
        .run()
        .expect("ends");
    outcome.assert_code(0).assert_quiet();
    assert_eq!(outcome.records_of_kind("health.check").len(), 4, "{outcome}");
}

#[test]
fn without_the_dash_stdin_is_not_touched() {
    let service = Service::start().expect("a port");
    let folder = deployment(&[json!({"http": format!("{}/health", service.url()), "name": "own"})]);
    // A pipe that stays open and full of things that would be told.
    let outcome = tool(folder.path()).stdin("not a record\n".repeat(100_000)).run().expect("ends");
    outcome.assert_code(0).assert_quiet();
    assert_eq!(outcome.records_of_kind("health.check").len(), 1, "{outcome}");
    let usage = tool(folder.path()).arg("--allow-commands").run().expect("ends");
    usage.assert_code(3);
}
