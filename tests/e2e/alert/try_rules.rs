//! `pso-alert try`: what rules would have told of records that were kept.

use std::fs;

use pso_tests::tool::Outcome;
use pso_tests::webhook::WebhookSink;
use serde_json::{Value, json};

use super::{alert, deployment, down, end, record, rules, start};

fn cpu(value: f64, minute: u32) -> String {
    let at = format!("{:02}:{:02}:00", 9 + minute / 60, minute % 60);
    record("health.metric", "cpu_usage", "ok", &json!({"value": value, "unit": "percent", "elapsed_ms": 1}))
        .replace("09:00:00", &at)
}

/// How often each state was written, with whether people would have been told.
fn told(outcome: &Outcome) -> Vec<(String, String, usize)> {
    let mut all: Vec<(String, String, usize)> = Vec::new();
    for notice in outcome.records_of_kind("alert.notice") {
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let (state, telling) = (text(&notice["state"]), text(&notice["told"]));
        match all.last_mut() {
            Some(last) if last.0 == state && last.1 == telling => last.2 += 1,
            _ => all.push((state, telling, 1)),
        }
    }
    all
}

#[test]
fn the_records_own_time_passes_and_nobody_is_told() {
    let sink = WebhookSink::start().unwrap();
    let folder = deployment(&format!("alerts: {{webhook: {{enabled: true, url: '{}'}}}}\n", sink.generic_url()));
    // 20 minutes too busy, then fine; then busy for 3 minutes only.
    let busy: String = (0..=20).map(|minute| cpu(92.0, minute)).collect();
    let input = [busy, cpu(10.0, 21), cpu(92.0, 30), cpu(92.0, 33), cpu(10.0, 34)].concat();
    let outcome = alert(folder.path()).arg("try").stdin(input).run().unwrap();
    outcome.assert_code(1);
    let said = |state: &str, telling: &str, times: usize| (state.to_owned(), telling.to_owned(), times);
    assert_eq!(
        told(&outcome),
        [
            said("pending", "pending", 5),
            said("firing", "now", 1),
            said("firing", "already", 15),
            said("resolved", "now", 1),
            said("pending", "pending", 2),
        ],
        "{outcome}"
    );
    assert_eq!(
        outcome.stderr,
        "pso-alert: of 25 records, config/alerts.yaml would have told 2 notices about 1 incident, in 2 messages a channel at most\n"
    );
    assert!(sink.requests().is_empty());
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["config"], "no state is kept");
}

#[test]
fn each_run_of_a_recorded_week_stands_for_itself() {
    let folder = deployment("");
    let finding = record("audit.finding", "open_port:5432", "high", &json!({}));
    let day = |day: u8, records: &str| records.replace("2026-11-22", &format!("2026-11-{day}"));
    // Found on two Mondays, and closed before the third.
    let found = [start(), finding, end("high", 2)].concat();
    let input = [day(2, &found), day(9, &found), day(16, &[start(), end("ok", 0)].concat())].concat();
    let input = input.replace("2026-11-2T", "2026-11-02T").replace("2026-11-9T", "2026-11-09T");
    let outcome = alert(folder.path()).arg("try").stdin(input).run().unwrap();
    let notices = outcome.records_of_kind("alert.notice");
    let said: Vec<_> = notices
        .iter()
        .map(|it| (it["at"].as_str().unwrap(), it["state"].as_str().unwrap(), it["told"].as_str().unwrap()))
        .collect();
    // `at` is when it would have been told.
    let expected = [
        ("2026-11-02T09:00:00.000Z", "firing", "now"),
        ("2026-11-09T09:00:00.000Z", "firing", "now"),
        ("2026-11-16T09:00:00.000Z", "resolved", "now"),
    ];
    assert_eq!(said, expected, "{outcome}");
}

#[test]
fn other_rules_can_be_tried_than_those_in_effect() {
    let folder = deployment("");
    fs::write(folder.path().join("new.yaml"), "rules: [{name: health.check, for: 1h}]\n").unwrap();
    let input = [start(), down(), end("critical", 2)].concat();
    let outcome = alert(folder.path()).arg("try").stdin(input.clone()).run().unwrap();
    outcome
        .assert_code(2)
        .assert_stderr_has("config/alerts.yaml would have told 1 notice about 1 incident, in 1 message");
    assert_eq!(rules(&outcome), ["health.check"]);
    let outcome = alert(folder.path()).args(["try", "--rules", "new.yaml"]).stdin(input).run().unwrap();
    outcome.assert_code(0);
    assert_eq!(outcome.stderr, "pso-alert: of 3 records, new.yaml would have told nothing\n");
    alert(folder.path()).args(["try", "--rules", "none.yaml"]).run().unwrap().assert_code(3);
}

#[test]
fn lines_that_are_no_records_are_said() {
    let folder = deployment("");
    let outcome =
        alert(folder.path()).arg("try").stdin([start(), "nonsense\n".to_owned(), end("ok", 0)].concat()).run().unwrap();
    outcome.assert_code(3).assert_stderr_has("line 2 of the input is not a record");
    let unended = alert(folder.path()).arg("try").stdin(start()).run().unwrap();
    unended.assert_code(2);
    assert_eq!(rules(&unended), ["run.unfinished"]);
}

#[test]
fn a_week_of_records_takes_seconds() {
    let folder = deployment("");
    // Every minute of a week; each night it is too busy for an hour.
    let minute = |at: u32| {
        let value = if at % 1440 < 60 { 95 } else { 20 };
        let stamp = format!("2026-11-{:02}T{:02}:{:02}:00", 10 + at / 1440, at / 60 % 24, at % 60);
        record("health.metric", "cpu_usage", "ok", &json!({"value": value, "unit": "percent", "elapsed_ms": 1}))
            .replace("2026-11-22T09:00:00", &stamp)
    };
    let outcome = alert(folder.path()).arg("try").stdin((0..7 * 1440).map(minute).collect::<String>()).run().unwrap();
    outcome.assert_code(1);
    outcome.assert_stderr_has(
        "of 10080 records, config/alerts.yaml would have told 14 notices about 1 incident, in 14 messages",
    );
}
