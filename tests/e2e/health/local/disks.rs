//! Disks that are full, take no writes, or hang.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use pso_tests::mount::Mount;
use pso_tests::tool::{Outcome, built_binary};
use serde_json::{Value, json};

use super::Folder;

/// The machine's own disks may be fuller than the specification likes; those of the test are looked at by their path.
fn at(outcome: &Outcome, name: &str, path: &Path) -> Value {
    let path = path.canonicalize().expect("there");
    let mut found = outcome.records();
    found.retain(|record| {
        record["name"] == name && record["labels"]["mount"].as_str().is_some_and(|m| Path::new(m) == path)
    });
    assert_eq!(found.len(), 1, "{name} of {}\n{outcome}", path.display());
    found.remove(0)
}

#[test]
fn each_file_system_in_use_is_looked_at_once() {
    let folder = Folder::new();
    let logs = Mount::tmpfs(&folder.path("logs"), 1024).expect("mounted");
    // Nine tenths of it.
    fs::write(folder.path("logs/sync-engine.log"), vec![b'x'; 920 << 10]).expect("written");
    let outcome = folder.tool("disk").env("TMPDIR", folder.path("logs")).run().expect("ends");
    let usage = at(&outcome, "disk_usage", &folder.path("logs"));
    assert_eq!(
        (&usage["severity"], &usage["limit"], &usage["unit"]),
        (&json!("warning"), &json!(85.0), &json!("percent"))
    );
    assert!(usage["value"].as_f64().is_some_and(|value| value > 89.0 && value < 93.0), "{usage:#}");
    assert!(usage["message"].as_str().is_some_and(|text| text.contains("are left on")), "{usage:#}");
    let disk = outcome.record("health.check", "disk");
    assert_eq!(disk["severity"], "ok");
    // The root of the deployment, config, plans and backups lie on one; the logs and TMPDIR on the other.
    assert_eq!(disk["message"], "paths looked at: 6 of 6, file systems they lie on: 2");
    drop(logs);
}

#[test]
fn files_run_out_before_bytes_do() {
    let folder = Folder::new();
    let _mount = Mount::tmpfs_of_files(&folder.path("backups"), 20).expect("mounted");
    for number in 0..18 {
        File::create(folder.path(&format!("backups/{number}"))).expect("created");
    }
    let outcome = folder.run("disk");
    let inodes = at(&outcome, "inode_usage", &folder.path("backups"));
    // The root of the file system is a file too.
    assert_eq!((&inodes["value"], &inodes["severity"]), (&json!(95.0), &json!("warning")), "{outcome}");
    assert_eq!(
        inodes["message"].as_str().map(|text| text.starts_with("95 %, beyond the limit of 85 % (room for 1 more")),
        Some(true)
    );
    assert_eq!(at(&outcome, "disk_usage", &folder.path("backups"))["severity"], "ok");
}

#[test]
fn a_disk_that_takes_no_writes_is_told_where_something_writes() {
    let folder = Folder::new();
    let mounts = ["backups", "roadmaps/plans"].map(|name| Mount::tmpfs(&folder.path(name), 64).expect("mounted"));
    for mount in &mounts {
        mount.read_only().expect("remounted");
    }
    let outcome = folder.run("disk");
    outcome.assert_code(2).assert_quiet();
    let record = outcome.record("health.check", "disk.read_only");
    assert_eq!((&record["severity"], &record["status"]), (&json!("high"), &json!("read-only")));
    assert_eq!(record["labels"]["path"], "backups", "nobody writes plans here: {outcome}");
}

#[test]
fn a_disk_that_hangs_hangs_alone() {
    let folder = Folder::new();
    folder.config("{paths: [backups, .], limits: {disk_usage: off, inode_usage: off}}");
    let mount = Mount::silent(&folder.path("backups")).expect("mounted");
    let started = Instant::now();
    let outcome = folder.tool("disk").args(["--timeout", "700ms"]).run().expect("ends");
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    outcome.assert_code(3).assert_quiet();
    let hanging = outcome.record("health.check", "disk.path");
    assert_eq!((&hanging["severity"], &hanging["labels"]["path"]), (&json!("unknown"), &json!("backups")));
    assert_eq!(hanging["message"], "backups: no answer within 700ms: its file system hangs");
    assert!(hanging["elapsed_ms"].as_u64().is_some_and(|ms| (700..5000).contains(&ms)), "{hanging:#}");
    let usage = outcome.record("health.metric", "disk_usage");
    assert_eq!((&usage["severity"], &usage["labels"]["path"]), (&json!("ok"), &json!(".")));
    assert!(usage["elapsed_ms"].as_u64().is_some_and(|ms| ms < 700), "it did not wait: {usage:#}");
    assert_eq!(outcome.record("health.check", "disk")["severity"], "ok");

    // Round by round: one thread hangs, not one more each round.
    let tool = folder.tool("disk").args(["--timeout", "300ms", "--every", "400ms", "--count", "3"]);
    let outcome = tool.run().expect("ends");
    let messages: Vec<String> = outcome
        .records()
        .iter()
        .filter(|record| record["name"] == "disk.path")
        .map(|record| record["message"].as_str().expect("a message").to_owned())
        .collect();
    assert_eq!(messages.len(), 3, "{outcome}");
    assert!(messages[0].contains("no answer within 300ms"), "{messages:?}");
    assert!(messages[1..].iter().all(|message| message.contains("still hangs, since")), "{messages:?}");
    drop(mount);
}

#[test]
fn a_probe_that_cannot_be_killed_does_not_hold_up_the_reader() {
    let folder = Folder::new();
    folder.config("{paths: [backups, .], limits: {disk_usage: off, inode_usage: off}}");
    let mount = Mount::deaf(&folder.path("backups")).expect("mounted");
    let mut running = Command::new(built_binary("pso-health").expect("built"))
        .args(["--only", "disk", "--timeout", "500ms"])
        .current_dir(folder.path(""))
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("started");
    let (mut stdout, mut stderr) = (running.stdout.take().expect("a pipe"), running.stderr.take().expect("a pipe"));
    let (sender, ended) = mpsc::channel();
    let reader = thread::spawn(move || {
        let (mut records, mut errors) = (String::new(), String::new());
        stdout.read_to_string(&mut records).and_then(|_| stderr.read_to_string(&mut errors)).expect("read");
        sender.send((records, errors)).expect("the test waits");
    });
    let read = ended.recv_timeout(Duration::from_secs(30));
    // The kernel lets the process go only now.
    drop(mount);
    let code = running.wait().expect("ended").code();
    reader.join().expect("ended");
    let (records, errors) = read.expect("the pipe ends although the process cannot");
    assert_eq!((code, errors.as_str()), (Some(3), ""));
    assert!(records.contains("its file system hangs"), "{records}");
    let last: Value = serde_json::from_str(records.lines().last().expect("a line")).expect("a record");
    assert_eq!(last["kind"], "run.end", "{records}");
}

#[test]
fn what_is_read_only_cannot_fill_up() {
    let folder = Folder::new();
    let plans = Mount::tmpfs(&folder.path("roadmaps/plans"), 64).expect("mounted");
    // As an image such as squashfs is: full.
    fs::write(folder.path("roadmaps/plans/a.md"), vec![b'x'; 64 << 10]).expect("written");
    let usage = at(&folder.run("disk"), "disk_usage", &folder.path("roadmaps/plans"));
    assert_eq!((&usage["severity"], &usage["value"]), (&json!("warning"), &json!(100.0)));
    plans.read_only().expect("remounted");
    let outcome = folder.run("disk");
    let mounts: Vec<Value> =
        outcome.records_of_kind("health.metric").iter().map(|one| one["labels"]["path"].clone()).collect();
    assert!(!mounts.contains(&json!("roadmaps/plans")), "{outcome}");
    let disk = outcome.record("health.check", "disk");
    assert!(
        disk["message"].as_str().is_some_and(|text| text.contains("; and read-only, so that they cannot fill up: /")),
        "{disk:#}"
    );
}

#[test]
fn a_path_that_is_named_must_be_there() {
    let folder = Folder::new();
    folder.config("{limits: {disk_usage: off, inode_usage: off}, paths: [no/such/folder, .]}");
    let outcome = folder.run("disk");
    outcome.assert_code(3).assert_quiet();
    let record = outcome.record("health.check", "disk.path");
    assert_eq!((&record["severity"], &record["labels"]["path"]), (&json!("unknown"), &json!("no/such/folder")));
    assert_eq!(outcome.record("health.metric", "disk_usage")["severity"], "ok");
    folder.config("{paths: [no/such/folder]}");
    let outcome = folder.run("disk");
    assert_eq!(outcome.record("health.check", "disk")["severity"], "unknown", "nothing was looked at: {outcome}");
}
