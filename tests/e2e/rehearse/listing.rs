//! What the other tools make of it that an archive was rehearsed: listing, verification, retention, health.

use std::fs;

use pso_archive::{Status, status_path};
use serde_json::Value;

use super::Rehearsed;
use crate::parts::flip;

/// All that the archive has can be restored without PostgreSQL or Qdrant.
fn of_files(name: &str) -> Rehearsed {
    let mut rehearsed = Rehearsed::start(name);
    fs::remove_dir_all(rehearsed.parts.path("backups/daily")).expect("removed");
    rehearsed.archive = archive(&rehearsed);
    rehearsed
}

fn archive(rehearsed: &Rehearsed) -> std::path::PathBuf {
    let outcome = rehearsed.parts.backup(&["--only", "config,scripts,plans"]);
    outcome.assert_code(0);
    let records = outcome.records_of_kind("backup.archive");
    rehearsed.parts.path(records.last().expect("an archive")["path"].as_str().expect("a path"))
}

/// When each archive was rehearsed, newest first.
fn listed(rehearsed: &Rehearsed) -> Vec<Value> {
    let outcome = rehearsed.parts.backup(&["list"]);
    outcome.records_of_kind("backup.archive").iter().map(|record| record["rehearsed_at"].clone()).collect()
}

#[test]
fn it_is_listed_until_it_is_found_to_be_damaged() {
    let rehearsed = Rehearsed::start("rehearse_listed");
    assert_eq!(listed(&rehearsed), [Value::Null]);
    let part = rehearsed.rehearse(&["latest", "--only", "plans"]);
    part.assert_code(0);
    assert_eq!(listed(&rehearsed), [Value::Null], "a part says nothing of the rest");
    let outcome = rehearsed.rehearse(&["latest"]);
    outcome.assert_code(0);
    let result = outcome.records_of_kind("rehearse.result").remove(0);
    assert!(result["rehearsed_at"].is_string() && result["restore_ms"].is_u64(), "{outcome}");
    assert_eq!(listed(&rehearsed), [result["rehearsed_at"].clone()]);
    let table = rehearsed.parts.backup(&["list", "--format", "table"]);
    assert!(table.text().contains("REHEARSED"), "{table}");
    // The other tools agree on it.
    let health = crate::parts::checked(rehearsed.parts.tool("pso-health", &["--only", "backups"]));
    let age = health.record("health.metric", "rehearsal_age");
    assert_eq!(age["severity"], "ok", "{health}");
    rehearsed.parts.backup(&["verify"]).assert_code(0);
    assert_eq!(listed(&rehearsed), [result["rehearsed_at"].clone()], "a good verification takes nothing away");
    let size = fs::metadata(&rehearsed.archive).expect("there").len();
    flip(&rehearsed.archive, size / 2);
    rehearsed.parts.backup(&["verify"]).assert_code(2);
    assert_eq!(listed(&rehearsed), [Value::Null]);
}

#[test]
fn what_was_noted_of_the_archive_outlives_its_damage() {
    let rehearsed = of_files("rehearse_damaged_note");
    rehearsed.rehearse(&["latest"]).assert_code(0);
    let noted = Status::read(&rehearsed.archive).expect("a status");
    let size = fs::metadata(&rehearsed.archive).expect("there").len();
    flip(&rehearsed.archive, size / 2);
    for _night in 0..2 {
        rehearsed.rehearse(&["latest"]).assert_code(2);
        let now = Status::read(&rehearsed.archive).expect("a status");
        assert_eq!(now, Status { verified_at: None, rehearsed_at: None, ..noted.clone() });
        let list = rehearsed.parts.backup(&["list"]);
        assert_eq!(list.records_of_kind("backup.archive")[0]["severity"], "high", "{list}");
    }
    // A good copy is put in its place.
    flip(&rehearsed.archive, size / 2);
    rehearsed.rehearse(&["latest"]).assert_code(0);
    assert!(listed(&rehearsed)[0].is_string());
}

#[test]
fn one_that_is_not_noted_anywhere_is_rehearsed_all_the_same() {
    let rehearsed = of_files("rehearse_unnoted");
    fs::remove_file(status_path(&rehearsed.archive)).expect("removed");
    rehearsed.rehearse(&["latest"]).assert_code(0);
    assert!(listed(&rehearsed)[0].is_string());
    // Another archive's note says that this is not what was made.
    let status = Status::read(&rehearsed.archive).expect("a status");
    let text = serde_json::to_string(&Status { sha256: "0".repeat(64), ..status }).expect("JSON");
    fs::write(status_path(&rehearsed.archive), text).expect("written");
    let outcome = rehearsed.rehearse(&["latest"]);
    outcome.assert_code(2);
    assert!(
        outcome.records_of_kind("rehearse.result")[0]["refuted"].to_string().contains("was written of"),
        "{outcome}"
    );
}

#[test]
fn retention_counts_what_was_rehearsed() {
    let rehearsed = of_files("rehearse_prune");
    rehearsed.rehearse(&["latest"]).assert_code(0);
    let old = rehearsed.archive.clone();
    let new = archive(&rehearsed);
    let days = ["--keep-daily", "1"];
    let plan = |more: &[&str]| {
        let outcome = rehearsed.parts.backup(&[&["prune"], &days[..], more].concat());
        outcome.assert_code(0);
        let gone = outcome.records_of_kind("backup.archive");
        let gone = gone.iter().filter(|record| record["decision"] == "remove").map(|record| record["path"].clone());
        gone.collect::<Vec<_>>()
    };
    let name =
        |path: &std::path::Path| Value::from(path.strip_prefix(rehearsed.parts.folder.path()).expect("below").to_str());
    let is = |gone: Vec<Value>, path: &std::path::Path| {
        gone.len() == 1 && gone[0].as_str().is_some_and(|text| text.ends_with(name(path).as_str().unwrap_or("?")))
    };
    assert!(is(plan(&[]), &old), "the newest of the day is enough");
    assert_eq!(plan(&["--rehearsed-only"]), [Value::Null; 0], "the newest was not rehearsed");
    rehearsed.parts.configure("backup: {retention: {rehearsed_only: true}}");
    assert_eq!(plan(&[]), [Value::Null; 0]);
    rehearsed.rehearse(&[new.to_str().expect("UTF-8")]).assert_code(0);
    assert!(is(plan(&[]), &old), "now it is");
}
