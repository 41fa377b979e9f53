//! Snapshots that are brought back.

use std::fs;
use std::path::Path;

use qdrant_edge::{CountRequest, EdgeShard};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::client::{Standin, error, ok, untimed, wait_for};
use crate::snapshots::make;

const UPLOAD: &str = "/collections/plans/snapshots/upload?priority=snapshot";

/// A server with 100 points and a snapshot of them.
fn with_snapshot() -> (Standin, Vec<u8>) {
    let standin = Standin::with_points(100);
    let index = json!({ "field_name": "plan_id", "field_schema": "keyword" });
    assert_eq!(standin.json("PUT", "/collections/plans/index?wait=true", &index).status, 200);
    let snapshot = standin.get(&format!("/collections/plans/snapshots/{}", make(&standin))).body;
    (standin, snapshot)
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The snapshots of `plans` that have no checksum.
fn uploaded(standin: &Standin) -> Vec<Value> {
    let list = standin.get("/collections/plans/snapshots").value();
    let list = list["result"].as_array().expect("a list");
    list.iter().filter(|snapshot| snapshot.get("checksum").is_none()).map(|s| s["name"].clone()).collect()
}

#[test]
fn a_restore_brings_every_point_back_as_it_was() {
    let (mut standin, snapshot) = with_snapshot();
    let (content, info) = (standin.content("plans"), standin.get("/collections/plans").text());
    standin.upsert("plans", 90..=200);
    standin.json("POST", "/collections/plans/points/delete?wait=true", &json!({ "points": [1, 2, 3] }));
    let with_checksum = format!("{UPLOAD}&checksum={}", sha256(&snapshot));
    standin.upload(&with_checksum, "plans.snapshot", &snapshot).is_json(200, &ok("true"));
    assert_eq!(standin.content("plans"), content);
    assert_eq!(standin.get("/collections/plans").text(), info);
    assert_eq!(uploaded(&standin), ["plans.snapshot"]);
    // What is written after a restore is not taken for older than what was restored.
    standin.upsert("plans", 101..=150);
    let mut changed = crate::client::point(7);
    changed["payload"] = json!({ "changed": true });
    standin.json("PUT", "/collections/plans/points?wait=true", &json!({ "points": [changed] }));
    standin.restart();
    assert_eq!(standin.count("plans"), 150);
    assert_eq!(standin.content("plans")[6]["payload"], json!({ "changed": true }));
}

#[test]
fn a_restore_under_a_new_name_makes_the_collection() {
    let (standin, snapshot) = with_snapshot();
    let path = "/collections/restored/snapshots/upload?priority=snapshot";
    standin.upload(path, "x.snapshot", &snapshot).is_json(200, &ok("true"));
    assert_eq!(standin.content("restored"), standin.content("plans"));
    assert_eq!(
        standin.get("/collections/restored").value()["result"]["payload_schema"],
        json!({ "plan_id": { "data_type": "keyword", "points": 100 } })
    );
    let elsewhere = Standin::start();
    elsewhere.upload(UPLOAD, "x.snapshot", &snapshot).is_json(200, &ok("true"));
    assert_eq!(elsewhere.content("plans"), standin.content("plans"));
}

#[test]
fn the_engine_opens_the_shard_of_a_snapshot() {
    let (_, snapshot) = with_snapshot();
    let temp = tempfile::tempdir().unwrap();
    let unpacked = temp.path().join("unpacked");
    tar::Archive::new(&snapshot[..]).unpack(&unpacked).unwrap();
    let tar_path = temp.path().join("0.tar");
    let mut builder = tar::Builder::new(fs::File::create(&tar_path).unwrap());
    builder.append_dir_all(".", unpacked.join("0")).unwrap();
    builder.finish().unwrap();
    let shard = temp.path().join("shard");
    EdgeShard::unpack_snapshot(&tar_path, &shard).unwrap();
    let shard = EdgeShard::load(&shard, None).unwrap();
    assert_eq!(shard.count(CountRequest { filter: None, exact: true }).unwrap(), 100);
    assert_eq!(shard.info().payload_schema.len(), 1);
}

#[test]
fn what_fails_leaves_the_old_data_and_stays_in_the_list() {
    let (standin, snapshot) = with_snapshot();
    let content = standin.content("plans");
    let garbage = "Service internal error: File IO error: Malformed tar archive, reached unknown entry";
    standin.upload(UPLOAD, "x.snapshot", b"this is not a tar").is_json(500, &error(garbage));
    assert_eq!(uploaded(&standin), ["x.snapshot"]);
    // From the end of the tar: 1024 bytes of end mark, then two blocks for each small file.
    for (cut, file) in [(1536, "payload_index.json"), (4096, "config.json"), (snapshot.len() - 9000, "")] {
        let reply = standin.upload(UPLOAD, "x.snapshot", &snapshot[..snapshot.len() - cut]);
        let text = reply.text();
        let start = r#"{"status":{"error":"Service internal error: File IO error: failed to unpack `"#;
        assert!(reply.status == 500 && text.starts_with(start) && text.contains("/storage/tmp/col-plans-recovery-"));
        assert!(text.contains(&format!("{file}`")) || file.is_empty(), "{text}");
    }
    assert_eq!(standin.content("plans"), content);
    // A cut between two entries near the end is taken for a whole snapshot, by a real server too.
    for cut in [512, 1024, 2048, 3072] {
        standin.upload(UPLOAD, "x.snapshot", &snapshot[..snapshot.len() - cut]).is_json(200, &ok("true"));
        assert_eq!(standin.content("plans"), content);
    }
    assert!(fs::read_dir(standin.storage.path().join("storage/tmp")).unwrap().next().is_none());
}

#[test]
fn a_failed_restore_makes_no_collection() {
    let standin = Standin::start();
    assert_eq!(standin.upload(UPLOAD, "x.snapshot", b"this is not a tar").status, 500);
    standin.get("/collections").is_json(200, &ok(r#"{"collections":[]}"#));
}

#[test]
fn what_is_asked_wrongly_is_refused_as_recorded() {
    let (standin, snapshot) = with_snapshot();
    let zeros = "0".repeat(64);
    let mismatch = format!("Checksum mismatch: expected {}, actual {zeros}", sha256(&snapshot));
    standin.upload(&format!("{UPLOAD}&checksum={zeros}"), "x.snapshot", &snapshot).is_json(400, &error(&mismatch));
    let malformed = concat!(
        "Validation error in query parameters: [checksum: Validation error: invalid_sha256_hash ",
        r#"[{"value": String("abc"), "expected_length": Number(64), "length": Number(3)}]]"#
    );
    standin.upload(&format!("{UPLOAD}&checksum=abc"), "x.snapshot", &snapshot).is_json(422, &untimed(malformed));
    let text = Some("text/plain; charset=utf-8");
    standin.upload_as("file", UPLOAD, "x.snapshot", &snapshot).is(400, text, "Required field is missing: snapshot");
    let priority = concat!(
        "Deserialize error in query parameters: unknown variant `bogus`, ",
        "expected one of `no_sync`, `snapshot`, `replica`"
    );
    let path = "/collections/plans/snapshots/upload?priority=bogus";
    standin.upload(path, "x.snapshot", &snapshot).is_json(400, &untimed(priority));
    standin.call("PUT", UPLOAD, "", &snapshot).is_no_path();
    assert!(uploaded(&standin).is_empty());
}

#[test]
fn a_snapshot_that_does_not_fit_is_refused() {
    let (standin, snapshot) = with_snapshot();
    let body = json!({ "vectors": { "size": 4, "distance": "Cosine" } });
    standin.json("PUT", "/collections/small", &body).is_json(200, &ok("true"));
    let path = "/collections/small/snapshots/upload?priority=snapshot";
    let refusal = concat!(
        "Wrong input: Snapshot is not compatible with existing collection: ",
        "Collection vectors: Single(VectorParams { size: 4, distance: Cosine, hnsw_config: None, ",
        "quantization_config: None, on_disk: None, datatype: None, multivector_config: None }) ",
        "Snapshot Vectors: Single(VectorParams { size: 8, distance: Cosine, hnsw_config: None, ",
        "quantization_config: None, on_disk: None, datatype: None, multivector_config: None })",
    );
    standin.upload(path, "x.snapshot", &snapshot).is_json(400, &error(refusal));
    assert_eq!(standin.count("small"), 0);
}

#[test]
fn without_waiting_a_restore_ends_later() {
    let (standin, snapshot) = with_snapshot();
    standin.upsert("plans", 101..=120);
    let path = "/collections/plans/snapshots/upload?wait=false&priority=snapshot";
    standin.upload(path, "x.snapshot", &snapshot).is_json(202, r#"{"status":"accepted","time":…}"#);
    wait_for("the restore", || (standin.count("plans") == 100).then_some(()));
}

#[test]
fn a_file_in_the_snapshots_folder_can_be_recovered_and_no_other() {
    let (standin, snapshot) = with_snapshot();
    let root = standin.storage.path().canonicalize().unwrap();
    fs::write(root.join("snapshots/plans/kept.snapshot"), &snapshot).unwrap();
    fs::write(root.join("outside.snapshot"), &snapshot).unwrap();
    let recover = |path: &Path| {
        let body = json!({ "location": format!("file://{}", path.display()), "priority": "snapshot" });
        standin.json("PUT", "/collections/plans/snapshots/recover", &body)
    };
    standin.upsert("plans", 101..=120);
    let refusal = format!(
        "Forbidden: Snapshot file path must be inside the snapshots directory \"{}\"",
        root.join("snapshots").display()
    );
    recover(&root.join("outside.snapshot")).is_json(403, &error(&refusal));
    recover(&root.join("snapshots/../outside.snapshot")).is_json(403, &error(&refusal));
    assert_eq!(standin.count("plans"), 120);
    recover(&root.join("snapshots/plans/kept.snapshot")).is_json(200, &ok("true"));
    assert_eq!(standin.count("plans"), 100);
}
