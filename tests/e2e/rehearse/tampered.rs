//! Archives that were altered, with more and more made to match: what tells, and what cannot be told and is named.
//!
//! | altered | nothing fits | entry hashes fit | and `.sha256` | and `.json` | and the manifest's counts |
//! |---|---|---|---|---|---|
//! | a byte of any entry | hash of its bytes | hash of the file | note | restoring, or named¹ | |
//! | dump: the rows of a table are gone | ″ | ″ | ″ | `pg_restore` | |
//! | dump: a table is gone | ″ | ″ | ″ | tables | `--trend`, or named¹ |
//! | dump: rows are gone | ″ | ″ | ″ | rows | `--trend`, or named¹ |
//! | snapshot: points are gone | ″ | ″ | ″ | points, the server's SHA-256 | `--trend`, or named¹ |
//! | the manifest | | ″ | ″ | what it counts, or named¹ | |
//!
//! ¹ In `unproven` of the result, of every archive: nothing is signed. Where the same archive was rehearsed before, `--trend`
//! knows its SHA-256, and none of this gets past it.

use std::fs;
use std::path::{Path, PathBuf};

use pso_archive::{Archive, sidecar_path, status_path};
use pso_tests::tool::Outcome;
use serde_json::Value;

use super::Rehearsed;
use super::altered::{Altered, Beside, content, dump_of};
use super::dumps::{place_of, with_rows, without_first};
use crate::parts::flip;

const SNAPSHOT: &str = "qdrant/tasks.snapshot";

fn rehearse(rehearsed: &Rehearsed, path: &Path, args: &[&str]) -> Outcome {
    rehearsed.rehearse(&[&[path.to_str().expect("UTF-8")], args].concat())
}

fn sentences(outcome: &Outcome, field: &str) -> Vec<String> {
    let kinds = ["rehearse.component", "rehearse.result"];
    let records = outcome.records().into_iter().filter(|record| kinds.iter().any(|kind| record["kind"] == *kind));
    let texts = records.filter_map(|record| record[field].as_array().cloned()).flatten();
    texts.map(|text| text.as_str().expect("a sentence").to_owned()).collect()
}

/// The archive cannot be restored, and a sentence with all of these words says why.
#[track_caller]
fn caught(outcome: &Outcome, words: &[&str]) {
    outcome.assert_code(2);
    let refuted = sentences(outcome, "refuted");
    let says = |sentence: &String| words.iter().all(|word| sentence.contains(word));
    assert!(refuted.iter().any(says), "{words:?} is not in {refuted:#?}\n{outcome}");
    let result = outcome.records_of_kind("rehearse.result").pop().expect("a result");
    assert_eq!((&result["severity"], &result["rehearsed_at"]), (&Value::from("critical"), &Value::Null), "{outcome}");
}

/// It holds as far as can be told, and what cannot be told is named.
#[track_caller]
fn named(outcome: &Outcome) {
    outcome.assert_code(0);
    let unproven = sentences(outcome, "unproven");
    assert!(unproven.iter().any(|sentence| sentence.contains("nothing is signed")), "{unproven:#?}\n{outcome}");
}

/// Puts an altered archive where the original was, with what lies beside it.
fn put(altered: &Path, original: &Path) {
    for of in [Path::to_path_buf as fn(&Path) -> PathBuf, sidecar_path, status_path] {
        fs::copy(of(altered), of(original)).expect("copied");
    }
}

#[test]
fn what_is_written_again_unchanged_holds_and_surgery_does_what_it_says() {
    let rehearsed = Rehearsed::start("rehearse_tampered_control");
    let folder = rehearsed.parts.folder.path();
    let files = ["--only", "config,scripts,plans"];
    named(&rehearse(&rehearsed, &Altered::of(&rehearsed.archive).write(folder), &files));
    let removed = Altered::of(&rehearsed.archive).remove("config/alerts.yaml").beside(Beside::Nothing).write(folder);
    named(&rehearse(&rehearsed, &removed, &files));

    let dump = content(&rehearsed.archive, &dump_of(&rehearsed.archive));
    let once = with_rows(&dump, "tasks", Some);
    let (mut before, mut after) = (Vec::new(), Vec::new());
    let fewer = with_rows(&once, "tasks", |rows| {
        after = without_first(&rows, 3);
        before = rows;
        Some(after.clone())
    });
    assert_eq!(before.split(|byte| *byte == b'\n').count(), after.split(|byte| *byte == b'\n').count() + 3);
    assert_eq!(fewer.len(), once.len() - before.len() + after.len());
    // What is only packed anew restores as it was.
    let name = dump_of(&rehearsed.archive);
    named(&rehearse(
        &rehearsed,
        &Altered::of(&rehearsed.archive).replace(&name, once).write(folder),
        &["--only", "postgres"],
    ));
}

/// Where the packed bytes of an entry lie in the file.
fn place_in(archive: &Path, name: &str) -> (usize, usize) {
    let (bytes, opened) = (fs::read(archive).expect("readable"), Archive::open(archive).expect("readable"));
    let packed = opened.manifest().entry(name).and_then(|entry| entry.packed.clone()).expect("packed");
    let header = |at: usize| bytes[at..].starts_with(b"PK\x03\x04") && bytes[at + 30..].starts_with(name.as_bytes());
    let start = (0..bytes.len() - 30 - name.len()).find(|at| header(*at)).expect("a header");
    let extra = usize::from(u16::from_le_bytes([bytes[start + 28], bytes[start + 29]]));
    (start + 30 + name.len() + extra, usize::try_from(packed.size).expect("small"))
}

#[test]
fn a_flipped_byte_of_any_entry_is_caught_and_named() {
    let rehearsed = Rehearsed::start("rehearse_tampered_flips");
    let entries = Archive::open(&rehearsed.archive).expect("readable").manifest().entries.clone();
    let mut flips = 0;
    for entry in &entries {
        let alike = entries.iter().filter(|other| other.component == entry.component);
        // Two of each kind of file; all dumps and snapshots.
        if entry.packed.is_none() || entry.size == 0 || alike.take_while(|other| *other != entry).count() > 2 {
            continue;
        }
        let (start, length) = place_in(&rehearsed.archive, &entry.name);
        for at in [start, start + length / 2, start + length - 1] {
            flip(&rehearsed.archive, at as u64);
            let only = entry.component.as_str();
            caught(&rehearse(&rehearsed, &rehearsed.archive, &["--only", only]), &[&entry.name]);
            flip(&rehearsed.archive, at as u64);
            flips += 1;
        }
    }
    assert!(flips >= 3 * 9, "{flips} flips of {} entries", entries.len());
    // Its hash file and its note are not needed for that.
    for of in [sidecar_path, status_path] {
        fs::remove_file(of(&rehearsed.archive)).expect("removed");
    }
    for name in [SNAPSHOT, "config/config.yaml"] {
        let (start, length) = place_in(&rehearsed.archive, name);
        flip(&rehearsed.archive, (start + length / 2) as u64);
        let only = name.split('/').next().expect("a component");
        caught(&rehearse(&rehearsed, &rehearsed.archive, &["--only", only]), &[name]);
        flip(&rehearsed.archive, (start + length / 2) as u64);
    }
}

#[test]
fn the_more_is_made_to_match_the_later_it_is_caught() {
    let rehearsed = Rehearsed::start("rehearse_tampered_match");
    let (folder, original) = (rehearsed.parts.folder.path(), rehearsed.archive.as_path());
    let name = dump_of(original);
    let fewer = with_rows(&content(original, &name), "tasks", |rows| Some(without_first(&rows, 1)));
    let altered = |beside| Altered::of(original).replace(&name, fewer.clone()).beside(beside).write(folder);
    let only = ["--only", "postgres"];
    caught(&rehearse(&rehearsed, &altered(Beside::Old), &only), &["SHA-256"]);
    caught(&rehearse(&rehearsed, &altered(Beside::Hash), &only), &["it is not the file that", ".json"]);
    for beside in [Beside::All, Beside::Nothing] {
        caught(&rehearse(&rehearsed, &altered(beside), &only), &["tasks"]);
    }
}

#[test]
fn a_dump_without_a_table_or_without_rows_is_caught_unless_the_manifest_was_altered_too() {
    let rehearsed = Rehearsed::start("rehearse_tampered_dump");
    let (folder, original) = (rehearsed.parts.folder.path(), rehearsed.archive.as_path());
    let (name, only) = (dump_of(original), ["--only", "postgres"]);
    let dump = content(original, &name);
    let replaced = |dump: Vec<u8>| Altered::of(original).replace(&name, dump);

    // The table is announced, and its rows are not there.
    let without = with_rows(&dump, "conflicts", |_| None);
    caught(&rehearse(&rehearsed, &replaced(without).write(folder), &only), &["conflicts"]);
    // There are none, and they are there.
    let empty = with_rows(&dump, "conflicts", |_| Some(b"\\.\n\n\n".to_vec()));
    caught(&rehearse(&rehearsed, &replaced(empty).write(folder), &only), &["conflicts"]);
    // Rows that others refer to.
    let orphaned = with_rows(&dump, "phases", |rows| Some(without_first(&rows, 1)));
    caught(&rehearse(&rehearsed, &replaced(orphaned).write(folder), &only), &["phases"]);
    let rows = Archive::open(original).expect("readable").manifest().databases[0].rows["public.conflicts"];
    let fewer = with_rows(&dump, "conflicts", |rows| Some(without_first(&rows, 2)));
    let outcome = rehearse(&rehearsed, &replaced(fewer.clone()).write(folder), &only);
    caught(&outcome, &["conflicts", &rows.to_string(), &(rows - 2).to_string()]);

    // The dump of a database that has lost a table, under the manifest of the day before.
    rehearse(&rehearsed, original, &["--only", "postgres", "--records", "rehearsals.jsonl"]).assert_code(0);
    rehearsed.parts.database.execute("DROP TABLE conflicts CASCADE").expect("dropped");
    let later = rehearsed.parts.archive();
    let lost = content(&later, &dump_of(&later));
    caught(&rehearse(&rehearsed, &replaced(lost.clone()).write(folder), &only), &["conflicts"]);

    // The manifest says so too: that is another night's archive, or as good as one.
    let agreeing = |dump: &[u8], rows: Option<u64>| {
        let altered = replaced(dump.to_vec()).manifest(|manifest| {
            let counted = &mut manifest.databases[0].rows;
            match rows {
                Some(rows) => counted.insert("public.conflicts".to_owned(), rows),
                None => counted.remove("public.conflicts"),
            };
        });
        altered.write(folder)
    };
    let trend = ["--only", "postgres", "--trend", "rehearsals.jsonl"];
    for (dump, rows) in [(&lost, None), (&fewer, Some(rows - 2))] {
        let altered = agreeing(dump, rows);
        named(&rehearse(&rehearsed, &altered, &only));
        // In the place of the one that was rehearsed before.
        put(&altered, original);
        caught(&rehearse(&rehearsed, original, &trend), &["it is not the file that was rehearsed", "SHA-256"]);
    }
    // As an archive of its own the missing table is told, and that it holds.
    let outcome = rehearse(&rehearsed, &later, &trend);
    outcome.assert_code(1);
    let warnings = sentences(&outcome, "warnings");
    assert!(warnings.iter().any(|warning| warning.contains("public.conflicts")), "{warnings:?}\n{outcome}");
}

#[test]
fn a_manifest_that_was_altered_is_caught_by_what_it_counts() {
    let rehearsed = Rehearsed::start("rehearse_tampered_manifest");
    let (folder, original) = (rehearsed.parts.folder.path(), rehearsed.archive.as_path());
    let more = || {
        Altered::of(original).manifest(|manifest| {
            *manifest.databases[0].rows.get_mut("public.plans").expect("counted") += 1;
        })
    };
    let only = ["--only", "postgres"];
    caught(&rehearse(&rehearsed, &more().beside(Beside::Old).write(folder), &only), &["SHA-256"]);
    caught(&rehearse(&rehearsed, &more().beside(Beside::Hash).write(folder), &only), &["it is not the file that"]);
    caught(&rehearse(&rehearsed, &more().write(folder), &only), &["plans"]);
    let invented = Altered::of(original).manifest(|manifest| {
        manifest.databases[0].rows.insert("public.invoices".to_owned(), 0);
    });
    caught(&rehearse(&rehearsed, &invented.write(folder), &only), &["invoices"]);
    let concealed = Altered::of(original).manifest(|manifest| {
        manifest.databases[0].rows.remove("public.plans");
    });
    caught(&rehearse(&rehearsed, &concealed.write(folder), &only), &["plans"]);
    let points = Altered::of(original).manifest(|manifest| manifest.collections[0].points += 1);
    let collection = Archive::open(original).expect("readable").manifest().collections[0].name.clone();
    caught(&rehearse(&rehearsed, &points.write(folder), &["--only", "qdrant"]), &[&collection]);
    let unlisted = Altered::of(original).manifest(|manifest| manifest.collections.clear());
    caught(&rehearse(&rehearsed, &unlisted.write(folder), &["--only", "qdrant"]), &["plans"]);
    // When it was made is told by the note, and by nothing else.
    let older = || Altered::of(original).manifest(|manifest| manifest.kind = "weekly".to_owned());
    caught(
        &rehearse(&rehearsed, &older().beside(Beside::Hash).write(folder), &["--only", "config"]),
        &["it is not the file that"],
    );
    named(&rehearse(&rehearsed, &older().write(folder), &["--only", "config"]));
}

#[test]
fn points_removed_from_a_snapshot_are_caught_unless_the_manifest_was_altered_too() {
    let rehearsed = Rehearsed::start("rehearse_tampered_points");
    let (folder, original) = (rehearsed.parts.folder.path(), rehearsed.archive.as_path());
    let client = rehearsed.parts.qdrant.client();
    let before = client.count("tasks").expect("a count");
    let ids: Vec<Value> =
        client.points("tasks").expect("points").values().take(3).map(|point| point.id.clone()).collect();
    let body = serde_json::json!({ "points": ids });
    client.result("POST", "/collections/tasks/points/delete?wait=true", Some(&body)).expect("deleted");
    let later = rehearsed.parts.archive();
    let fewer = content(&later, SNAPSHOT);

    let (numbers, only) = ([before.to_string(), (before - 3).to_string()], ["--only", "qdrant"]);
    let replaced = || Altered::of(original).replace(SNAPSHOT, fewer.clone());
    let outcome = rehearse(&rehearsed, &replaced().write(folder), &only);
    caught(&outcome, &["tasks", &numbers[0], &numbers[1]]);
    // The server's own checksum of the snapshot is in the manifest as well.
    let points = |manifest: &mut pso_archive::Manifest| {
        let collection = manifest.collections.iter_mut().find(|collection| collection.name == "tasks").expect("tasks");
        collection.points = before - 3;
    };
    caught(&rehearse(&rehearsed, &replaced().manifest(points).write(folder), &only), &["tasks", "SHA-256"]);
    // All that the manifest says of the collection is of another night.
    let source = Archive::open(&later).expect("readable").manifest().collections.clone();
    let source = source.into_iter().find(|collection| collection.name == "tasks").expect("tasks");
    let agreeing = replaced().manifest(|manifest| {
        *manifest.collections.iter_mut().find(|collection| collection.name == "tasks").expect("tasks") = source;
    });
    let agreeing = agreeing.write(folder);
    named(&rehearse(&rehearsed, &agreeing, &only));
    rehearse(&rehearsed, original, &["--only", "qdrant", "--records", "rehearsals.jsonl"]).assert_code(0);
    put(&agreeing, original);
    let trend = ["--only", "qdrant", "--trend", "rehearsals.jsonl"];
    caught(&rehearse(&rehearsed, original, &trend), &["it is not the file that was rehearsed"]);
}

#[test]
fn a_flipped_byte_with_all_hashes_made_to_match_is_caught_by_restoring_or_named() {
    let rehearsed = Rehearsed::start("rehearse_tampered_restored");
    let (folder, original) = (rehearsed.parts.folder.path(), rehearsed.archive.as_path());
    let name = dump_of(original);
    let dump = content(original, &name);
    let flipped = |at: usize, bit: u8| {
        let mut bytes = dump.clone();
        bytes[at] ^= bit;
        let altered = Altered::of(original).replace(&name, bytes).write(folder);
        rehearse(&rehearsed, &altered, &["--only", "postgres"])
    };
    // The magic, a statement, the number of a table's block, a length, the first digit of a key that others refer to.
    let table = |name: &str| place_of(&dump, name);
    let statement = dump.windows(12).position(|text| text == b"CREATE TABLE").expect("a table");
    for (what, at) in
        [("magic", 0), ("statement", statement), ("block", table("tasks") + 2), ("length", table("tasks") + 7)]
    {
        let outcome = flipped(at, 1);
        assert_eq!(outcome.code, Some(2), "{what}\n{outcome}");
    }
    let key = table("phases") + 10;
    let outcome = flipped(key, 1);
    assert_eq!(outcome.code, Some(2), "the key of a phase\n{outcome}");
    // A letter of a text is as good as another.
    let text = dump[table("tasks")..].windows(4).position(|text| text == b" de " || text == b" la ").expect("a word");
    named(&flipped(table("tasks") + text + 1, 2));

    // The roles of the cluster are not made as it says, which is told.
    let mut globals = content(original, "postgres/globals.sql");
    let role = globals.windows(11).position(|text| text == b"CREATE ROLE").expect("a role");
    globals[role + 12] ^= 1;
    let altered = Altered::of(original).replace("postgres/globals.sql", globals).write(folder);
    let outcome = rehearse(&rehearsed, &altered, &["--only", "postgres"]);
    named(&outcome);
    let unproven = sentences(&outcome, "unproven");
    assert!(unproven.iter().any(|text| text.starts_with("postgres/globals.sql was not executed")), "{unproven:?}");

    // Plans and scripts restore byte by byte as they are; a configuration that is no YAML any more is told.
    let plan = Archive::open(original)
        .expect("readable")
        .manifest()
        .entries
        .iter()
        .find(|entry| entry.name.starts_with("plans/"))
        .expect("a plan")
        .name
        .clone();
    let mut bytes = content(original, &plan);
    let letter = bytes.iter().position(u8::is_ascii_lowercase).expect("a letter");
    bytes[letter] ^= 2;
    named(&rehearse(&rehearsed, &Altered::of(original).replace(&plan, bytes).write(folder), &["--only", "plans"]));
    let mut bytes = content(original, "config/config.yaml");
    bytes.splice(0..0, *b"\"");
    let altered = Altered::of(original).replace("config/config.yaml", bytes).write(folder);
    let outcome = rehearse(&rehearsed, &altered, &["--only", "config"]);
    outcome.assert_code(1);
    let warnings = sentences(&outcome, "warnings");
    assert!(warnings.iter().any(|warning| warning.contains("config/config.yaml")), "{warnings:?}\n{outcome}");
}
