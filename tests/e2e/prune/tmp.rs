//! What killed runs have left.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use pso_archive::{BACKUP_LOCK, Lock};
use pso_tests::tool::{Outcome, Tool};
use tempfile::TempDir;

use crate::parts::checked;

struct Left(TempDir);

impl Left {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["backups/daily", "logs/sub", "scratch"] {
            fs::create_dir_all(folder.path().join(name)).expect("created");
        }
        Self(folder)
    }

    fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: impl AsRef<Path>, age: Duration) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, "left").expect("written");
        let file = File::options().write(true).open(&path).expect("opened");
        file.set_modified(SystemTime::now() - age).expect("dated");
        path
    }

    /// The folder of a rehearsal, whose process is gone.
    fn rehearsal(&self, name: &str) -> PathBuf {
        let path = self.path("scratch").join(name);
        fs::create_dir(&path).expect("created");
        fs::write(path.join("lock"), "4711\n").expect("written");
        fs::create_dir(path.join("postgres")).expect("created");
        fs::write(path.join("postgres/data"), [0; 1000]).expect("written");
        path
    }

    fn prune(&self, args: &[&str]) -> Outcome {
        let tool = Tool::new("pso-prune").expect("built").arg("tmp").args(args);
        checked(tool.env("PSO_REHEARSE_TEMP_DIR", self.path("scratch")).folder(self.0.path()))
    }
}

/// `OBJECT STATE` of what was done or not.
fn done(outcome: &Outcome) -> Vec<String> {
    let steps = outcome.records_of_kind("prune.step");
    let text = |step: &serde_json::Value, name: &str| step[name].as_str().expect("a text").to_owned();
    let steps = steps.iter().filter(|step| step["state"] != "planned");
    steps.map(|step| format!("{} {}", text(step, "object"), text(step, "state"))).collect()
}

const HOURS: Duration = Duration::from_secs(2 * 3600);

#[test]
fn leftovers_go_and_nothing_else() {
    let left = Left::new();
    let ours = [
        left.write("backups/daily/.20261122_090000.zip.partial-4711", Duration::ZERO),
        left.write("backups/daily/20261122_090000.zip.sha256", Duration::ZERO),
        left.rehearsal("pso-rehearse-dead"),
        left.write("logs/sub/.app.log.1.zst.pso-prune-4711", HOURS),
    ];
    let outside = tempfile::tempdir().expect("a folder");
    fs::write(outside.path().join(".far.log.zst.pso-prune-1"), "x").expect("written");
    symlink(outside.path(), left.path("logs/link")).expect("linked");
    symlink(outside.path(), left.path("scratch/pso-rehearse-link")).expect("linked");
    let kept = left.rehearsal("pso-rehearse-kept");
    fs::remove_file(kept.join("lock")).expect("removed");
    let alive = left.rehearsal("pso-rehearse-alive");
    let _held = Lock::acquire(&alive.join("lock"), "rehearsal").expect("free");
    let others = [
        left.write("backups/daily/20261121_090000.zip", HOURS),
        left.write("backups/daily/notes.zip.partial-1", HOURS),
        left.write("logs/.young.log.zst.pso-prune-4711", Duration::ZERO),
        left.write("logs/app.log.partial", HOURS),
        kept,
        alive,
        outside.path().join(".far.log.zst.pso-prune-1"),
    ];
    let plan = left.prune(&["--dry-run"]);
    plan.assert_code(0);
    let steps = plan.records_of_kind("prune.step");
    let files: Vec<u64> = steps.iter().map(|step| step["files"].as_u64().expect("a number")).collect();
    assert_eq!(files, [1, 1, 2, 1], "{plan}");
    assert_eq!(steps[2]["size_bytes"], 1005);
    assert!(ours.iter().all(|path| path.exists()), "a plan changes nothing");
    let outcome = left.prune(&["--yes", "--without-backup"]);
    outcome.assert_code(0);
    assert!(done(&outcome).len() == 4 && done(&outcome).iter().all(|line| line.ends_with(" done")), "{outcome}");
    assert!(ours.iter().all(|path| !path.exists()));
    assert!(others.iter().all(|path| path.exists()));
    assert_eq!(done(&left.prune(&["--yes", "--without-backup"])), [""; 0]);
}

#[test]
fn what_is_at_work_is_left_alone() {
    let left = Left::new();
    let partial = left.write("backups/daily/.20261122_090000.zip.partial-4711", Duration::ZERO);
    let _lock = Lock::acquire(&left.path("backups/daily").join(BACKUP_LOCK), "backup").expect("free");
    // Its server has outlived the rehearsal.
    let rehearsal = left.rehearsal("pso-rehearse-dead");
    let mut server = Command::new("sleep").arg("600").current_dir(rehearsal.join("postgres")).spawn().expect("started");
    let outcome = left.prune(&["--yes", "--without-backup"]);
    server.kill().and_then(|()| server.wait()).expect("ended");
    outcome.assert_code(0).assert_quiet();
    assert_eq!(done(&outcome).len(), 2, "{outcome}");
    assert!(partial.exists() && rehearsal.exists());
    let steps = outcome.records_of_kind("prune.step");
    assert!(steps[0]["message"].as_str().is_some_and(|said| said.contains("is already running")), "{outcome}");
    assert!(steps[1]["message"].as_str().is_some_and(|said| said.contains("still works in it")), "{outcome}");
}

#[test]
fn a_killed_restore_is_told_and_stays() {
    let left = Left::new();
    fs::create_dir(left.path(".pso-restore")).expect("created");
    let journal = left.path(".pso-restore/journal.jsonl");
    let line = r#"{"event":"begun","archive":"backups/daily/a.zip","at":"2026-11-22T09:00:00Z","pid":7}"#;
    fs::write(&journal, format!("{line}\n")).expect("written");
    let outcome = left.prune(&["--yes", "--without-backup"]);
    outcome.assert_code(1);
    assert_eq!(done(&outcome), [".pso-restore skipped"]);
    let steps = outcome.records_of_kind("prune.step");
    assert!(steps[0]["message"].as_str().is_some_and(|said| said.contains("pso-restore --rollback")), "{outcome}");
    assert!(journal.exists());
}
