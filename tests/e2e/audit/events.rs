//! Security events: what `pso-logscan` finds, piped into `pso-audit -`.

use std::fmt::Write as _;

use pso_tests::tool::{Outcome, Tool};

use super::deployment::Deployment;
use super::{finding, findings, section, text};

const EVENTS: [&str; 3] = ["-", "--only", "events"];

/// What a pipe of the two gives.
fn piped(deployment: &Deployment, last: &str, more: &[&str]) -> Outcome {
    let args = ["--events", "security", "--last", last, "logs"];
    let scanned = Tool::new("pso-logscan").expect("built").args(args).folder(deployment.root()).run().expect("ends");
    deployment.tool(&[&EVENTS[..], more].concat()).stdin(scanned.stdout).run().expect("ends")
}

fn log(lines: &[(u32, &str)]) -> String {
    lines.iter().fold(String::new(), |mut text, (second, line)| {
        let _ = writeln!(text, "2025-06-12T09:{:02}:{:02}.000Z WARN [api] {line}", second / 60, second % 60);
        text
    })
}

#[test]
fn a_burst_is_told_with_its_source_and_a_guessed_password_is_critical() {
    let deployment = Deployment::sane();
    let mut lines: Vec<(u32, &str)> =
        (0..6).map(|at| (at * 20, "authentication failed for user admin from 203.0.113.7")).collect();
    lines.extend(
        (0..5).map(|at| (at * 30, "FATAL: password authentication failed for user \"sync_user\" ip=203.0.113.9")),
    );
    lines.push((130, "authentication succeeded user=sync_user ip=203.0.113.9"));
    // Too few, and too far apart.
    lines.extend((0..4).map(|at| (at * 10, "authorization denied: GET /x from 198.51.100.1")));
    lines.extend((0..5).map(|at| (at * 700, "authorization denied: GET /x from 198.51.100.2")));
    deployment.write("logs/a.log", log(&lines[..8]), 0o640);
    deployment.write("logs/b.log", log(&lines[8..]), 0o640);
    let outcome = piped(&deployment, "1000", &[]);
    outcome.assert_code(2);
    assert_eq!(findings(&outcome), ["guessed:203.0.113.9", "burst:203.0.113.7"], "{outcome}");
    let burst = finding(&outcome, "burst:203.0.113.7").expect("told");
    let evidence = &burst["evidence"];
    assert_eq!((&evidence["failures"], &evidence["users"]), (&"6".into(), &"admin".into()));
    assert_eq!(evidence["examples"], "logs/a.log:1, logs/a.log:2, logs/a.log:3");
    assert_eq!(
        (text(evidence, "first_at"), text(evidence, "last_at")),
        ("2025-06-12T09:00:00.000Z", "2025-06-12T09:01:40.000Z")
    );
    let guessed = finding(&outcome, "guessed:203.0.113.9").expect("told");
    assert_eq!((&guessed["severity"], &guessed["evidence"]["success"]), (&"critical".into(), &"logs/b.log:4".into()));
    let end = section(&outcome, "events");
    assert_eq!(end["examined"], 21, "{outcome}");
    assert!(text(&end, "message").starts_with("12 authentication (11 failed), 9 authorization (9 failed)"), "{end}");
    // What came in goes out again.
    assert_eq!(outcome.records_of_kind("log.event").len(), 21);
    assert!(!outcome.records_of_kind("log.coverage").is_empty());
}

#[test]
fn limits_are_configurable() {
    let deployment = Deployment::sane();
    let line = "authentication failed from 203.0.113.7";
    deployment.write("logs/a.log", log(&[(0, line), (50, line)]), 0o640);
    piped(&deployment, "10", &[]).assert_code(0);
    let config =
        |minutes| format!("maintenance: {{audit: {{events: {{burst_count: 2, burst_minutes: {minutes}}}}}}}\n");
    deployment.write("config/config.yaml", config(1), 0o640);
    let outcome = piped(&deployment, "10", &[]);
    outcome.assert_code(1);
    assert_eq!(findings(&outcome), ["burst:203.0.113.7"]);
    deployment.write("config/config.yaml", config(0), 0o640);
    let outcome = piped(&deployment, "10", &[]);
    outcome.assert_code(3).assert_stderr_has("burst_minutes must lie between");
}

#[test]
fn a_cut_is_told_and_so_is_nothing_at_all() {
    let deployment = Deployment::sane();
    let lines: Vec<(u32, &str)> =
        (0..40).map(|at| (at * 90, "authorization denied: GET /x from 198.51.100.1")).collect();
    deployment.write("logs/a.log", log(&lines), 0o640);
    let outcome = piped(&deployment, "3", &[]);
    outcome.assert_code(1);
    let cut = finding(&outcome, "events_left_out:stdin").expect("told");
    assert!(text(&cut, "message").contains("counted 40 events and wrote only the last 3"), "{cut}");
    // Whoever names the class wants what there is of it: that is the pipe of the documentation.
    let args = ["--events", "security", "logs"];
    let scanned = Tool::new("pso-logscan").expect("built").args(args).folder(deployment.root()).run().expect("ends");
    let outcome = deployment.tool(&EVENTS).stdin(scanned.stdout).run().expect("ends");
    assert_eq!(findings(&outcome), ["burst:198.51.100.1"], "{outcome}");
    let outcome = deployment.run(&["--only", "events"]);
    outcome.assert_code(0);
    assert!(
        text(&section(&outcome, "events"), "message").starts_with("no events were given: pso-logscan"),
        "{outcome}"
    );
}

#[test]
fn a_burst_is_seen_behind_many_other_events() {
    let deployment = Deployment::sane();
    let failed: Vec<(u32, &str)> = (0..6).map(|at| (at, "authentication failed from 203.0.113.7")).collect();
    let noise: Vec<(u32, &str)> = (10..3_000).map(|at| (at, "security policy read")).collect();
    deployment.write("logs/a.log", log(&[failed, noise].concat()), 0o640);
    let outcome = piped(&deployment, "100000", &[]);
    assert_eq!(findings(&outcome), ["burst:203.0.113.7"], "{outcome}");
    assert_eq!(findings(&piped(&deployment, "1000", &[])), ["events_left_out:stdin"]);
}

#[test]
fn whoever_tries_names_nobody_else_as_the_source() {
    let deployment = Deployment::sane();
    let lines = [
        "authentication: Failed password for invalid user root from 198.51.100.1 port 22 from 203.0.113.7 port 4711 ssh2",
        "authentication failed for user \"x from 198.51.100.1\" from 203.0.113.7",
        "authentication failed ip=203.0.113.7 user=ip=198.51.100.1",
    ];
    let lines: Vec<(u32, &str)> = (0..6).zip(lines.into_iter().cycle()).collect();
    deployment.write("logs/a.log", log(&lines), 0o640);
    assert_eq!(findings(&piped(&deployment, "1000", &[])), ["burst:203.0.113.7"]);
}

#[test]
fn lines_that_are_no_records_are_told_and_the_rest_is_read() {
    let deployment = Deployment::sane();
    let line = "authentication failed from 203.0.113.7";
    deployment.write("logs/a.log", log(&[(0, line), (1, line), (2, line), (3, line), (4, line)]), 0o640);
    let args = ["--events", "security", "logs"];
    let scanned = Tool::new("pso-logscan").expect("built").args(args).folder(deployment.root()).run().expect("ends");
    let input = [b"no record\n", scanned.stdout.as_slice()].concat();
    let outcome = deployment.tool(&EVENTS).stdin(input).run().expect("ends");
    assert_eq!(outcome.code, Some(3), "{outcome}");
    outcome.assert_stderr_has("line 1");
    assert_eq!(findings(&outcome), ["burst:203.0.113.7"], "{outcome}");
}
