//! The stand-in of planning-sync-server and the webhook sink answer as the real ones do.

use std::time::{Duration, Instant};

use pso_tests::Reply;
use pso_tests::service::{ActiveConflict, Health, Metrics, Service};
use pso_tests::webhook::{self, WebhookSink};
use serde_json::{Value, json};
use ureq::Agent;

fn agent(limit: Duration) -> Agent {
    Agent::config_builder().http_status_as_error(false).timeout_global(Some(limit)).build().new_agent()
}

fn get(url: &str, token: Option<&str>) -> (u16, String, String) {
    let mut request = agent(Duration::from_secs(10)).get(url);
    if let Some(token) = token {
        request = request.header("Authorization", format!("Bearer {token}"));
    }
    let mut answer = request.call().unwrap();
    let kind = answer.headers().get("content-type").map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
    (answer.status().as_u16(), kind, answer.body_mut().read_to_string().unwrap())
}

fn post(url: &str, kind: &str, body: &str) -> (u16, String) {
    let mut answer = agent(Duration::from_secs(10)).post(url).header("Content-Type", kind).send(body).unwrap();
    (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap())
}

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn health_has_the_shape_of_the_specification() {
    let service = Service::start().unwrap();
    let expected = json!({
        "status": "healthy",
        "timestamp": "2025-06-12T09:00:00Z",
        "services": {
            "database": {"postgres": "healthy", "qdrant": "healthy"},
            "sync_engine": "healthy",
            "validation_service": "healthy"
        },
        "metrics": {"active_syncs": 0, "pending_conflicts": 0, "last_sync": "2025-06-12T08:45:22Z"}
    });
    for path in ["/health", "/api/v1/health"] {
        let (status, kind, text) = get(&format!("{}{path}", service.url()), None);
        assert_eq!((status, kind.as_str(), json_of(&text)), (200, "application/json", expected.clone()));
    }
    service.set(|state| state.degrade("database.qdrant", "unhealthy"));
    let (_, _, text) = get(&format!("{}/health", service.url()), None);
    let health = json_of(&text);
    assert_eq!(health["status"], "degraded");
    assert_eq!(health["services"]["database"], json!({"postgres": "healthy", "qdrant": "unhealthy"}));
    assert_eq!(service.requests().len(), 3);
    assert_eq!(service.requests()[1].path, "/api/v1/health");
}

#[test]
fn health_misbehaves_when_told_to() {
    let service = Service::start().unwrap();
    let url = format!("{}/health", service.url());
    service.set(|state| state.health = Health::Unavailable);
    assert_eq!(get(&url, None).0, 503);
    service.set(|state| state.health = Health::Html);
    let (status, kind, text) = get(&url, None);
    assert!(status == 200 && kind.starts_with("text/html") && text.starts_with("<!doctype"), "{status} {kind} {text}");
    service.set(|state| state.health = Health::Truncated);
    let (status, _, text) = get(&url, None);
    assert!(status == 200 && text.starts_with('{') && serde_json::from_str::<Value>(&text).is_err(), "{text}");
    service.set(|state| state.health = Health::Status(500));
    assert_eq!(get(&url, None).0, 500);
    service.set(|state| state.health = Health::Slow(Duration::from_millis(200)));
    let start = Instant::now();
    assert_eq!(get(&url, None).0, 200);
    assert!(start.elapsed() >= Duration::from_millis(200));
    service.set(|state| state.health = Health::Hang);
    assert!(agent(Duration::from_millis(300)).get(&url).call().is_err());
    let start = Instant::now();
    drop(service);
    assert!(start.elapsed() < Duration::from_secs(5), "a request that hangs holds the server up");
}

#[test]
fn metrics_come_in_three_forms() {
    let service = Service::start().unwrap();
    let url = format!("{}/metrics", service.url());
    let metrics = json_of(&get(&url, None).2);
    assert_eq!(metrics["system"], json!({"cpu_usage": 23.5, "memory_usage": 61.25}));
    assert_eq!((&metrics["sync"]["total_operations"], &metrics["sync"]["failed_operations"]), (&json!(240), &json!(3)));
    service.set(|state| state.metrics = Metrics::Nested);
    let metrics = json_of(&get(&url, None).2);
    let operations = json!({"total": 240, "successful": 237, "failed": 3, "avg_duration": "32s"});
    assert_eq!(metrics["metrics"]["sync_operations"], operations);
    assert_eq!(metrics["metrics"]["performance"], json!({"cpu_usage": 23.5, "memory_usage": 61.25, "disk_io": 1.2}));
    service.set(|state| {
        state.metrics = Metrics::Prometheus;
        state.cpu_usage = 91.0;
    });
    let (_, kind, text) = get(&url, None);
    assert!(kind.starts_with("text/plain"), "{kind}");
    for line in ["system_cpu_usage 9.1e1", "sync_total_operations 240 1749718800000", "sync_duration_seconds_sum 7680"]
    {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
}

#[test]
fn tokens_conflicts_and_pages() {
    let service = Service::start().unwrap();
    let url = format!("{}/api/v1/auth/validate", service.url());
    assert_eq!(get(&url, None).0, 401);
    assert_eq!(get(&url, Some("wrong")).0, 401);
    let (status, _, text) = get(&url, Some("test-token-0123456789abcdef"));
    assert_eq!((status, json_of(&text)["expires_in"].as_i64()), (200, Some(3600)));
    service.set(|state| state.token_expires_in = 0);
    assert_eq!(get(&url, Some("test-token-0123456789abcdef")).0, 401);
    assert_eq!(service.requests()[2].header("authorization"), Some("Bearer test-token-0123456789abcdef"));

    let url = format!("{}/api/v1/conflicts/active?page=1", service.url());
    assert_eq!(json_of(&get(&url, None).2)["conflicts"], json!([]));
    service.set(|state| {
        state.conflicts.push(ActiveConflict {
            id: "conflict-789".into(),
            plan_path: "roadmaps/plans/é.md".into(),
            severity: "high".into(),
            detected_at: "2025-06-12T14:25:30Z".into(),
        });
    });
    let listed = json_of(&get(&url, None).2);
    assert_eq!((&listed["conflicts"][0]["severity"], &listed["pagination"]["total"]), (&json!("high"), &json!(1)));
    assert_eq!(get(&format!("{}/monitoring", service.url()), None).0, 200);
    assert_eq!(get(&format!("{}/nothing", service.url()), None).0, 404);
    assert_eq!(post(&format!("{}/health", service.url()), "application/json", "{}").0, 405);
}

#[test]
fn webhooks_refuse_what_the_real_ones_refuse() {
    let sink = WebhookSink::start().unwrap();
    let (slack, discord, kind) = (sink.slack_url(), sink.discord_url(), "application/json; charset=utf-8");
    assert_eq!(post(&slack, kind, r#"{"text":"é 📊"}"#), (200, "ok".to_owned()));
    assert_eq!(post(&slack, kind, r#"{"blocks":[{"type":"divider"}]}"#).0, 200);
    assert_eq!(post(&slack, kind, "{}"), (400, "no_text".to_owned()));
    assert_eq!(post(&slack, kind, "{\"text\":"), (400, "invalid_payload".to_owned()));
    assert_eq!(post(&slack, "text/plain", r#"{"text":"x"}"#).0, 400);
    let long = json!({"blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "x".repeat(3001)}}]});
    assert_eq!(post(&slack, kind, &long.to_string()), (400, "invalid_blocks".to_owned()));
    assert_eq!(post(&discord, kind, r#"{"content":"x"}"#).0, 204);
    assert_eq!(post(&discord, kind, &json!({"content": "x".repeat(2001)}).to_string()).0, 400);
    assert_eq!(post(&discord, kind, r#"{"text":"x"}"#).0, 400);
    assert_eq!(post(&sink.generic_url(), kind, r#"{"anything":1}"#).0, 200);
    assert_eq!(post(&sink.generic_url(), kind, "nothing").0, 400);
    let seen = sink.requests();
    assert_eq!(seen.len(), 11);
    assert_eq!(seen[0].json().unwrap()["text"], "é 📊");
    assert!(seen[0].path.ends_with("/s3cr3tSlackToken"));
}

#[test]
fn webhooks_misbehave_as_planned() {
    let sink = WebhookSink::start().unwrap();
    let url = sink.slack_url();
    let slow = Reply::new(200, "text/html", "ok").after(Duration::from_millis(200));
    sink.plan([webhook::too_many(7), webhook::too_many_for_discord(0.3), Reply::status(500), slow]);
    let mut answer = agent(Duration::from_secs(5)).post(&url).send("{}").unwrap();
    assert_eq!((answer.status().as_u16(), answer.headers()["retry-after"].to_str().unwrap()), (429, "7"));
    assert_eq!(answer.body_mut().read_to_string().unwrap(), "rate_limited");
    let (status, text) = post(&url, "application/json", "{}");
    assert_eq!((status, &json_of(&text)["retry_after"]), (429, &json!(0.3)));
    assert_eq!(post(&url, "application/json", "{}").0, 500);
    let start = Instant::now();
    assert_eq!(post(&url, "application/json", "{}").0, 200);
    assert!(start.elapsed() >= Duration::from_millis(200));
    assert_eq!(post(&url, "application/json", r#"{"text":"x"}"#).0, 200);
    assert_eq!(sink.wait_for(5, Duration::from_secs(1)).unwrap().len(), 5);
    assert!(sink.wait_for(6, Duration::from_millis(50)).is_err());
}

#[test]
fn slack_takes_one_a_second_and_discord_five_in_two() {
    let sink = WebhookSink::start().unwrap();
    let send = |url: &str, body: &str| {
        let mut request = agent(Duration::from_secs(5)).post(url).header("Content-Type", "application/json");
        request = request.header("X-Test", "1");
        request.send(body).unwrap()
    };
    let header = |answer: &ureq::http::Response<ureq::Body>, name: &str| {
        answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned())
    };
    for _ in 0..3 {
        assert_eq!(send(&sink.slack_url(), r#"{"text":"x"}"#).status(), 200);
    }
    let refused = send(&sink.slack_url(), r#"{"text":"x"}"#);
    assert_eq!((refused.status().as_u16(), header(&refused, "retry-after")), (429, Some("1".to_owned())));
    for left in ["4", "3", "2", "1", "0"] {
        let taken = send(&sink.discord_url(), r#"{"content":"x"}"#);
        assert_eq!((taken.status().as_u16(), header(&taken, "x-ratelimit-remaining")), (204, Some(left.to_owned())));
    }
    let mut refused = send(&sink.discord_url(), r#"{"content":"x"}"#);
    assert_eq!((refused.status().as_u16(), header(&refused, "retry-after")), (429, Some("2".to_owned())));
    let wait = json_of(&refused.body_mut().read_to_string().unwrap())["retry_after"].as_f64().unwrap();
    assert!(wait > 0.0 && wait <= 2.0, "{wait}");
    assert_eq!((sink.accepted().len(), sink.limited(), sink.requests().len()), (8, 2, 10));
    let taken = pso_tests::wait::until("a second to pass", Duration::from_secs(5), || {
        (send(&sink.slack_url(), r#"{"text":"x"}"#).status() == 200).then_some(())
    });
    taken.unwrap();
}
