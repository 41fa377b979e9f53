//! The vector store: its optimiser, and snapshots that killed backups have left on its disk.

use std::fs;
use std::path::PathBuf;

use pso_archive::{BACKUP_LOCK, Lock};
use pso_tests::qdrant::TempQdrant;
use pso_tests::tool::{Outcome, Tool};
use tempfile::TempDir;

use crate::parts::checked;

struct Store {
    qdrant: TempQdrant,
    folder: TempDir,
}

impl Store {
    fn new() -> Self {
        let qdrant = TempQdrant::start().expect("Qdrant");
        for name in ["plans", "tasks"] {
            qdrant.client().create_collection(name, 4).expect("created");
        }
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir_all(folder.path().join("backups/daily")).expect("created");
        Self { qdrant, folder }
    }

    fn snapshot(&self, collection: &str) -> String {
        let path = format!("/collections/{collection}/snapshots");
        let made = self.qdrant.client().result("POST", &path, None).expect("made");
        made["name"].as_str().expect("a name").to_owned()
    }

    fn notes(&self) -> PathBuf {
        self.folder.path().join("backups/daily/.pso-backup.pending")
    }

    fn note(&self, url: &str, collection: &str, snapshot: &str) {
        let line = format!("{{\"url\":\"{url}\",\"collection\":\"{collection}\",\"snapshot\":\"{snapshot}\"}}\n");
        let before = fs::read_to_string(self.notes()).unwrap_or_default();
        fs::write(self.notes(), before + &line).expect("written");
    }

    fn prune(&self, args: &[&str]) -> Outcome {
        let tool = Tool::new("pso-prune").expect("built").arg("qdrant").args(args);
        checked(tool.env("PSO_QDRANT_URL", self.qdrant.url()).folder(self.folder.path()))
    }
}

/// `STEP OBJECT STATE: MESSAGE`.
fn done(outcome: &Outcome) -> Vec<String> {
    let steps = outcome.records_of_kind("prune.step");
    let steps = steps.iter().filter(|step| step["state"] != "planned");
    let text = |step: &serde_json::Value, name: &str| step[name].as_str().expect("a text").to_owned();
    steps
        .map(|step| {
            let [step, object, state, said] = ["step", "object", "state", "message"].map(|name| text(step, name));
            format!("{step} {object} {state}: {said}")
        })
        .collect()
}

#[test]
fn the_optimiser_runs_until_all_is_green() {
    let store = Store::new();
    let plan = store.prune(&["--dry-run"]);
    plan.assert_code(0);
    assert_eq!(plan.records_of_kind("prune.step").len(), 2);
    let outcome = store.prune(&["--yes", "--without-backup"]);
    outcome.assert_code(0);
    let all = done(&outcome);
    assert!(all[0].starts_with("optimise plans done: green; segments: "), "{all:?}");
    assert!(all[1].starts_with("optimise tasks done: green; segments: "), "{all:?}");
}

#[test]
fn only_noted_snapshots_go() {
    let store = Store::new();
    let url = store.qdrant.url();
    let (ours, theirs) = (store.snapshot("plans"), store.snapshot("tasks"));
    store.note(&url, "plans", &ours);
    store.note("http://127.0.0.1:1", "tasks", &theirs);
    store.note(&url, "gone", "gone-1-2026-11-22-09-00-00.snapshot");
    let plan = store.prune(&["--dry-run"]);
    let steps = plan.records_of_kind("prune.step");
    assert_eq!(steps[0]["object"], format!("plans/{ours}"));
    assert!(steps.len() == 3 && steps[0]["size_bytes"].as_u64() > Some(0), "{plan}");
    let lock = Lock::acquire(&store.folder.path().join("backups/daily").join(BACKUP_LOCK), "backup").expect("free");
    let held = store.prune(&["--yes", "--without-backup"]);
    held.assert_code(0);
    assert!(done(&held)[0].contains("skipped: snapshots on the server may be its own"), "{held}");
    drop(lock);
    assert_eq!(store.qdrant.client().snapshots("plans").expect("listed"), [ours.as_str()]);
    let outcome = store.prune(&["--yes", "--without-backup"]);
    outcome.assert_code(0);
    assert!(done(&outcome)[0].starts_with(&format!("remove plans/{ours} done")), "{outcome}");
    let client = store.qdrant.client();
    assert_eq!(client.snapshots("plans").expect("listed"), [""; 0]);
    assert_eq!(client.snapshots("tasks").expect("listed"), [theirs.as_str()], "an operator's");
    let notes = fs::read_to_string(store.notes()).expect("notes");
    assert!(notes.contains(&theirs) && !notes.contains(&ours), "the other server's stay noted: {notes}");
}

#[test]
fn without_a_server_the_part_is_told_as_not_looked_at() {
    let mut store = Store::new();
    store.qdrant.stop().expect("stopped");
    let outcome = store.prune(&["--yes", "--without-backup"]);
    outcome.assert_code(3);
    assert!(done(&outcome)[0].contains("look at Qdrant at"), "{outcome}");
}
