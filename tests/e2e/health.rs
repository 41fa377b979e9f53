//! pso-health against real servers, and against every kind of broken one.

use std::fs;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use pso_tests::Reply;
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
        ("health.metric", "connection_usage"),
        ("health.check", "qdrant"),
        ("health.check", "qdrant.collection.plans"),
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
    let proxy = TcpProxy::start(parts.service.port()).expect("a port");
    for (what, mode, message) in [
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
    let checks = ["service", "metrics", "postgres", "qdrant", "disk"];
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
