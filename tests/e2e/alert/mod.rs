//! `pso-alert` from its stdin to what the channels receive.

mod alertmanager;
mod bad_input;
mod channels;
mod chaos;
mod check;
mod delivery;
mod email;
mod heartbeat;
mod rules;
mod silence;
mod state;
mod store;
mod test_channel;
mod try_rules;

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use pso_tests::Reply;
use pso_tests::smtp::{self, SmtpSink};
use pso_tests::tool::{Outcome, Tool};
use pso_tests::webhook::WebhookSink;
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

/// The specification's file with a mail server of ours in the place of Google's.
fn specification(mail: &SmtpSink) -> String {
    let theirs = "    smtp_server: smtp.gmail.com\n    smtp_port: 587\n";
    assert!(SPECIFICATION.contains(theirs));
    let ours = format!(
        "    smtp_server: localhost\n    smtp_port: {}\n    ca_file: {}\n",
        mail.port(),
        mail.ca_file().display()
    );
    SPECIFICATION.replace(theirs, &ours).replace("alerts@yourcompany.com", smtp::USER)
}

#[test]
fn the_specifications_file_tells_slack_and_by_mail() {
    let (sink, mail) = (WebhookSink::start().unwrap(), SmtpSink::start().unwrap());
    let folder = deployment(&specification(&mail));
    let later = cpu(95.0).replace("09:00:00", "09:05:00");
    let outcome = alert(folder.path())
        .env("SLACK_WEBHOOK", sink.slack_url())
        .env("SMTP_PASSWORD", smtp::PASSWORD)
        .stdin([start(), cpu(92.5), later, down(), end("critical", 2)].concat())
        .run()
        .unwrap();
    outcome.assert_code(2).assert_quiet().assert_no_secret(&SECRETS).assert_no_secret(&[smtp::PASSWORD]);
    assert_eq!(rules(&outcome), ["health.check", "cpu_usage"]);
    assert_eq!(outcome.record("alert.notice", "cpu_usage")["count"], 2);
    let mut told = deliveries(&outcome);
    told.sort();
    assert_eq!(told, [("email".into(), "sent".into(), 1, Some(250)), ("slack".into(), "sent".into(), 1, Some(200))]);
    let message = sink.requests()[0].json().unwrap();
    assert_eq!(message["channel"], "#planning-sync-alerts");
    let text = message.to_string();
    assert!(text.contains("System health check failed: service: it says so"), "{text}");
    assert!(text.contains("High CPU usage: 95% (limit 80%)"), "{text}");
    let mails = mail.mails();
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].to, ["admin@yourcompany.com", "ops@yourcompany.com"]);
    assert!(mails[0].encrypted && mails[0].user.is_some(), "{:?}", mails[0]);
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
    let well = record("health.check", "service", "ok", &json!({"status": "healthy", "elapsed_ms": 1}));
    let mut running = alert(folder.path()).spawn().unwrap();
    let mut stdin = running.stdin.take().expect("open");
    let mut write = |text: String| stdin.write_all(text.as_bytes()).and_then(|()| stdin.flush()).expect("written");
    write([start(), down(), round(1, "critical")].concat());
    sink.wait_for(1, Duration::from_secs(10)).expect("told while the input goes on");
    // What is still so is not told again.
    write([down(), round(2, "critical"), well, round(3, "ok")].concat());
    sink.wait_for(2, Duration::from_secs(10)).expect("its end is told");
    write([down(), round(4, "critical")].concat());
    sink.wait_for(3, Duration::from_secs(10)).expect("told again");
    drop(stdin);
    let outcome = running.finish().unwrap();
    let states: Vec<_> = outcome
        .records_of_kind("alert.notice")
        .iter()
        .map(|notice| format!("{} {} {}", notice["rule"], notice["state"], notice["told"]).replace('"', ""))
        .collect();
    let expected = [
        "health.check firing now",
        "health.check firing already",
        "health.check resolved now",
        "health.check firing now",
        // The run has no end of its own.
        "run.unfinished unfinished now",
    ];
    assert_eq!(states, expected, "{outcome}");
    assert_eq!(sink.requests().len(), 4);
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
            ("discord".into(), "sent".into(), 1, Some(200)),
            ("stdout".into(), "sent".into(), 1, None),
            ("webhook".into(), "sent".into(), 1, Some(200)),
        ]
    );
    for request in sink.requests() {
        let message = request.json().unwrap();
        if request.path.starts_with("/discord") {
            assert_eq!(message["allowed_mentions"], json!({"parse": []}));
            let text = message.pointer("/embeds/0/description").unwrap();
            let text = text.as_str().unwrap();
            assert!(text.starts_with("🔴 **CRITICAL** System health check failed: service: it says so\n"), "{text}");
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
fn a_missing_variable_spoils_its_channel_only() {
    let sink = WebhookSink::start().unwrap();
    let text = SPECIFICATION.replace("  discord:\n    enabled: false", "  discord:\n    enabled: true");
    let folder = deployment(&text);
    let outcome = alert(folder.path()).env("DISCORD_WEBHOOK", sink.discord_url()).stdin(trouble()).run().unwrap();
    outcome.assert_code(3).assert_stderr_has("config/alerts.yaml:16: alerts.slack.webhook_url: ");
    outcome.assert_stderr_has("SLACK_WEBHOOK is not set").assert_no_secret(&SECRETS);
    let mut told = deliveries(&outcome);
    told.sort();
    told.dedup();
    assert_eq!(
        told,
        [
            ("discord".into(), "sent".into(), 1, Some(200)),
            ("email".into(), "failed".into(), 0, None),
            ("slack".into(), "failed".into(), 0, None),
        ]
    );
    // Nobody reads the stderr of cron: the channel that works says that the others do not.
    let text: String = sink.requests().iter().map(pso_tests::Seen::text).collect();
    assert!(text.contains("the channel slack cannot be told") && text.contains("the channel email"), "{text}");
}

#[test]
fn a_start_without_its_end_is_a_state_of_its_own() {
    let folder = deployment("");
    let outcome = alert(folder.path()).stdin([start(), cpu(1.0)].concat()).run().unwrap();
    outcome.assert_code(2).assert_stderr_has("nobody is told: config/alerts.yaml enables no channel");
    let notice = outcome.record("alert.notice", "run.unfinished");
    assert_eq!((&notice["severity"], &notice["state"]), (&json!("high"), &json!("unfinished")));
    let message = notice["message"].as_str().unwrap();
    assert!(message.starts_with("pso-health began at 2026-11-22T09:00:00.000Z and never ended"), "{message}");
    // The next run comes to its end.
    let outcome = alert(folder.path()).stdin([start(), cpu(1.0), end("ok", 0)].concat()).run().unwrap();
    outcome.assert_code(0);
    assert_eq!(outcome.record("alert.notice", "run.unfinished")["state"], "resolved");
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
    assert_eq!(text, "🟠 HIGH High error count detected");
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
