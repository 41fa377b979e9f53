//! Snapshots that the engine itself has made, whole and altered, and what is said of them.

mod made;

use serde_json::{Value, json};

use super::message::Said;
use made::{Made, after_log, as_server, entry, examine, file, points, with_vector};
use tar::EntryType;

fn config() -> Value {
    json!({"params": {"vectors": {"size": 4, "distance": "Cosine"}, "shard_number": 1}})
}

fn proved(said: &[Said]) -> Vec<&str> {
    said.iter().filter_map(|said| if let Said::Proved(what) = said { Some(what.as_str()) } else { None }).collect()
}

fn left(said: &[Said]) -> Vec<&str> {
    said.iter().filter_map(|said| if let Said::Left(what) = said { Some(what.as_str()) } else { None }).collect()
}

/// What is wrong with it, whoever says so.
fn wrong(said: &[Said]) -> Vec<&str> {
    let text = |said| match said {
        &Said::Broken(ref what) | &Said::Refuted(ref what) | &Said::Unclear(ref what) => Some(what.as_str()),
        _ => None,
    };
    said.iter().filter_map(text).collect()
}

fn count(said: &[Said]) -> Option<u64> {
    said.iter().find_map(|said| if let Said::Counted(points) = said { Some(*points) } else { None })
}

#[test]
fn a_whole_snapshot_is_opened_and_every_point_of_it_read() {
    let made = Made::new(config()).shard(0, points(1..=1234));
    let said = examine(&made.tar(), &config(), Some(1234));
    assert_eq!(wrong(&said), [""; 0]);
    assert_eq!(
        proved(&said),
        [
            "1 shard and 1 segment open",
            "1234 points as in the manifest",
            "every vector was read and is finite (1234 of 4 numbers), and every payload"
        ]
    );
    assert!(said.iter().any(|said| matches!(said, Said::Restored { bytes, .. } if *bytes > 10_000)), "{said:?}");
    assert_eq!(said.last(), Some(&Said::Done));
}

#[test]
fn vectors_of_every_kind_are_read() {
    let config = json!({"params": {
        "vectors": {
            "plain": {"size": 3, "distance": "Dot", "on_disk": true},
            "bytes": {"size": 4, "distance": "Cosine", "datatype": "uint8"},
            "half": {"size": 4, "distance": "Cosine", "datatype": "float16"},
            "rows": {"size": 2, "distance": "Cosine", "multivector_config": {"comparator": "max_sim"}},
            "quantised": {"size": 8, "distance": "Euclid", "quantization_config": {"binary": {"always_ram": true}}}
        },
        "sparse_vectors": {"words": {"index": {"on_disk": false}, "modifier": "idf"}},
        "shard_number": 1
    }});
    let all = json!({
        "plain": [1.0, -2.0, 3.5], "bytes": [1.0, 2.0, 3.0, 255.0], "half": [0.1, 0.2, 0.3, 0.4],
        "rows": [[1.0, 2.0], [3.0, 4.0], [0.5, 0.5]], "quantised": [1, 2, 3, 4, 5, 6, 7, 8],
        "words": {"indices": [70, 3, 900], "values": [0.5, 1.5, 2.5]}
    });
    let some = json!({"plain": [0.0, 0.0, 0.0], "rows": [[1.0, 0.0]]});
    let made = Made::new(config.clone()).shard(
        0,
        vec![
            json!({"id": 1, "vector": all, "payload": {"a": 1}}),
            json!({"id": "550e8400-e29b-41d4-a716-446655440000", "vector": some}),
            json!({"id": u64::MAX, "vector": all, "payload": {}}),
        ],
    );
    let said = examine(&made.tar(), &config, Some(3));
    assert_eq!(wrong(&said), [""; 0]);
    assert_eq!(
        proved(&said)[2],
        "every vector was read and is finite (2 \"bytes\" of 4 numbers, 2 \"half\" of 4 numbers, 3 \"plain\" of 3 numbers, \
         2 \"quantised\" of 8 numbers, 3 \"rows\" in rows of 2 numbers, 2 \"words\" sparse), and every payload"
    );
    let lacking = "1 points have no vector \"bytes\", 1 points have no vector \"half\", 1 points have no vector \
                   \"quantised\", 1 points have no vector \"words\": Qdrant allows that, and nobody counted them before";
    assert!(left(&said).contains(&lacking), "{said:?}");
}

#[test]
fn what_the_optimiser_has_built_is_opened_and_its_search_index_named_as_not_tried() {
    let mut config = config();
    config["params"]["vectors"] = json!({"size": 4, "distance": "Cosine", "hnsw_config": {"m": 8}});
    config["quantization_config"] = json!({"scalar": {"type": "int8", "always_ram": true}});
    let made = Made::new(config.clone()).shard(0, points(1..=1200)).optimised(0);
    let said = examine(&made.tar(), &config, Some(1200));
    assert_eq!((wrong(&said).len(), count(&said)), (0, Some(1200)), "{said:?}");
    let sentence =
        "the search index of 1200 vectors opens, and nothing was searched in it: a server can build it again";
    assert!(left(&said).contains(&sentence), "{said:?}");
}

#[test]
fn an_empty_collection_is_one() {
    let said = examine(&Made::new(config()).shard(0, vec![]).tar(), &config(), Some(0));
    assert_eq!((wrong(&said).len(), count(&said)), (0, Some(0)), "{said:?}");
    let none = json!({"params": {"vectors": {}, "shard_number": 1}});
    let said = examine(&Made::new(none.clone()).shard(0, vec![json!({"id": 1, "vector": {}})]).tar(), &none, Some(1));
    assert_eq!((wrong(&said).len(), count(&said)), (0, Some(1)), "{said:?}");
}

#[test]
fn all_shards_are_read_and_those_that_are_missing_are_named() {
    let mut config = config();
    config["params"]["shard_number"] = json!(3);
    let made = Made::new(config.clone()).shard(0, points(1..=5)).shard(1, points(6..=6)).shard(2, points(7..=20));
    let said = examine(&made.tar(), &config, Some(20));
    assert_eq!((wrong(&said).len(), proved(&said)[0]), (0, "3 shards and 3 segments open"), "{said:?}");

    let one_node = Made::new(config.clone()).shard(0, points(1..=5)).shard(2, points(7..=20));
    // Though the points that there are would be enough.
    let refused = ["shard 1 of 3 is not in the snapshot: a server refuses to restore it"];
    assert_eq!(wrong(&examine(&one_node.tar(), &config, Some(19))), refused);
    let state = r#"{"is_local":false,"this_peer_id":7,"peers":{"8":"Active"}}"#;
    let one_node = one_node.file("1/shard_config.json", r#"{"type":"ReplicaSet"}"#).file("1/replica_state.json", state);
    let said = examine(&one_node.tar(), &config, Some(19));
    assert_eq!((wrong(&said).len(), count(&said)), (0, Some(19)), "{said:?}");
    assert!(left(&said).iter().any(|what| what.starts_with("shard 1 is another node's")), "{said:?}");

    let twice = Made::new(config.clone()).shard(0, points(1..=5)).shard(1, points(4..=8)).shard(2, vec![]);
    let said = examine(&twice.tar(), &config, Some(10));
    assert!(left(&said).iter().any(|what| what.starts_with("2 points are in more than one shard")), "{said:?}");
}

#[test]
fn with_keys_the_mapping_names_the_shards() {
    let mut config = config();
    config["params"]["sharding_method"] = json!("custom");
    let mapping = r#"[{"key":"a","shard_ids":[1]},{"key":"b","shard_ids":[2]}]"#;
    let made = Made::new(config.clone()).shard(1, points(1..=5)).file("shard_key_mapping.json", mapping);
    let refused = ["shard 2 of 2 is not in the snapshot: a server refuses to restore it"];
    assert_eq!(wrong(&examine(&made.tar(), &config, Some(5))), refused);
    let said = examine(&made.shard(2, points(6..=6)).tar(), &config, Some(6));
    assert_eq!((wrong(&said).len(), count(&said)), (0, Some(6)), "{said:?}");
}

#[test]
fn what_a_server_refuses_though_every_point_can_be_read() {
    let made = || Made::new(config()).shard(0, points(1..=5));
    let mut shards = as_server(&config());
    shards["params"]["shard_number"] = json!(0);
    for (name, text, words) in [
        ("0/shard_config.json", "\0\0", "shard_config.json of the snapshot is not JSON"),
        ("0/replica_state.json", "{", "replica_state.json of the snapshot is not JSON"),
        ("shard_key_mapping.json", "nope", "shard_key_mapping.json of the snapshot is not JSON"),
        ("payload_index.json", r#"{"schema":{"x":5}}"#, "payload_index.json does not say of what type"),
        ("version.info", "", "version.info has no version in it"),
        ("config.json", &config().to_string(), "config.json has no hnsw_config"),
        ("config.json", &shards.to_string(), "not the configuration of a collection"),
    ] {
        let said = examine(&made().file(name, text).tar(), &config(), Some(5));
        assert!(matches!(wrong(&said)[..], [what] if what.contains(words)), "{name}: {said:?}");
    }
}

#[test]
fn what_is_all_zeros_or_has_nothing_is_to_be_looked_at() {
    let odd_of = |made: Made, count: u64| {
        let said = examine(&made.tar(), &config(), Some(count));
        assert_eq!(wrong(&said), [""; 0]);
        let odd = |said| if let Said::Odd(what) = said { Some(what) } else { None };
        said.into_iter().filter_map(odd).collect::<Vec<_>>()
    };
    let odd = |points: Vec<Value>| {
        let count = points.len() as u64;
        odd_of(Made::new(config()).shard(0, points), count)
    };
    let some = json!({"id": 1, "vector": [1, 2, 3, 4], "payload": {"a": 1}});
    assert_eq!(odd(vec![some.clone(), json!({"id": 2, "vector": {}})]), [""; 0]);
    let zeros = "1 of 2 vectors are zeros from end to end, as a hole in a file is: nothing finds them";
    assert_eq!(odd(vec![some, json!({"id": 2, "vector": [0, 0, 0, 0]})]), [zeros]);
    assert_eq!(odd(vec![json!({"id": 2, "vector": {}, "payload": {"a": 1}})]), ["none of its 1 points has a vector"]);
    let bare = vec![json!({"id": 2, "vector": [1, 2, 3, 4]})];
    assert_eq!(odd(bare.clone()), [""; 0], "vectors alone are nothing unusual");
    let emptied = odd_of(Made::new(config()).shard(0, bare).indexed(0, "a"), 1);
    assert_eq!(emptied, ["none of its 1 points has a payload, and there are indexes on fields of payloads"]);
}

#[test]
fn fewer_points_than_the_manifest_has_are_refuted() {
    let said = examine(&Made::new(config()).shard(0, points(1..=9)).without_log().tar(), &config(), Some(10));
    assert!(said.contains(&Said::Refuted("it has 9 points and should have 10".to_owned())), "{said:?}");
}

#[test]
fn changes_that_are_only_in_the_log_are_applied_as_a_server_does() {
    let made = Made::new(config()).shard(0, points(1..=5)).and_later(0, points(6..=8));
    let before = examine(&made.tar(), &config(), Some(5));
    assert_eq!((wrong(&before).len(), count(&before)), (0, Some(5)), "{before:?}");
    let after = examine(&made.tar(), &config(), Some(8));
    assert_eq!((wrong(&after).len(), count(&after)), (0, Some(8)), "{after:?}");
    let sentence =
        "2 changes in the log (WAL) were applied, as a server does when it starts: 5 points before and 8 then";
    assert!(left(&after).contains(&sentence), "{after:?}");
    let neither = examine(&made.tar(), &config(), Some(9));
    assert_eq!(wrong(&neither), ["it has 8 points and should have 9"]);
    // Behind what the server has noted as applied.
    let acknowledged = made.file("0/wal/first-index", r#"{"ack_index":2}"#);
    assert_eq!(wrong(&examine(&acknowledged.tar(), &config(), Some(8))), ["it has 5 points and should have 8"]);
}

#[test]
fn what_a_server_writes_into_its_log_is_read_though_it_has_more() {
    let operation =
        after_log(&json!({"clock_tag": {"peer_id": 1, "clock_id": 0, "clock_tick": 7, "token": 3, "force": false}}));
    let read = super::log::operation(&operation);
    assert!(matches!(read, Ok(qdrant_edge::UpdateOperation::PointOperation(_))), "{read:?}");
}

#[test]
fn another_configuration_than_the_manifests_is_refuted() {
    let tar = Made::new(config()).shard(0, points(1..=5)).tar();
    let mut other = config();
    other["params"]["vectors"]["distance"] = json!("Dot");
    let said = examine(&tar, &other, Some(5));
    assert_eq!(
        wrong(&said),
        [
            r#"the vectors "" are vectors of 4 x Float32, Cosine in the snapshot and vectors of 4 x Float32, Dot in the manifest"#
        ]
    );
    // In both: what the segments are is another matter.
    other["params"]["vectors"] = json!({"size": 5, "distance": "Cosine"});
    let altered = Made::new(config()).shard(0, points(1..=5)).file("config.json", &as_server(&other).to_string());
    let said = examine(&altered.tar(), &other, Some(5));
    assert!(matches!(wrong(&said)[..], [what] if what.contains("expected vector size 5, but got 4")), "{said:?}");
}

#[test]
fn a_vector_that_was_changed_is_found_where_it_is_no_valid_one_any_more() {
    let tar = Made::new(config()).shard(0, with_vector([0.5, 0.5, 0.5, 0.5])).without_log().tar();
    for (bytes, words) in [
        (f32::NAN.to_le_bytes(), "is not finite: number 1 is NaN"),
        (8.0_f32.to_le_bytes(), "has the length 8.04674, and Qdrant keeps those of a Cosine collection at length 1"),
    ] {
        let half = 0.5_f32.to_le_bytes();
        let at = tar.windows(16).position(|window| window == half.repeat(4)).expect("the vector is in the tar");
        let mut altered = tar.clone();
        altered[at..at + 4].copy_from_slice(&bytes);
        let said = examine(&altered, &config(), Some(1));
        assert_eq!(wrong(&said), [format!("the vector of point 1 {words}")], "{said:?}");
    }
}

#[test]
fn a_panic_of_the_engine_is_what_it_says_of_the_snapshot() {
    let mut tar = Made::new(config()).shard(0, points(1..=9)).without_log().tar();
    let field = br#""title":"#;
    let at = tar.windows(field.len()).position(|window| window == field).expect("a payload is in the tar");
    tar[at + field.len() - 1] = b'x';
    let said = examine(&tar, &config(), Some(9));
    let words = ["Qdrant's engine panics on it: ", "expected `:`"];
    assert!(matches!(wrong(&said)[..], [what] if words.iter().all(|word| what.contains(word))), "{said:?}");
    assert_eq!(said.last(), Some(&Said::Done));
}

#[test]
fn a_snapshot_that_was_cut_is_broken_wherever() {
    let tar = Made::new(config()).shard(0, points(1..=50)).tar();
    let step = (tar.len() / 512 / 40).max(1) * 512;
    for length in (0..tar.len()).step_by(step).chain([tar.len() - 1, tar.len() - 512, tar.len() - 1024, 100]) {
        let said = examine(&tar[..length], &config(), Some(50));
        let broken = said.iter().any(|said| matches!(said, Said::Broken(_)));
        assert!(broken, "{length} of {}: {said:?}", tar.len());
    }
}

#[test]
fn a_snapshot_from_before_indexes_and_one_without_a_configuration_are_told_apart() {
    let indexed = Made::new(config()).shard(0, points(1..=5)).indexed(0, "rank");
    let said = examine(&indexed.tar(), &config(), Some(5));
    assert!(proved(&said).contains(&"1 index of payload fields open"), "{said:?}");
    let lost = Made::new(config()).shard(0, points(1..=5));
    let lost = lost.file("payload_index.json", r#"{"schema":{"rank":"integer"}}"#);
    let said = examine(&lost.tar(), &config(), Some(5));
    assert!(left(&said).iter().any(|what| what.starts_with("the index of \"rank\" is not in shard 0")), "{said:?}");
    let bare = examine(&lost.tar(), &Value::Null, None);
    assert!(left(&bare).contains(&"it has 5 points; nobody counted them when it was made"), "{bare:?}");
    assert_eq!(wrong(&bare), [""; 0]);
}

#[test]
fn what_leads_outside_or_is_no_file_or_claims_too_much_is_refused_before_it_is_written() {
    let whole = Made::new(config()).shard(0, points(1..=5)).tar();
    let outside = std::env::temp_dir().join("pso-rehearse-test-outside");
    let absolute = outside.to_str().expect("UTF-8");
    for (name, kind, words) in [
        ("../outside", EntryType::Regular, "it leads outside"),
        ("0/../../outside", EntryType::Regular, "it leads outside"),
        (absolute, EntryType::Regular, "it leads outside"),
        ("0/link", EntryType::Symlink, "is neither a file nor a folder (Symlink)"),
        ("0/hard", EntryType::Link, "is neither a file nor a folder (Link)"),
        ("0/pipe", EntryType::Fifo, "is neither a file nor a folder (Fifo)"),
        ("0/disk", EntryType::Block, "is neither a file nor a folder (Block)"),
        ("config.json", EntryType::Regular, "is in the snapshot twice"),
        ("0/holes", EntryType::GNUSparse, "claims to have 1099511627776 bytes and has 512"),
    ] {
        let said = examine(&[entry(name, kind), whole.clone()].concat(), &config(), Some(5));
        assert!(matches!(wrong(&said)[..], [what] if what.contains(words)), "{name}: {said:?}");
        assert_eq!(count(&said), None, "{name}: {said:?}");
    }
    assert!(!outside.exists());
}

#[test]
fn the_tar_of_a_segment_is_looked_at_before_the_engine_has_it() {
    let inner = [entry("../../outside", EntryType::Regular), vec![0; 1024]].concat();
    let made = Made::new(config()).shard(0, points(1..=5));
    let outer = [file("0/segments/a.tar", &inner), made.tar()].concat();
    let said = examine(&outer, &config(), Some(5));
    assert!(matches!(wrong(&said)[..], [what] if what.contains("leads outside")), "{said:?}");
}
