//! `pso-logscan` with classes that somebody has added, histograms, and the most frequent types only.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use pso_tests::tool::{Outcome, Tool};
use serde_json::Value;
use tempfile::TempDir;

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

fn scan(folder: &Path, args: &[&str]) -> Tool {
    Tool::new("pso-logscan").expect("built").folder(folder).args(args)
}

/// What a shell says, in the "C" locale, line by line.
fn shell(folder: &Path, script: &str) -> Vec<String> {
    let run = Tool::program("/bin/sh").folder(folder).env("LC_ALL", "C").args(["-c", script]).run().expect("ends");
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{script}\n{run}");
    run.text().lines().map(str::to_owned).collect()
}

fn number(record: &Value, field: &str) -> u64 {
    record[field].as_u64().unwrap_or_else(|| panic!("{field} is no number: {record:#}"))
}

fn text<'r>(record: &'r Value, field: &str) -> &'r str {
    record[field].as_str().unwrap_or_else(|| panic!("{field} is no text: {record:#}"))
}

/// Types of a class and their counts, of the whole window.
fn types(outcome: &Outcome, class: &str) -> BTreeMap<String, u64> {
    let records = outcome.records_of_kind("log.count");
    let of_class = records.iter().filter(|record| record["class"] == class && record.get("bucket_at").is_none());
    let typed = of_class.filter(|record| record.get("type").is_some());
    typed.map(|record| (text(record, "type").to_owned(), number(record, "count"))).collect()
}

/// A log whose lines need many chunks: blanks and carriage returns at their ends, empty lines, bytes that are no UTF-8,
/// colours, stack traces.
fn large_log() -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(3);
    let mut log = Vec::new();
    for number in 0..150_000_u64 {
        let second = number / 10;
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        let stamp = format!("2025-06-12T{hour:02}:{minute:02}:{second:02}.{:03}Z", number % 10 * 100);
        let line = match random.u8(0..40) {
            0 => format!("{stamp} ERROR SyncTimeout took {} ms", random.u32(1..99_999)),
            1 => format!("{stamp} WARN deadlock detected pid={}", random.u8(0..20)),
            2 => format!("{stamp} INFO Deadlock resolved pid={}", random.u8(0..20)),
            3 => format!("{stamp} \u{1b}[31mERROR\u{1b}[0m: disk full"),
            4 => "\tat sync::plan (deadlock)".to_owned(),
            5 => String::new(),
            6 => format!("{stamp} INFO Out of memory: killed (postgres)"),
            _ => format!("{stamp} INFO synchronised plan-dev-v{}.md in {} ms", random.u8(..), random.u16(..)),
        };
        log.extend_from_slice(line.as_bytes());
        match random.u8(0..10) {
            0 => log.extend_from_slice(b"\r\n"),
            1 => log.extend_from_slice(b" caf\xe9\n"),
            2 => log.extend_from_slice(b" \n"),
            _ => log.push(b'\n'),
        }
    }
    log
}

#[test]
fn a_run_with_classes_and_buckets_writes_these_records() {
    let folder = folder();
    let log = "no stamp: ERROR Early\n\
               2025-06-12T08:59:59Z ERROR SyncTimeout deadlock a\n\
               2025-06-12T09:00:00Z ERROR SyncTimeout\n\
               2025-06-12T09:14:59Z ERROR DiskFull deadlock b\n\
               2025-06-12T09:15:00Z INFO deadlock a\n";
    let class = r"dead:high:1=deadlock (\w)$";
    let args = ["-", "--class", class, "--by", "15m", "--top", "1", "--events", "dead", "--last", "1"];
    let outcome = scan(folder.path(), &args).stdin(log).run().expect("ends");
    outcome.assert_code(2).assert_quiet();
    let expected = [
        r#""log.event" "info","name":"dead.a","message":"2025-06-12T09:15:00Z INFO deadlock a","class":"dead","type":"a","path":"-","line":5,"offset":158,"occurred_at":"2025-06-12T09:15:00.000Z"}"#,
        r#""log.count" "info","name":"error","message":"4 errors in 5 lines; 1 in no bucket; 2 types counted together","class":"error","count":4,"first_at":"2025-06-12T08:59:59.000Z","last_at":"2025-06-12T09:14:59.000Z"}"#,
        r#""log.count" "info","name":"error.SyncTimeout","message":"","class":"error","type":"SyncTimeout","count":2,"first_at":"2025-06-12T08:59:59.000Z","last_at":"2025-06-12T09:00:00.000Z","example":"2025-06-12T08:59:59Z ERROR SyncTimeout deadlock a"}"#,
        r#""log.count" "info","name":"error.(other)","message":"all other types together","class":"error","type":"(other)","count":2,"first_at":"2025-06-12T09:14:59.000Z","last_at":"2025-06-12T09:14:59.000Z","example":"2025-06-12T09:14:59Z ERROR DiskFull deadlock b"}"#,
        r#""log.count" "info","name":"error@2025-06-12T08:45:00Z","message":"","class":"error","count":1,"bucket_at":"2025-06-12T08:45:00.000Z","bucket_seconds":900}"#,
        r#""log.count" "info","name":"error@2025-06-12T09:00:00Z","message":"","class":"error","count":2,"bucket_at":"2025-06-12T09:00:00.000Z","bucket_seconds":900}"#,
        r#""log.count" "info","name":"error.SyncTimeout@2025-06-12T08:45:00Z","message":"","class":"error","type":"SyncTimeout","count":1,"bucket_at":"2025-06-12T08:45:00.000Z","bucket_seconds":900}"#,
        r#""log.count" "info","name":"error.SyncTimeout@2025-06-12T09:00:00Z","message":"","class":"error","type":"SyncTimeout","count":1,"bucket_at":"2025-06-12T09:00:00.000Z","bucket_seconds":900}"#,
        r#""log.count" "info","name":"error.(other)@2025-06-12T09:00:00Z","message":"","class":"error","type":"(other)","count":1,"bucket_at":"2025-06-12T09:00:00.000Z","bucket_seconds":900}"#,
        r#""log.count" "ok","name":"conflict","message":"0 unresolved conflicts in 5 lines","class":"conflict","count":0}"#,
        r#""log.count" "ok","name":"validation","message":"0 validation errors in 5 lines","class":"validation","count":0}"#,
        r#""log.count" "ok","name":"security","message":"0 security events in 5 lines","class":"security","count":0}"#,
        r#""log.count" "high","name":"dead","message":"3 lines of class dead, more than 1, in 5 lines; 1 type counted together","class":"dead","count":3,"first_at":"2025-06-12T08:59:59.000Z","last_at":"2025-06-12T09:15:00.000Z"}"#,
        r#""log.count" "info","name":"dead.a","message":"","class":"dead","type":"a","count":2,"first_at":"2025-06-12T08:59:59.000Z","last_at":"2025-06-12T09:15:00.000Z","example":"2025-06-12T08:59:59Z ERROR SyncTimeout deadlock a"}"#,
        r#""log.count" "info","name":"dead.(other)","message":"all other types together","class":"dead","type":"(other)","count":1,"first_at":"2025-06-12T09:14:59.000Z","last_at":"2025-06-12T09:14:59.000Z","example":"2025-06-12T09:14:59Z ERROR DiskFull deadlock b"}"#,
        r#""log.count" "info","name":"dead@2025-06-12T08:45:00Z","message":"","class":"dead","count":1,"bucket_at":"2025-06-12T08:45:00.000Z","bucket_seconds":900}"#,
        r#""log.count" "info","name":"dead@2025-06-12T09:00:00Z","message":"","class":"dead","count":1,"bucket_at":"2025-06-12T09:00:00.000Z","bucket_seconds":900}"#,
        r#""log.count" "info","name":"dead@2025-06-12T09:15:00Z","message":"","class":"dead","count":1,"bucket_at":"2025-06-12T09:15:00.000Z","bucket_seconds":900}"#,
        r#""log.count" "info","name":"dead.a@2025-06-12T08:45:00Z","message":"","class":"dead","type":"a","count":1,"bucket_at":"2025-06-12T08:45:00.000Z","bucket_seconds":900}"#,
        r#""log.count" "info","name":"dead.a@2025-06-12T09:15:00Z","message":"","class":"dead","type":"a","count":1,"bucket_at":"2025-06-12T09:15:00.000Z","bucket_seconds":900}"#,
        r#""log.count" "info","name":"dead.(other)@2025-06-12T09:00:00Z","message":"","class":"dead","type":"(other)","count":1,"bucket_at":"2025-06-12T09:00:00.000Z","bucket_seconds":900}"#,
    ];
    let lines = outcome.text().lines().filter(|line| !line.contains(r#""kind":"run."#));
    let shown: Vec<String> = lines
        .map(|line| {
            let (kind, rest) = line.split_once(r#","at":"#).expect("a record");
            let rest = rest.split_once(r#""severity":"#).expect("a record").1;
            format!("{} {rest}", kind.replace(r#"{"schema":1,"kind":"#, ""))
        })
        .collect();
    assert_eq!(shown[1..], expected);
    // The schema is asked of each record.
    assert_eq!(outcome.records().len(), expected.len() + 3);
}

#[test]
fn counts_are_those_of_grep_and_awk() {
    let folder = folder();
    fs::write(folder.path().join("large.log"), large_log()).expect("written");
    let grep = |pattern: &str| -> u64 {
        let script = format!("tr -d '\\r' < large.log | grep -acE '{pattern}'");
        shell(folder.path(), &script)[0].parse().expect("a number")
    };
    let classes = [
        ("plain", "deadlock"),
        ("ends", "pid=1$"),
        ("begins", "^.at sync"),
        ("digits", "took [0-9]{5} ms"),
        ("either", "Deadlock|Out of memory"),
        ("blank", " $"),
        ("empty", "^$"),
        ("colour", "ERROR.{3,5}:"),
    ];
    let flags: Vec<String> = classes.iter().map(|(name, pattern)| format!("--class={name}={pattern}")).collect();
    let mut args =
        vec!["large.log", "--events", "none", "--by", "hour", r"--class=any=(?i)(?<x>dead)lock.*pid=(?<type>\d+)"];
    args.extend(flags.iter().map(String::as_str));
    let outcome = scan(folder.path(), &args).run().expect("ends");
    let sum = |class: &str| number(&outcome.record("log.count", class), "count");
    for (class, pattern) in classes {
        let expected = grep(pattern);
        assert!(expected > 50, "{pattern} is in {expected} lines");
        assert_eq!(sum(class), expected, "{pattern}");
    }
    // Types, as sort and uniq count them.
    let script = "grep -aioE 'deadlock.*pid=[0-9]+' large.log | sed 's/.*pid=//' | sort | uniq -c";
    let expected = shell(folder.path(), script).into_iter().map(|line| {
        let (count, name) = line.trim().split_once(' ').expect("two words");
        (name.to_owned(), count.parse().expect("a number"))
    });
    assert_eq!(types(&outcome, "any"), expected.collect());
    // The hours of the errors, colours or not. What comes before the first stamp is in no hour, and here it is no error.
    let script = "awk '/ERROR/ { print substr($0, 1, 13) }' large.log | sort | uniq -c";
    let hours: BTreeMap<String, u64> = shell(folder.path(), script)
        .into_iter()
        .map(|line| {
            let (count, hour) = line.trim().split_once(' ').expect("two words");
            (format!("error@{hour}:00:00Z"), count.parse().expect("a number"))
        })
        .collect();
    let records = outcome.records_of_kind("log.count");
    let buckets = records.iter().filter(|record| record.get("bucket_at").is_some());
    let of_errors = buckets.clone().filter(|record| record["class"] == "error" && record.get("type").is_none());
    let shown = of_errors.map(|record| (text(record, "name").to_owned(), number(record, "count")));
    assert_eq!(shown.collect::<BTreeMap<_, _>>(), hours);
    // And the buckets of each type are its count.
    for (name, count) in types(&outcome, "any") {
        let of_type = buckets.clone().filter(|record| record["class"] == "any" && record["type"] == name.as_str());
        assert_eq!(of_type.map(|record| number(record, "count")).sum::<u64>(), count, "{name}");
    }
}

#[test]
fn a_window_holds_for_added_classes_too() {
    let folder = folder();
    let mut log = String::new();
    for minute in 0..60 {
        writeln!(log, "2025-06-12T09:{minute:02}:00Z INFO deadlock\n  its trace, deadlock").expect("in memory");
    }
    let args = ["-", "--class", "dead=deadlock", "--since", "2025-06-12T09:30:00Z", "--until", "2025-06-12T09:40:00Z"];
    let outcome = scan(folder.path(), &args).stdin(log).run().expect("ends");
    outcome.assert_code(1).assert_quiet();
    let sum = outcome.record("log.count", "dead");
    assert_eq!(number(&sum, "count"), 20);
    assert_eq!(text(&sum, "first_at"), "2025-06-12T09:30:00.000Z");
    let events = outcome.records_of_kind("log.event");
    let lines: Vec<u64> = events.iter().map(|event| number(event, "line")).collect();
    assert_eq!(lines, (71..=80).collect::<Vec<u64>>());
}

#[test]
fn classes_of_the_file_are_judged_and_told() {
    let folder = folder();
    let config = folder.path().join("config.yaml");
    let write = |classes: &str| {
        let text = format!("maintenance:\n  logscan:\n    classes:\n{classes}");
        fs::write(&config, text).expect("written");
    };
    let run = |args: &[&str]| {
        let log = "2025-06-12T09:00:00Z INFO deadlock\n".repeat(3);
        let args = [&["-", "--config", "config.yaml"], args].concat();
        scan(folder.path(), &args).stdin(log).run().expect("ends")
    };
    for (threshold, severity, code, expected) in [
        (2, "critical", 2, "critical"),
        (2, "warning", 1, "warning"),
        (3, "critical", 0, "info"),
        (0, "info", 0, "info"),
    ] {
        write(&format!("      dead: {{pattern: lock$, severity: {severity}, threshold: {threshold}, events: 2}}\n"));
        let outcome = run(&[]);
        outcome.assert_code(code).assert_quiet();
        assert_eq!(outcome.record("log.count", "dead")["severity"], expected);
        assert_eq!(outcome.records_of_kind("log.event").len(), 2);
    }
    run(&["--class", "dead:info=lock"]).assert_code(0);
    assert!(run(&["--events", "error"]).records_of_kind("log.event").is_empty());
    run(&["--events", "deat"]).assert_code(3).assert_stderr_has(
        "--events: \"deat\" is no class; there are error, conflict, validation, security, dead, or none",
    );
    let settings = run(&["--print-config"]);
    let setting = settings.record("config.setting", "maintenance.logscan.classes.dead.pattern");
    assert_eq!(
        (text(&setting, "setting"), text(&setting, "source").split(' ').next()),
        ("lock$", Some("config.yaml:4"))
    );
    write("      dead: {pattern: 'dead(lock'}\n");
    run(&[])
        .assert_code(3)
        .assert_stderr_has("config.yaml:4 (maintenance.logscan.classes.dead.pattern): unclosed group at character 5");
    run(&["--class", r"x=\Adead"]).assert_code(3).assert_stderr_has("config.yaml:4");
    write("      other: {pattern: dead}\n");
    run(&["--class", r"x=\Adead"])
        .assert_code(3)
        .assert_stderr_has(r"--class x: \A and \z are the ends of the whole log");
    let usage = run(&["--class", "dead"]);
    usage.assert_code(3).assert_stderr_has("expected NAME=REGEX");
}

#[test]
fn a_histogram_is_not_told_twice() {
    let folder = folder();
    let log = "2025-06-12T09:00:00Z ERROR SyncTimeout\n".repeat(60);
    let outcome =
        scan(folder.path(), &["-", "--by", "day", "--class", "x:high=Timeout"]).stdin(log).run().expect("ends");
    outcome.assert_code(2);
    let alert = Tool::new("pso-alert").expect("built").folder(folder.path()).stdin(outcome.stdout).run().expect("ends");
    let notices = alert.records_of_kind("alert.notice");
    let told: Vec<&str> = notices.iter().map(|notice| text(notice, "message")).collect();
    assert_eq!(
        told,
        ["High error count detected: 60 errors in the logs", "x: 60 lines of class x in 60 lines"],
        "{alert}"
    );
}
