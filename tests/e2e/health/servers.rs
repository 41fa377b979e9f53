//! The parts of a deployment as they are: what is said of them, and the limits of their numbers.

use std::fs;
use std::time::{Duration, Instant};

use pso_tests::Reply;
use pso_tests::service::{Health, Metrics};
use pso_tests::tool::Outcome;
use pso_tests::wait;
use pso_tests::webhook::WebhookSink;
use serde_json::{Value, json};

use super::{Parts, names};

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
    let alerts = include_str!("../../src/deployment/alerts.yaml").replace("response_time: 2000", "response_time: 100");
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
