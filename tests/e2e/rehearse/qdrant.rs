//! The collections of an archive: whole, altered and made to match, and with the process of the engine ended in the middle.

use std::path::PathBuf;

use pso_archive::{Archive, Collection, Digest, SnapshotSource};
use pso_tests::tool::Outcome;
use serde_json::{Value, json};

use super::Rehearsed;
use super::altered::{Altered, content};

pub(super) const TASKS: &str = "qdrant/tasks.snapshot";

/// Where the content of the files in a tar is.
fn files(tar: &[u8]) -> Vec<(String, std::ops::Range<usize>)> {
    let mut archive = tar::Archive::new(tar);
    let entries = archive.entries().expect("a tar").map(|entry| entry.expect("whole"));
    let place = |entry: tar::Entry<'_, &[u8]>| {
        let start = entry.raw_file_position() as usize;
        let length = entry.header().entry_size().expect("a size") as usize;
        (entry.path().expect("a name").display().to_string(), start..start + length)
    };
    entries.map(place).collect()
}

/// The archive with other collections: all described as `tasks` is, and with hashes that fit.
pub(super) fn with_collections(rehearsed: &Rehearsed, snapshots: Vec<(String, Vec<u8>)>) -> PathBuf {
    let manifest = Archive::open(&rehearsed.archive).expect("readable").manifest().clone();
    let mut altered = Altered::of(&rehearsed.archive);
    for collection in &manifest.collections {
        altered = altered.remove(&collection.entry);
    }
    let tasks = manifest.collections.iter().find(|collection| collection.entry == TASKS).expect("tasks").clone();
    let mut collections = Vec::new();
    for (name, bytes) in snapshots {
        let mut digest = Digest::default();
        digest.update(&bytes);
        let (size, sha256) = digest.finish();
        let entry = format!("qdrant/{name}.snapshot");
        let snapshot = SnapshotSource { name: format!("{name}.snapshot"), size, sha256: Some(sha256) };
        collections.push(Collection { name, entry: entry.clone(), snapshot, ..tasks.clone() });
        altered = altered.replace(&entry, bytes);
    }
    let altered = altered.manifest(|manifest| {
        manifest.collections = collections;
        manifest.aliases.clear();
    });
    altered.write(rehearsed.parts.folder.path())
}

pub(super) fn of_qdrant(outcome: &Outcome) -> Value {
    let mut records = outcome.records_of_kind("rehearse.component");
    records.pop().unwrap_or_else(|| panic!("no record\n{outcome}"))
}

pub(super) fn sentences<'a>(record: &'a Value, field: &str, name: &str) -> Vec<&'a str> {
    let all = record[field].as_array().into_iter().flatten().filter_map(Value::as_str);
    all.filter_map(|sentence| sentence.strip_prefix(name)?.strip_prefix(": ")).collect()
}

#[test]
fn a_good_archive_has_every_collection_opened_and_every_point_read() {
    let rehearsed = Rehearsed::start("rehearse_qdrant_good");
    let outcome = rehearsed.rehearse(&["latest", "--only", "qdrant"]);
    outcome.assert_code(0);
    let record = of_qdrant(&outcome);
    assert_eq!(record["points"], json!({"plans": 18, "tasks": 42}), "{outcome}");
    let proven = [
        "1 shard and 1 segment open",
        "42 points as in the manifest",
        "every vector was read and is finite (42 of 384 numbers), and every payload",
    ];
    assert_eq!(sentences(&record, "proven", "tasks"), proven, "{outcome}");
    let checksums = "there are no checksums inside a snapshot: a vector or payload that was changed and is still valid shows \
                     only in the archive's SHA-256";
    assert!(record["unproven"].as_array().expect("sentences").contains(&json!(checksums)), "{outcome}");
}

#[test]
fn flipped_bits_in_a_snapshot_are_caught_or_harmless_and_never_end_more_than_their_own_collection() {
    const FLIPS: usize = 120;
    let rehearsed = Rehearsed::start("rehearse_qdrant_flips");
    let whole = content(&rehearsed.archive, TASKS);
    let mut places = files(&whole);
    // Of the log a server applies what is not in the segments: nothing here.
    places.retain(|(name, range)| !name.contains("/wal/") && !range.is_empty());
    // The same places in every run.
    let mut random = fastrand::Rng::with_seed(8);
    let total: usize = places.iter().map(|(_, range)| range.len()).sum();
    let mut snapshots = vec![("first".to_owned(), whole.clone())];
    for number in 0..FLIPS {
        // Any byte as likely as any other.
        let mut at = random.usize(..total);
        for (_, range) in &places {
            if at < range.len() {
                at += range.start;
                break;
            }
            at -= range.len();
        }
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << random.u32(..8);
        snapshots.push((format!("flip_{number:03}"), bytes));
    }
    snapshots.push(("last".to_owned(), whole));
    let names: Vec<String> = snapshots.iter().map(|(name, _)| name.clone()).collect();
    let path = with_collections(&rehearsed, snapshots);
    let outcome = rehearsed.rehearse(&[path.to_str().expect("UTF-8"), "--only", "qdrant"]);
    outcome.assert_code(2);
    let record = of_qdrant(&outcome);
    for name in ["first", "last"] {
        assert_eq!(sentences(&record, "proven", name).len(), 3, "{name}\n{outcome}");
    }
    let is_refuted = |name: &&String| !sentences(&record, "refuted", name).is_empty();
    let (refuted, rest): (Vec<_>, Vec<_>) = names.iter().partition(is_refuted);
    // Most of the rest are in the unused room of a file, or in the last digits of a number: what is read is valid.
    for name in rest {
        assert_eq!(sentences(&record, "proven", name).len(), 3, "{name}\n{outcome}");
    }
    // 45 to 47 of 120 when this was written: what is where in a segment is different each time.
    assert!(refuted.len() > FLIPS / 5, "{} of {FLIPS} are caught\n{outcome}", refuted.len());
    let by_length = |name: &&String| sentences(&record, "refuted", name)[0].contains("has the length");
    assert!(refuted.iter().any(by_length), "{outcome}");
}

#[test]
fn what_another_version_made_is_tried_and_never_called_broken_by_this_ones_engine() {
    let rehearsed = Rehearsed::start("rehearse_qdrant_version");
    let of_version = |version: Option<&str>, altered: Altered| {
        let altered = altered.manifest(|manifest| manifest.versions.qdrant = version.map(str::to_owned));
        let path = altered.write(rehearsed.parts.folder.path());
        rehearsed.rehearse(&[path.to_str().expect("UTF-8"), "--only", "qdrant"])
    };
    for (version, said) in [
        (Some("1.17.3"), "the snapshots are of Qdrant 1.17.3, and the engine here is of 1.18"),
        (None, "the snapshots are of a version that nobody noted, and the engine here is of 1.18"),
    ] {
        let outcome = of_version(version, Altered::of(&rehearsed.archive));
        outcome.assert_code(0);
        assert!(of_qdrant(&outcome)["unproven"].as_array().expect("sentences").contains(&json!(said)), "{outcome}");
    }
    let fewer = |altered: Altered| altered.manifest(|manifest| manifest.collections[1].points = 43);
    let outcome = of_version(Some("1.17.3"), fewer(Altered::of(&rehearsed.archive)));
    outcome.assert_code(3);
    let record = of_qdrant(&outcome);
    assert_eq!(record["refuted"], Value::Null, "{outcome}");
    let said = "it has 42 points and should have 43; restore it into a scratch server of Qdrant 1.17.3 to tell \
                (pso-restore --only qdrant)";
    assert!(sentences(&record, "unproven", "tasks").contains(&said), "{outcome}");
    of_version(Some("1.18.0"), fewer(Altered::of(&rehearsed.archive))).assert_code(2);
}

#[test]
fn no_collections_are_none_and_points_that_came_meanwhile_are_allowed() {
    let rehearsed = Rehearsed::start("rehearse_qdrant_counts");
    let path = with_collections(&rehearsed, vec![]);
    let none = rehearsed.rehearse(&[path.to_str().expect("UTF-8"), "--only", "qdrant"]);
    none.assert_code(0);
    let proven = json!(["the archive has no collections, and the manifest none"]);
    assert_eq!(of_qdrant(&none)["proven"], proven, "{none}");

    let altered = Altered::of(&rehearsed.archive).manifest(|manifest| {
        manifest.collections[1].points = 45;
        manifest.collections[1].points_before = Some(40);
        manifest.aliases[0].collection_name = "plants".to_owned();
    });
    let path = altered.write(rehearsed.parts.folder.path());
    let outcome = rehearsed.rehearse(&[path.to_str().expect("UTF-8"), "--only", "qdrant"]);
    outcome.assert_code(2);
    let record = of_qdrant(&outcome);
    let between = "42 points as in the manifest, between 40 and 45";
    assert!(sentences(&record, "proven", "tasks").contains(&between), "{outcome}");
    let refuted = record["refuted"].as_array().expect("sentences");
    assert!(refuted.len() == 1 && refuted[0].to_string().contains("is of the collection plants, which"), "{outcome}");
}

#[test]
fn another_snapshot_than_the_server_made_is_refuted_though_it_opens() {
    let rehearsed = Rehearsed::start("rehearse_qdrant_source");
    let altered = Altered::of(&rehearsed.archive).manifest(|manifest| {
        manifest.collections[0].snapshot.size += 512;
        manifest.collections[1].snapshot.sha256 = Some("0".repeat(64));
    });
    let path = altered.write(rehearsed.parts.folder.path());
    let outcome = rehearsed.rehearse(&[path.to_str().expect("UTF-8"), "--only", "qdrant"]);
    outcome.assert_code(2);
    let record = of_qdrant(&outcome);
    let size = sentences(&record, "refuted", "plans");
    assert!(matches!(size[..], [what] if what.starts_with("the server made a snapshot of")), "{outcome}");
    let sha256 = ["its snapshot has not the SHA-256 that the server gave for it"];
    assert_eq!(sentences(&record, "refuted", "tasks"), sha256, "{outcome}");
}
