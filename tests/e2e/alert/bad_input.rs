//! Records that nobody in their right mind would write: all of them are read, told and survived.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use pso_tests::tool::Outcome;
use serde_json::{Value, json};

use super::{alert, cpu, deployment, down, end, record, rules, start};

/// Feeds the input and says how much memory the tool needed for it, in MiB.
fn fed(folder: &Path, input: impl Iterator<Item = String>) -> (Outcome, u64) {
    let mut running = alert(folder).args(["--exit-zero", "--state", "state.db"]).spawn().expect("begun");
    let mut stdin = running.stdin.take().expect("open");
    for text in input {
        stdin.write_all(text.as_bytes()).expect("it reads on");
    }
    // All but the last of it, which lies in the pipe, was taken.
    let status = fs::read_to_string(format!("/proc/{}/status", running.id())).expect("running");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    let kib: u64 = peak.trim().trim_end_matches(" kB").parse().expect("a number");
    drop(stdin);
    (running.finish().expect("ends"), kib / 1024)
}

#[test]
fn a_million_records_need_no_more_memory_than_a_thousand() {
    let folder = deployment("");
    let block: String = (0..1000).map(|at| cpu(f64::from(at % 70))).collect();
    let (outcome, mib) = fed(folder.path(), (0..1000).map(|_| block.clone()));
    outcome.assert_code(0).assert_quiet();
    assert!(mib < 64, "{mib} MiB");
}

#[test]
fn a_record_of_ten_megabytes_is_one_notice_of_a_few_hundred_bytes() {
    let folder = deployment("");
    let huge =
        record("script.result", "n", "high", &json!({"message": "m".repeat(5 << 20), "dump": "x".repeat(5 << 20)}));
    let (outcome, mib) = fed(folder.path(), [start(), huge, end("high", 2)].into_iter());
    outcome.assert_code(0);
    let notices = outcome.records_of_kind("alert.notice");
    assert_eq!(notices.len(), 1, "{outcome}");
    assert!(notices[0].to_string().len() < 2_000);
    assert!(mib < 128, "{mib} MiB");
}

#[test]
fn names_and_labels_without_end_are_cut_and_stay_apart() {
    let folder = deployment("");
    let labels: serde_json::Map<String, Value> =
        (0..10_000).map(|at| (format!("label{at:05}"), json!("v".repeat(100)))).collect();
    let named = |end: &str| record("script.result", &("n".repeat(1 << 20) + end), "high", &json!({}));
    let input = [
        start(),
        record("script.result", "labelled", "high", &json!({"labels": labels})),
        named("a"),
        named("b"),
        end("high", 2),
    ];
    let (outcome, mib) = fed(folder.path(), input.into_iter());
    outcome.assert_code(0);
    let notices = outcome.records_of_kind("alert.notice");
    let mut incidents: Vec<&str> = notices.iter().map(|notice| notice["incident"].as_str().expect("a text")).collect();
    incidents.sort_unstable();
    incidents.dedup();
    assert_eq!(incidents.len(), 3, "{outcome}");
    assert!(notices.iter().all(|notice| notice.to_string().len() < 3_000), "{outcome}");
    assert!(mib < 64, "{mib} MiB");
}

#[test]
fn numbers_times_and_depths_beyond_reason_are_said_and_survived() {
    let folder = deployment("rules: [{name: deep, match: {kind: script.result}, field: a.b, above: 1}]\n");
    let raw = |kind: &str, at: &str, fields: &str| {
        format!(
            "{{\"schema\":1,\"kind\":\"{kind}\",\"at\":\"{at}\",\"tool\":\"pso-health\",\"host\":\"web-1\",\"severity\":\"ok\",\"name\":\"cpu_usage\",\"message\":\"\"{fields}}}\n"
        )
    };
    let metric = |at: &str, value: &str| {
        raw("health.metric", at, &format!(",\"unit\":\"percent\",\"elapsed_ms\":1,\"value\":{value}"))
    };
    let now = "2026-11-22T09:00:00Z";
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let input = [
        start(),
        metric(now, "1e999"),
        metric(now, "-0"),
        metric(now, "\"NaN\""),
        metric(now, "NaN"),
        metric("9999-12-31T23:59:59Z", "1"),
        metric("1970-01-01T00:00:00Z", "1"),
        metric("0000-01-01T00:00:00Z", "1"),
        metric("2026-02-30T00:00:00Z", "1"),
        raw("script.result", now, &format!(",\"a\":{deep}")),
        raw("script.result", now, ",\"a\":{\"b\":1e400}"),
        down(),
        end("critical", 2),
    ];
    let outcome = alert(folder.path()).args(["--state", "state.db"]).stdin(input.concat()).run().unwrap();
    outcome.assert_code(3);
    let told = rules(&outcome);
    assert!(told.contains(&"health.check".to_owned()) && told.contains(&"input.malformed".to_owned()), "{outcome}");
    assert_eq!(told.len(), 2, "{outcome}");
    assert_eq!(outcome.record("alert.notice", "input.malformed")["count"], 6, "{outcome}");
    // The record of the year 9999 has not stopped the clock: what is well again is told.
    let well = record("health.check", "service", "ok", &json!({"elapsed_ms": 1})).replace("09:00:00", "09:01:00");
    let outcome =
        alert(folder.path()).args(["--state", "state.db"]).stdin([start(), well, end("ok", 0)].concat()).run().unwrap();
    assert_eq!(outcome.record("alert.notice", "health.check")["state"], "resolved", "{outcome}");
}
