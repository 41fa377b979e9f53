//! Log files: what goes, what is compressed, and what stays whatever its name and age.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

use pso_tests::mount::Mount;
use pso_tests::pg::TempPg;
use pso_tests::proxy::{Mode, TcpProxy};
use pso_tests::tool::{Outcome, Tool};
use pso_tests::wait;
use serde_json::Value;
use tempfile::TempDir;

use crate::parts::{LIMIT, checked};

const DAY: Duration = Duration::from_secs(86_400);

/// A deployment's folder with logs in it.
struct Logs(TempDir);

impl Logs {
    fn new(config: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir_all(folder.path().join("logs/sub")).expect("created");
        fs::create_dir(folder.path().join("config")).expect("created");
        let text = format!("maintenance: {{prune: {{logs: {{{config}}}}}}}\n");
        fs::write(folder.path().join("config/config.yaml"), text).expect("written");
        Self(folder)
    }

    fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: impl AsRef<Path>, age: Duration, content: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).expect("written");
        aged(&path, age);
        path
    }

    fn tool(&self, args: &[&str]) -> Tool {
        Tool::new("pso-prune").expect("built").arg("logs").args(args).folder(self.0.path())
    }

    fn prune(&self) -> Outcome {
        checked(self.tool(&["--yes", "--without-backup"]))
    }
}

fn aged(path: &Path, age: Duration) {
    let file = File::options().write(true).open(path).expect("opened");
    file.set_modified(SystemTime::now() - age).expect("dated");
}

/// `STEP OBJECT STATE`, without those that are only planned.
fn done(outcome: &Outcome) -> Vec<String> {
    let text = |step: &Value, name: &str| step[name].as_str().expect("a text").to_owned();
    let mut all: Vec<String> = outcome
        .records_of_kind("prune.step")
        .iter()
        .filter(|step| step["state"] != "planned")
        .map(|step| format!("{} {} {}", text(step, "step"), text(step, "object"), text(step, "state")))
        .collect();
    all.sort();
    all
}

/// The last word on an object.
fn said(outcome: &Outcome, object: &str) -> String {
    let steps = outcome.records_of_kind("prune.step");
    let step = steps.iter().rfind(|step| step["object"] == object).unwrap_or_else(|| panic!("{object}\n{outcome}"));
    step["message"].as_str().unwrap_or_default().to_owned()
}

fn names(folder: &Path) -> Vec<Vec<u8>> {
    let entries = fs::read_dir(folder).expect("readable");
    let mut names: Vec<Vec<u8>> =
        entries.map(|entry| entry.expect("an entry").file_name().as_bytes().to_vec()).collect();
    names.sort();
    names
}

#[test]
fn old_ones_go_and_aged_ones_are_compressed() {
    let logs = Logs::new("compress_after: 7d");
    let line = "2026-06-12T09:00:00.123Z ERROR SyncTimeout [sync-engine] plan=plan-dev-v48.md\n";
    logs.write("logs/sync-engine.log", Duration::ZERO, line.as_bytes());
    let aged = logs.write("logs/sync-engine.log.1", 8 * DAY, line.repeat(1000).as_bytes());
    fs::set_permissions(&aged, fs::Permissions::from_mode(0o640)).expect("mode");
    let before = fs::metadata(&aged).expect("there");
    logs.write("logs/old.log", 31 * DAY, b"x\n");
    logs.write("logs/sub/b.log-20261001", 40 * DAY, b"x\n");
    logs.write("logs/notes.txt", 400 * DAY, b"x\n");
    logs.write("logs/.hidden.log", 400 * DAY, b"x\n");
    for name in [&b"-rf.log"[..], b"a\nb.log.1", b"caf\xe9.log"] {
        logs.write(Path::new("logs").join(OsStr::from_bytes(name)), 40 * DAY, b"x\n");
    }
    let all = names(&logs.path("logs"));
    let plan = checked(logs.tool(&["--dry-run"]));
    plan.assert_code(0);
    assert_eq!(names(&logs.path("logs")), all, "a plan changes nothing");
    assert_eq!(plan.records_of_kind("prune.step").len(), 6, "{plan}");
    checked(logs.tool(&["--without-backup"])).assert_code(3).assert_stderr_has("add --yes");
    assert_eq!(names(&logs.path("logs")), all, "nobody has said yes");

    let outcome = logs.prune();
    outcome.assert_code(0);
    let expected = [
        "compress logs/sync-engine.log.1 done",
        "remove logs/-rf.log done",
        "remove logs/a\nb.log.1 done",
        "remove logs/caf\u{fffd}.log done",
        "remove logs/old.log done",
        "remove logs/sub/b.log-20261001 done",
    ];
    assert_eq!(done(&outcome), expected);
    let left = [".hidden.log", "notes.txt", "sub", "sync-engine.log", "sync-engine.log.1.zst"];
    assert_eq!(names(&logs.path("logs")), left.map(|name| name.as_bytes().to_vec()));
    let packed = logs.path("logs/sync-engine.log.1.zst");
    let after = fs::metadata(&packed).expect("there");
    assert_eq!((after.mode(), after.uid(), after.mtime()), (before.mode(), before.uid(), before.mtime()));
    assert!(after.len() < before.len() / 10);
    let steps = outcome.records_of_kind("prune.step");
    let saved = steps.iter().find(|step| step["step"] == "compress" && step["state"] == "done").expect("a step");
    assert_eq!(saved["size_bytes"], before.len() - after.len());
    // What is compressed can still be searched.
    let scan = Tool::new("pso-logscan").expect("built").arg("logs/sync-engine.log.1.zst").folder(logs.0.path());
    let coverage = checked(scan).records_of_kind("log.coverage");
    assert_eq!(coverage[0]["lines"], 1000, "{coverage:?}");
    assert_eq!(done(&logs.prune()), [""; 0], "a second run has nothing to do");
}

#[test]
fn nothing_outside_the_folders_is_touched() {
    let logs = Logs::new("folders: [logs, more, nowhere]");
    let outside = tempfile::tempdir().expect("a folder");
    let far = outside.path().join("far.log");
    fs::write(&far, "x").expect("written");
    aged(&far, 90 * DAY);
    symlink(outside.path(), logs.path("logs/link")).expect("linked");
    symlink(&far, logs.path("logs/far.log")).expect("linked");
    let twice = logs.write("logs/twice.log", 90 * DAY, b"x");
    fs::hard_link(&twice, outside.path().join("other.txt")).expect("linked");
    // A configured folder may itself be a link.
    let real = tempfile::tempdir().expect("a folder");
    symlink(real.path(), logs.path("more")).expect("linked");
    logs.write("more/a.log", 90 * DAY, b"x");
    let outcome = logs.prune();
    outcome.assert_code(0);
    assert_eq!(done(&outcome), ["remove logs/twice.log skipped", "remove more/a.log done"]);
    assert!(said(&outcome, "logs/twice.log").contains("2 names"));
    assert!(far.exists() && twice.exists() && logs.path("logs/link").exists());
    assert_eq!(names(real.path()).len(), 0);
}

/// A process that ends with the test.
struct Holder(Child);

impl Holder {
    fn of(path: &Path) -> Self {
        let file = File::options().append(true).open(path).expect("opened");
        Self(Command::new("sleep").arg("600").stdin(Stdio::null()).stdout(file).spawn().expect("started"))
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_log_that_a_process_has_open_stays() {
    let logs = Logs::new("compress_after: 7d");
    let held = logs.write("logs/held.log", 90 * DAY, b"x");
    let aged = logs.write("logs/aged.log", 8 * DAY, b"x");
    let holders = [Holder::of(&held), Holder::of(&aged)];
    // A rotation renames it under its writer.
    fs::rename(&held, logs.path("logs/held.log.1")).expect("renamed");
    let outcome = logs.prune();
    outcome.assert_code(0);
    assert_eq!(done(&outcome), ["remove logs/aged.log skipped", "remove logs/held.log.1 skipped"]);
    let message = said(&outcome, "logs/held.log.1");
    assert!(message.contains(&format!("process {} has it open", holders[0].0.id())), "{message}");
    assert!(aged.exists() && logs.path("logs/held.log.1").exists());
    drop(holders);
    assert_eq!(done(&logs.prune()), ["compress logs/aged.log done", "remove logs/held.log.1 done"]);
}

/// Holds a run between its plan and what it does, by a server that answers slowly: the other part's plan waits for it.
fn between(logs: &Logs, change: impl FnOnce()) -> Outcome {
    let database = TempPg::shared().expect("PostgreSQL").database("prune_swap").expect("a database");
    let proxy = TcpProxy::start(database.port()).expect("a proxy");
    proxy.set(Mode::Trickle { bytes: 1, every: Duration::from_millis(50) }).expect("set");
    let mut env = database.env();
    env.retain(|(name, _)| name != "PGPORT");
    env.push(("PGPORT".to_owned(), proxy.port().to_string()));
    let records = logs.path("records.jsonl");
    let tool = logs.tool(&["vacuum", "--yes", "--without-backup", "--records"]).arg(&records).envs(env);
    let running = tool.spawn().expect("started");
    let planned = || fs::read_to_string(&records).ok().filter(|text| text.contains("\"planned\""));
    wait::until("the plan", LIMIT, planned).expect("planned");
    change();
    proxy.set(Mode::Pass).expect("set");
    running.finish().expect("ends")
}

#[test]
fn what_has_changed_since_the_plan_is_not_touched() {
    let logs = Logs::new("compress_after: 7d");
    let outside = tempfile::tempdir().expect("a folder");
    for name in ["in.log", "target.log"] {
        fs::write(outside.path().join(name), "x").expect("written");
        aged(&outside.path().join(name), 90 * DAY);
    }
    logs.write("logs/linked.log", 90 * DAY, b"x");
    logs.write("logs/other.log", 90 * DAY, b"x");
    logs.write("logs/grown.log", 90 * DAY, b"x");
    logs.write("logs/sub/in.log", 90 * DAY, b"x");
    logs.write("logs/gone.log", 90 * DAY, b"x");
    logs.write("logs/packed.log", 8 * DAY, b"x");
    let outcome = between(&logs, || {
        let replaced = |name: &str| fs::remove_file(logs.path(name)).expect("removed");
        replaced("logs/linked.log");
        symlink(outside.path().join("target.log"), logs.path("logs/linked.log")).expect("linked");
        // The same name, size and time, and another file.
        fs::rename(logs.path("logs/other.log"), logs.path("logs/kept.txt")).expect("renamed");
        fs::write(logs.path("logs/other.log"), "y").expect("written");
        let time = fs::metadata(logs.path("logs/kept.txt")).and_then(|file| file.modified()).expect("a time");
        let file = File::options().write(true).open(logs.path("logs/other.log")).expect("opened");
        file.set_modified(time).expect("dated");
        fs::write(logs.path("logs/grown.log"), "x and a line").expect("written");
        fs::rename(logs.path("logs/sub"), logs.path("moved")).expect("renamed");
        symlink(outside.path(), logs.path("logs/sub")).expect("linked");
        replaced("logs/gone.log");
        fs::write(logs.path("logs/packed.log"), "x and a line").expect("written");
    });
    outcome.assert_code(1);
    let all = done(&outcome);
    let mine: Vec<&String> = all.iter().filter(|line| line.contains("logs/")).collect();
    let expected = [
        "compress logs/packed.log skipped",
        "remove logs/gone.log skipped",
        "remove logs/grown.log skipped",
        "remove logs/linked.log skipped",
        "remove logs/other.log skipped",
        "remove logs/sub/in.log skipped",
    ];
    assert_eq!(mine, expected);
    assert!(said(&outcome, "logs/linked.log").contains("nothing was done to it"), "{outcome}");
    assert_eq!(names(outside.path()).len(), 2);
    assert_eq!(fs::read_to_string(logs.path("logs/other.log")).expect("there"), "y");
    assert!(logs.path("logs/packed.log").exists() && !logs.path("logs/packed.log.zst").exists());
}

#[test]
fn a_full_disk_leaves_the_log_as_it_was() {
    let logs = Logs::new("compress_after: 7d, folders: [disk]");
    let _disk = Mount::tmpfs(&logs.path("disk"), 256).expect("mounted");
    // What does not become smaller: xorshift, https://www.jstatsoft.org/article/view/v008i14
    let mut state = 88_172_645_463_325_252_u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_be_bytes()[0]
    })
    .take(180_000)
    .collect();
    let log = logs.write("disk/a.log.1", 8 * DAY, &noise);
    let outcome = logs.prune();
    outcome.assert_code(2);
    assert_eq!(done(&outcome), ["compress disk/a.log.1 failed"]);
    let message = said(&outcome, "disk/a.log.1");
    assert!(message.contains("No space left") && message.contains("the log is as it was"), "{message}");
    assert_eq!(fs::read(&log).expect("there"), noise);
    assert_eq!(names(&logs.path("disk")), [b"a.log.1".to_vec()], "nothing is left");
}

#[test]
fn what_a_killed_run_had_begun_is_brought_to_its_end() {
    let logs = Logs::new("compress_after: 7d, compression: gzip");
    let log = logs.write("logs/a.log.1", 8 * DAY, b"text\n");
    logs.prune().assert_code(0);
    let packed = logs.path("logs/a.log.1.gz");
    let bytes = fs::read(&packed).expect("compressed");
    assert!(bytes.starts_with(&[0x1f, 0x8b]) && !log.exists());
    // Killed after the compressed one had its name, before the log was removed.
    logs.write("logs/a.log.1", 8 * DAY, b"text\n");
    let outcome = logs.prune();
    assert_eq!(done(&outcome), ["compress logs/a.log.1 done"]);
    assert!(said(&outcome, "logs/a.log.1").contains("an earlier run"));
    assert!(fs::read(&packed).expect("there") == bytes && !log.exists());
    // Somebody's own of that name is not ours to replace.
    logs.write("logs/a.log.1", 8 * DAY, b"other text\n");
    let outcome = logs.prune();
    outcome.assert_code(2);
    assert!(said(&outcome, "logs/a.log.1").contains("a.log.1.gz is there already"));
    assert!(fs::read(&packed).expect("there") == bytes && log.exists());
}

#[test]
fn all_together_they_take_no_more_than_the_cap() {
    let logs = Logs::new("max_total_size: 25KiB");
    let text = vec![b'x'; 10 << 10];
    logs.write("logs/a.log", 20 * DAY, &text);
    logs.write("logs/b.log.1", 5 * DAY, &text);
    logs.write("logs/c.log.2.gz", 8 * DAY, &text);
    logs.write("logs/now.log", Duration::ZERO, &text);
    let outcome = logs.prune();
    outcome.assert_code(0);
    assert_eq!(done(&outcome), ["remove logs/b.log.1 done", "remove logs/c.log.2.gz done"]);
    fs::write(logs.path("logs/now.log"), vec![b'x'; 30 << 10]).expect("written");
    let outcome = logs.prune();
    outcome.assert_code(1);
    assert_eq!(done(&outcome), ["remove logs skipped", "remove logs/a.log done"]);
    assert!(said(&outcome, "logs").contains("5.0 KiB more than"), "{outcome}");
}

#[test]
fn compressing_may_spare_a_removal() {
    let logs = Logs::new("max_total_size: 15KiB, compress_after: 7d");
    let text = vec![b'x'; 10 << 10];
    let old = logs.write("logs/a.log.1", 9 * DAY, &text);
    logs.write("logs/b.log.1", 8 * DAY, &text);
    let outcome = logs.prune();
    outcome.assert_code(0);
    let expected = ["compress logs/a.log.1 done", "compress logs/b.log.1 done", "remove logs/a.log.1 skipped"];
    assert_eq!(done(&outcome), expected);
    assert!(!old.exists() && logs.path("logs/a.log.1.zst").exists());
}

#[test]
fn another_users_log_that_may_be_open_stays() {
    const NOBODY: u32 = 65534;
    let logs = Logs::new("");
    fs::set_permissions(logs.0.path(), fs::Permissions::from_mode(0o777)).expect("mode");
    fs::set_permissions(logs.path("logs"), fs::Permissions::from_mode(0o777)).expect("mode");
    for name in ["logs/own.log", "logs/roots.log", "logs/roots.log.1"] {
        logs.write(name, 90 * DAY, b"x");
    }
    chown(logs.path("logs/own.log"), Some(NOBODY), Some(NOBODY)).expect("owned");
    let program = pso_tests::tool::built_binary("pso-prune").expect("built");
    // Under the tool's own name, by which its records are known.
    let script = logs.path("pso-prune");
    let text = format!(
        "#!/bin/sh\nexec setpriv --reuid={NOBODY} --regid={NOBODY} --clear-groups -- '{}' logs --yes --without-backup\n",
        program.display()
    );
    fs::write(&script, text).expect("written");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("mode");
    let tool = Tool::program(script).folder(logs.0.path());
    let outcome = checked(tool);
    outcome.assert_code(1);
    let expected = ["remove logs/own.log done", "remove logs/roots.log skipped", "remove logs/roots.log.1 done"];
    assert_eq!(done(&outcome), expected, "{outcome}");
    assert!(said(&outcome, "logs/roots.log").contains("run this as root or as that user"));
}
