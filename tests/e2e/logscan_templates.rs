//! `pso-logscan --templates`: what lines have in common, which line is of which, and what was never seen before.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use pso_tests::tool::{Outcome, Tool};

fn scan(folder: &Path, args: &[&str]) -> Outcome {
    Tool::new("pso-logscan").expect("built").folder(folder).args(args).run().expect("ends")
}

/// How often each template was found.
fn templates(outcome: &Outcome) -> BTreeMap<String, u64> {
    let text = |record: &serde_json::Value| record["template"].as_str().expect("a text").to_owned();
    let count = |record: &serde_json::Value| record["count"].as_u64().expect("a number");
    outcome.records_of_kind("log.template").iter().map(|record| (text(record), count(record))).collect()
}

/// Lines of four kinds, with a trace of two lines behind every tenth.
fn log(lines: u64) -> String {
    let mut log = String::new();
    for n in 0..lines {
        let stamp = format!("2025-06-12T{:02}:{:02}:{:02}Z", n / 3600 % 24, n / 60 % 60, n % 60);
        log += &match n % 4 {
            0 => format!("{stamp} INFO [sync-engine] plan-{n}.md synchronised in {} ms\n", n * 7),
            1 => format!("{stamp} ERROR SyncTimeout [sync-engine] plan-{n}.md gave up after {n} s\n"),
            2 => format!("{stamp} WARN [api] request from 10.0.0.{} took {n}.5 s\n", n % 250),
            _ => format!("{stamp} INFO [api] nothing to do\n"),
        };
        if n % 10 == 1 {
            log += "Traceback (most recent call last):\n  sync.py, line 17\n";
        }
    }
    log
}

#[test]
fn records_are_grouped_and_traces_belong_to_theirs() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("a.log"), log(4000)).expect("written");
    let outcome = scan(folder.path(), &["--assign", "--events", "none", "--max-errors", "9999", "a.log"]);
    outcome.assert_code(0).assert_quiet();
    let found = templates(&outcome);
    assert_eq!(found.values().copied().collect::<Vec<_>>(), [1000; 4], "{found:?}");
    assert!(found.contains_key("nothing to do"), "{found:?}");
    assert!(found.keys().filter(|template| template.contains("<*>")).count() == 3, "{found:?}");
    // One line of each record, its first one; and all of one kind have the same template.
    let lines = outcome.records_of_kind("log.line");
    assert_eq!(lines.len(), 4000);
    let text = log(4000);
    let mut words: BTreeMap<String, String> = BTreeMap::new();
    for line in &lines {
        let (number, offset) = (line["line"].as_u64().expect("a number"), line["offset"].as_u64().expect("a number"));
        let own = text.lines().nth(usize::try_from(number).expect("small") - 1).expect("a line");
        assert!(text[usize::try_from(offset).expect("small")..].starts_with(own), "line {number} at {offset}");
        let kind = own.split(' ').skip(1).take(3).filter(|word| !word.contains("plan")).collect::<Vec<_>>().join(" ");
        let id = line["template_id"].as_str().expect("a text").to_owned();
        assert_eq!(words.entry(kind).or_insert_with(|| id.clone()), &id, "{own}");
    }
    assert_eq!(words.len(), 4, "{words:?}");
    // The most frequent ones, and the rest as one.
    let outcome = scan(folder.path(), &["--templates", "--top", "1", "--events", "none", "a.log"]);
    let found = templates(&outcome);
    assert_eq!((found.len(), found.get("(other)")), (2, Some(&3000)), "{found:?}");
}

#[test]
fn an_error_that_was_never_seen_before_wakes_people_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.log");
    fs::write(&path, log(400)).expect("written");
    let args = ["--bookmark", "state", "--templates", "--events", "none", "--max-errors", "999", "a.log"];
    let new = |outcome: &Outcome| {
        let mut new = outcome.records_of_kind("log.template");
        new.retain(|record| record["new"] == true);
        new
    };
    // The first run learns what is usual.
    let first = scan(folder.path(), &args);
    first.assert_code(0);
    assert_eq!((templates(&first).len(), new(&first).len()), (4, 0));
    let append = |text: &str| {
        let mut file = OpenOptions::new().append(true).open(&path).expect("opened");
        file.write_all(text.as_bytes()).expect("written");
    };
    // More of the usual, with numbers that were never seen.
    append(&log(4000)[log(2000).len()..]);
    let usual = scan(folder.path(), &args);
    usual.assert_code(0);
    assert_eq!((templates(&usual).values().sum::<u64>(), new(&usual).len()), (2000, 0));
    append("2025-06-12T23:00:00Z ERROR DiskOnFire device sda1 burns at 900 degrees\n");
    append("2025-06-12T23:00:01Z INFO a calm evening by the sea\n");
    let fire = scan(folder.path(), &args);
    fire.assert_code(1);
    let found = new(&fire);
    assert_eq!(found.len(), 2, "{fire}");
    let severity = |word: &str| {
        let of = found.iter().find(|record| record["example"].as_str().is_some_and(|line| line.contains(word)));
        of.expect(word)["severity"].clone()
    };
    assert_eq!((severity("DiskOnFire"), severity("calm")), ("warning".into(), "info".into()));
    // In the pipe it becomes one notice.
    let alert = Tool::new("pso-alert").expect("built").folder(folder.path()).stdin(fire.stdout.clone());
    let alert = alert.run().expect("ends");
    let notices = alert.records_of_kind("alert.notice");
    assert_eq!(notices.len(), 1, "{alert}");
    let message = notices[0]["message"].as_str().expect("a text");
    assert!(
        message.starts_with("New error in the logs, once so far: 2025-06-12T23:00:00Z ERROR DiskOnFire"),
        "{message}"
    );
    // Told once.
    append("2025-06-12T23:00:02Z ERROR DiskOnFire device sda7 burns at 950 degrees\n");
    let again = scan(folder.path(), &args);
    again.assert_code(0);
    assert_eq!((templates(&again).len(), new(&again).len()), (1, 0));
}
