//! What each channel's end receives.

use pso_tests::tls_end::{Kind, TlsEnd};

use super::*;

fn one(section: &str) -> TempDir {
    deployment(&format!("alerts:\n  it: {section}\n"))
}

#[test]
fn a_webhook_has_a_body_of_ones_own_headers_and_a_signature() {
    let sink = WebhookSink::start().unwrap();
    let folder = one(&format!(
        "\n    type: webhook\n    enabled: true\n    url: {}\n    method: put\n    secret: ${{HOOK_SECRET}}\n    headers:\n      X-Team: ${{TEAM}}\n    template: |\n      {{\"text\": \"{{severity}}: {{message}} \\\"on\\\" {{labels.host}}\", \"count\": {{count}}}}\n",
        sink.generic_url()
    ));
    let tool = alert(folder.path()).env("HOOK_SECRET", "s3cr3tHookKey").env("TEAM", "night watch");
    let outcome = tool.stdin(trouble()).run().unwrap();
    outcome.assert_code(2).assert_no_secret(&["s3cr3tHookKey"]);
    let request = &sink.requests()[0];
    assert_eq!((request.method.as_str(), request.header("X-Team")), ("PUT", Some("night watch")));
    assert_eq!(
        request.text().trim(),
        r#"{"text": "critical: System health check failed: service: it says so \"on\" web-1", "count": 1}"#
    );
    let signature = request.header("X-Pso-Signature").expect("signed");
    let (seconds, hex) = signature.strip_prefix("t=").and_then(|rest| rest.split_once(",v1=")).expect("both");
    let signed = [seconds.as_bytes(), b".", request.body.as_slice()].concat();
    assert_eq!(hex, hmac_sha256(b"s3cr3tHookKey", &signed));
    assert!(request.header("Idempotency-Key").is_some_and(|key| !key.is_empty()));
}

/// By its definition (RFC 2104), for a key shorter than a block.
fn hmac_sha256(key: &[u8], message: &[u8]) -> String {
    use sha2::{Digest as _, Sha256};
    let pad = |byte: u8| -> Vec<u8> { (0..64).map(|at| key.get(at).copied().unwrap_or(0) ^ byte).collect() };
    let inner = Sha256::digest([pad(0x36), message.to_vec()].concat());
    let outer = Sha256::digest([pad(0x5c), inner.to_vec()].concat());
    outer.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn ntfy_gets_plain_text_with_a_title_and_a_token() {
    let sink = WebhookSink::start().unwrap();
    let folder =
        one(&format!("{{type: ntfy, enabled: true, url: '{}', token_file: config/token}}", sink.generic_url()));
    fs::write(folder.path().join("config/token"), "tk_s3cr3tNtfyToken\n").unwrap();
    let outcome = alert(folder.path()).stdin(trouble()).run().unwrap();
    outcome.assert_code(2).assert_no_secret(&["tk_s3cr3tNtfyToken"]);
    let request = &sink.requests()[0];
    assert_eq!(request.header("Authorization"), Some("Bearer tk_s3cr3tNtfyToken"));
    assert_eq!((request.header("Priority"), request.header("Tags")), (Some("5"), Some("rotating_light")));
    assert!(request.header("Title").is_some_and(|title| title.starts_with("critical on ")), "{request:?}");
    assert!(
        request.text().starts_with("🔴 CRITICAL System health check failed: service: it says so\n"),
        "{}",
        request.text()
    );
}

#[test]
fn a_command_gets_records_and_a_file_keeps_them() {
    let folder = deployment(
        "alerts:\n  mine: {type: command, enabled: true, command: [sh, -c, 'cat > got.jsonl; echo thanks']}\n  file: {enabled: true, path: log/notices.jsonl}\n  stdout: {enabled: true}\n",
    );
    fs::create_dir(folder.path().join("log")).unwrap();
    let outcome = alert(folder.path()).stdin(trouble()).run().unwrap();
    outcome.assert_code(2);
    let mut told = deliveries(&outcome);
    told.sort();
    assert_eq!(told.len(), 3, "{outcome}");
    assert_eq!(told[1], ("mine".into(), "sent".into(), 1, Some(0)));
    let (got, kept) = (folder.path().join("got.jsonl"), folder.path().join("log/notices.jsonl"));
    for path in [got, kept] {
        let text = fs::read_to_string(&path).unwrap();
        let record: Value = serde_json::from_str(text.trim()).unwrap();
        pso_tests::schema::conforms(&record).unwrap();
        assert_eq!((&record["kind"], &record["rule"]), (&json!("alert.notice"), &json!("health.check")));
    }
}

#[test]
fn a_channel_takes_what_is_bad_enough_and_its_end_where_it_wants_it() {
    let sinks = [(); 3].map(|()| WebhookSink::start().unwrap());
    let [all, worst, ends] = &sinks;
    let folder = deployment(&format!(
        "alerts:\n  all: {{type: webhook, enabled: true, url: '{}'}}\n  worst: {{type: webhook, enabled: true, url: '{}', min_severity: critical}}\n  noend: {{type: webhook, enabled: true, url: '{}', send_resolved: false}}\n",
        all.generic_url(),
        worst.generic_url(),
        ends.generic_url()
    ));
    let bad = record("health.check", "qdrant", "high", &json!({"status": "degraded", "elapsed_ms": 1}));
    alert(folder.path()).stdin([start(), down(), bad, end("critical", 2)].concat()).run().unwrap();
    let well = |name| record("health.check", name, "ok", &json!({"status": "healthy", "elapsed_ms": 1}));
    let later = [start(), well("service"), well("qdrant"), end("ok", 0)].concat().replace("T09:00", "T09:10");
    alert(folder.path()).stdin(later).run().unwrap();
    let told = |sink: &WebhookSink| -> Vec<String> {
        let requests = sink.requests();
        let notices =
            requests.iter().flat_map(|request| request.json().unwrap()["notices"].as_array().unwrap().clone());
        let mut told: Vec<String> = notices
            .map(|notice| {
                format!("{} {}", notice["labels"]["name"].as_str().unwrap(), notice["state"].as_str().unwrap())
            })
            .collect();
        told.sort();
        told
    };
    assert_eq!(told(all), ["qdrant firing", "qdrant resolved", "service firing", "service resolved"]);
    assert_eq!(told(worst), ["service firing", "service resolved"]);
    assert_eq!(told(ends), ["qdrant firing", "service firing"]);
}

#[test]
fn a_private_authority_is_trusted_where_its_file_is_named() {
    let end = TlsEnd::start(Kind::Good).unwrap();
    let section = |more: &str| format!("{{type: webhook, enabled: true, url: '{}/hook'{more}}}", end.url());
    let ca_file = format!(", ca_file: '{}'", end.ca_file().display());
    let outcome = alert(one(&section(&ca_file)).path()).args(["test"]).run().unwrap();
    outcome.assert_code(0);
    let outcome = alert(one(&section("")).path()).args(["test"]).run().unwrap();
    outcome.assert_code(2).assert_stderr_has("TLS failed: the certificate's issuer is not trusted");
    let outcome = alert(one(&section(", ca_file: no/such.pem")).path()).args(["test"]).run().unwrap();
    outcome.assert_code(3).assert_stderr_has("alerts.it.ca_file: read the certificates in");
}

#[test]
fn ten_at_once_are_taken_by_discord_without_a_single_429() {
    let sink = WebhookSink::start().unwrap();
    let folder = one(&format!("{{type: discord, enabled: true, webhook_url: '{}'}}", sink.discord_url()));
    // One message each, as grouping by incident makes them.
    let text = fs::read_to_string(folder.path().join("config/alerts.yaml")).unwrap();
    fs::write(folder.path().join("config/alerts.yaml"), format!("{text}notices: {{group_by: [incident]}}\n")).unwrap();
    let bad = |number: u32| {
        record("health.check", &format!("s{number}"), "high", &json!({"status": "degraded", "elapsed_ms": 1}))
    };
    let input = [start(), (0..7).map(bad).collect(), end("high", 2)].concat();
    alert(folder.path()).args(["--delivery-deadline", "30s"]).stdin(input).run().unwrap().assert_code(2);
    assert_eq!((sink.accepted().len(), sink.limited()), (7, 0));
}

#[test]
fn a_full_disk_leaves_the_file_whole_and_the_notice_waits() {
    let folder = one("{type: file, enabled: true, path: log/notices.jsonl}");
    let log = folder.path().join("log");
    fs::create_dir(&log).unwrap();
    let mount = pso_tests::mount::Mount::tmpfs(&log, 8).unwrap();
    // A page is left for what is there, and none for what comes.
    let filler = format!("{}\n", "x".repeat(8 * 1024 - 1));
    fs::write(log.join("notices.jsonl"), &filler).unwrap();
    let outcome = alert(folder.path()).args(["--delivery-deadline", "500ms"]).stdin(trouble()).run().unwrap();
    outcome.assert_code(2);
    let failed = &outcome.records_of_kind("alert.delivery")[0];
    assert_eq!(failed["state"], "retrying", "{outcome}");
    assert!(failed["message"].as_str().is_some_and(|text| text.contains("No space left on device")), "{outcome}");
    assert_eq!(fs::read_to_string(log.join("notices.jsonl")).unwrap(), filler);
    drop(mount);
}

#[test]
fn a_pager_gets_an_event_a_notice_and_people_one_message_of_the_services_examples() {
    let sink = WebhookSink::start().unwrap();
    let examples = include_str!("../../../tools/pso-alert/src/examples.yaml");
    let ours = format!("http://127.0.0.1:{}/", sink.port());
    let services = ["https://events.pagerduty.com/", "https://api.telegram.org/", "https://api.pushover.net/"];
    let text = services.iter().fold(examples.to_owned(), |text, service| text.replace(service, &ours));
    let folder = deployment(&text);
    let variables = [
        ("PAGERDUTY_KEY", "s3cr3tPager"),
        ("TEAMS_WEBHOOK", &format!("{ours}teams/s3cr3tTeams")),
        ("TELEGRAM_TOKEN", "1:s3cr3tTelegram"),
        ("TELEGRAM_CHAT", "-100"),
        ("PUSHOVER_TOKEN", "s3cr3tPushover"),
        ("PUSHOVER_USER", "s3cr3tUser"),
    ];
    let run = |input: String| {
        let tool = variables.iter().fold(alert(folder.path()), |tool, (name, value)| tool.env(name, value));
        tool.stdin(input).run().unwrap()
    };
    let secrets = ["s3cr3tPager", "s3cr3tTeams", "s3cr3tTelegram", "s3cr3tPushover", "s3cr3tUser"];
    let other = down().replace("\"service\"", "\"database\"").replace("it says so", &"long ".repeat(2_000));
    run([start(), down(), other, end("critical", 2)].concat()).assert_code(2).assert_no_secret(&secrets);
    let at = |path: &str| sink.requests().into_iter().filter(|seen| seen.path.starts_with(path)).collect::<Vec<_>>();
    let pages = at("/v2/enqueue");
    assert_eq!((pages.len(), at("/teams").len(), at("/bot1:s3cr3t").len(), at("/1/messages").len()), (2, 1, 1, 1));
    let event = pages[0].json().unwrap();
    assert_eq!((&event["routing_key"], &event["event_action"]), (&json!("s3cr3tPager"), &json!("trigger")));
    assert_eq!((&event["payload"]["severity"], &event["payload"]["source"]), (&json!("critical"), &json!("web-1")));
    for page in &pages {
        assert!(page.json().unwrap()["payload"]["summary"].as_str().unwrap().chars().count() <= 1_024);
    }
    let text = at("/bot")[0].json().unwrap()["text"].as_str().unwrap().to_owned();
    assert!(text.starts_with("🔴 2 notices on web-1, the worst critical\n🔴 CRITICAL System health"), "{text}");
    assert!(text.encode_utf16().count() <= 4_096);
    // What is over resolves the same incident of the pager.
    let well = record("health.check", "service", "ok", &json!({"status": "healthy", "elapsed_ms": 1}));
    sink.forget();
    run([start(), well, end("ok", 0)].concat().replace("T09:00", "T09:10"));
    let over =
        at("/v2/enqueue").iter().filter_map(pso_tests::Seen::json).find(|over| over["event_action"] == "resolve");
    assert_eq!(over.expect("resolved")["dedup_key"], "health.check/web-1/pso-health/service");
    // Nor does anything else show the keys.
    let shown = variables.iter().fold(alert(folder.path()), |tool, (name, value)| tool.env(name, value));
    shown.arg("--print-config").run().unwrap().assert_no_secret(&secrets);
}
