//! `pso-logscan --follow`: each line once, at once, whatever rotation does.

use std::fs::{self, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use pso_tests::tool::{Tool, built_binary};
use pso_tests::wait;
use serde_json::Value;
use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(20);

/// A run that follows, and the records that it has written.
struct Following {
    child: Child,
    records: Receiver<Value>,
    /// Records that came between events.
    others: Vec<Value>,
}

impl Following {
    fn start(folder: &Path, args: &[&str]) -> Self {
        let mut child = Command::new(built_binary("pso-logscan").expect("built"))
            .arg("--follow")
            .args(args)
            .current_dir(folder)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("started");
        let stdout = child.stdout.take().expect("a pipe");
        let (sender, records) = channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let record: Value = serde_json::from_str(&line).expect("a record");
                pso_tests::schema::conforms(&record).expect("as its schema says");
                if sender.send(record).is_err() {
                    return;
                }
            }
        });
        Self { child, records, others: Vec::new() }
    }

    /// Starts, and waits until lines of `log` are told.
    fn begun(folder: &Path, log: &Path, args: &[&str]) -> Self {
        let mut following = Self::start(folder, args);
        // Where the end of the file is found to be depends on when it is looked at.
        let probe = |n: u32| format!("2025-06-12T09:00:00Z ERROR Probe probe-{n}\n");
        let deadline = Instant::now() + LIMIT;
        for n in 0.. {
            append(log, &probe(n));
            if let Some(event) = following.next_event(Duration::from_millis(300)) {
                // Those before were told too, or are behind us.
                let mut last = event;
                while !last.ends_with(&format!("probe-{n}")) {
                    last = following.event();
                }
                return following;
            }
            assert!(Instant::now() < deadline, "nothing is told");
        }
        following.stop();
        unreachable!("the loop has no end")
    }

    fn next_event(&mut self, limit: Duration) -> Option<String> {
        let deadline = Instant::now() + limit;
        loop {
            let record = self.records.recv_timeout(deadline.saturating_duration_since(Instant::now())).ok()?;
            if record["kind"] == "log.event" {
                return Some(record["message"].as_str().expect("a text").to_owned());
            }
            self.others.push(record);
        }
    }

    /// The next event's line.
    fn event(&mut self) -> String {
        self.next_event(LIMIT).expect("an event")
    }

    /// The numbers of the next events.
    fn numbers(&mut self, count: usize) -> Vec<u64> {
        (0..count).map(|_| number(&self.event())).collect()
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status();
        assert!(status.expect("kill").success());
    }

    /// Ends it, and gives its exit code and all records but the events that were looked at.
    fn stop(mut self) -> (Option<i32>, Vec<Value>) {
        self.signal("TERM");
        self.finish()
    }

    fn finish(&mut self) -> (Option<i32>, Vec<Value>) {
        drop(self.child.stdin.take());
        let status = wait::until("the run to end", LIMIT, || self.child.try_wait().expect("a child")).expect("ends");
        let mut records = std::mem::take(&mut self.others);
        while let Ok(record) = self.records.recv_timeout(LIMIT) {
            records.push(record);
        }
        (status.code(), records)
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn number(line: &str) -> u64 {
    line.rsplit(' ').next().and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("no number: {line}"))
}

fn lines(from: u64, count: u64) -> String {
    (from..from + count).map(|n| format!("2025-06-12T09:00:00Z ERROR E{} number {n}\n", n % 3)).collect()
}

fn append(path: &Path, text: &str) {
    let mut file = OpenOptions::new().create(true).append(true).open(path).expect("opened");
    file.write_all(text.as_bytes()).expect("written");
}

fn sh(folder: &Path, script: &str) {
    assert!(Command::new("sh").args(["-ec", script]).current_dir(folder).status().expect("sh").success(), "{script}");
}

fn logs() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("logs")).expect("created");
    let log = folder.path().join("logs/sync.log");
    append(&log, &lines(9000, 3));
    (folder, log)
}

fn of<'a>(records: &'a [Value], kind: &str, name: &str) -> &'a Value {
    let found = records.iter().find(|record| record["kind"] == kind && record["name"] == name);
    found.unwrap_or_else(|| panic!("no {kind} of {name}: {records:#?}"))
}

#[test]
fn new_lines_are_told_at_once_and_counted_in_the_end() {
    let (folder, log) = logs();
    append(&folder.path().join("logs/sync.log.1"), &lines(8000, 5));
    let mut following = Following::begun(folder.path(), &log, &["logs"]);
    append(&log, &lines(0, 3));
    assert_eq!(following.numbers(3), [0, 1, 2]);
    // A line is told when it is finished.
    append(&log, "2025-06-12T09:00:00Z ERROR Half");
    assert_eq!(following.next_event(Duration::from_millis(700)), None);
    append(&log, " 77\n  at a frame: conflict still unresolved\n");
    assert_eq!(following.numbers(1), [77]);
    assert!(following.event().contains("unresolved"));
    // One in a new file, too.
    append(&folder.path().join("logs/new.log"), &lines(100, 1));
    assert_eq!(following.numbers(1), [100]);
    let (code, records) = following.stop();
    assert_eq!(code, Some(1), "an unresolved conflict is a warning");
    let coverage = of(&records, "log.coverage", "logs/sync.log");
    assert_eq!((&coverage["severity"], &coverage["unparsed_lines"]), (&"ok".into(), &1.into()));
    let errors = of(&records, "log.count", "error")["count"].as_u64().expect("a number");
    let probes = of(&records, "log.count", "error.Probe")["count"].as_u64().expect("a number");
    assert_eq!(errors - probes, 3 + 1 + 1);
    assert_eq!(of(&records, "log.count", "conflict")["count"], 1);
    assert_eq!(records.last().expect("a record")["kind"], "run.end");
}

#[test]
fn rotation_by_renaming_loses_nothing() {
    let (folder, log) = logs();
    let mut following = Following::begun(folder.path(), &log, &["logs", "--max-errors", "1000"]);
    let mut expected = Vec::new();
    for round in 0..4 {
        let first = round * 100;
        append(&log, &lines(first, 5));
        sh(folder.path(), &format!("mv logs/sync.log logs/sync.log.{}", 9 - round));
        // The writer does not know yet.
        append(&folder.path().join(format!("logs/sync.log.{}", 9 - round)), &lines(first + 5, 5));
        append(&log, &lines(first + 10, 5));
        expected.extend(first..first + 15);
        if round % 2 == 1 {
            assert_eq!(following.numbers(expected.len()), expected);
            expected.clear();
            sh(folder.path(), &format!("gzip logs/sync.log.{}", 9 - round));
        }
    }
    append(&log, &lines(999, 1));
    assert_eq!(following.numbers(1), [999]);
    let (code, records) = following.stop();
    assert_eq!(code, Some(0), "{records:#?}");
}

#[test]
fn rotation_by_copying_loses_nothing() {
    let (folder, log) = logs();
    let mut following = Following::begun(folder.path(), &log, &["logs"]);
    for round in 0..4 {
        let first = round * 1000;
        // Most of these are in the copy only when somebody looks.
        append(&log, &lines(first, 500));
        sh(folder.path(), "rm -f logs/sync.log.1*; cp logs/sync.log logs/sync.log.1; : > logs/sync.log");
        append(&log, &lines(first + 500, 3 + round * 400));
        let mut numbers = following.numbers(503 + 400 * usize::try_from(round).expect("small"));
        numbers.sort_unstable();
        assert_eq!(numbers, Vec::from_iter(first..first + 503 + round * 400), "round {round}");
    }
    let (code, records) = following.stop();
    assert_eq!(code, Some(2), "more than 50 errors, and nothing unknown: {records:#?}");
}

#[test]
fn a_truncation_without_a_copy_is_told() {
    let (folder, log) = logs();
    let mut following = Following::begun(folder.path(), &log, &["logs/sync.log"]);
    append(&log, &lines(0, 2));
    assert_eq!(following.numbers(2), [0, 1]);
    fs::write(&log, lines(10, 1)).expect("written");
    assert_eq!(following.numbers(1), [10]);
    fs::remove_file(&log).expect("removed");
    append(&log, &lines(20, 1));
    assert_eq!(following.numbers(1), [20]);
    let (code, records) = following.stop();
    assert_eq!(code, Some(3));
    let told =
        |record: &&Value| record["message"].as_str().is_some_and(|message| message.starts_with("it was truncated"));
    assert_eq!(records.iter().filter(told).count(), 1, "{records:#?}");
}

#[test]
fn streams_are_told_line_by_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut following = Following::start(folder.path(), &["-"]);
    let mut stdin = following.child.stdin.take().expect("a pipe");
    for n in 0..3 {
        stdin.write_all(lines(n, 1).as_bytes()).expect("written");
        assert_eq!(following.numbers(1), [n]);
    }
    stdin.write_all(lines(7, 1).trim_end().as_bytes()).expect("written");
    drop(stdin);
    assert_eq!(following.numbers(1), [7]);
    // Nothing else is followed, so this is the end.
    let (code, records) = following.finish();
    assert_eq!(code, Some(0));
    assert_eq!(of(&records, "log.count", "error")["count"], 4);
    // A named pipe is one too; its writers come and go.
    sh(folder.path(), "mkfifo pipe");
    let mut following = Following::start(folder.path(), &["pipe"]);
    let path = folder.path().join("pipe");
    let writer = thread::spawn(move || append(&path, &lines(0, 2)));
    assert_eq!(following.numbers(2), [0, 1]);
    writer.join().expect("written");
    assert_eq!(following.finish().0, Some(0));
}

#[test]
fn utf16_is_followed_too() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("logs")).expect("created");
    let log = folder.path().join("logs/sync.log");
    let add = |text: &str| {
        let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let mut log = OpenOptions::new().create(true).append(true).open(&log).expect("opened");
        // The halves of units and of pairs come apart.
        for half in bytes.chunks(3) {
            log.write_all(half).expect("written");
        }
    };
    add(&format!("\u{feff}2025-06-12T09:00:00Z INFO 🚀 é\n{}", lines(0, 2)));
    let mut following = Following::start(folder.path(), &["--bookmark", "state", "logs"]);
    assert_eq!(following.numbers(2), [0, 1]);
    add(&lines(2, 2));
    assert_eq!(following.numbers(2), [2, 3]);
    assert_eq!(following.stop().0, Some(0));
    add(&lines(4, 1));
    let mut following = Following::start(folder.path(), &["--bookmark", "state", "logs"]);
    assert_eq!(following.numbers(1), [4]);
    add(&lines(5, 1));
    assert_eq!(following.numbers(1), [5]);
    let (code, records) = following.stop();
    assert_eq!(code, Some(0), "{records:#?}");
    assert_eq!(of(&records, "log.count", "error")["count"], 2);
}

#[test]
fn a_last_line_that_nobody_finishes_is_told_after_ten_minutes() {
    let (folder, log) = logs();
    let mut following = Following::begun(folder.path(), &log, &["logs"]);
    append(&log, "2025-06-12T09:00:00Z ERROR Fatal 77");
    assert_eq!(following.next_event(Duration::from_millis(700)), None);
    sh(folder.path(), "touch -d '11 minutes ago' logs/sync.log");
    assert_eq!(following.numbers(1), [77]);
    append(&log, &format!("\n{}", lines(78, 1)));
    assert_eq!(following.numbers(1), [78]);
    assert_eq!(following.stop().0, Some(0));
}

#[test]
fn what_is_there_already_is_told_when_it_is_asked_for() {
    let (folder, log) = logs();
    sh(folder.path(), "cp logs/sync.log logs/sync.log.1; gzip logs/sync.log.1");
    fs::write(&log, lines(50, 2)).expect("written");
    let mut following = Following::start(folder.path(), &["--since", "2025-01-01", "logs"]);
    assert_eq!(following.numbers(5), [9000, 9001, 9002, 50, 51]);
    append(&log, &lines(60, 1));
    assert_eq!(following.numbers(1), [60]);
    assert_eq!(following.stop().0, Some(0));
}

#[test]
fn a_bookmark_goes_with_it() {
    let (folder, log) = logs();
    let scan = || {
        let outcome =
            Tool::new("pso-logscan").expect("built").folder(folder.path()).args(["--bookmark", "state", "logs"]);
        outcome.run().expect("ends")
    };
    let count = |outcome: &pso_tests::tool::Outcome| outcome.record("log.count", "error")["count"].as_u64();
    assert_eq!(count(&scan()), Some(3));
    append(&log, &lines(0, 2));
    let mut following = Following::start(folder.path(), &["--bookmark", "state", "logs"]);
    assert_eq!(following.numbers(2), [0, 1]);
    append(&log, &lines(2, 1));
    assert_eq!(following.numbers(1), [2]);
    sh(folder.path(), "mv logs/sync.log logs/sync.log.1");
    append(&log, &lines(3, 1));
    assert_eq!(following.numbers(1), [3]);
    let (code, _) = following.stop();
    assert_eq!(code, Some(0));
    let after = scan();
    after.assert_code(0);
    assert_eq!(count(&after), Some(0), "{after}");
    // Killed, it has moved the bookmark on some seconds before: what came then comes again, and nothing is lost.
    let mut following = Following::start(folder.path(), &["--bookmark", "state", "logs"]);
    append(&log, &lines(10, 4));
    assert_eq!(following.numbers(4), [10, 11, 12, 13]);
    let state = folder.path().join("state");
    let before = fs::read(&state).expect("read");
    wait::until("the bookmark to be moved on", LIMIT, || (fs::read(&state).expect("read") != before).then_some(()))
        .expect("saved");
    append(&log, &lines(14, 1));
    following.signal("KILL");
    following.finish();
    let after = scan();
    assert_eq!(count(&after), Some(1), "{after}");
}

#[test]
fn it_ends_when_nobody_listens() {
    let (folder, log) = logs();
    let program = built_binary("pso-logscan").expect("built");
    let mut child = Command::new("sh")
        .args(["-c", "\"$0\" --follow logs | head -n 1", program.to_str().expect("UTF-8")])
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .spawn()
        .expect("started");
    let ended = wait::until("the run to end", LIMIT, || {
        append(&log, &lines(0, 1));
        child.try_wait().expect("a child")
    });
    assert!(ended.expect("ends").success());
}

#[test]
fn every_line_is_told_once_whatever_happens() {
    for seed in 0..2 {
        let (folder, log) = logs();
        let mut random = Rng::with_seed(seed);
        let mut following = Following::begun(folder.path(), &log, &["logs"]);
        let (mut written, mut rotations, mut seen) = (0, 0, Vec::new());
        for _ in 0..60 {
            match random.u8(0..8) {
                0 => {
                    rotations += 1;
                    sh(
                        folder.path(),
                        &format!("mv logs/sync.log logs/sync.log.{}; touch logs/sync.log", 900 - rotations),
                    );
                }
                1 => {
                    rotations += 1;
                    let copy = format!("logs/sync.log.{}", 900 - rotations);
                    sh(folder.path(), &format!("cp logs/sync.log {copy}; : > logs/sync.log"));
                }
                2 if rotations > 0 => {
                    let name = format!("logs/sync.log.{}", 900 - random.u64(1..=rotations));
                    sh(folder.path(), &format!("if [ -f {name} ]; then gzip {name}; fi"));
                }
                _ => {
                    let count = random.u64(1..300);
                    append(&log, &lines(written, count));
                    written += count;
                }
            }
            if random.u8(0..4) == 0 {
                let until = Instant::now() + Duration::from_millis(random.u64(0..600));
                while let Some(event) = following.next_event(until.saturating_duration_since(Instant::now())) {
                    seen.push(number(&event));
                }
            }
        }
        while (seen.len() as u64) < written {
            seen.push(number(&following.event()));
        }
        let (code, records) = following.stop();
        seen.extend(
            records
                .iter()
                .filter(|record| record["kind"] == "log.event")
                .map(|event| number(event["message"].as_str().expect("a text"))),
        );
        seen.sort_unstable();
        assert!(
            seen == Vec::from_iter(0..written),
            "seed {seed}: {} of {written}: {:?}",
            seen.len(),
            told_wrongly(&seen, written)
        );
        assert_eq!(code, Some(2), "{records:#?}");
    }
}

/// Numbers that were not told, and such that were told again.
fn told_wrongly(seen: &[u64], written: u64) -> (Vec<u64>, Vec<u64>) {
    let missing = (0..written).filter(|number| seen.binary_search(number).is_err()).take(20);
    let again = seen.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).take(20);
    (missing.collect(), again.collect())
}

#[test]
fn templates_and_histograms_come_in_the_end() {
    let (folder, log) = logs();
    let mut following = Following::begun(folder.path(), &log, &["--templates", "--by", "day", "logs"]);
    append(&log, &lines(0, 5));
    assert_eq!(following.numbers(5), [0, 1, 2, 3, 4]);
    let (code, records) = following.stop();
    assert_eq!(code, Some(0), "{records:#?}");
    let kinds: Vec<&str> = records.iter().map(|record| record["kind"].as_str().expect("a text")).collect();
    assert!(kinds.contains(&"log.template"), "{kinds:?}");
    assert!(records.iter().any(|record| record["bucket_at"] == "2025-06-12T00:00:00.000Z"), "{records:#?}");
    let outcome = Tool::new("pso-logscan").expect("built").folder(folder.path()).args(["--follow", "--assign", "logs"]);
    outcome.run().expect("ends").assert_code(3);
}
