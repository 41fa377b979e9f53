//! `pso-alert` from its stdin to what Slack, Discord and a webhook receive.

mod bad_input;
mod check;
mod rules;
mod try_rules;
mod chaos;

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use pso_tests::Reply;
use pso_tests::tool::{Outcome, Tool};
use pso_tests::webhook::{WebhookSink, too_many, too_many_for_discord};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The specification's file, word for word.
pub(super) const SPECIFICATION: &str = include_str!("../../../tools/pso-alert/src/specification.yaml");

/// Parts of the URLs that are secrets.
pub(super) const SECRETS: [&str; 2] = ["s3cr3tSlackToken", "s3cr3tDiscordToken"];

/// A deployment's folder with this `config/alerts.yaml`.
pub(super) fn deployment(alerts: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("config")).expect("created");
    fs::write(folder.path().join("config/alerts.yaml"), alerts).expect("written");
    folder
}

pub(super) fn alert(folder: &Path) -> Tool {
    Tool::new("pso-alert").expect("built").folder(folder)
}

pub(super) fn record(kind: &str, name: &str, severity: &str, more: &Value) -> String {
    let mut record = json!({
        "schema": 1, "kind": kind, "at": "2026-11-22T09:00:00.000Z", "tool": "pso-health", "host": "web-1",
        "severity": severity, "name": name, "message": "it says so"
    });
    record.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    format!("{record}\n")
}

pub(super) fn start() -> String {
    record("run.start", "pso-health", "ok", &json!({"version": "0.1.0", "pid": 7}))
}

pub(super) fn end(severity: &str, code: u8) -> String {
    let more = json!({"pid": 7, "records": 2, "elapsed_ms": 1, "exit_code": code});
    record("run.end", "pso-health", severity, &more)
}

pub(super) fn cpu(value: f64) -> String {
    record("health.metric", "cpu_usage", "ok", &json!({"value": value, "unit": "percent", "elapsed_ms": 1}))
}

pub(super) fn down() -> String {
    record("health.check", "service", "critical", &json!({"status": "unhealthy", "elapsed_ms": 1}))
}

/// A whole run with one thing wrong.
pub(super) fn trouble() -> String {
    [start(), down(), end("critical", 2)].concat()
}

/// Channel, state, attempt and status of each delivery, in the order written.
pub(super) fn deliveries(outcome: &Outcome) -> Vec<(String, String, u64, Option<u64>)> {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let of = |record: &Value| {
        (
            text(&record["channel"]),
            text(&record["state"]),
            record["attempt"].as_u64().expect("a number"),
            record["status"].as_u64(),
        )
    };
    outcome.records_of_kind("alert.delivery").iter().map(of).collect()
}

pub(super) fn rules(outcome: &Outcome) -> Vec<String> {
    outcome
        .records_of_kind("alert.notice")
        .iter()
        .map(|notice| notice["rule"].as_str().expect("a text").to_owned())
        .collect()
}

#[test]
fn the_specifications_file_tells_slack_and_says_that_email_comes_later() {
    let sink = WebhookSink::start().unwrap();
    let folder = deployment(SPECIFICATION);
    let outcome = alert(folder.path())
        .env("SLACK_WEBHOOK", sink.slack_url())
        .stdin([start(), cpu(92.5), cpu(95.0), down(), end("critical", 2)].concat())
        .run()
        .unwrap();
    outcome.assert_code(2).assert_no_secret(&SECRETS);
    assert_eq!(outcome.stderr.lines().count(), 1, "{outcome}");
    outcome.assert_stderr_has("config/alerts.yaml:5: alerts.email is enabled, and email comes later");
    assert_eq!(rules(&outcome), ["health.check", "cpu_usage"]);
    assert_eq!(outcome.record("alert.notice", "cpu_usage")["count"], 2);
    assert_eq!(deliveries(&outcome), [("slack".into(), "sent".into(), 1, Some(200))]);
    let requests = sink.requests();
    assert_eq!(requests.len(), 1);
    let message = requests[0].json().unwrap();
    assert_eq!(message["channel"], "#planning-sync-alerts");
    assert_eq!(
        message.pointer("/blocks/1/text/text").unwrap(),
        "🔴 *CRITICAL* System health check failed: service: it says so"
    );
    assert_eq!(
        message.pointer("/blocks/2/text/text").unwrap(),
        "🟡 *WARNING* High CPU usage: 92.5% (limit 80%) (2 times)"
    );
}

#[test]
fn the_scans_limit_of_errors_holds() {
    let folder = deployment("");
    let log = "2026-11-22T09:00:00Z ERROR SyncTimeout [sync-engine]\n".repeat(60);
    for (limit, code, told) in [("60", 0, vec![]), ("59", 2, vec!["log.errors"])] {
        let scan = Tool::new("pso-logscan").expect("built").folder(folder.path());
        let scanned = scan.args(["--max-errors", limit, "-"]).stdin(log.clone()).run().unwrap();
        scanned.assert_code(code);
        let outcome = alert(folder.path()).stdin(scanned.stdout).run().unwrap();
        outcome.assert_code(code);
        assert_eq!(rules(&outcome), told, "{outcome}");
    }
}

#[test]
fn the_health_checks_limit_of_a_number_holds() {
    // `maintenance.health.limits` stands before `thresholds`, and says the opposite.
    for (limit, threshold, code, told) in [(100, 0, 0, vec![]), (0, 100, 1, vec!["disk_usage"])] {
        let folder = deployment(&format!("thresholds: {{disk_usage: {threshold}}}\n"));
        let config = format!("maintenance: {{health: {{limits: {{disk_usage: {limit}}}, paths: [.]}}}}\n");
        fs::write(folder.path().join("config/config.yaml"), config).unwrap();
        let health = Tool::new("pso-health").expect("built").folder(folder.path()).args(["--only", "disk"]);
        let checked = health.run().unwrap();
        checked.assert_code(code);
        let outcome = alert(folder.path()).stdin(checked.stdout).run().unwrap();
        outcome.assert_code(code);
        assert_eq!(rules(&outcome), told, "{outcome}");
    }
}

#[test]
fn each_round_of_a_run_that_goes_on_is_told_when_it_ends() {
    let sink = WebhookSink::start().unwrap();
    let folder = deployment(&format!("alerts: {{webhook: {{enabled: true, url: '{}'}}}}\n", sink.generic_url()));
    let round = |number: u64, severity: &str| {
        let more = json!({"round": number, "checks": 1, "hanging": 0, "missed": 0, "elapsed_ms": 1});
        record("health.round", "round", severity, &more)
    };
    let mut running = alert(folder.path()).spawn().unwrap();
    let mut stdin = running.stdin.take().expect("open");
    let mut write = |text: String| stdin.write_all(text.as_bytes()).and_then(|()| stdin.flush()).expect("written");
    write([start(), down(), round(1, "critical")].concat());
    sink.wait_for(1, Duration::from_secs(10)).expect("told while the input goes on");
    write(round(2, "ok"));
    write([down(), round(3, "critical")].concat());
    sink.wait_for(2, Duration::from_secs(10)).expect("told again");
    drop(stdin);
    let outcome = running.finish().unwrap();
    // The run has no end of its own.
    assert_eq!(rules(&outcome), ["health.check", "health.check", "run.unfinished"], "{outcome}");
    assert_eq!(sink.requests().len(), 3);
}

#[test]
fn nothing_wrong_tells_nobody() {
    let sink = WebhookSink::start().unwrap();
    let folder = deployment(&SPECIFICATION.replacen("enabled: true", "enabled: false", 1));
    let tool = alert(folder.path()).env("SLACK_WEBHOOK", sink.slack_url());
    let outcome = tool.stdin([start(), cpu(12.0), end("ok", 0)].concat()).run().unwrap();
    outcome.assert_code(0).assert_quiet();
    assert_eq!(outcome.records().len(), 2, "{outcome}");
    assert!(sink.requests().is_empty());
}

#[test]
fn discord_and_a_webhook_get_the_same_notices() {
    let sink = WebhookSink::start().unwrap();
    let folder = deployment(&format!(
        "alerts:\n  discord: {{enabled: true, webhook_url: \"{}\"}}\n  webhook: {{enabled: true, url: \"{}\"}}\n  stdout: {{enabled: true}}\n",
        sink.discord_url(),
        sink.generic_url()
    ));
    let outcome = alert(folder.path()).stdin(trouble()).run().unwrap();
    outcome.assert_code(2).assert_quiet().assert_no_secret(&SECRETS);
    let mut told = deliveries(&outcome);
    told.sort();
    assert_eq!(
        told,
        [
            ("discord".into(), "sent".into(), 1, Some(204)),
            ("stdout".into(), "sent".into(), 1, None),
            ("webhook".into(), "sent".into(), 1, Some(200)),
        ]
    );
    for request in sink.requests() {
        let message = request.json().unwrap();
        if request.path.starts_with("/discord") {
            assert_eq!(message["allowed_mentions"], json!({"parse": []}));
            let text = message.pointer("/embeds/0/description").unwrap();
            assert_eq!(text, "🔴 **CRITICAL** System health check failed: service: it says so");
        } else {
            assert_eq!(message["notices"][0]["rule"], "health.check");
            assert_eq!(
                message["notices"][0]["labels"],
                json!({"host": "web-1", "name": "service", "tool": "pso-health"})
            );
        }
    }
}

pub(super) fn both(slack: &WebhookSink, discord: &WebhookSink) -> TempDir {
    deployment(&format!(
        "alerts:\n  slack: {{enabled: true, webhook_url: \"{}\"}}\n  discord: {{enabled: true, webhook_url: \"{}\"}}\n",
        slack.slack_url(),
        discord.discord_url()
    ))
}

#[test]
fn a_429_is_waited_for_as_long_as_it_says() {
    let (slack, discord) = (WebhookSink::start().unwrap(), WebhookSink::start().unwrap());
    slack.plan([too_many(1)]);
    discord.plan([too_many_for_discord(0.4), Reply::status(502)]);
    let outcome = alert(both(&slack, &discord).path()).stdin(trouble()).run().unwrap();
    outcome.assert_code(2).assert_quiet();
    let of = |channel: &str| -> Vec<_> {
        deliveries(&outcome).into_iter().filter(|it| it.0 == channel).map(|it| (it.1, it.2, it.3)).collect()
    };
    assert_eq!(of("slack"), [("retrying".into(), 1, Some(429)), ("sent".into(), 2, Some(200))]);
    assert_eq!(
        of("discord"),
        [("retrying".into(), 1, Some(429)), ("retrying".into(), 2, Some(502)), ("sent".into(), 3, Some(204))]
    );
    let requests = slack.requests();
    assert!(requests[1].at.duration_since(requests[0].at) >= Duration::from_secs(1));
    assert_eq!(requests[0].body, requests[1].body);
}

#[test]
fn a_404_is_final_and_says_what_came_back_without_the_url() {
    let (slack, discord) = (WebhookSink::start().unwrap(), WebhookSink::start().unwrap());
    slack.plan([Reply::new(404, "text/plain", "no_service at /slack/services/T000/B000/s3cr3tSlackToken")]);
    let folder = both(&slack, &discord);
    let outcome = alert(folder.path()).arg("--exit-zero").stdin(trouble()).run().unwrap();
    // What the records say does not count; that Slack was not told does.
    outcome
        .assert_code(2)
        .assert_no_secret(&SECRETS)
        .assert_stderr_has("slack was not told: it answered 404: no_service");
    let failed = outcome.record("alert.delivery", "slack");
    assert_eq!((&failed["state"], &failed["severity"]), (&json!("failed"), &json!("high")));
    assert_eq!((slack.requests().len(), discord.requests().len()), (1, 1));
}

#[test]
fn a_dead_channel_does_not_delay_the_other() {
    let (slack, discord) = (WebhookSink::start().unwrap(), WebhookSink::start().unwrap());
    slack.plan([Reply::hang(), Reply::hang()]);
    let folder = both(&slack, &discord);
    let began = Instant::now();
    let running = alert(folder.path()).args(["--delivery-deadline", "2s"]).spawn().unwrap();
    let mut running = running;
    std::io::Write::write_all(running.stdin.as_mut().unwrap(), trouble().as_bytes()).unwrap();
    drop(running.stdin.take());
    let told = discord.wait_for(1, Duration::from_secs(10)).unwrap()[0].at;
    let outcome = running.finish().unwrap();
    let ended = Instant::now();
    outcome.assert_code(2).assert_stderr_has("slack was not told: connected, but no complete answer");
    assert!(ended.duration_since(told) > Duration::from_millis(1200), "told only when slack was given up");
    assert!(ended.duration_since(began) < Duration::from_secs(8), "the deadline is not kept");
}

#[test]
fn a_refused_connection_is_tried_three_times() {
    let gone = WebhookSink::start().unwrap();
    let folder = both(&gone, &gone);
    drop(gone);
    let outcome = alert(folder.path()).stdin(trouble()).run().unwrap();
    outcome.assert_code(2).assert_stderr_has("connection refused").assert_no_secret(&SECRETS);
    let states: Vec<_> = deliveries(&outcome).into_iter().filter(|it| it.0 == "slack").map(|it| (it.1, it.2)).collect();
    assert_eq!(states, [("retrying".into(), 1), ("retrying".into(), 2), ("failed".into(), 3)]);
}

#[test]
fn a_missing_variable_spoils_its_channel_only() {
    let sink = WebhookSink::start().unwrap();
    let text = SPECIFICATION.replace("  discord:\n    enabled: false", "  discord:\n    enabled: true");
    let folder = deployment(&text);
    let outcome = alert(folder.path()).env("DISCORD_WEBHOOK", sink.discord_url()).stdin(trouble()).run().unwrap();
    outcome.assert_code(3).assert_stderr_has("config/alerts.yaml:16: alerts.slack.webhook_url: ");
    outcome.assert_stderr_has("SLACK_WEBHOOK is not set").assert_no_secret(&SECRETS);
    assert_eq!(
        deliveries(&outcome),
        [("slack".into(), "failed".into(), 0, None), ("discord".into(), "sent".into(), 1, Some(204))]
    );
}

#[test]
fn a_start_without_its_end_is_critical() {
    let folder = deployment("");
    let outcome = alert(folder.path()).stdin([start(), cpu(1.0)].concat()).run().unwrap();
    outcome.assert_code(2).assert_stderr_has("nobody was told: config/alerts.yaml enables no channel");
    let notice = outcome.record("alert.notice", "run.unfinished");
    assert_eq!((&notice["severity"], &notice["state"]), (&json!("critical"), &json!("firing")));
    let message = notice["message"].as_str().unwrap();
    assert!(message.starts_with("pso-health began at 2026-11-22T09:00:00.000Z and never ended"), "{message}");
}

#[test]
fn a_malformed_line_is_numbered_and_the_rest_is_read() {
    let folder = deployment("");
    let input = [start(), "not a record\n".to_owned(), down(), end("critical", 2)].concat();
    let outcome = alert(folder.path()).arg("--tee").stdin(input).run().unwrap();
    outcome.assert_code(3).assert_stderr_has("pso-alert: line 2 of the input is not a record");
    assert_eq!(rules(&outcome), ["health.check", "input.malformed"]);
    assert_eq!(outcome.records_of_kind("health.check").len(), 1);
}

#[test]
fn silence_is_an_alarm() {
    let folder = tempfile::tempdir().unwrap();
    let outcome = alert(folder.path()).run().unwrap();
    outcome.assert_code(2);
    assert_eq!(rules(&outcome), ["input.empty"]);
    alert(folder.path()).arg("--exit-zero").run().unwrap().assert_code(0);
}

#[test]
fn records_pass_through_untouched_before_the_notices() {
    let folder = tempfile::tempdir().unwrap();
    let input = trouble().replace("\"name\"", "\"later\": [1, {}],  \"name\"");
    for flag in ["-", "--tee"] {
        let outcome = alert(folder.path()).arg(flag).stdin(input.clone()).run().unwrap();
        outcome.assert_code(2);
        let (own_start, rest) = outcome.text().split_once('\n').unwrap();
        assert!(own_start.contains("run.start"), "{outcome}");
        assert!(rest.starts_with(&input), "{outcome}");
        assert!(rest[input.len()..].starts_with("{\"schema\":1,\"kind\":\"alert.notice\""), "{outcome}");
    }
    let table = alert(folder.path()).args(["--tee", "--format", "table"]).stdin(input).run().unwrap();
    assert!(table.text().contains("health.check\n") && table.text().contains("alert.notice\n"), "{table}");
}

#[test]
fn send_tells_every_channel_and_ends_well_when_they_were_told() {
    let (slack, discord) = (WebhookSink::start().unwrap(), WebhookSink::start().unwrap());
    let folder = both(&slack, &discord);
    let args = ["send", "--severity", "High", "--message", "High error count detected", "--label", "host=db1"];
    let outcome = alert(folder.path()).args(args).run().unwrap();
    outcome.assert_code(0).assert_quiet().assert_no_secret(&SECRETS);
    let notice = outcome.record("alert.notice", "send");
    assert_eq!((&notice["severity"], &notice["labels"]), (&json!("high"), &json!({"host": "db1"})));
    let text = slack.requests()[0].json().unwrap().pointer("/blocks/1/text/text").unwrap().clone();
    assert_eq!(text, "🟠 *HIGH* High error count detected");
    discord.plan([Reply::status(401)]);
    alert(folder.path())
        .args(args)
        .run()
        .unwrap()
        .assert_code(2)
        .assert_stderr_has("discord was not told: it answered 401");
}

#[test]
fn a_hostile_message_arrives_within_the_limits_and_mentions_nobody() {
    let (slack, discord) = (WebhookSink::start().unwrap(), WebhookSink::start().unwrap());
    let folder = both(&slack, &discord);
    let message = format!("<!channel> @everyone {}", "&🎉*".repeat(11_000));
    let outcome = alert(folder.path()).args(["send", "--message", &message]).run().unwrap();
    outcome.assert_code(0);
    let many: String = (0..5_000)
        .map(|n| record("later.kind", &format!("{n}"), "high", &json!({"message": message[..200]})))
        .collect();
    alert(folder.path()).stdin(many).run().unwrap().assert_code(2).assert_quiet();
    for request in slack.requests().iter().chain(&discord.requests()) {
        assert!(
            !request.text().contains("@everyone") && !request.text().contains("\"<!channel>"),
            "{}",
            request.text()
        );
    }
    assert_eq!((slack.requests().len(), discord.requests().len()), (2, 2));
}

#[test]
fn a_bad_file_is_named_with_its_line_and_nothing_is_read() {
    let folder = deployment("alerts:\n  slack:\n    enbled: true\n");
    let outcome = alert(folder.path()).stdin(trouble()).run().unwrap();
    outcome.assert_code(3).assert_stderr_has("config/alerts.yaml:3: unknown field `enbled`");
    let outcome = alert(folder.path()).args(["--alerts", "no/such.yaml"]).stdin(trouble()).run().unwrap();
    outcome.assert_code(3).assert_stderr_has("no/such.yaml");
}

#[test]
fn check_shows_what_is_in_effect_and_what_is_wrong() {
    let folder = deployment(SPECIFICATION);
    let tool = || alert(folder.path()).args(["check", "config/alerts.yaml"]);
    let outcome = tool().env("SLACK_WEBHOOK", "https://hooks.slack.com/services/T0/B0/s3cr3tSlackToken").run().unwrap();
    outcome
        .assert_code(0)
        .assert_no_secret(&SECRETS)
        .assert_stderr_has("config/alerts.yaml is valid; notices go to slack");
    assert_eq!(outcome.record("config.setting", "alerts.slack.webhook_url")["setting"], "***");
    let outcome = tool().run().unwrap();
    outcome.assert_code(3).assert_stderr_has("SLACK_WEBHOOK is not set");
    outcome.assert_stderr_has("has channels that cannot be used");
}
