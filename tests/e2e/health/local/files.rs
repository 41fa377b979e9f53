//! Logs and plans.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::Command;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::{Folder, as_nobody};

fn date(folder: &Folder, below: &str, at: SystemTime) {
    let file = File::options().write(true).open(folder.path(below)).expect("there");
    file.set_modified(at).expect("dated");
}

fn ago(seconds: u64) -> SystemTime {
    SystemTime::now() - Duration::from_secs(seconds)
}

fn close(folder: &Folder, below: &str) {
    fs::set_permissions(folder.path(below), fs::Permissions::from_mode(0o000)).expect("closed");
}

fn near(record: &Value, seconds: f64) {
    let value = record["value"].as_f64().expect("a number");
    assert!(value >= seconds && value < seconds + 60.0, "{record:#}");
}

#[test]
fn the_log_that_was_written_last_counts() {
    let folder = Folder::new();
    for (name, age) in [("sync-engine.log", 90), ("conflicts.log", 7200), ("old.log.1", 5)] {
        folder.write(&format!("logs/{name}"), "x\n");
        date(&folder, &format!("logs/{name}"), ago(age));
    }
    let outcome = folder.run("logs");
    outcome.assert_code(0).assert_quiet();
    let age = outcome.record("health.metric", "log_age");
    near(&age, 90.0);
    assert!(age.get("limit").is_none() && age.get("labels").is_none(), "no limit without a reason: {age:#}");
    assert!(age["message"].as_str().is_some_and(|text| text.contains("logs/sync-engine.log")), "{age:#}");
    assert_eq!(outcome.record("health.check", "logs")["message"], "logs in logs: 2, 4 B together");

    let outcome = folder.tool("logs").args(["--limit", "log_age=1m:1h"]).run().expect("ends");
    outcome.assert_code(1);
    assert_eq!(outcome.record("health.metric", "log_age")["severity"], "warning");
}

#[test]
fn named_logs_are_judged_one_by_one() {
    let folder = Folder::new();
    folder.config("{limits: {log_age: 1h}, logs: {files: [logs/sync-engine.log, logs/conflicts.log, logs/gone.log]}}");
    for (name, age) in [("sync-engine.log", 90), ("conflicts.log", 7200)] {
        folder.write(&format!("logs/{name}"), "x\n");
        date(&folder, &format!("logs/{name}"), ago(age));
    }
    let outcome = folder.run("logs");
    outcome.assert_code(3).assert_quiet();
    let ages: Vec<_> = outcome
        .records_of_kind("health.metric")
        .iter()
        .map(|record| (record["labels"]["path"].clone(), record["severity"].clone()))
        .collect();
    assert_eq!(ages, [(json!("logs/sync-engine.log"), json!("ok")), (json!("logs/conflicts.log"), json!("warning"))]);
    let gone = outcome.record("health.check", "logs.file");
    assert_eq!((&gone["severity"], &gone["labels"]["path"]), (&json!("unknown"), &json!("logs/gone.log")));
    assert_eq!(outcome.record("health.check", "logs")["message"], "logs looked at: 2 of 3");
}

#[test]
fn logs_grow_between_two_runs_and_through_a_rotation() {
    let folder = Folder::new();
    let run = || folder.tool("logs").args(["--state", "state.json"]).run().expect("ends");
    folder.write("logs/a.log", "x".repeat(1000));
    folder.write("logs/b.log", "x".repeat(500));
    assert!(!run().records().iter().any(|record| record["name"] == "log_growth"), "nothing to compare with");
    folder.write("logs/a.log", "x".repeat(1300));
    // Rotated: what stands in it now is new.
    folder.write("logs/b.log", "x".repeat(40));
    let outcome = run();
    let growth = outcome.record("health.metric", "log_growth");
    assert_eq!((&growth["value"], &growth["unit"]), (&json!(340.0), &json!("bytes")), "{outcome}");
}

#[test]
fn logs_that_are_missing_strange_or_closed_are_one_record_each() {
    let folder = Folder::new();
    let outcome = folder.run("logs");
    outcome.assert_code(1).assert_quiet();
    let logs = outcome.record("health.check", "logs");
    assert_eq!((&logs["severity"], outcome.records().len()), (&json!("warning"), 3), "{outcome}");
    assert!(logs["message"].as_str().is_some_and(|text| text.starts_with("there is no folder logs")), "{logs:#}");

    folder.write("logs", "a file where a folder should be");
    let outcome = folder.run("logs");
    outcome.assert_code(3).assert_quiet();
    assert_eq!(outcome.records().len(), 3, "{outcome}");
    fs::remove_file(folder.path("logs")).expect("removed");

    folder.write("logs/good.log", "x\n");
    folder.write("logs/future.log", "x\n");
    date(&folder, "logs/future.log", SystemTime::now() + Duration::from_secs(7200));
    fs::create_dir(folder.path("logs/folder.log")).expect("created");
    symlink("nowhere", folder.path("logs/dead.log")).expect("linked");
    let made = Command::new("mkfifo").arg(folder.path("logs/pipe.log")).status().expect("run");
    assert!(made.success());
    let strange = folder.path("logs").join(OsStr::from_bytes(b"caf\xe9\n.log"));
    fs::create_dir(&strange).expect("created");
    let outcome = folder.run("logs");
    outcome.assert_code(3).assert_quiet();
    let files: Vec<(String, String)> = outcome
        .records()
        .iter()
        .filter(|record| record["name"] == "logs.file")
        .map(|record| {
            let text = |value: &Value| value.as_str().expect("a text").to_owned();
            (text(&record["message"]), text(&record["severity"]))
        })
        .collect();
    let expected = [
        ("logs/caf\u{fffd} .log: it is no file", "unknown"),
        ("logs/dead.log: No such file or directory (os error 2)", "unknown"),
        ("logs/folder.log: it is no file", "unknown"),
        ("logs/pipe.log: it is no file", "unknown"),
    ];
    let (future, others): (Vec<_>, Vec<_>) = files.iter().partition(|(message, _)| message.contains("future.log"));
    let others: Vec<_> = others.iter().map(|(message, severity)| (message.as_str(), severity.as_str())).collect();
    assert_eq!(others, expected, "{outcome}");
    near(&outcome.record("health.metric", "log_age"), 0.0);
    assert!(future.len() == 1 && future[0].1 == "warning" && future[0].0.contains("from now"), "{outcome}");
}

#[test]
fn a_folder_full_of_what_is_no_log_does_not_flood() {
    let folder = Folder::new();
    folder.write("logs/z.log", "x\n");
    for number in 0..200 {
        fs::create_dir(folder.path(&format!("logs/{number}.log"))).expect("created");
    }
    let outcome = folder.run("logs");
    outcome.assert_code(3).assert_quiet();
    let named = outcome.records().iter().filter(|record| record["name"] == "logs.file").count();
    assert_eq!(named, 20, "{outcome}");
    let said = outcome.record("health.check", "logs");
    assert_eq!(said["severity"], "unknown");
    assert!(said["message"].as_str().is_some_and(|text| text.contains("180 more")), "{said:#}");
    near(&outcome.record("health.metric", "log_age"), 0.0);
}

#[test]
fn what_may_not_be_read_is_named() {
    let folder = Folder::new();
    folder.write("logs/open.log", "x\n");
    folder.write("logs/closed.log", "x\n");
    close(&folder, "logs/closed.log");
    folder.write("roadmaps/plans/open.md", "# Plan\n");
    folder.write("roadmaps/plans/closed.md", "# Plan\n");
    close(&folder, "roadmaps/plans/closed.md");
    folder.write("roadmaps/plans/below/far.md", "# Plan\n");
    close(&folder, "roadmaps/plans/below");
    let outcome = as_nobody(&folder, "logs,plans");
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(3), ""), "{outcome}");
    let log = outcome.record("health.check", "logs.file");
    assert_eq!(log["message"], "logs/closed.log: Permission denied (os error 13)");
    assert!(outcome.records().iter().any(|record| record["name"] == "log_age"), "the other is judged: {outcome}");
    let plans = outcome.record("health.check", "plans");
    assert_eq!(plans["severity"], "high");
    let message = plans["message"].as_str().expect("a message");
    for path in ["roadmaps/plans/closed.md: Permission denied", "roadmaps/plans/below: Permission denied"] {
        assert!(message.contains(path), "{message}");
    }
    assert_eq!(outcome.record("health.metric", "plan_files")["value"], 1.0);

    close(&folder, "roadmaps/plans");
    close(&folder, "logs");
    let outcome = as_nobody(&folder, "logs,plans");
    assert_eq!(outcome.records().len(), 4, "one record each: {outcome}");
    assert_eq!(outcome.record("health.check", "logs")["severity"], "unknown");
    assert_eq!(outcome.record("health.check", "plans")["severity"], "high");
}

#[test]
fn plans_are_counted_and_links_do_not_lead_in_circles() {
    let folder = Folder::new();
    for path in ["dev-v48.md", "consolidés/été 🚀.MD", "consolidés/notes.txt", "a/b/c/deep.md"] {
        folder.write(&format!("roadmaps/plans/{path}"), "# Plan\n");
    }
    symlink("..", folder.path("roadmaps/plans/a/up")).expect("linked");
    symlink("dev-v48.md", folder.path("roadmaps/plans/linked.md")).expect("linked");
    fs::create_dir(folder.path("roadmaps/plans/folder.md")).expect("created");
    let latin = folder.path("roadmaps/plans").join(OsStr::from_bytes(b"\xe9t\xe9.md"));
    fs::write(latin, "# Plan\n").expect("written");
    let outcome = folder.run("plans");
    outcome.assert_code(0).assert_quiet();
    let files = outcome.record("health.metric", "plan_files");
    assert_eq!((&files["value"], &files["limit"], &files["minimum"]), (&json!(5.0), &json!(1.0), &json!(true)));
    let plans = outcome.record("health.check", "plans");
    assert_eq!(plans["message"], "plans in roadmaps/plans, all of them readable: 5");

    let outcome = folder.tool("plans").args(["--limit", "plan_files=100"]).run().expect("ends");
    outcome.assert_code(1);
}

#[test]
fn a_folder_of_plans_that_is_missing_or_empty_is_told() {
    let folder = Folder::new();
    let outcome = folder.run("plans");
    outcome.assert_code(2).assert_quiet();
    let plans = outcome.record("health.check", "plans");
    assert_eq!((&plans["severity"], outcome.records().len()), (&json!("high"), 3), "{outcome}");
    assert!(plans["message"].as_str().is_some_and(|text| text.contains("a disk that is not mounted")), "{plans:#}");
    folder.write("roadmaps/plans", "a file where a folder should be");
    let outcome = folder.run("plans");
    outcome.assert_code(2);
    assert_eq!(outcome.records().len(), 3, "{outcome}");
    fs::remove_file(folder.path("roadmaps/plans"))
        .and_then(|()| fs::create_dir(folder.path("roadmaps/plans")))
        .expect("empty");
    let outcome = folder.run("plans");
    outcome.assert_code(1).assert_quiet();
    assert_eq!(outcome.record("health.metric", "plan_files")["severity"], "warning");
    assert_eq!(outcome.record("health.check", "plans")["severity"], "ok", "there is nothing that cannot be read");
}
