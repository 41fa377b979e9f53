//! Snapshots that are made, listed, downloaded and deleted.

use std::fs;

use sha2::{Digest as _, Sha256};

use crate::client::{Reply, Standin, error, ok, wait_for};

const SNAPSHOTS: &str = "/collections/plans/snapshots";

/// Makes a snapshot and gives back its name.
pub(crate) fn make(standin: &Standin) -> String {
    let reply = standin.call("POST", SNAPSHOTS, "", b"");
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.value()["result"]["name"].as_str().expect("a name").to_owned()
}

fn names(list: &Reply) -> Vec<String> {
    let list = list.value();
    let list = list["result"].as_array().expect("a list");
    list.iter().map(|snapshot| snapshot["name"].as_str().expect("a name").to_owned()).collect()
}

#[test]
fn a_snapshot_is_made_listed_downloaded_and_deleted() {
    let standin = Standin::with_points(100);
    standin.get(SNAPSHOTS).is_json(200, &ok("[]"));
    let made = standin.call("POST", SNAPSHOTS, "", b"").value();
    let listed = standin.get(SNAPSHOTS).value();
    assert_eq!(listed["result"][0], made["result"]);
    let snapshot = &made["result"];
    let name = snapshot["name"].as_str().expect("a name");
    let peer = standin.get("/collections/plans/cluster").value()["result"]["peer_id"].to_string();
    let prefix = format!("plans-{peer}-20");
    assert!(name.starts_with(&prefix) && name.len() == prefix.len() + "26-11-22-21-43-05.snapshot".len(), "{name}");
    assert_eq!(snapshot["creation_time"].as_str().map(str::len), Some("2026-11-22T21:43:05".len()));

    let path = format!("{SNAPSHOTS}/{name}");
    let whole = standin.get(&path);
    assert_eq!(whole.status, 200);
    assert_eq!(whole.body.len() as u64, snapshot["size"].as_u64().expect("a size"));
    let checksum: String = Sha256::digest(&whole.body).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(snapshot["checksum"], checksum.as_str());
    assert_eq!(whole.header("content-length"), Some(whole.body.len().to_string().as_str()));
    assert_eq!(whole.header("content-type"), Some("application/octet-stream"));
    assert_eq!(whole.header("content-disposition"), Some(format!("attachment; filename=\"{name}\"").as_str()));
    assert!(whole.header("etag").is_some() && whole.header("last-modified").is_some());

    let part = standin.call("GET", &path, "Range: bytes=100-299\r\n", b"");
    assert_eq!((part.status, &part.body[..]), (206, &whole.body[100..300]));
    let range = format!("bytes 100-299/{}", whole.body.len());
    assert_eq!(part.header("content-range"), Some(range.as_str()));
    assert_eq!(part.header("etag"), whole.header("etag"));
    assert_eq!(standin.call("GET", &path, "Range: bytes=999999999-\r\n", b"").status, 416);
    standin.call("HEAD", &path, "", b"").is(404, None, "");

    standin.call("DELETE", &path, "", b"").is_json(200, &ok("true"));
    let gone = format!("Not found: Snapshot {name} not found");
    standin.call("DELETE", &path, "", b"").is_json(404, &error(&gone));
    standin.get(&path).is(404, Some("text/plain; charset=utf-8"), &gone);
    standin.get(SNAPSHOTS).is_json(200, &ok("[]"));
}

#[test]
fn a_name_that_leads_out_of_the_folder_is_not_found() {
    let standin = Standin::with_points(1);
    let text = Some("text/plain; charset=utf-8");
    let passwd = "Not found: Snapshot ../../etc/passwd not found";
    standin.get(&format!("{SNAPSHOTS}/..%2f..%2fetc%2fpasswd")).is(404, text, passwd);
    standin.get(&format!("{SNAPSHOTS}/..")).is(404, text, "Not found: Snapshot .. not found");
    standin
        .call("DELETE", &format!("{SNAPSHOTS}/..%2ftmp"), "", b"")
        .is_json(404, &error("Not found: Snapshot ../tmp not found"));
}

#[test]
fn two_snapshots_in_one_second_have_one_name() {
    let standin = Standin::with_points(1);
    wait_for("two snapshots in one second", || {
        let (first, second) = (make(&standin), make(&standin));
        (first == second).then_some(())
    });
    let mut listed = names(&standin.get(SNAPSHOTS));
    let all = listed.len();
    listed.dedup();
    assert_eq!(listed.len(), all);
}

#[test]
fn without_waiting_a_snapshot_appears_later() {
    let standin = Standin::with_points(10);
    let reply = standin.call("POST", "/collections/plans/snapshots?wait=false", "", b"");
    reply.is_json(202, r#"{"status":"accepted","time":…}"#);
    wait_for("a snapshot", || (names(&standin.get(SNAPSHOTS)).len() == 1).then_some(()));
}

#[test]
fn deleting_a_collection_leaves_its_snapshots_on_disk_out_of_reach() {
    let standin = Standin::with_points(1);
    let name = make(&standin);
    standin.call("DELETE", "/collections/plans", "", b"").is_json(200, &ok("true"));
    let missing = "Not found: Collection `plans` doesn't exist!";
    standin.get(SNAPSHOTS).is_json(404, &error(missing));
    standin.get(&format!("{SNAPSHOTS}/{name}")).is(404, Some("text/plain; charset=utf-8"), missing);
    assert!(standin.storage.path().join("snapshots/plans").join(name).is_file());
}

#[test]
fn a_snapshot_has_the_layout_of_a_real_one() {
    let standin = Standin::with_points(10);
    let snapshot = standin.get(&format!("{SNAPSHOTS}/{}", make(&standin))).body;
    let mut archive = tar::Archive::new(&snapshot[..]);
    let mut entries = Vec::new();
    for entry in archive.entries().unwrap() {
        let entry = entry.unwrap();
        let name = entry.path().unwrap().to_string_lossy().into_owned();
        // A segment's name is its uuid.
        let name = if name.starts_with("0/segments/") { "0/segments/….tar".to_owned() } else { name };
        // Sparse entries count as what they unpack to, and both logs are 32 MiB of which little is in the tar.
        entries.push((name, if entry.size() == 33_554_432 { "32 MiB" } else { "" }));
    }
    assert_eq!(
        entries,
        [
            ("0/segments/….tar", ""),
            ("0/wal/open-1", "32 MiB"),
            ("0/wal/open-2", "32 MiB"),
            ("0/replica_state.json", ""),
            ("0/shard_config.json", ""),
            ("version.info", ""),
            ("config.json", ""),
            ("shard_key_mapping.json", ""),
            ("payload_index.json", ""),
        ]
        .map(|(name, size)| (name.to_owned(), size))
    );
    assert!(snapshot.len() < 2 << 20, "{} bytes: the holes of the logs were written out", snapshot.len());
}

#[test]
fn a_full_snapshot_holds_one_of_each_collection() {
    let standin = Standin::with_points(10);
    standin.create("other");
    let made = standin.call("POST", "/snapshots", "", b"").value();
    let name = made["result"]["name"].as_str().expect("a name");
    assert!(name.starts_with("full-snapshot-20"), "{name}");
    assert_eq!(standin.get("/snapshots").value()["result"][0], made["result"]);
    let path = format!("/snapshots/{name}");
    let snapshot = standin.get(&path).body;
    let mut archive = tar::Archive::new(&snapshot[..]);
    let entries: Vec<_> =
        archive.entries().unwrap().map(|entry| entry.unwrap().path().unwrap().display().to_string()).collect();
    assert_eq!(entries.len(), 3);
    assert!(entries[0].starts_with("other-") && entries[1].starts_with("plans-") && entries[2] == "config.json");
    standin.call("DELETE", &path, "", b"").is_json(200, &ok("true"));
    standin.get("/snapshots").is_json(200, &ok("[]"));
    assert!(fs::read_dir(standin.storage.path().join("storage/tmp")).unwrap().next().is_none());
}
