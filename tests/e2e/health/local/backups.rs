//! Archives: those that pso-backup makes, and what may lie in their place.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::time::{Duration, SystemTime};

use pso_tests::pg::TempPg;
use pso_tests::tool::{Outcome, Tool};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

use super::{Folder, as_nobody};

/// The name of an archive that was begun so long ago, and that moment as notes have it.
fn named(age: Duration) -> (String, String) {
    let at = OffsetDateTime::now_utc() - age;
    let form = format_description!("[year][month][day]_[hour][minute][second]");
    (format!("{}.zip", at.format(form).expect("a name")), at.format(&Rfc3339).expect("a date"))
}

const HOUR: Duration = Duration::from_secs(3600);

/// An archive with its note, as far as pso-health looks; `more` goes into the note.
fn archive(folder: &Folder, below: &str, age: Duration, size: usize, more: &Value) -> String {
    let (name, at) = named(age);
    folder.write(&format!("backups/{below}/{name}"), vec![b'x'; size]);
    let mut note = json!({"size": size, "sha256": "0", "taken_at": at, "kind": below, "components": ["postgres", "plans"],
        "verified_at": at});
    for (key, value) in more.as_object().expect("an object") {
        note[key] = value.clone();
    }
    folder.write(&format!("backups/{below}/{name}.json"), note.to_string());
    name
}

fn message(outcome: &Outcome, name: &str) -> String {
    outcome.record("health.check", name)["message"].as_str().expect("a message").to_owned()
}

#[test]
fn what_pso_backup_makes_is_understood() {
    let folder = Folder::new();
    let database = TempPg::shared().expect("PostgreSQL").database("health_backups").expect("a database");
    folder.write("config/config.yaml", "sync: {workers: 4}\n");
    let backup = |only: &str| {
        let tool = Tool::new("pso-backup").expect("built").args(["--only", only]).envs(database.env());
        tool.folder(folder.path("")).run().expect("ends").assert_code(0);
    };
    backup("config");
    let outcome = folder.run("backups");
    outcome.assert_code(2).assert_quiet();
    let said = message(&outcome, "backups");
    assert!(said.starts_with("no archive in backups/daily and backups/weekly holds postgres; "), "{said}");
    folder.config("{backups: {components: [config]}}");
    folder.run("backups").assert_code(0);
    folder.config("{}");

    backup("postgres,config");
    backup("config");
    let outcome = folder.run("backups");
    outcome.assert_code(0).assert_quiet();
    let age = outcome.record("health.metric", "backup_age");
    assert!(age["value"].as_f64().is_some_and(|seconds| seconds < 300.0), "{age:#}");
    assert_eq!((&age["warning_limit"], &age["critical_limit"]), (&json!(93_600.0), &json!(180_000.0)));
    let said = message(&outcome, "backups");
    assert!(said.starts_with("3 archives; 20") && said.contains(".zip, ") && said.contains("; verified "), "{said}");
    assert_eq!(outcome.record("health.check", "backups.rehearsal")["severity"], "info");
    assert_eq!(outcome.record("health.check", "backups")["severity"], "ok");
    let ratio = outcome.records().iter().any(|record| record["name"] == "backup_size_ratio");
    assert!(!ratio, "an archive of the configuration alone is no measure for one of the database");
}

#[test]
fn age_and_size_are_judged_against_those_before() {
    let folder = Folder::new();
    for (days, size) in [(1, 10_000), (2, 30_000), (3, 12_000), (4, 10_500), (9, 11_000)] {
        archive(&folder, "daily", HOUR * 24 * days + HOUR, size, &json!({}));
    }
    // Encrypted ones have another size, and so has half an archive.
    fs::write(folder.path(&format!("backups/daily/{}.age", named(HOUR * 30).0)), vec![b'x'; 90_000]).expect("written");
    archive(&folder, "daily", HOUR * 31, 10, &json!({"components": ["config"]}));
    let outcome = folder.run("backups");
    outcome.assert_code(0).assert_quiet();
    let ratio = outcome.record("health.metric", "backup_size_ratio");
    // 10 000 by the median of 10 500, 11 000, 12 000 and 30 000.
    assert_eq!(ratio["value"].as_f64().map(|ratio| (ratio * 10_000.0).round()), Some(8696.0), "{ratio:#}");

    let rehearsed = named(HOUR * 24 * 9).1;
    archive(&folder, "weekly", HOUR, 5_700, &json!({"rehearsed_at": rehearsed, "missing": ["qdrant", "x\u{1b}[2J"]}));
    let outcome = folder.run("backups");
    outcome.assert_code(1).assert_quiet();
    let ratio = outcome.record("health.metric", "backup_size_ratio");
    assert_eq!((&ratio["severity"], &ratio["limit"]), (&json!("ok"), &json!(0.5)), "{ratio:#}");
    assert_eq!(outcome.record("health.metric", "rehearsal_age")["severity"], "warning");
    assert!(message(&outcome, "backups").ends_with("it lacks qdrant, x·[2J, which failed"), "{outcome}");

    archive(&folder, "daily", Duration::from_secs(60), 5_000, &json!({}));
    let ratio = folder.run("backups").record("health.metric", "backup_size_ratio");
    assert_eq!(ratio["severity"], "warning", "5 000 by 10 500: {ratio:#}");
}

#[test]
fn a_backup_that_is_late_is_told() {
    for (hours, severity, code) in [(25, "ok", 0), (27, "warning", 1), (51, "critical", 2)] {
        let folder = Folder::new();
        archive(&folder, "daily", HOUR * hours, 100, &json!({}));
        let outcome = folder.run("backups");
        outcome.assert_code(code).assert_quiet();
        assert_eq!(outcome.record("health.metric", "backup_age")["severity"], severity, "{outcome}");
    }
}

#[test]
fn an_archive_that_nobody_knows_anything_of_is_doubted() {
    let folder = Folder::new();
    let name = archive(&folder, "daily", HOUR, 100, &json!({"verified_at": null}));
    let outcome = folder.run("backups");
    outcome.assert_code(1).assert_quiet();
    assert!(message(&outcome, "backups").ends_with("nobody has verified it; `pso-backup verify latest` does"));

    let note = format!("backups/daily/{name}.json");
    for (text, said) in [
        ("garbage \u{0}\u{1b}[31m", "it is not what pso-backup notes"),
        ("{}", "it is not what pso-backup notes"),
        (r#"{"size":99,"taken_at":"2026-11-22T09:00:00Z","components":[]}"#, "it was noted of a file of another size"),
    ] {
        folder.write(&note, text);
        let outcome = folder.run("backups");
        outcome.assert_code(1).assert_quiet();
        assert!(message(&outcome, "backups").contains(said), "{outcome}");
        let age = outcome.record("health.metric", "backup_age");
        assert!(age["value"].as_f64().is_some_and(|age| (3600.0..4000.0).contains(&age)), "the name says it: {age:#}");
    }
    fs::remove_file(folder.path(&note)).expect("removed");
    assert!(message(&folder.run("backups"), "backups").contains(&format!("there is no {name}.json")));

    let ahead = named(Duration::ZERO).0;
    fs::rename(folder.path(&format!("backups/daily/{name}")), folder.path(&format!("backups/daily/{ahead}")))
        .expect("renamed");
    archive(&folder, "daily", Duration::ZERO, 100, &json!({"taken_at": "2126-01-01T00:00:00Z"}));
    assert!(message(&folder.run("backups"), "backups").contains("from now: a clock is wrong"));
}

#[test]
fn what_a_killed_backup_left_is_told_after_an_hour() {
    let folder = Folder::new();
    archive(&folder, "daily", HOUR, 100, &json!({}));
    let partial = folder.write("backups/daily/.20261122_090000.zip.partial-4711", "x");
    folder.run("backups").assert_code(0);
    let file = File::options().write(true).open(&partial).expect("there");
    file.set_modified(SystemTime::now() - HOUR * 2).expect("dated");
    let outcome = folder.run("backups");
    outcome.assert_code(1).assert_quiet();
    let said = message(&outcome, "backups.unfinished");
    assert!(said.starts_with(".20261122_090000.zip.partial-4711: a backup was not finished"), "{said}");
}

#[test]
fn folders_that_are_missing_strange_or_closed_are_one_record() {
    let folder = Folder::new();
    let outcome = folder.run("backups");
    outcome.assert_code(1).assert_quiet();
    let said = message(&outcome, "backups");
    assert_eq!(said, "there is no archive in backups/daily and backups/weekly yet; `pso-backup` makes one");
    assert_eq!(outcome.records().len(), 3, "{outcome}");

    // Nothing of this is an archive.
    folder.write("backups/daily/readme.zip", "x");
    fs::create_dir(folder.path("backups/daily/20261122_090000.zip")).expect("created");
    symlink("nowhere", folder.path("backups/daily/20261122_090001.zip")).expect("linked");
    assert_eq!(message(&folder.run("backups"), "backups"), said);

    folder.write("backups/weekly", "a file where a folder should be");
    let outcome = folder.run("backups");
    outcome.assert_code(3).assert_quiet();
    assert!(message(&outcome, "backups").starts_with("read the folder backups/weekly: Not a directory"), "{outcome}");
    fs::remove_file(folder.path("backups/weekly")).expect("removed");

    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(folder.path("backups/daily"), fs::Permissions::from_mode(0o700)).expect("closed");
    let outcome = as_nobody(&folder, "backups");
    assert_eq!((outcome.code, outcome.records().len()), (Some(3), 3), "{outcome}");
    assert!(message(&outcome, "backups").starts_with("read the folder backups/daily: Permission denied"), "{outcome}");
}

#[test]
fn an_archive_from_the_future_does_not_hide_that_there_are_no_others() {
    let folder = Folder::new();
    let old = archive(&folder, "daily", HOUR * 60, 100, &json!({}));
    let ahead = archive(&folder, "daily", HOUR, 100, &json!({"taken_at": "2126-01-01T00:00:00Z"}));
    let outcome = folder.run("backups");
    outcome.assert_code(2).assert_quiet();
    let age = outcome.record("health.metric", "backup_age");
    assert_eq!(age["severity"], "critical", "{age:#}");
    assert!(age["message"].as_str().is_some_and(|text| text.contains(&old)), "{age:#}");
    let said = message(&outcome, "backups");
    assert!(
        said.contains(&format!("{ahead} was taken ")) && said.ends_with(" from now: a clock is wrong, or was"),
        "{said}"
    );
}

#[test]
fn what_cannot_be_an_archive_is_not_the_newest() {
    let folder = Folder::new();
    let old = archive(&folder, "daily", HOUR * 60, 100, &json!({}));
    folder.write(&format!("backups/daily/{}", named(HOUR).0), "");
    let outcome = folder.run("backups");
    outcome.assert_code(2).assert_quiet();
    let age = outcome.record("health.metric", "backup_age");
    assert!(age["message"].as_str().is_some_and(|text| text.contains(&old)), "{age:#}");
    // What was noted of another says nothing of an encrypted one.
    let (name, _) = named(HOUR * 2);
    let note = fs::read_to_string(folder.path(&format!("backups/daily/{old}.json"))).expect("there");
    folder.write(&format!("backups/daily/{name}.age"), vec![b'x'; 100]);
    folder.write(&format!("backups/daily/{name}.age.json"), note);
    let said = message(&folder.run("backups"), "backups");
    assert!(said.contains(&format!("{name}.age.json: it was noted of another archive")), "{said}");
}
