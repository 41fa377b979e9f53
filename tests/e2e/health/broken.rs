//! A server that is broken in some way: one record that names the layer, in time, the others untouched.

use std::time::{Duration, Instant};

use pso_tests::Reply;
use pso_tests::dead_port::DeadPort;
use pso_tests::pg::free_port;
use pso_tests::proxy::{Mode, TcpProxy};
use pso_tests::qdrant::TempQdrant;
use pso_tests::service::Health;
use pso_tests::tool::{Outcome, Tool};
use pso_tests::webhook::WebhookSink;
use serde_json::{Value, json};

use super::{Parts, names, store};

/// What a broken service must come to: one record, in time, the others untouched.
struct Broken<'a> {
    what: &'a str,
    url: String,
    layer: &'a str,
    message: &'a str,
}

fn assert_broken(parts: &Parts, broken: &Broken<'_>) {
    let started = Instant::now();
    let tool = parts.tool_at(&broken.url).args(["--only", "service,postgres,disk", "--timeout", "2s"]);
    let outcome = tool.run().expect("ends");
    let took = started.elapsed();
    let what = broken.what;
    outcome.assert_quiet();
    assert!(took < Duration::from_secs(5), "{what}: {took:?}\n{outcome}");
    let service: Vec<_> = names(&outcome).into_iter().filter(|(_, name)| name.starts_with("service")).collect();
    assert_eq!(service.len(), 1, "{what}\n{outcome}");
    let record = outcome.record("health.check", "service");
    assert_eq!(record["layer"], broken.layer, "{what}\n{outcome}");
    let message = record["message"].as_str().expect("a message");
    assert!(message.contains(broken.message) && message.contains("/health"), "{what}: {message}");
    let (severity, code) = if broken.layer == "field" { ("unknown", 3) } else { ("critical", 2) };
    assert_eq!(record["severity"], severity, "{what}\n{outcome}");
    outcome.assert_code(code);
    for name in ["postgres", "disk"] {
        assert_eq!(outcome.record("health.check", name)["severity"], "ok", "{what}\n{outcome}");
    }
}

#[test]
fn a_broken_service_is_one_record_that_names_the_layer() {
    let parts = Parts::start("health_broken");
    let at = |what, layer, message| Broken { what, url: parts.service.url(), layer, message };
    for (health, broken) in [
        (Health::Hang, at("hang", "read", "no complete answer")),
        (Health::Html, at("HTML", "body", "text/html")),
        (Health::Truncated, at("truncated", "body", "not a JSON object: EOF")),
        (Health::Status(204), at("204", "http", "HTTP 204")),
        (Health::Status(200), at("empty", "body", "empty body")),
        (Health::Status(503), at("503", "http", "HTTP 503")),
    ] {
        parts.service.set(|state| state.health = health);
        assert_broken(&parts, &broken);
    }
    parts.service.set(|state| state.health = Health::Json);
    let refused = format!("http://127.0.0.1:{}", free_port().expect("a port"));
    assert_broken(&parts, &Broken { what: "refused", url: refused, layer: "connect", message: "refused" });
    // A label of a name has 63 letters at most: the resolver refuses this without asking anybody.
    let unresolved = format!("http://{}.invalid:8080", "x".repeat(64));
    assert_broken(&parts, &Broken { what: "name", url: unresolved, layer: "resolve", message: "does not resolve" });
    let dead = DeadPort::start().expect("a dead port");
    let url = format!("http://127.0.0.1:{}", dead.port());
    assert_broken(&parts, &Broken { what: "dropped", url, layer: "connect", message: "no connection within" });
    let proxy = TcpProxy::start(parts.service.port()).expect("a port");
    for (what, mode, message) in [
        ("accepts and closes", Mode::Drop, ""),
        ("trickle", Mode::Trickle { bytes: 1, every: Duration::from_millis(200) }, "no complete answer"),
        ("black hole", Mode::BlackHole, "no complete answer"),
    ] {
        proxy.set(mode).expect("in force");
        assert_broken(&parts, &Broken { what, url: proxy.url(), layer: "read", message });
    }
}

#[test]
fn odd_answers_of_the_service() {
    let parts = Parts::start("health_odd");
    let sink = WebhookSink::start().expect("a port");
    let url = format!("http://127.0.0.1:{}", sink.port());
    let page = [b"{\"status\":\"healthy\",\"x\":\"".as_slice(), &vec![b'x'; 10 << 20], b"\"}"].concat();
    let elsewhere = Reply::status(302).header("Location", "http://127.0.0.1:9/login?token=correct-horse-battery");
    for (what, reply, layer, message) in [
        ("10 MB", Reply::new(200, "application/json", page), "read", "larger than"),
        ("redirect", elsewhere, "http", "a redirect to http://127.0.0.1:9/login?***; redirects are not followed"),
        ("no status", Reply::json(200, &json!({"up": true})), "field", "no `status`"),
        ("an array", Reply::json(200, &json!(["healthy"])), "body", "not a JSON object"),
    ] {
        sink.forget();
        sink.plan([reply]);
        assert_broken(&parts, &Broken { what, url: url.clone(), layer, message });
        assert_eq!(sink.requests().len(), 1, "{what}: asked once, and nothing was followed");
    }
}

#[test]
fn odd_metrics_are_one_record_each() {
    let parts = Parts::start("health_odd_metrics");
    let sink = WebhookSink::start().expect("a port");
    let url = format!("http://127.0.0.1:{}", sink.port());
    sink.plan([Reply::json(
        200,
        &json!({"system": {"cpu_usage": "NaN"}, "sync": {"total_operations": "240", "failed_operations": "12 "}}),
    )]);
    let outcome = parts.tool_at(&url).args(["--only", "metrics"]).run().expect("ends");
    outcome.assert_code(3).assert_quiet();
    let cpu = outcome.record("health.check", "cpu_usage");
    assert_eq!((&cpu["severity"], &cpu["status"], &cpu["layer"]), (&json!("unknown"), &json!("NaN"), &json!("field")));
    assert_eq!(outcome.record("health.check", "memory_usage")["severity"], "unknown");
    assert_eq!(outcome.record("health.metric", "error_rate")["value"], 5.0);
    // Each number by itself: what is wrong with one hides no other.
    let deep = format!("{}1{}", "{\"a\":".repeat(5000), "}".repeat(5000));
    for (body, severity, told) in [
        (
            r#"{"system":{"cpu_usage":"45","memory_usage":-3},"sync":{"total_operations":1,"failed_operations":0}}"#,
            "unknown",
            "memory_usage",
        ),
        (
            r#"{"system":{"cpu_usage":1e400,"memory_usage":3},"sync":{"total_operations":1,"failed_operations":0}}"#,
            "critical",
            "metrics",
        ),
        (
            r#"{"system":{"cpu_usage":5,"cpu_usage":95,"memory_usage":3},"sync":{"total_operations":1,"failed_operations":0}}"#,
            "warning",
            "cpu_usage",
        ),
        (
            r#"{"system":{"cpu_usage":5,"memory_usage":3},"sync":{"total_operations":1,"failed_operations":7}}"#,
            "unknown",
            "error_rate",
        ),
        (
            r#"{"system":{"cpu_usage":[5],"memory_usage":3},"sync":{"total_operations":"1","failed_operations":0}}"#,
            "unknown",
            "cpu_usage",
        ),
        (deep.as_str(), "critical", "metrics"),
        (
            "system_cpu_usage NaN\nmemory_usage 3\nsync_operations_total 1\nsync_failed_total 0\n",
            "unknown",
            "cpu_usage",
        ),
        (
            "system_cpu_usage 1e999\nmemory_usage 3\nsync_operations_total 1\nsync_failed_total 0\n",
            "unknown",
            "cpu_usage",
        ),
        ("s\u{0}y\u{0}s\u{0}", "critical", "metrics"),
    ] {
        sink.plan([Reply::new(200, "application/json", body)]);
        let outcome = parts.tool_at(&url).args(["--only", "metrics"]).run().expect("ends");
        outcome.assert_quiet();
        let bad: Vec<_> = outcome
            .records()
            .into_iter()
            .filter(|record| record["kind"] != "run.end" && record["severity"] != "ok")
            .map(|record| (record["name"].clone(), record["severity"].clone()))
            .collect();
        assert_eq!(bad, [(json!(told), json!(severity))], "{body:.80}\n{outcome}");
    }
    sink.plan([Reply::new(200, "application/json", b"\xff\xfe{\x00\"\x00".as_slice())]);
    parts.tool_at(&url).args(["--only", "metrics"]).run().expect("ends").assert_code(2);
    sink.plan([Reply::json(200, &json!({"status": "ok"}))]);
    let outcome = parts.tool_at(&url).args(["--only", "metrics"]).run().expect("ends");
    outcome.assert_code(3);
    assert_eq!(names(&outcome), [("health.check".to_owned(), "metrics".to_owned())]);
}

#[test]
fn postgresql_that_refuses_hangs_or_takes_no_writes() {
    let parts = Parts::start("health_pg");
    let only = || parts.tool().args(["--only", "service,postgres", "--timeout", "2s"]);
    let outcome = only().env("PGPASSWORD", "correct-horse-battery").run().expect("ends");
    outcome.assert_code(2).assert_quiet().assert_no_secret(&["correct-horse-battery", parts.database.password()]);
    let postgres = outcome.record("health.check", "postgres");
    assert_eq!(postgres["severity"], "critical");
    assert!(postgres["message"].as_str().is_some_and(|text| text.contains("PGPASSWORD")), "{postgres:#}");
    assert_eq!(outcome.record("health.check", "service")["severity"], "ok");

    let proxy = TcpProxy::start(parts.database.port()).expect("a port");
    for (mode, message) in [(Mode::Refuse, "refused"), (Mode::BlackHole, "no answer within"), (Mode::Drop, "")] {
        proxy.set(mode).expect("in force");
        let started = Instant::now();
        let outcome = only().env("PGPORT", proxy.port().to_string()).run().expect("ends");
        assert!(started.elapsed() < Duration::from_secs(5), "{mode:?}: {:?}", started.elapsed());
        outcome.assert_code(2).assert_no_secret(&[parts.database.password()]);
        let postgres = outcome.record("health.check", "postgres");
        assert_eq!(postgres["severity"], "critical", "{mode:?}");
        assert!(postgres["message"].as_str().is_some_and(|text| text.contains(message)), "{mode:?}: {postgres:#}");
        assert_eq!(outcome.record("health.check", "service")["severity"], "ok");
    }

    let name = parts.database.name();
    parts
        .database
        .execute_as_admin(&format!("ALTER DATABASE {name} SET default_transaction_read_only = on"))
        .expect("set");
    let outcome = only().run().expect("ends");
    outcome.assert_code(2);
    let postgres = outcome.record("health.check", "postgres");
    assert_eq!((&postgres["status"], &postgres["severity"]), (&json!("read-only"), &json!("high")));
}

#[test]
fn qdrant_that_is_missing_or_wants_its_key() {
    let parts = Parts::start("health_qdrant");
    let at = |url: &str| parts.tool().args(["--only", "service,qdrant", "--timeout", "2s", "--qdrant-url", url]);
    // The flag stands there already; the tool's own variable is the way to another server.
    let elsewhere = |url: &str| {
        Tool::new("pso-health")
            .expect("built")
            .args(["--only", "service,qdrant", "--timeout", "2s", "--service-url", &parts.service.url()])
            .env("PSO_QDRANT_URL", url)
    };
    let usage = at("http://127.0.0.1:1").run().expect("ends");
    usage.assert_code(3).assert_stderr_has("--qdrant-url");

    let outcome = elsewhere(&format!("http://127.0.0.1:{}", free_port().expect("a port"))).run().expect("ends");
    outcome.assert_code(2).assert_quiet();
    let qdrant = outcome.record("health.check", "qdrant");
    assert_eq!((&qdrant["severity"], &qdrant["layer"]), (&json!("critical"), &json!("connect")));
    assert_eq!(outcome.record("health.check", "service")["severity"], "ok");

    let outcome = elsewhere(&store().url()).env("PSO_QDRANT_COLLECTIONS", "plans,ghost").run().expect("ends");
    outcome.assert_code(2);
    assert_eq!(outcome.record("health.check", "qdrant.collection.plans")["severity"], "ok");
    let ghost = outcome.record("health.check", "qdrant.collection.ghost");
    assert_eq!((&ghost["severity"], &ghost["layer"]), (&json!("critical"), &json!("http")));

    let locked = TempQdrant::start_with_key("correct-horse-battery").expect("a vector store");
    for (key, code) in [(None, 2), (Some("wrong-donkey-battery"), 2), (Some("correct-horse-battery"), 1)] {
        let tool = elsewhere(&locked.url());
        let tool = if let Some(key) = key { tool.env("PSO_QDRANT_API_KEY", key) } else { tool };
        let outcome = tool.run().expect("ends");
        outcome.assert_code(code).assert_no_secret(&["correct-horse-battery", "wrong-donkey-battery"]);
        let qdrant = outcome.record("health.check", "qdrant");
        let message = qdrant["message"].as_str().expect("a message");
        // The right key opens a store that has no collection yet.
        assert!(message.contains(if code == 2 { "refuses the key" } else { "no collection" }), "{message}");
    }
    let proxy = TcpProxy::start(store().port()).expect("a port");
    proxy.set(Mode::BlackHole).expect("in force");
    let started = Instant::now();
    let outcome = elsewhere(&proxy.url()).run().expect("ends");
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    outcome.assert_code(2);
    assert_eq!(outcome.record("health.check", "qdrant")["layer"], "read");
}

#[test]
fn qdrant_that_answers_something_else() {
    let parts = Parts::start("health_qdrant_odd");
    let ok = |result: Value| Reply::json(200, &json!({"result": result, "status": "ok", "time": 3.135e-6}));
    let ready = || {
        [
            Reply::new(200, "text/plain", "all shards are ready"),
            Reply::json(200, &json!({"title": "q", "version": "1.18.2"})),
        ]
    };
    let run = |replies: Vec<Reply>| {
        let sink = WebhookSink::start().expect("a port");
        sink.plan(replies);
        let tool = Tool::new("pso-health").expect("built").args(["--only", "qdrant,service", "--timeout", "2s"]);
        let tool = tool.args(["--service-url", &parts.service.url()]);
        let outcome = tool.env("PSO_QDRANT_URL", format!("http://127.0.0.1:{}", sink.port())).run().expect("ends");
        outcome.assert_quiet();
        assert_eq!(outcome.record("health.check", "service")["severity"], "ok");
        outcome
    };
    let with = |more: Vec<Reply>| run(ready().into_iter().chain(more).collect());
    let said = |outcome: &Outcome, name: &str, layer: Value, text: &str| {
        let record = outcome.record("health.check", name);
        assert_eq!(record["layer"], layer, "{outcome}");
        assert!(record["message"].as_str().is_some_and(|message| message.contains(text)), "{record:#}");
    };
    let html = Reply::new(200, "text/html", "<html>login</html>");
    let outcome = run(vec![html.clone(), html]);
    said(outcome.assert_code(2), "qdrant", json!("body"), "not understood");
    let half = Reply::new(200, "application/json", r#"{"result":{"collections":[{"na"#);
    said(with(vec![half]).assert_code(2), "qdrant", json!("body"), "not understood");
    let refused = Reply::new(401, "text/plain", "Must provide an API key or an Authorization bearer token");
    said(with(vec![refused]).assert_code(2), "qdrant", json!("http"), "refuses the key");
    said(
        run(vec![Reply::new(503, "text/plain", "some shards are not ready")]).assert_code(2),
        "qdrant",
        json!("http"),
        "503",
    );

    // One collection goes while it is looked at; the other one is told all the same.
    let info = json!({
        "status": "grey", "optimizer_status": "ok", "indexed_vectors_count": 0, "points_count": 250, "segments_count": 2,
        "config": {}, "update_queue": {"length": 17},
    });
    let listed = ok(json!({"collections": [{"name": "gone"}, {"name": "plans"}]}));
    let gone =
        Reply::json(404, &json!({"status": {"error": "Not found: Collection `gone` doesn't exist!"}, "time": 1e-5}));
    let cluster = ok(json!({
        "status": "enabled", "peer_id": 1001, "peers": {"1001": {"uri": "http://a:6335/"}, "1002": {"uri": "http://b:6335/"}},
        "raft_info": {"term": 1, "commit": 9, "pending_operations": 0, "leader": 1001, "role": "Leader", "is_voter": true},
        "consensus_thread_status": {"consensus_thread_status": "working", "last_update": "2026-11-22T09:00:00Z"},
        "message_send_failures": {"http://b:6335/": {"count": 3, "latest_error": "Unavailable"}},
    }));
    let outcome = with(vec![listed, gone, ok(info), cluster]);
    outcome.assert_code(2);
    said(&outcome, "qdrant.collection.gone", json!("http"), "it is gone");
    said(&outcome, "qdrant.collection.plans", Value::Null, "250 points, 0 vectors in the index");
    assert_eq!(outcome.record("health.check", "qdrant.collection.plans")["severity"], "warning");
    let queue = outcome.record("health.metric", "update_queue");
    assert_eq!((&queue["value"], &queue["labels"]["collection"]), (&json!(17.0), &json!("plans")));
    said(&outcome, "qdrant.cluster", Value::Null, "messages do not arrive at 1 of its nodes: http://b:6335/");
}
