//! pso-health against real servers, and against every kind of broken one.

use std::fs;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use pso_tests::Reply;
use pso_tests::dead_port::DeadPort;
use pso_tests::pg::{Database, TempPg, free_port};
use pso_tests::proxy::{Mode, TcpProxy};
use pso_tests::qdrant::{Point, TempQdrant};
use pso_tests::service::{Health, Metrics, Service};
use pso_tests::tool::{Outcome, Tool};
use pso_tests::wait;
use pso_tests::webhook::WebhookSink;
use serde_json::{Value, json};
use tempfile::TempDir;

/// The checks of the servers: what this machine itself is like is for `health_local`.
const CHECKS: &str = "service,metrics,postgres,qdrant";

/// The machine's own disk may be fuller than the specification likes.
const CONFIG: &str = "maintenance: {health: {limits: {disk_usage: 100}}}\n";

/// What is to be looked at: a service of the test's own, a database of its own, and the store that all tests share.
pub(crate) struct Parts {
    pub(crate) service: Service,
    pub(crate) database: Database,
    pub(crate) folder: TempDir,
}

impl Parts {
    pub(crate) fn start(name: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("config")).expect("a folder");
        fs::write(folder.path().join("config/config.yaml"), CONFIG).expect("written");
        let database = TempPg::shared().expect("PostgreSQL").database(name).expect("a database");
        Self { service: Service::start().expect("a port"), database, folder }
    }

    fn alerts(&self, text: &str) {
        fs::write(self.folder.path().join("config/alerts.yaml"), text).expect("written");
    }

    pub(crate) fn tool(&self) -> Tool {
        self.tool_at(&self.service.url())
    }

    /// The tool with another service.
    pub(crate) fn tool_at(&self, service_url: &str) -> Tool {
        Tool::new("pso-health")
            .expect("built")
            .args(["--service-url", service_url, "--qdrant-url", &store().url()])
            .env("PSO_HEALTH_CHECKS", CHECKS)
            .envs(self.database.env())
            .folder(self.folder.path())
    }

    pub(crate) fn run(&self) -> Outcome {
        self.tool().run().expect("ends")
    }
}

fn store() -> &'static TempQdrant {
    static STORE: OnceLock<TempQdrant> = OnceLock::new();
    STORE.get_or_init(|| {
        let store = TempQdrant::start().expect("a vector store");
        let client = store.client();
        for (name, count) in [("plans", 3u64), ("tasks", 0)] {
            client.create_collection(name, 4).expect("created");
            let point = |number| Point { id: json!(number), vector: vec![1.0, 0.5, 0.25, 0.125], payload: json!({}) };
            client.upsert(name, &(1..=count).map(point).collect::<Vec<_>>()).expect("upserted");
            client.wait_green(name, Duration::from_secs(30)).expect("green");
        }
        store
    })
}

/// Kind and name of every record between start and end.
fn names(outcome: &Outcome) -> Vec<(String, String)> {
    let text = |record: &Value, key: &str| record[key].as_str().expect("a text").to_owned();
    let records = outcome.records();
    records[1..records.len() - 1].iter().map(|record| (text(record, "kind"), text(record, "name"))).collect()
}

#[test]
fn all_is_well() {
    let parts = Parts::start("health_ok");
    let outcome = parts.run();
    outcome.assert_code(0).assert_quiet().assert_no_secret(&[parts.database.password()]);
    let expected = [
        ("health.check", "service"),
        ("health.check", "service.database.postgres"),
        ("health.check", "service.database.qdrant"),
        ("health.check", "service.sync_engine"),
        ("health.check", "service.validation_service"),
        ("health.metric", "response_time"),
        ("health.metric", "pending_conflicts"),
        ("health.metric", "active_syncs"),
        ("health.metric", "last_sync_age"),
        ("health.check", "metrics"),
        ("health.metric", "cpu_usage"),
        ("health.metric", "memory_usage"),
        ("health.metric", "sync_duration"),
        ("health.metric", "error_rate"),
        ("health.check", "postgres"),
        ("health.metric", "postgres_latency"),
        ("health.metric", "connection_usage"),
        ("health.check", "qdrant"),
        ("health.metric", "update_queue"),
        ("health.check", "qdrant.collection.plans"),
        ("health.metric", "update_queue"),
        ("health.check", "qdrant.collection.tasks"),
    ];
    assert_eq!(names(&outcome), expected.map(|(kind, name)| (kind.to_owned(), name.to_owned())), "{outcome}");
    for record in outcome.records() {
        assert_eq!(record["severity"], "ok", "{record:#}");
    }
    let postgres = outcome.record("health.check", "postgres");
    assert_eq!((&postgres["status"], &postgres["unit"]), (&json!("writable"), &json!("ms")));
    assert!(postgres["value"].as_f64().is_some_and(|ms| ms > 0.0 && ms < 5000.0), "{postgres:#}");
    let plans = outcome.record("health.check", "qdrant.collection.plans");
    assert_eq!((&plans["status"], &plans["value"], &plans["unit"]), (&json!("green"), &json!(3.0), &json!("count")));
    assert_eq!(plans["labels"]["collection"], "plans");
    let limits = ["cpu_usage", "memory_usage", "sync_duration", "error_rate", "response_time"]
        .map(|name| outcome.record("health.metric", name)["limit"].as_f64().expect("a limit"));
    assert_eq!(limits, [80.0, 90.0, 60.0, 5.0, 2000.0]);
}

#[test]
fn every_form_of_metrics_gives_the_same_numbers() {
    let parts = Parts::start("health_metrics");
    for form in [Metrics::SystemSync, Metrics::Nested, Metrics::Prometheus] {
        parts.service.set(|state| state.metrics = form);
        let outcome = parts.tool().args(["--only", "metrics"]).run().expect("ends");
        outcome.assert_code(0).assert_quiet();
        let values = ["cpu_usage", "memory_usage", "sync_duration", "error_rate"]
            .map(|name| outcome.record("health.metric", name)["value"].as_f64().expect("a number"));
        assert_eq!(values, [23.5, 61.25, 32.0, 1.25], "{form:?}\n{outcome}");
    }
    parts.service.set(|state| state.metrics = Metrics::Status(500));
    let outcome = parts.run();
    outcome.assert_code(2);
    assert_eq!(outcome.record("health.check", "metrics")["layer"], "http");
    assert_eq!(outcome.record("health.check", "service")["severity"], "ok");
}

/// The records so far of a run that is under way.
fn so_far(file: &std::path::Path) -> Vec<Value> {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

#[test]
fn the_error_rate_is_that_of_the_time_since() {
    let parts = Parts::start("health_rate");
    let operations = |total: u64, failed: u64| {
        parts.service.set(|state| (state.total_operations, state.failed_operations) = (total, failed));
    };
    // Between rounds.
    let file = parts.folder.path().join("rounds.jsonl");
    let tool = parts.tool().args(["--only", "metrics", "--every", "300ms", "--count", "8", "--records"]).arg(&file);
    operations(100_000, 50_000);
    let running = tool.spawn().expect("started");
    let rates =
        || -> Vec<Value> { so_far(&file).into_iter().filter(|record| record["name"] == "error_rate").collect() };
    wait::until("a first round", Duration::from_secs(30), || (!rates().is_empty()).then_some(())).expect("done");
    operations(100_100, 50_020);
    let outcome = running.finish().expect("ends");
    let rates = rates();
    assert_eq!(
        (rates.len(), &rates[0]["value"], &rates[0]["severity"]),
        (8, &json!(50.0), &json!("high")),
        "{outcome}"
    );
    let said = |rate: &Value| rate["message"].as_str().expect("a text").to_owned();
    assert!(said(&rates[0]).contains("since the server started"), "{outcome}");
    assert_eq!(rates[7]["value"], 20.0, "{outcome}");
    assert!(said(&rates[7]).contains("20 of 100 operations failed within "), "{outcome}");

    // Between runs; the last one after the server was started again.
    let run = || {
        let tool = parts.tool().args(["--only", "metrics", "--state", "state.json"]);
        tool.run().expect("ends").record("health.metric", "error_rate")
    };
    operations(1000, 900);
    assert_eq!(run()["value"], 90.0);
    let idle = run();
    assert!(
        idle["value"] == 0.0 && idle["severity"] == "ok" && said(&idle).contains("no operation within"),
        "{idle:#}"
    );
    operations(1100, 901);
    assert_eq!(run()["value"], 1.0);
    operations(10, 1);
    let again = run();
    assert!(
        said(&again).contains("2 of 110 operations failed within ") && said(&again).contains("began anew"),
        "{again:#}"
    );

    // Numbers that are of a period already are taken as they are.
    parts.service.set(|state| state.metrics = Metrics::Nested);
    operations(200, 3);
    let nested = run();
    assert!(nested["value"] == 1.5 && said(&nested).contains("within 1h, as the server counts"), "{nested:#}");
    let disk = parts.tool().args(["--only", "metrics"]).run().expect("ends").record("health.metric", "disk_io");
    assert_eq!((&disk["value"], &disk["unit"]), (&json!(1.2), &json!("MB/s")));
}

#[test]
fn conflicts_and_the_last_sync_have_limits_where_asked() {
    let parts = Parts::start("health_sync");
    parts.service.set(|state| state.pending_conflicts = 12);
    parts.run().assert_code(0);
    let limits = ["--limit", "pending_conflicts=10", "--limit", "last_sync_age=1h:2h"];
    let outcome = parts.tool().args(["--only", "service"]).args(limits).run().expect("ends");
    outcome.assert_code(2).assert_quiet();
    let severity = |name: &str| outcome.record("health.metric", name)["severity"].clone();
    assert_eq!([severity("pending_conflicts"), severity("last_sync_age")], [json!("warning"), json!("critical")]);
}

#[test]
fn the_token_is_asked_about_and_never_shown() {
    let parts = Parts::start("health_token");
    let token = parts.service.state().token;
    let run = || {
        let outcome = parts.tool().args(["--only", "token"]).run().expect("ends");
        outcome.assert_quiet().assert_no_secret(&[&token, "wrong-donkey-battery"]);
        outcome
    };
    let message =
        |outcome: &Outcome| outcome.record("health.check", "token")["message"].as_str().expect("a text").to_owned();
    let outcome = run();
    outcome.assert_code(0);
    assert!(message(&outcome).contains("there is no token file"), "{outcome}");
    assert!(parts.service.requests().is_empty());
    let write = |text: &str| fs::write(parts.folder.path().join("config/api-token.txt"), text).expect("written");
    write(&format!("{token}\n"));
    let outcome = run();
    outcome.assert_code(0);
    assert_eq!(outcome.record("health.check", "token")["status"], "valid");
    assert_eq!(outcome.record("health.metric", "token_time_left")["value"], 3600.0);
    parts.service.set(|state| state.token_expires_in = 240);
    run().assert_code(1);
    for text in ["wrong-donkey-battery", "two words", ""] {
        write(text);
        let outcome = run();
        outcome.assert_code(2);
        assert_eq!(outcome.record("health.check", "token")["severity"], "critical", "{outcome}");
    }
    assert!(message(&run()).contains("holds no token"));

    // A server that sends the token back, or says something else.
    write(&token);
    let sink = WebhookSink::start().expect("a port");
    let url = format!("http://127.0.0.1:{}", sink.port());
    let echo = format!("{{\"token\": \"{token}\"");
    let elsewhere = Reply::status(302).header("Location", &format!("http://127.0.0.1:9/{token}"));
    for (reply, layer, code) in [
        (Reply::new(200, "text/plain", echo.as_str()), "body", 2),
        (Reply::new(500, "text/plain", echo.as_str()), "http", 2),
        (elsewhere, "http", 2),
        (Reply::json(200, &json!({"valid": true, "token": token})), "field", 3),
        (Reply::json(200, &json!({"valid": true, "expires_in": token})), "field", 3),
        (Reply::json(200, &json!({"valid": false, "expires_in": 60})), "field", 2),
    ] {
        sink.plan([reply]);
        let outcome = parts.tool_at(&url).args(["--only", "token"]).run().expect("ends");
        outcome.assert_code(code).assert_quiet().assert_no_secret(&[&token]);
        assert_eq!(outcome.record("health.check", "token")["layer"], layer, "{outcome}");
    }
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

#[test]
fn beyond_a_limit_each_number_has_the_specifications_severity() {
    let parts = Parts::start("health_limits");
    parts.service.set(|state| {
        state.cpu_usage = 80.0;
        state.memory_usage = 90.0;
        state.sync_duration_s = 60;
        state.failed_operations = 12;
    });
    let judged = |outcome: &Outcome| {
        ["cpu_usage", "memory_usage", "sync_duration", "error_rate"]
            .map(|name| outcome.record("health.metric", name)["severity"].as_str().expect("a word").to_owned())
    };
    let outcome = parts.run();
    outcome.assert_code(0);
    assert_eq!(judged(&outcome), ["ok"; 4], "at the limit is within it\n{outcome}");
    parts.service.set(|state| {
        state.cpu_usage = 80.1;
        state.memory_usage = 90.1;
        state.sync_duration_s = 61;
        state.failed_operations = 13;
    });
    let outcome = parts.run();
    outcome.assert_code(2);
    assert_eq!(judged(&outcome), ["warning", "critical", "warning", "high"], "{outcome}");
    parts.service.set(|state| (state.total_operations, state.failed_operations) = (0, 0));
    assert_eq!(parts.run().record("health.metric", "error_rate")["value"], 0.0, "nothing done, nothing failed");
}

#[test]
fn the_specifications_alerts_file_sets_the_limits() {
    let parts = Parts::start("health_alerts");
    let alerts = include_str!("../src/deployment/alerts.yaml").replace("response_time: 2000", "response_time: 100");
    assert!(alerts.contains("response_time: 100") && alerts.contains("${SMTP_PASSWORD}"), "{alerts}");
    parts.alerts(&alerts);
    parts.service.set(|state| state.health = Health::Slow(Duration::from_millis(150)));
    let outcome = parts.run();
    outcome.assert_code(1).assert_quiet();
    let time = outcome.record("health.metric", "response_time");
    assert_eq!((&time["severity"], &time["limit"]), (&json!("warning"), &json!(100.0)));
    let printed = parts.tool().arg("--print-config").run().expect("ends");
    let limit = printed.record("config.setting", "maintenance.health.limits.response_time");
    assert_eq!(limit["setting"], "100");
    assert!(limit["source"].as_str().is_some_and(|at| at.contains("config/alerts.yaml:") && at.contains("thresholds")));
    assert_eq!(
        printed.record("config.setting", "maintenance.health.limits.disk_usage")["source"],
        "config/config.yaml:1 (maintenance.health.limits.disk_usage)"
    );
    parts.alerts("thresholds:\n  cpu_usage: lots\n");
    let outcome = parts.run();
    outcome.assert_code(3).assert_stderr_has("config/alerts.yaml:2: thresholds.cpu_usage: expected a number");
}

#[test]
fn a_nested_service_that_is_not_well_is_named() {
    let parts = Parts::start("health_nested");
    parts.service.set(|state| state.degrade("sync_engine", "degraded"));
    let outcome = parts.run();
    outcome.assert_code(1);
    let severity = |outcome: &Outcome, name: &str| outcome.record("health.check", name)["severity"].clone();
    assert_eq!(severity(&outcome, "service"), "warning");
    assert_eq!(severity(&outcome, "service.sync_engine"), "warning");
    assert_eq!(severity(&outcome, "service.database.postgres"), "ok");
    parts.service.set(|state| state.degrade("cache.redis.replica-1", "gone fishing"));
    let outcome = parts.run();
    outcome.assert_code(2);
    let record = outcome.record("health.check", "service.cache.redis.replica-1");
    assert_eq!((&record["severity"], &record["status"]), (&json!("critical"), &json!("gone fishing")));
    parts.service.set(|state| state.health = Health::Unavailable);
    let outcome = parts.run();
    outcome.assert_code(2);
    let service = outcome.record("health.check", "service");
    assert_eq!((&service["layer"], &service["status"]), (&json!("http"), &json!("degraded")), "{outcome}");
    assert_eq!(severity(&outcome, "service.cache.redis.replica-1"), "critical");
}

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
fn only_the_chosen_checks_run() {
    let parts = Parts::start("health_only");
    let outcome = parts.tool().args(["--only", "disk"]).run().expect("ends");
    outcome.assert_code(0).assert_quiet();
    assert!(names(&outcome).iter().all(|(_, name)| ["disk_usage", "inode_usage", "disk"].contains(&name.as_str())));
    assert!(parts.service.requests().is_empty(), "nobody asked the service");
    let listed = parts.tool().arg("--list").run().expect("ends");
    listed.assert_code(0).assert_quiet();
    // All of them, whatever is chosen.
    let checks = ["service", "metrics", "postgres", "qdrant", "token", "certificates", "disk"];
    let found = names(&listed);
    assert!(checks.iter().all(|check| found.iter().any(|(_, name)| name == check)), "{listed}");
    for check in listed.records_of_kind("health.check") {
        assert!(check["severity"] == "ok" && check["message"] != "" && check.get("value").is_none(), "{check:#}");
    }
    // A message about a check that does not exist names this flag, so it works even then.
    let table =
        parts.tool().env("PSO_HEALTH_CHECKS", "dusk").args(["--list", "--format", "table"]).run().expect("ends");
    assert!(table.code == Some(0) && checks.iter().all(|name| table.text().contains(name)), "{table}");
    parts.tool().args(["--only", "dusk"]).run().expect("ends").assert_code(3).assert_stderr_has("dusk");
}

#[test]
fn a_signal_ends_a_run_that_waits() {
    let parts = Parts::start("health_signal");
    parts.service.set(|state| state.health = Health::Hang);
    let mut running = parts.tool().args(["--only", "service", "--timeout", "60s"]).spawn().expect("starts");
    wait::until("the tool to ask", Duration::from_secs(10), || (!parts.service.requests().is_empty()).then_some(()))
        .expect("asked");
    let started = Instant::now();
    running.signal("TERM").expect("sent");
    let outcome = running.finish().expect("ends");
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    outcome.assert_code(3).assert_stderr_has("stopped by SIGTERM");
}
