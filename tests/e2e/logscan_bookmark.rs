//! `pso-logscan --bookmark`: every line counts once, whatever rotation does between the runs, and at least once when runs
//! are killed.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fastrand::Rng;
use pso_tests::tool::{Outcome, Tool};
use serde_json::Value;
use tempfile::TempDir;

fn tool(folder: &Path, args: &[&str]) -> Tool {
    Tool::new("pso-logscan").expect("built").folder(folder).args(["--bookmark", "state"]).args(args)
}

fn run(folder: &Path, args: &[&str]) -> Outcome {
    tool(folder, args).run().expect("ends")
}

fn errors(outcome: &Outcome) -> u64 {
    outcome.record("log.count", "error")["count"].as_u64().expect("a number")
}

fn coverage(outcome: &Outcome, name: &str) -> Value {
    let mut found = outcome.records_of_kind("log.coverage");
    found.retain(|record| record["name"].as_str().is_some_and(|path| path.ends_with(name)));
    assert_eq!(found.len(), 1, "coverage of {name}\n{outcome}");
    found.remove(0)
}

fn said(outcome: &Outcome, name: &str) -> (String, String) {
    let record = coverage(outcome, name);
    let text = |field: &str| record[field].as_str().expect("a text").to_owned();
    (text("severity"), text("message"))
}

fn sh(folder: &Path, script: &str) {
    let status = Command::new("sh").args(["-ec", script]).current_dir(folder).status().expect("sh");
    assert!(status.success(), "{script}");
}

fn append(path: &Path, text: &str) {
    let mut file = OpenOptions::new().create(true).append(true).open(path).expect("opened");
    file.write_all(text.as_bytes()).expect("written");
}

fn lines(from: u64, count: u64) -> String {
    (from..from + count)
        .map(|n| format!("2025-06-12T09:{:02}:00Z ERROR E{} number {n}\n", n / 60 % 60, n % 3))
        .collect()
}

/// A folder with `logs/sync.log` of ten errors, which were read.
fn begun() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("logs")).expect("created");
    let log = folder.path().join("logs/sync.log");
    append(&log, &lines(0, 10));
    let first = run(folder.path(), &["logs"]);
    first.assert_code(0);
    assert_eq!(errors(&first), 10);
    (folder, log)
}

#[test]
fn the_next_run_reads_what_is_new() {
    let (folder, log) = begun();
    let mode = fs::metadata(folder.path().join("state")).expect("written").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let nothing = run(folder.path(), &["logs"]);
    nothing.assert_code(0);
    assert_eq!(
        (errors(&nothing), said(&nothing, "sync.log")),
        (0, ("ok".into(), "nothing new was written to it".into()))
    );
    append(&log, "  at a stack frame\n");
    append(&log, &lines(10, 3));
    let more = run(folder.path(), &["logs"]);
    assert_eq!(errors(&more), 3);
    let record = coverage(&more, "sync.log");
    assert_eq!([&record["lines"], &record["unparsed_lines"]], [4, 1]);
    // Lines are numbered on.
    let last = more.records_of_kind("log.event").pop().expect("an event");
    assert_eq!((last["line"].as_u64(), last["message"].as_str()), (Some(14), lines(12, 1).lines().next()));
    // What follows a record in the next run still belongs to it.
    append(&log, "  at another one: ERROR Inner\n");
    let trace = run(folder.path(), &["logs"]);
    let event = trace.records_of_kind("log.event").pop().expect("an event");
    assert_eq!((&event["line"], event["occurred_at"].as_str()), (&15.into(), Some("2025-06-12T09:00:00.000Z")));
}

#[test]
fn a_line_that_is_not_finished_waits() {
    let (folder, log) = begun();
    append(&log, "2025-06-12T09:00:00Z ERROR Half");
    let half = run(folder.path(), &["logs"]);
    assert_eq!(errors(&half), 0);
    let message = "the last line is not finished: its 31 bytes are left for the next run";
    assert_eq!(said(&half, "sync.log"), ("ok".into(), message.into()));
    append(&log, "Way there\n");
    let whole = run(folder.path(), &["logs"]);
    assert_eq!(errors(&whole), 1);
    assert_eq!(whole.record("log.count", "error.HalfWay")["count"], 1);
    // Nobody finishes a line of a file that was rotated away.
    append(&log, "2025-06-12T09:00:00Z ERROR Never");
    assert_eq!(errors(&run(folder.path(), &["logs"])), 0);
    sh(folder.path(), "mv logs/sync.log logs/sync.log.1");
    assert_eq!(errors(&run(folder.path(), &["logs"])), 1);
    assert_eq!(errors(&run(folder.path(), &["logs"])), 0);
}

#[test]
fn rotation_loses_nothing_and_repeats_nothing() {
    for rotate in [
        "mv logs/sync.log logs/sync.log.1",
        "mv logs/sync.log logs/sync.log.1; gzip logs/sync.log.1",
        "mv logs/sync.log logs/sync-20250612.log; zstd -q --rm logs/sync-20250612.log",
        "cp logs/sync.log logs/sync.log.1; : > logs/sync.log",
        "cp logs/sync.log logs/sync.log.1; : > logs/sync.log; gzip logs/sync.log.1",
        "mkdir logs/old; mv logs/sync.log logs/old/sync.log.1",
        // Packing is under way: both are there, and one of them is not whole.
        "mv logs/sync.log logs/sync.log.1; gzip -k logs/sync.log.1; truncate -s -9 logs/sync.log.1.gz",
    ] {
        let (folder, log) = begun();
        append(&log, &lines(10, 200));
        sh(folder.path(), rotate);
        append(&log, &lines(500, 7));
        let outcome = run(folder.path(), &["logs", "--max-errors", "1000"]);
        outcome.assert_code(0);
        assert_eq!(errors(&outcome), 207, "{rotate}\n{outcome}");
        let again = run(folder.path(), &["logs"]);
        again.assert_code(0);
        assert_eq!(errors(&again), 0, "{rotate}\n{again}");
    }
}

#[test]
fn a_single_log_is_followed_to_its_rotated_name() {
    let (folder, log) = begun();
    append(&log, &lines(10, 5));
    sh(folder.path(), "mv logs/sync.log logs/sync.log.1; gzip logs/sync.log.1");
    append(&log, &lines(20, 2));
    let outcome = run(folder.path(), &["logs/sync.log"]);
    outcome.assert_code(0);
    assert_eq!(errors(&outcome), 7);
    assert_eq!(coverage(&outcome, "sync.log.1.gz")["lines"], 5);
}

#[test]
fn what_was_lost_is_told_once() {
    for (deed, expected) in [
        (": > logs/sync.log", "it was truncated or replaced since the last run: what was written to it after line 10 "),
        ("rm logs/sync.log; echo new > logs/sync.log", "it was truncated or replaced since the last run: "),
        (
            "rm logs/sync.log; touch logs/other.log",
            "it is gone since the last run: what was written to it after line 10 ",
        ),
    ] {
        let (folder, _) = begun();
        sh(folder.path(), deed);
        let outcome = run(folder.path(), &["logs"]);
        outcome.assert_code(3);
        let gap = &outcome.records_of_kind("log.coverage")[0];
        assert_eq!(gap["severity"], "unknown");
        assert!(gap["message"].as_str().is_some_and(|message| message.starts_with(expected)), "{deed}: {gap:#}");
        run(folder.path(), &["logs"]).assert_code(0);
    }
    // What was there and was not read.
    let (folder, log) = begun();
    append(&log, "unfinished");
    run(folder.path(), &["logs"]).assert_code(0);
    fs::write(&log, lines(77, 1)).expect("written");
    let outcome = run(folder.path(), &["logs"]);
    outcome.assert_code(3);
    assert_eq!(errors(&outcome), 1);
    let message = &outcome.records_of_kind("log.coverage")[0]["message"];
    assert!(message.as_str().is_some_and(|message| message.contains("10 bytes behind its line 10 were not read")));
    // Retention takes rotated files that were read to their ends.
    let (folder, log) = begun();
    sh(folder.path(), "mv logs/sync.log logs/sync.log.1");
    append(&log, &lines(10, 1));
    run(folder.path(), &["logs"]).assert_code(0);
    sh(folder.path(), "rm logs/sync.log.1");
    run(folder.path(), &["logs"]).assert_code(0);
    // And what is not mounted is not lost.
    sh(folder.path(), "mv logs away");
    run(folder.path(), &["logs"]).assert_code(3);
    sh(folder.path(), "mv away logs");
    assert_eq!(errors(&run(folder.path(), &["logs"])), 0);
}

#[test]
fn a_bookmark_that_cannot_be_used_is_refused() {
    let (folder, log) = begun();
    append(&log, &lines(10, 1));
    let state = folder.path().join("state");
    let good = fs::read(&state).expect("read");
    let newer = String::from_utf8(good.clone()).expect("JSON").replace("\"version\": 1", "\"version\": 2");
    for (bytes, expected) in [
        (&good[..good.len() / 2], "is no bookmark that can be read"),
        (b"", "is no bookmark that can be read"),
        (b"{\"format\":\"x\",\"version\":1}", "is no bookmark of pso-logscan"),
        (newer.as_bytes(), "was written by a newer pso-logscan (version 2, this one knows 1)"),
    ] {
        fs::write(&state, bytes).expect("written");
        let outcome = run(folder.path(), &["logs"]);
        outcome.assert_code(3).assert_stderr_has(expected).assert_stderr_has("remove it to have everything read again");
        assert_eq!(fs::read(&state).expect("read"), bytes, "it is left as it was");
    }
    fs::write(&state, &good).expect("written");
    assert_eq!(errors(&run(folder.path(), &["logs"])), 1);
    run(folder.path(), &["-"]).assert_code(3);
    let inside = Tool::new("pso-logscan").expect("built").folder(folder.path());
    let inside = inside.args(["--bookmark", "logs/state.log", "logs"]).run().expect("ends");
    inside.assert_code(3).assert_stderr_has("would be read as one of the logs");
    run(folder.path(), &["--until", "1h", "logs"]).assert_code(3);
}

#[test]
fn a_bookmark_is_moved_on_only_when_all_was_written() {
    let (folder, log) = begun();
    let state = || fs::read(folder.path().join("state")).expect("read");
    let before = state();
    append(&log, &lines(10, 2000));
    // The reader goes before the end: more is written than a pipe holds.
    for format in ["jsonl", "table"] {
        let program = pso_tests::tool::built_binary("pso-logscan").expect("built");
        let script =
            format!("{} --bookmark state --format {format} --last 1000 logs | head -c 10 > got", program.display());
        sh(folder.path(), &script);
        assert!(state() == before, "{format}");
    }
    // A full disk.
    let full = File::options().write(true).open("/dev/full").expect("opened");
    let program = pso_tests::tool::built_binary("pso-logscan").expect("built");
    for format in ["jsonl", "table"] {
        let status = Command::new(&program)
            .args(["--bookmark", "state", "--format", format, "logs"])
            .current_dir(folder.path())
            .stdout(full.try_clone().expect("a file"))
            .stderr(std::process::Stdio::null())
            .status();
        assert_eq!(status.expect("ends").code(), Some(3));
        assert!(state() == before, "{format}");
    }
    assert_eq!(errors(&run(folder.path(), &["logs"])), 2000);
    assert_eq!(errors(&run(folder.path(), &["--format", "jsonl", "logs"])), 0);
}

#[test]
fn two_runs_do_not_use_one_bookmark() {
    let (folder, _) = begun();
    let mut first = tool(folder.path(), &["--follow", "logs"]).spawn().expect("started");
    let holder = first.id().to_string();
    pso_tests::wait::until("the first to take the lock", Duration::from_secs(20), || {
        fs::read_to_string(folder.path().join("state.lock")).ok().filter(|text| text.trim() == holder)
    })
    .expect("taken");
    let refused = run(folder.path(), &["logs"]);
    refused.assert_code(3);
    refused.assert_stderr_has("another run uses the bookmark").assert_stderr_has(&format!("process {}", first.id()));
    first.signal("TERM").expect("sent");
    first.finish().expect("ends").assert_code(0);
    run(folder.path(), &["logs"]).assert_code(0);
}

#[test]
fn what_is_no_text_or_cannot_be_read_stays_where_it_was() {
    let (folder, _) = begun();
    let logs = folder.path().join("logs");
    fs::write(logs.join("noise.log"), b"\x7fELF\0\0\0\0 ERROR Noise\n").expect("written");
    std::os::unix::fs::symlink("loop.log", logs.join("loop.log")).expect("linked");
    for _ in 0..2 {
        let outcome = run(folder.path(), &["logs"]);
        outcome.assert_code(3);
        assert_eq!(said(&outcome, "noise.log").0, "unknown", "{outcome}");
    }
    // A packed file that breaks off goes on where it broke off.
    sh(folder.path(), "rm logs/noise.log logs/loop.log");
    let text = lines(1000, 5000);
    fs::write(logs.join("a.log.1"), &text).expect("written");
    sh(folder.path(), "gzip logs/a.log.1; cp logs/a.log.1.gz whole; truncate -s -2000 logs/a.log.1.gz");
    let cut = run(folder.path(), &["logs", "--max-errors", "9999"]);
    cut.assert_code(3);
    sh(folder.path(), "cp whole logs/a.log.1.gz");
    let rest = run(folder.path(), &["logs", "--max-errors", "9999"]);
    rest.assert_code(0);
    let sum = errors(&cut) + errors(&rest);
    assert!(sum == 5000 || sum == 5001, "{sum}: the line that it broke off in may have been an error already");
    assert!(errors(&cut) > 1000 && errors(&rest) > 10, "{cut}\n{rest}");
}

#[test]
fn utf16_goes_on_too() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("logs")).expect("created");
    let log = folder.path().join("logs/sync.log");
    let add = |text: &str| {
        let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log)
            .and_then(|mut log| log.write_all(&bytes))
            .expect("written");
    };
    add(&format!("\u{feff}{}", lines(0, 5)));
    assert_eq!(errors(&run(folder.path(), &["logs"])), 5);
    add(&format!("{}2025-06-12T09:00:00Z ERR", lines(5, 2)));
    assert_eq!(errors(&run(folder.path(), &["logs"])), 2);
    add("OR Late\n");
    assert_eq!(errors(&run(folder.path(), &["logs"])), 1);
    assert_eq!(errors(&run(folder.path(), &["logs"])), 0);
}

#[test]
fn what_comes_back_goes_on_where_it_was_left() {
    let (folder, log) = begun();
    sh(folder.path(), "mv logs/sync.log away; touch logs/other.log");
    run(folder.path(), &["logs"]).assert_code(3);
    run(folder.path(), &["logs"]).assert_code(0);
    sh(folder.path(), "mv away logs/sync.log");
    append(&log, &lines(10, 2));
    let back = run(folder.path(), &["logs"]);
    back.assert_code(0);
    assert_eq!(errors(&back), 2, "{back}");
}

#[test]
fn a_renamed_log_is_found_whatever_its_name_is() {
    let (folder, log) = begun();
    append(&log, &lines(10, 3));
    sh(folder.path(), "mv logs/sync.log logs/before-the-update");
    append(&log, &lines(20, 2));
    let outcome = run(folder.path(), &["logs"]);
    outcome.assert_code(0);
    assert_eq!(errors(&outcome), 5, "{outcome}");
}

#[test]
fn the_same_short_text_after_each_rotation_counts_each_time() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("logs")).expect("created");
    let log = folder.path().join("logs/sync.log");
    let mut sum = 0;
    for round in 0..4 {
        append(&log, "ERROR started\n");
        sum += errors(&run(folder.path(), &["logs"]));
        assert_eq!(sum, round + 1);
        sh(folder.path(), &format!("mv logs/sync.log logs/sync.log.{}", 9 - round));
    }
}

#[test]
fn a_last_line_that_nobody_finishes_is_read_after_ten_minutes() {
    let (folder, log) = begun();
    append(&log, "2025-06-12T09:00:00Z ERROR Fatal the last word");
    sh(folder.path(), "touch -d '9 minutes ago' logs/sync.log");
    assert_eq!(errors(&run(folder.path(), &["logs"])), 0);
    sh(folder.path(), "touch -d '11 minutes ago' logs/sync.log");
    let outcome = run(folder.path(), &["logs"]);
    outcome.assert_code(0);
    assert_eq!(errors(&outcome), 1, "{outcome}");
    assert_eq!(errors(&run(folder.path(), &["logs"])), 0);
}

#[test]
fn there_may_be_more_files_than_may_be_open() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("logs")).expect("created");
    for n in 0..150 {
        append(&folder.path().join(format!("logs/sync.log.{n}")), &lines(n * 10, 2));
    }
    let program = pso_tests::tool::built_binary("pso-logscan").expect("built");
    for expected in [300, 0] {
        let script = "ulimit -n 64; exec \"$0\" --bookmark state --max-errors 9999 logs";
        let outcome = Tool::program("sh").args(["-c", script]).arg(&program).folder(folder.path()).run().expect("ends");
        assert_eq!((outcome.code, errors(&outcome)), (Some(0), expected), "{outcome}");
    }
}

#[test]
fn a_full_disk_costs_no_record_and_no_bookmark() {
    let folder = tempfile::tempdir().expect("a folder");
    let (disk, log) = (folder.path().join("disk"), folder.path().join("sync.log"));
    let _mount = pso_tests::mount::Mount::tmpfs(&disk, 16).expect("mounted");
    append(&log, &lines(0, 10));
    let scan = || {
        let tool = Tool::new("pso-logscan").expect("built").folder(folder.path());
        tool.args(["--bookmark", "disk/state", "sync.log"]).run().expect("ends")
    };
    scan().assert_code(0);
    let before = fs::read(disk.join("state")).expect("read");
    append(&log, &lines(10, 2));
    sh(folder.path(), "head -c 64k /dev/zero > disk/full || true");
    let full = scan();
    full.assert_code(3).assert_stderr_has("write the bookmark to").assert_stderr_has("No space left");
    assert_eq!(errors(&full), 2, "{full}");
    assert!(fs::read(disk.join("state")).expect("read") == before && !disk.join(".state.new").exists());
    sh(folder.path(), "rm disk/full");
    assert_eq!(errors(&scan()), 2);
    assert_eq!(errors(&scan()), 0);
}

/// A log that is written and rotated at random.
struct Walk {
    folder: TempDir,
    random: Rng,
    written: u64,
}

impl Walk {
    fn new(seed: u64) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("logs")).expect("created");
        Self { folder, random: Rng::with_seed(seed), written: 0 }
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("logs/sync.log")
    }

    /// Writes some lines; sometimes the last of them in two parts, between which `between` is done.
    fn write(&mut self, between: impl FnOnce(&mut Self)) {
        let count = self.random.u64(1..120);
        let text = lines(self.written, count);
        self.written += count;
        let cut = if self.random.bool() { text.len() } else { text.len() - self.random.usize(1..20) };
        append(&self.log(), &text[..cut]);
        if cut < text.len() {
            between(self);
            append(&self.log(), &text[cut..]);
        }
    }

    fn rotated(&self) -> Vec<(u32, String)> {
        let names = fs::read_dir(self.folder.path().join("logs")).expect("listed");
        let names = names.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"));
        let mut rotated: Vec<(u32, String)> = names
            .filter_map(|name| {
                let digits = name.strip_prefix("sync.log.")?.split('.').next()?;
                Some((digits.parse().ok()?, name))
            })
            .collect();
        rotated.sort();
        rotated
    }

    /// Moves each rotated file to the next number.
    fn shift(&self) {
        for (number, name) in self.rotated().into_iter().rev() {
            let next = name.replacen(&format!(".log.{number}"), &format!(".log.{}", number + 1), 1);
            let logs = self.folder.path().join("logs");
            fs::rename(logs.join(&name), logs.join(next)).expect("renamed");
        }
    }

    fn rotate(&mut self) {
        if !self.log().exists() {
            return;
        }
        self.shift();
        let script = if self.random.bool() {
            "mv logs/sync.log logs/sync.log.1"
        } else {
            "cp logs/sync.log logs/sync.log.1; : > logs/sync.log"
        };
        sh(self.folder.path(), script);
    }

    fn pack(&mut self) {
        let plain: Vec<String> =
            self.rotated().into_iter().map(|(_, name)| name).filter(|name| name.matches('.').count() == 2).collect();
        if let Some(name) = self.random.choice(plain) {
            let program = if self.random.bool() { "gzip" } else { "zstd -q --rm" };
            sh(self.folder.path(), &format!("{program} logs/{name}"));
        }
    }
}

#[test]
fn every_line_counts_once_whatever_happens_between_the_runs() {
    for seed in 0..12 {
        let mut walk = Walk::new(seed);
        let mut counted = 0;
        let read = |walk: &Walk, counted: &mut u64| {
            let outcome = run(walk.folder.path(), &["logs", "--events", "none", "--max-errors", "100000"]);
            // There may be no log yet.
            let expected = if walk.rotated().is_empty() && !walk.log().exists() { 3 } else { 0 };
            outcome.assert_code(expected);
            *counted += errors(&outcome);
        };
        for _ in 0..40 {
            match walk.random.u8(0..10) {
                0..4 => walk.write(|walk| {
                    if walk.random.bool() {
                        read(walk, &mut counted);
                    }
                }),
                4..6 => walk.rotate(),
                6 => walk.pack(),
                _ => read(&walk, &mut counted),
            }
        }
        walk.write(|_| {});
        read(&walk, &mut counted);
        assert_eq!(counted, walk.written, "seed {seed}");
        read(&walk, &mut counted);
        assert_eq!(counted, walk.written, "seed {seed}, nothing new");
    }
}

#[test]
fn every_line_is_told_at_least_once_when_runs_are_killed() {
    let mut killed = 0;
    for seed in 100..106 {
        let mut walk = Walk::new(seed);
        let mut told = BTreeSet::new();
        let mut hear = |outcome: &Outcome| {
            // The last line of a killed run may be cut.
            let records = outcome
                .stdout
                .split(|&byte| byte == b'\n')
                .filter_map(|line| serde_json::from_slice::<Value>(line).ok());
            told.extend(
                records
                    .filter(|record| record["kind"] == "log.event")
                    .filter_map(|record| record["message"].as_str()?.rsplit(' ').next()?.parse::<u64>().ok()),
            );
        };
        for _ in 0..25 {
            match walk.random.u8(0..10) {
                // If no run lives long enough, the last one has to tell all, and it tells 1000 at most.
                0..4 if walk.written < 750 => walk.write(|_| {}),
                4 => walk.rotate(),
                5 => walk.pack(),
                _ => {
                    let after = Instant::now() + Duration::from_micros(walk.random.u64(0..25_000));
                    let mut running = tool(walk.folder.path(), &["logs", "--last", "1000"]).spawn().expect("started");
                    while Instant::now() < after {
                        std::hint::spin_loop();
                    }
                    killed += u32::from(running.signal("KILL").is_ok());
                    hear(&running.finish().expect("ends"));
                }
            }
        }
        walk.write(|_| {});
        let last = run(walk.folder.path(), &["logs", "--last", "1000", "--max-errors", "100000"]);
        hear(&last);
        assert_eq!(last.code, Some(0), "{last}");
        let missing: Vec<u64> = (0..walk.written).filter(|number| !told.contains(number)).collect();
        assert!(missing.is_empty(), "seed {seed}: {missing:?} of {}", walk.written);
    }
    assert!(killed > 20, "{killed} runs were killed");
}

#[test]
fn nothing_is_lost_when_rotation_happens_while_a_run_reads() {
    let mut walk = Walk::new(7);
    let folder = walk.folder.path().to_path_buf();
    let (stop, written, allowed) = <(Arc<AtomicBool>, Arc<AtomicU64>, Arc<AtomicU64>)>::default();
    append(&walk.log(), "");
    let writer = {
        let (stop, written, allowed) = (Arc::clone(&stop), Arc::clone(&written), Arc::clone(&allowed));
        std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                if walk.written >= allowed.load(Ordering::Relaxed) {
                    std::thread::yield_now();
                    continue;
                }
                append(&walk.log(), &lines(walk.written, 1));
                walk.written += 1;
                written.store(walk.written, Ordering::Relaxed);
                if walk.random.u8(0..60) == 0 {
                    walk.shift();
                    fs::rename(walk.log(), walk.folder.path().join("logs/sync.log.1")).expect("renamed");
                }
                if walk.random.u8(0..100) == 0 {
                    walk.pack();
                }
            }
            walk
        })
    };
    let (mut told, mut again) = (BTreeSet::new(), 0);
    let mut hear = || {
        // A run tells the last 1000 one by one.
        allowed.store(written.load(Ordering::Relaxed) + 150, Ordering::Relaxed);
        let outcome = run(&folder, &["logs", "--last", "1000", "--max-errors", "1000000"]);
        assert!(errors(&outcome) <= 1000, "{outcome}");
        let events = outcome.records_of_kind("log.event");
        let numbers =
            events.iter().filter_map(|event| event["message"].as_str()?.rsplit(' ').next()?.parse::<u64>().ok());
        for number in numbers {
            again += u32::from(!told.insert(number));
        }
    };
    let until = Instant::now() + Duration::from_secs(2);
    while Instant::now() < until {
        hear();
    }
    stop.store(true, Ordering::Relaxed);
    let walk = writer.join().expect("the writer");
    hear();
    hear();
    let missing: Vec<u64> = (0..walk.written).filter(|number| !told.contains(number)).collect();
    assert!(missing.is_empty() && walk.written > 100, "{missing:?} of {}", walk.written);
    assert_eq!(again, 0, "lines of {} were told twice", walk.written);
}
