//! Whatever happens to a channel, what it should get arrives, once, in its order, or people are told that it does not.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use pso_tests::Reply;
use pso_tests::tool::{Outcome, Tool};
use pso_tests::wait::{until, until_ok};
use pso_tests::webhook::{WebhookSink, too_many, too_many_for_discord};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{SECRETS, alert, both, deliveries, deployment, down, end, record, start, trouble};

const LIMIT: Duration = Duration::from_secs(20);

/// A deployment that tells one webhook.
fn hooked(sink: &WebhookSink) -> TempDir {
    deployment(&format!("alerts: {{webhook: {{enabled: true, url: '{}'}}}}\n", sink.generic_url()))
}

/// What one check says, in a whole run.
fn check(name: &str, severity: &str) -> String {
    let status = if severity == "ok" { "healthy" } else { "unhealthy" };
    let (code, check) = (u8::from(severity != "ok") * 2, json!({"status": status, "elapsed_ms": 1}));
    [start(), record("health.check", name, severity, &check), end(severity, code)].concat()
}

/// Names and states of the notices that a webhook has taken, in their order.
fn told(sink: &WebhookSink) -> Vec<(String, String)> {
    let notices = |message: Value| message["notices"].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let all = sink.accepted().into_iter().flat_map(|seen| notices(seen.json().expect("JSON")));
    all.map(|notice| (text(&notice["labels"]["name"]), text(&notice["state"]))).collect()
}

fn of(outcome: &Outcome, channel: &str) -> Vec<(String, u64, Option<u64>)> {
    let all = deliveries(outcome).into_iter();
    all.filter(|delivery| delivery.0 == channel).map(|delivery| (delivery.1, delivery.2, delivery.3)).collect()
}

fn flush(folder: &Path) -> Tool {
    alert(folder).arg("flush")
}

#[test]
fn a_429_is_waited_for_as_long_as_it_says() {
    let (slack, discord) = (WebhookSink::start().unwrap(), WebhookSink::start().unwrap());
    slack.plan([too_many(1)]);
    discord.plan([too_many_for_discord(0.4), Reply::status(502)]);
    let outcome = alert(both(&slack, &discord).path()).stdin(trouble()).run().unwrap();
    outcome.assert_code(2).assert_quiet();
    assert_eq!(of(&outcome, "slack"), [("retrying".into(), 1, Some(429)), ("sent".into(), 2, Some(200))]);
    assert_eq!(
        of(&outcome, "discord"),
        [("retrying".into(), 1, Some(429)), ("retrying".into(), 2, Some(502)), ("sent".into(), 3, Some(200))]
    );
    let requests = slack.requests();
    assert!(requests[1].at.duration_since(requests[0].at) >= Duration::from_secs(1));
    assert_eq!(requests[0].body, requests[1].body);
}

#[test]
fn retry_after_holds_in_the_next_run_and_flush_delivers() {
    let sink = WebhookSink::start().unwrap();
    sink.plan([too_many(2)]);
    let folder = hooked(&sink);
    let outcome =
        alert(folder.path()).args(["--exit-zero", "--delivery-deadline", "1s"]).stdin(trouble()).run().unwrap();
    outcome
        .assert_code(1)
        .assert_stderr_has("webhook is not told yet: it answered 429: rate_limited; 1 notice waits for");
    outcome.assert_stderr_has("by the next run or `pso-alert flush`");
    assert_eq!(of(&outcome, "webhook"), [("retrying".into(), 1, Some(429)), ("retrying".into(), 1, None)]);
    let asked = sink.requests()[0].at;
    flush(folder.path()).run().unwrap().assert_code(0).assert_quiet();
    let requests = sink.requests();
    assert_eq!(requests.len(), 2);
    assert!(requests[1].at.duration_since(asked) >= Duration::from_secs(2));
    // The same message, under the same key, though another run sent it.
    assert_eq!(requests[0].body, requests[1].body);
    let key = requests[0].header("Idempotency-Key").expect("a key");
    assert_eq!((key.len(), requests[1].header("Idempotency-Key")), (32, Some(key)));
    // Nothing is left.
    flush(folder.path()).run().unwrap().assert_code(0).assert_quiet();
    assert_eq!(sink.requests().len(), 2);
}

#[test]
fn what_began_and_ended_while_a_channel_was_down_is_told() {
    let (slack, hook) = (WebhookSink::start().unwrap(), WebhookSink::start().unwrap());
    for sink in [&slack, &hook] {
        sink.misbehave(|_, _| Some(Reply::status(503)));
    }
    let folder = deployment(&format!(
        "alerts:\n  slack: {{enabled: true, webhook_url: '{}'}}\n  webhook: {{enabled: true, url: '{}'}}\n",
        slack.slack_url(),
        hook.generic_url()
    ));
    let run = |text: String| {
        alert(folder.path())
            .args(["--exit-zero", "--delivery-deadline", "300ms"])
            .env("PSO_ALERT_RETRY_MAX", "500ms")
            .stdin(text)
            .run()
            .unwrap()
            .assert_code(1);
    };
    run(check("disk", "critical"));
    run(check("disk", "ok"));
    run(check("memory", "high"));
    slack.behave();
    hook.behave();
    flush(folder.path()).run().unwrap().assert_code(0).assert_quiet();
    let expected = [("disk", "firing"), ("disk", "resolved"), ("memory", "firing")]
        .map(|(name, state)| (name.into(), state.into()));
    let mut all = told(&hook);
    all.sort();
    assert_eq!(all, expected);
    let text: String = slack.accepted().iter().map(pso_tests::Seen::text).collect();
    for part in ["disk", "RESOLVED", "memory"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn a_404_is_said_through_the_other_channel_and_nothing_of_it_is_lost() {
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
    let texts = |sink: &WebhookSink| sink.accepted().iter().map(pso_tests::Seen::text).collect::<Vec<_>>();
    let reported = texts(&discord).into_iter().filter(|text| text.contains("the channel slack cannot be told")).count();
    assert_eq!((slack.requests().len(), reported), (1, 1), "{:?}", texts(&discord));
    // The next run says it again, and does not try.
    let outcome = flush(folder.path()).run().unwrap();
    outcome.assert_code(2).assert_stderr_has("1 notice waits until its configuration changes, or for 20");
    assert_eq!(slack.requests().len(), 1);
    // Another webhook: it gets what waited, and the other channel is told that all is well.
    let file = folder.path().join("config/alerts.yaml");
    let text = fs::read_to_string(&file).unwrap().replace("s3cr3tSlackToken", "s3cr3tSlackToken2");
    fs::write(&file, text).unwrap();
    flush(folder.path()).run().unwrap().assert_code(0).assert_quiet();
    assert!(texts(&slack)[0].contains("service"));
    let resolved = texts(&discord).into_iter().filter(|text| text.contains("RESOLVED")).count();
    assert_eq!(resolved, 1, "{:?}", texts(&discord));
}

#[test]
fn a_dead_channel_does_not_delay_the_other() {
    let (slack, discord) = (WebhookSink::start().unwrap(), WebhookSink::start().unwrap());
    slack.plan([Reply::hang(), Reply::hang()]);
    let folder = both(&slack, &discord);
    let began = Instant::now();
    let mut running = alert(folder.path()).args(["--delivery-deadline", "2s"]).spawn().unwrap();
    running.stdin.take().expect("open").write_all(trouble().as_bytes()).unwrap();
    let told = discord.wait_for(1, LIMIT).unwrap()[0].at;
    let outcome = running.finish().unwrap();
    let ended = Instant::now();
    outcome.assert_code(2).assert_stderr_has("slack is not told yet: connected, but no complete answer");
    assert!(ended.duration_since(told) > Duration::from_millis(1200), "told only when slack was given up");
    assert!(ended.duration_since(began) < Duration::from_secs(8), "the deadline is not kept");
    // What the first run left, the second one brings.
    slack.behave();
    flush(folder.path()).run().unwrap().assert_code(0);
    assert_eq!(slack.accepted().len(), 1);
}

#[test]
fn a_dead_channel_does_not_delay_the_pipe() {
    let sink = WebhookSink::start().unwrap();
    sink.misbehave(|_, _| Some(Reply::hang()));
    let folder = hooked(&sink);
    let mut child = std::process::Command::new(pso_tests::tool::built_binary("pso-alert").unwrap())
        .args(["--tee", "--delivery-deadline", "500ms"])
        .env_clear()
        .env("PSO_ALERT_ATTEMPT_TIMEOUT", "30s")
        .current_dir(folder.path())
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let round = json!({"round": 1, "checks": 1, "hanging": 0, "missed": 0, "elapsed_ms": 1});
    stdin
        .write_all([start(), down(), record("health.round", "round", "critical", &round)].concat().as_bytes())
        .unwrap();
    sink.wait_for(1, LIMIT).expect("it is being tried");
    let began = Instant::now();
    stdin.write_all(check("later", "ok").as_bytes()).unwrap();
    let passed = lines.find(|line| line.as_ref().is_ok_and(|line| line.contains("\"later\"")));
    assert!(passed.is_some() && began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_refused_connection_is_tried_on_until_the_deadline() {
    let gone = WebhookSink::start().unwrap();
    let folder = both(&gone, &gone);
    drop(gone);
    let outcome = alert(folder.path()).args(["--delivery-deadline", "2s"]).stdin(trouble()).run().unwrap();
    outcome.assert_code(2).assert_stderr_has("connection refused").assert_no_secret(&SECRETS);
    let attempts = of(&outcome, "slack");
    assert!(attempts.len() >= 3 && attempts.iter().all(|attempt| attempt.0 == "retrying"), "{attempts:?}");
}

#[test]
fn a_signal_ends_a_run_after_the_attempt_under_way_and_nothing_is_lost() {
    let sink = WebhookSink::start().unwrap();
    sink.misbehave(|_, _| Some(Reply::hang()));
    let folder = hooked(&sink);
    let mut running = alert(folder.path())
        .args(["--delivery-deadline", "60s"])
        .env("PSO_ALERT_ATTEMPT_TIMEOUT", "1s")
        .spawn()
        .unwrap();
    running.stdin.take().expect("open").write_all(trouble().as_bytes()).unwrap();
    sink.wait_for(1, LIMIT).expect("it is being tried");
    let began = Instant::now();
    running.signal("TERM").unwrap();
    let outcome = running.finish().unwrap();
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    outcome.assert_stderr_has("1 notice waits for");
    sink.behave();
    flush(folder.path()).run().unwrap().assert_code(0);
    assert_eq!(told(&sink), [("service".to_owned(), "firing".to_owned())]);
}

#[test]
fn what_waited_too_long_is_given_up_and_that_is_said_everywhere() {
    let (slack, hook) = (WebhookSink::start().unwrap(), WebhookSink::start().unwrap());
    slack.misbehave(|_, _| Some(Reply::status(500)));
    let folder = deployment(&format!(
        "alerts:\n  slack: {{enabled: true, webhook_url: '{}'}}\n  webhook: {{enabled: true, url: '{}'}}\n\
         notices: {{expire_after: 1s}}\n",
        slack.slack_url(),
        hook.generic_url()
    ));
    let tool = || alert(folder.path()).args(["--delivery-deadline", "200ms"]).env("PSO_ALERT_RETRY_MAX", "50ms");
    tool().arg("--exit-zero").stdin(trouble()).run().unwrap().assert_code(1);
    let outcome = until_ok("the notice to be given up", LIMIT, || {
        let outcome = tool().arg("flush").run()?;
        anyhow::ensure!(outcome.stderr.contains("waited too long"), "{outcome}");
        Ok(outcome)
    });
    let outcome = outcome.unwrap();
    outcome.assert_code(2).assert_stderr_has("slack was not told: 1 notice for the channel slack waited too long");
    assert_eq!(of(&outcome, "slack").iter().filter(|delivery| delivery.0 == "expired").count(), 1);
    // On a busy machine the word of it may need another run: it is due late in this one.
    let lost = || hook.accepted().iter().filter(|seen| seen.text().contains("channel.lost")).count();
    let told = until_ok("the other channel to be told", LIMIT, || {
        tool().arg("flush").run()?;
        anyhow::ensure!(lost() > 0, "not yet");
        Ok(lost())
    });
    assert_eq!(told.unwrap(), 1);
    assert!(slack.accepted().is_empty());
}

#[test]
fn ten_runs_at_once_tell_each_incident_once() {
    let sink = WebhookSink::start().unwrap();
    let folder = hooked(&sink);
    let input = |run: usize| {
        let check = json!({"status": "unhealthy", "elapsed_ms": 1});
        // Half of them are the same in all runs.
        let name = |number: usize| {
            if number.is_multiple_of(2) { format!("all-{number}") } else { format!("run-{run}-{number}") }
        };
        let checks = (0..100).map(|number| record("health.check", &name(number), "critical", &check));
        [start(), checks.collect(), end("critical", 2)].concat()
    };
    thread::scope(|scope| {
        for run in 0..10 {
            let (folder, input) = (folder.path(), input(run));
            scope.spawn(move || {
                let outcome = alert(folder).stdin(input).run().unwrap();
                outcome.assert_code(2);
                assert!(!outcome.stderr.contains("state file"), "{outcome}");
            });
        }
    });
    flush(folder.path()).run().unwrap().assert_code(0);
    let mut names: Vec<String> = told(&sink).into_iter().map(|notice| notice.0).collect();
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!((names.len(), count), (10 * 50 + 50, 10 * 50 + 50));
}

#[test]
fn an_answer_that_is_lost_makes_a_second_copy_that_can_be_known_as_one() {
    let sink = WebhookSink::start().unwrap();
    sink.plan([Reply::status(200).after(Duration::from_secs(2))]);
    let folder = hooked(&sink);
    let tool = alert(folder.path()).env("PSO_ALERT_ATTEMPT_TIMEOUT", "500ms").arg("--exit-zero");
    tool.stdin(trouble()).run().unwrap().assert_code(0).assert_quiet();
    let taken = sink.accepted();
    let keys: Vec<_> = taken.iter().map(|seen| seen.header("Idempotency-Key").expect("a key")).collect();
    assert_eq!((taken.len(), keys[0] == keys[1], taken[0].body == taken[1].body), (2, true, true));
}

#[test]
fn what_a_channel_without_its_variable_is_to_be_told_waits_for_it() {
    let sink = WebhookSink::start().unwrap();
    let folder = deployment(
        "alerts: {webhook: {enabled: true, url: '${HOOK}', min_severity: high}, file: {enabled: true, path: told.jsonl}}\n",
    );
    let outcome = alert(folder.path()).stdin(check("inc-1", "critical")).run().unwrap();
    outcome.assert_code(3).assert_stderr_has("HOOK is not set");
    let said = outcome.record("alert.delivery", "webhook");
    assert!(said["message"].as_str().unwrap().ends_with("; 1 notice waits until it can be told"), "{outcome}");
    let info = record("script.result", "inc-2", "warning", &json!({}));
    alert(folder.path()).args(["--min-severity", "warning"]).stdin(info).run().unwrap().assert_code(3);
    let told_file = || fs::read_to_string(folder.path().join("told.jsonl")).unwrap();
    assert!(told_file().contains("the channel webhook cannot be told: "), "{}", told_file());
    flush(folder.path()).env("HOOK", sink.generic_url()).run().unwrap().assert_code(0);
    // Not what it does not want.
    let names: Vec<String> = told(&sink).into_iter().map(|(name, _)| name).collect();
    assert!(names.contains(&"inc-1".to_owned()) && !names.contains(&"inc-2".to_owned()), "{names:?}");
    assert!(
        told_file().lines().any(|line| line.contains("channel.failed") && line.contains("resolved")),
        "{}",
        told_file()
    );
}

#[test]
fn ten_thousand_incidents_reach_several_channels_in_little_memory() {
    let folder = deployment(
        "alerts:\n  file: {enabled: true, path: one.jsonl}\n  other: {type: file, enabled: true, path: two.jsonl}\n  \
         stdout: {enabled: true}\n",
    );
    let bad = json!({"status": "unhealthy", "elapsed_ms": 1});
    let all: String = (0..10_000).map(|n| record("health.check", &format!("inc-{n:05}"), "critical", &bad)).collect();
    let more = json!({"round": 1, "checks": 1, "hanging": 0, "missed": 0, "elapsed_ms": 1});
    let round = record("health.round", "round", "critical", &more);
    let mut running = alert(folder.path()).spawn().unwrap();
    let mut stdin = running.stdin.take().expect("open");
    stdin.write_all([start(), all, round].concat().as_bytes()).unwrap();
    for name in ["one.jsonl", "two.jsonl"] {
        let told = || fs::read_to_string(folder.path().join(name)).map_or(0, |text| text.lines().count());
        until("all are told", 3 * LIMIT, || (told() >= 10_000).then_some(())).unwrap();
    }
    let status = fs::read_to_string(format!("/proc/{}/status", running.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    let kib: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    drop(stdin);
    running.finish().unwrap().assert_code(2);
    assert!(kib < 64 << 10, "{kib} KiB");
}
