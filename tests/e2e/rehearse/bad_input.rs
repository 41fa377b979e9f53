//! What is no archive, or not the one that was made, or cannot be read: 2 where it cannot be restored, 3 where nobody can tell.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use age::secrecy::ExposeSecret as _;
use age::x25519::Identity;
use pso_archive::{Status, sidecar_path, status_path};
use pso_tests::tool::Outcome;
use serde_json::Value;

use super::Rehearsed;
use super::altered::{Altered, Beside};
use crate::backup_restore::raw_zip::{Raw, zip};
use crate::parts::{Parts, flip};

const FILES: [&str; 2] = ["--only", "config,scripts,plans"];

/// The one result, which is there whatever happened.
#[track_caller]
fn result(outcome: &Outcome) -> Value {
    let mut results = outcome.records_of_kind("rehearse.result");
    assert_eq!(results.len(), 1, "{outcome}");
    results.remove(0)
}

#[track_caller]
fn assert_result(outcome: &Outcome, code: i32, severity: &str, said: &str) -> Value {
    outcome.assert_code(code);
    let result = result(outcome);
    assert_eq!(result["severity"], severity, "{outcome}");
    assert!(result["message"].as_str().is_some_and(|text| text.contains(said)), "{said}: {outcome}");
    assert_eq!(result["rehearsed_at"], Value::Null, "{outcome}");
    result
}

fn severities(outcome: &Outcome) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let records = outcome.records_of_kind("rehearse.component");
    let mut all: Vec<_> = records.iter().map(|record| (text(&record["name"]), text(&record["severity"]))).collect();
    all.sort();
    all
}

fn rehearse(rehearsed: &Rehearsed, archive: &Path) -> Outcome {
    rehearsed.rehearse(&[&[archive.to_str().expect("UTF-8")], &FILES[..]].concat())
}

/// Where the packed content of an entry begins.
fn content_of(archive: &Path, entry: &str) -> u64 {
    let bytes = fs::read(archive).expect("readable");
    let name = bytes.windows(entry.len()).position(|window| window == entry.as_bytes()).expect("there");
    let length_of_extra = u16::from_le_bytes([bytes[name - 2], bytes[name - 1]]);
    assert_eq!(&bytes[name - 30..name - 26], b"PK\x03\x04");
    (name + entry.len()) as u64 + u64::from(length_of_extra)
}

fn a_plan(parts: &Parts) -> String {
    let archive = pso_archive::Archive::open(&parts.archive()).expect("readable");
    archive.manifest().entries.iter().find(|entry| entry.name.starts_with("plans/")).expect("a plan").name.clone()
}

#[test]
fn what_is_cut_off_cannot_be_restored() {
    let rehearsed = Rehearsed::start("rehearse_cut");
    let archive = &rehearsed.archive;
    let whole = fs::read(archive).expect("readable");
    for left in [whole.len() / 2, whole.len() - 1, 4, 0] {
        fs::write(archive, &whole[..left]).expect("written");
        let record = assert_result(&rehearse(&rehearsed, archive), 2, "critical", "SHA-256");
        assert_eq!(record["size_bytes"], left);
        assert_eq!(record["sha256"].as_str().map(str::len), Some(64), "it was read to its end");
    }
    // With nothing beside it, its name says what it was to be.
    fs::remove_file(sidecar_path(archive)).and_then(|()| fs::remove_file(status_path(archive))).expect("removed");
    assert_result(&rehearse(&rehearsed, archive), 2, "critical", "not a whole ZIP file");
}

#[test]
fn a_flipped_byte_costs_its_component_and_no_other() {
    let rehearsed = Rehearsed::start("rehearse_flipped");
    let plan = a_plan(&rehearsed.parts);
    let archive = &rehearsed.archive;
    // As if it had been rehearsed when it was good.
    let good = rehearse(&rehearsed, archive);
    good.assert_code(0);
    assert_eq!(result(&good)["rehearsed_at"], Value::Null, "not all of it was");
    let status = Status::read(archive).expect("a status");
    Status { rehearsed_at: status.verified_at, ..status }.write(archive).expect("written");
    flip(archive, content_of(archive, &plan));
    let outcome = rehearse(&rehearsed, archive);
    let record = assert_result(&outcome, 2, "critical", "SHA-256");
    let expected = [("config", "ok"), ("plans", "critical"), ("scripts", "ok")];
    assert_eq!(severities(&outcome), expected.map(|(name, is)| (name.to_owned(), is.to_owned())));
    let refuted = record["refuted"].to_string();
    assert!(refuted.contains(&plan) && refuted.contains("plans:"), "{outcome}");
    assert_eq!(record["restore_ms"], Value::Null, "not everything was restored");
    let component = outcome.record("rehearse.component", "plans");
    assert!(component["unproven"].to_string().contains("was not restored"), "{outcome}");
    let noted: Value = serde_json::from_slice(&fs::read(status_path(archive)).expect("readable")).expect("JSON");
    assert_eq!((&noted["rehearsed_at"], &noted["verified_at"]), (&Value::Null, &Value::Null), "it counts no more");
}

#[test]
fn a_table_of_contents_that_lies_costs_what_it_lies_about() {
    let rehearsed = Rehearsed::start("rehearse_toc");
    let plan = a_plan(&rehearsed.parts);
    let altered = Altered::of(&rehearsed.archive).beside(Beside::Old).write(rehearsed.parts.folder.path());
    // The second time that the name stands there is in the table of contents.
    let bytes = fs::read(&altered).expect("readable");
    let at = bytes.windows(plan.len()).rposition(|window| window == plan.as_bytes()).expect("there");
    flip(&altered, at as u64 + plan.len() as u64 - 1);
    let outcome = rehearse(&rehearsed, &altered);
    assert_result(&outcome, 2, "critical", "SHA-256");
    assert!(severities(&outcome).contains(&("plans".to_owned(), "critical".to_owned())), "{outcome}");
}

#[test]
fn without_its_key_nobody_can_tell() {
    let parts = Parts::start("rehearse_key");
    let (key, other) = (Identity::generate(), Identity::generate());
    for (name, key) in [("key.txt", &key), ("other.txt", &other)] {
        fs::write(parts.path(name), key.to_string().expose_secret()).expect("written");
    }
    parts.configure(&format!("backup: {{encryption: {{recipients: [{}]}}}}", key.to_public()));
    let archive = parts.archive();
    let rehearsed = Rehearsed { temp: super::open_folder(), archive: archive.clone(), parts };
    for (args, said) in [
        (&["latest"][..], "--identity"),
        (&["latest", "--identity", "other.txt"], "encrypted for other keys"),
        (&["latest", "--identity", "none.txt"], "none.txt"),
    ] {
        let outcome = rehearsed.rehearse(args);
        let record = assert_result(&outcome, 3, "unknown", said);
        assert!(record["proven"].to_string().contains("SHA-256 that was published"), "{outcome}");
        assert!(record["taken_at"].is_string(), "it was noted when it was made\n{outcome}");
        assert!(!outcome.text().contains("AGE-SECRET") && !outcome.stderr.contains("AGE-SECRET"), "{outcome}");
    }
    let opened = rehearsed.rehearse(&[&["latest", "--identity", "key.txt"], &FILES[..]].concat());
    opened.assert_code(0);
    // Altered, it cannot be restored, whoever has the key.
    let size = fs::metadata(&archive).expect("there").len();
    flip(&archive, size - 20);
    assert_result(&rehearsed.rehearse(&["latest"]), 2, "critical", "SHA-256");
    assert_result(&rehearsed.rehearse(&["latest", "--identity", "key.txt"]), 2, "critical", "SHA-256");
}

#[test]
fn what_is_foreign_is_told_at_once() {
    let rehearsed = Rehearsed::start("rehearse_foreign");
    let folder = rehearsed.parts.folder.path();
    let put = |name: &str, content: &[u8]| -> PathBuf {
        fs::write(folder.join(name), content).expect("written");
        folder.join(name)
    };
    let text = put("notes.txt", b"not an archive\n");
    let foreign = put("photos.zip", &zip(&[Raw::stored("a.txt", b"a")]));
    let bomb = put("empty.zip", b"");
    let pipe = folder.join("pipe.zip");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
    for (path, said) in [
        (text.as_path(), "not a whole ZIP file"),
        (&foreign, "no manifest.json"),
        (&bomb, "not a whole ZIP file"),
        (&pipe, "it is not a file"),
        (folder, "it is not a file"),
        (Path::new("/dev/null"), "it is not a file"),
    ] {
        let outcome = rehearse(&rehearsed, path);
        assert_result(&outcome, 3, "unknown", said);
        assert_eq!(severities(&outcome), []);
    }
    // By that name it was to be an archive.
    let named = put("backups/daily/20251122_090000.zip", &zip(&[Raw::stored("a.txt", b"a")]));
    assert_result(&rehearse(&rehearsed, &named), 2, "critical", "no manifest.json");
    fs::remove_file(named).expect("removed");
    let none = rehearsed.rehearse(&["20200101_000000"]);
    none.assert_code(3).assert_stderr_has("there is no archive");
    assert_eq!(none.records_of_kind("rehearse.result"), [Value::Null; 0]);
}

#[test]
fn what_a_newer_version_made_nobody_can_tell_here() {
    let rehearsed = Rehearsed::start("rehearse_newer");
    let newer = Altered::of(&rehearsed.archive).manifest(|manifest| manifest.schema = 99);
    let path = newer.write(rehearsed.parts.folder.path());
    assert_result(&rehearse(&rehearsed, &path), 3, "unknown", "schema 99");
}

#[test]
fn what_the_archive_lacks_is_named() {
    let rehearsed = Rehearsed::start("rehearse_lacks");
    let archive = Altered::of(&rehearsed.archive).manifest(|manifest| {
        manifest.missing.push(pso_archive::Missing {
            component: pso_common::record::Component::Qdrant,
            reason: "no route to host".to_owned(),
        });
        manifest.components.retain(|component| component.as_str() != "qdrant");
        manifest.collections.clear();
        manifest.aliases.clear();
    });
    let names: Vec<String> = pso_archive::Archive::open(&rehearsed.archive)
        .expect("readable")
        .manifest()
        .entries
        .iter()
        .filter(|entry| entry.name.starts_with("qdrant/"))
        .map(|entry| entry.name.clone())
        .collect();
    let path = names.iter().fold(archive, |archive, name| archive.remove(name)).write(rehearsed.parts.folder.path());
    let path = path.to_str().expect("UTF-8");
    let outcome = rehearsed.rehearse(&[path, "--only", "qdrant,plans"]);
    assert_result(&outcome, 3, "unknown", "no qdrant in the archive, which failed when it was made: no route to host");
    let outcome = rehearsed.rehearse(&[path]);
    let warnings = result(&outcome)["warnings"].to_string();
    assert!(warnings.contains("qdrant is not in it") && warnings.contains("no route to host"), "{outcome}");
}

#[test]
fn of_the_old_script_what_can_be_told_is() {
    let rehearsed = Rehearsed::start("rehearse_old");
    let sql = "-- Dumped from database version 15.4\r\nCREATE TABLE public.a (\r\n    id integer\r\n);\r\n\
               COPY public.a (id) FROM stdin;\r\n1\r\n\\.\r\n\r\n--\r\n-- PostgreSQL database dump complete\r\n--\r\n";
    let entries = |sql: &str| {
        let mut all = vec![
            Raw::stored("postgres.sql", sql.as_bytes()),
            Raw::stored("config.yaml", b"a: 1\r\n"),
            Raw::stored("plans\\a.md", b"# a\r\n"),
        ];
        all.iter_mut().for_each(|entry| entry.mode = 0);
        all
    };
    let path = rehearsed.parts.path("old/20251122_090000.zip");
    fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    fs::write(&path, zip(&entries(sql))).expect("written");
    let outcome = rehearsed.rehearse(&[path.to_str().expect("UTF-8")]);
    let record = assert_result(&outcome, 3, "unknown", "plain SQL");
    let expected = [("config", "ok"), ("plans", "ok"), ("postgres", "unknown")];
    assert_eq!(severities(&outcome), expected.map(|(name, is)| (name.to_owned(), is.to_owned())));
    assert!(record["unproven"].to_string().contains("no manifest"), "{outcome}");
    assert!(!status_path(&path).exists(), "nothing is noted of what nothing is known of");
    fs::write(&path, zip(&entries(&sql[..sql.len() / 2]))).expect("written");
    assert_result(&rehearsed.rehearse(&[path.to_str().expect("UTF-8")]), 2, "critical", "breaks off");
}
