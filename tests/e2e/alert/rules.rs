//! Rules of `config/alerts.yaml`, from records to what is told.

use std::fs;
use std::path::Path;

use pso_tests::tool::Outcome;
use serde_json::{Value, json};

use super::{alert, deployment, end, record, rules, start};

/// A metric that nobody has judged, at this minute after 9.
fn metric(name: &str, value: f64, minute: u8, labels: &Value) -> String {
    let more = json!({"value": value, "unit": "seconds", "elapsed_ms": 1, "labels": labels});
    record("health.metric", name, "ok", &more).replace("09:00:00", &format!("09:{minute:02}:00"))
}

fn judged(folder: &Path, input: &str) -> Outcome {
    alert(folder).args(["--state", "state.db"]).stdin(input).run().expect("ends")
}

/// State, telling, severity and message of each notice.
fn notices(outcome: &Outcome) -> Vec<[String; 4]> {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let notice = |record: &Value| ["state", "told", "severity", "message"].map(|field| text(&record[field]));
    outcome.records_of_kind("alert.notice").iter().map(notice).collect()
}

const SLOW: &str = r#"
rules:
  - name: slow-sync
    match: {kind: health.metric, name: "sync_*", tool: pso-health, labels: {host: "web-*", node: "n*"}}
    above: 60
    for: 5m
    severity: high
    message: "Sync of {labels.node} takes {value} s on {labels.host}, {nothing}"
    runbook: https://wiki.example/sync
"#;

#[test]
fn a_rule_of_ones_own_waits_for_as_long_as_it_says() {
    let folder = deployment(SLOW);
    let node = json!({"node": "n1"});
    let run = |minute: u8, value: f64| {
        judged(folder.path(), &[start(), metric("sync_time", value, minute, &node), end("ok", 0)].concat())
    };
    let message = |value: &str| format!("Sync of n1 takes {value} s on web-1, {{nothing}}");
    let said = |state: &str, told: &str, message: String| {
        vec![[state.to_owned(), told.to_owned(), "high".to_owned(), message]]
    };
    let first = run(0, 75.5);
    first.assert_code(2);
    assert_eq!(notices(&first), said("pending", "pending", message("75.5")));
    assert_eq!(notices(&run(4, 76.0)), said("pending", "pending", message("76")));
    let fired = run(5, 77.0);
    assert_eq!(notices(&fired), said("firing", "now", message("77")));
    assert_eq!(fired.record("alert.notice", "slow-sync")["runbook"], "https://wiki.example/sync");
    assert_eq!(notices(&run(6, 78.0)), said("firing", "already", message("78")));
    let over = run(7, 60.0);
    over.assert_code(0);
    let text = format!("resolved: {}", message("78"));
    assert_eq!(notices(&over), [["resolved".to_owned(), "now".to_owned(), "ok".to_owned(), text]]);
    // Another node is another incident, and other records are not this rule's.
    let other = [
        start(),
        metric("sync_time", 99.0, 8, &json!({"node": "x1"})),
        metric("sync_time", 99.0, 8, &json!({})),
        end("ok", 0),
    ];
    assert!(notices(&judged(folder.path(), &other.concat())).is_empty());
}

#[test]
fn what_a_rule_cannot_judge_is_said_once_and_judged_by_its_severity() {
    let folder = deployment("rules:\n  - {name: r, match: {kind: script.result}, field: rows.lost, above: 0}\n");
    let script = |severity: &str, more: Value| record("script.result", "import", severity, &more);
    let input = [
        start(),
        script("ok", json!({"rows": {"lost": 0}})),
        script("ok", json!({"rows": 7})),
        script("high", json!({"rows": {"lost": "many"}})),
        end("high", 2),
    ];
    let outcome = judged(folder.path(), &input.concat());
    outcome.assert_code(3);
    assert_eq!(outcome.stderr.lines().filter(|line| line.contains("the rule r cannot judge")).count(), 1, "{outcome}");
    outcome.assert_stderr_has(
        "the rule r cannot judge the record import (script.result) of pso-health: it has no field `rows.lost`",
    );
    let mut told = rules(&outcome);
    told.sort();
    assert_eq!(told, ["input.malformed", "record.severity"], "{outcome}");
    let lost = [start(), script("ok", json!({"rows": {"lost": 3}})), end("ok", 0)];
    let outcome = judged(folder.path(), &lost.concat());
    outcome.assert_code(1);
    assert!(rules(&outcome).contains(&"r".to_owned()), "{outcome}");
}

#[test]
fn rules_of_ours_can_be_changed_and_turned_off() {
    let folder = deployment(
        "rules:\n  - {name: cpu_usage, for: 0s, severity: critical, message: \"CPU of {host} at {value} %\"}\n  - {name: memory_usage, enabled: false}\n  - {name: input.empty, enabled: false}\n",
    );
    let usage =
        |name: &str| record("health.metric", name, "ok", &json!({"value": 99, "unit": "percent", "elapsed_ms": 1}));
    let outcome = judged(folder.path(), &[start(), usage("cpu_usage"), usage("memory_usage"), end("ok", 0)].concat());
    outcome.assert_code(2);
    assert_eq!(rules(&outcome), ["cpu_usage"], "{outcome}");
    assert_eq!(outcome.record("alert.notice", "cpu_usage")["message"], "CPU of web-1 at 99 %");
    judged(deployment("rules: [{name: input.empty, enabled: false}]\n").path(), "").assert_code(0);
}

#[test]
fn the_specifications_cpu_alert_takes_five_minutes() {
    let folder = deployment(super::SPECIFICATION);
    fs::write(folder.path().join("config/alerts.yaml"), "thresholds: {cpu_usage: 80}\n").unwrap();
    let cpu = |minute: u8| {
        let more = json!({"value": 92.5, "unit": "percent", "elapsed_ms": 1});
        let record =
            record("health.metric", "cpu_usage", "ok", &more).replace("09:00:00", &format!("09:{minute:02}:00"));
        let outcome = judged(folder.path(), &[start(), record, end("ok", 0)].concat());
        outcome.record("alert.notice", "cpu_usage")["told"].as_str().expect("a text").to_owned()
    };
    assert_eq!([0, 2, 4, 5, 6].map(cpu), ["pending", "pending", "pending", "now", "already"]);
}

#[test]
fn a_clock_that_is_ahead_ends_nothing() {
    let folder = deployment("");
    let ahead = |text: String| text.replace("2026-11-22T09:00:00", "2093-11-22T09:00:00");
    let result = |severity: &str| ahead(record("script.result", "import", severity, &json!({})));
    let run = |severity: &str| {
        let ended = if severity == "ok" { end("ok", 0) } else { end("high", 2) };
        judged(folder.path(), &[ahead(start()), result(severity), ahead(ended)].concat())
    };
    let states =
        |outcome: &Outcome| notices(outcome).into_iter().map(|[state, told, ..]| (state, told)).collect::<Vec<_>>();
    let said = |state: &str, told: &str| vec![(state.to_owned(), told.to_owned())];
    assert_eq!(states(&run("high")), said("firing", "now"));
    assert_eq!(states(&run("high")), said("firing", "already"));
    assert_eq!(states(&run("ok")), said("resolved", "now"));
}

#[test]
fn what_a_later_run_no_longer_mentions_is_over() {
    let folder = deployment("");
    let at = |text: String, minute: u8| text.replace("09:00:00", &format!("09:{minute:02}:00"));
    let result = |name: &str, minute: u8| at(record("script.result", name, "high", &json!({})), minute);
    let run = |minute: u8, results: &[String]| {
        judged(folder.path(), &[at(start(), minute), results.concat(), at(end("high", 2), minute + 1)].concat())
    };
    let told = |outcome: &Outcome| {
        let notices = outcome.records_of_kind("alert.notice");
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        notices.iter().map(|notice| (text(&notice["labels"]["name"]), text(&notice["state"]))).collect::<Vec<_>>()
    };
    let said = |name: &str, state: &str| (name.to_owned(), state.to_owned());
    assert_eq!(told(&run(0, &[result("a", 0), result("b", 0)])), [said("a", "firing"), said("b", "firing")]);
    assert_eq!(told(&run(10, &[result("b", 10)])), [said("a", "resolved"), said("b", "firing")]);
    // Two runs in one pipe are one look at everything.
    let both = [
        at(start(), 20),
        result("b", 20),
        at(end("high", 2), 21),
        at(start(), 22),
        result("c", 22),
        at(end("high", 2), 23),
    ];
    let mut told = told(&judged(folder.path(), &both.concat()));
    told.sort();
    assert_eq!(told, [said("b", "firing"), said("c", "firing")]);
}
