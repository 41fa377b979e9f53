//! What a server reads of a snapshot besides the segments. The engine as a library needs none of it, and a server refuses a
//! restore without.
//!
//! From Qdrant's `collection` crate: `_restore_snapshot` (`collection/snapshots.rs`) wants `shard_config.json` of every shard
//! that the configuration names, and `restore_snapshot` (`shards/replica_set/snapshots.rs`) a `replica_state.json` that says
//! that its data is here: "Can't restore snapshot in local mode with missing data at shard".

use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

use super::snapshot::read_json;

/// Whether the data of a shard is in this snapshot. In a cluster every node's has a folder for each shard, and the data of its
/// own only.
///
/// # Errors
/// When a server would refuse the shard.
pub(super) fn is_here(shard: &Path) -> anyhow::Result<bool> {
    let kind = read_json(&shard.join("shard_config.json"))?;
    let kind = kind.get("type").context("shard_config.json has no type")?;
    let name = kind.as_str().or_else(|| kind.as_object()?.keys().next().map(String::as_str));
    match name {
        Some("Local" | "Temporary") => return Ok(true),
        Some("Remote") => return Ok(false),
        Some("ReplicaSet") => {}
        _ => bail!("shard_config.json says that it is of the type {kind}, which Qdrant does not know"),
    }
    let state = read_json(&shard.join("replica_state.json"))?;
    let is_local = state.get("is_local").and_then(Value::as_bool);
    let is_local = is_local.context("replica_state.json does not say whether its data is here (is_local)")?;
    ensure!(state.get("peers").is_some_and(Value::is_object), "replica_state.json names no peers");
    Ok(is_local)
}

/// The files that are there once, as a server reads them: `CollectionConfigInternal`, `CollectionVersion`, `ShardKeyMapping`,
/// `PayloadIndexSchema`.
///
/// # Errors
/// When a server would refuse them.
pub(super) fn check(config: &Value, version: &str, key_mapping: Option<&Value>, indexes: &Value) -> anyhow::Result<()> {
    for (section, numbers) in [
        ("hnsw_config", &["m", "ef_construct", "full_scan_threshold"][..]),
        ("optimizer_config", &["deleted_threshold", "vacuum_min_vector_number", "default_segment_number"]),
        ("wal_config", &["wal_capacity_mb", "wal_segments_ahead"]),
    ] {
        let given = config.get(section).and_then(Value::as_object);
        let given = given.with_context(|| format!("config.json has no {section}"))?;
        for number in numbers {
            let is_number = given.get(*number).is_some_and(|value| value.as_f64().is_some_and(|value| value >= 0.0));
            ensure!(is_number, "config.json has no number {section}.{number}");
        }
    }
    let mut parts = version.trim().splitn(3, '.');
    let is_version =
        (0..3).all(|_| parts.next().is_some_and(|part| part.starts_with(|first: char| first.is_ascii_digit())));
    ensure!(is_version, "version.info has no version in it: {:?}", version.chars().take(20).collect::<String>());
    ensure!(
        key_mapping.is_none_or(|mapping| mapping.is_array() || mapping.is_object()),
        "shard_key_mapping.json is no mapping"
    );
    let schema = indexes.get("schema").and_then(Value::as_object);
    let schema = schema.context("payload_index.json has no schema")?;
    if let Some((field, _)) = schema.iter().find(|(_, kind)| !kind.is_string() && !kind.is_object()) {
        bail!("payload_index.json does not say of what type the field {field:?} is");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_shard_is_here_elsewhere_or_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let look = |kind: Option<&str>, state: Option<&str>| {
            for (name, text) in [("shard_config.json", kind), ("replica_state.json", state)] {
                let path = folder.path().join(name);
                match text {
                    Some(text) => std::fs::write(path, text).expect("written"),
                    None => drop(std::fs::remove_file(path)),
                }
            }
            is_here(folder.path()).map_err(|error| format!("{error:#}"))
        };
        let (set, here) = (r#"{"type":"ReplicaSet"}"#, r#"{"is_local":true,"this_peer_id":7,"peers":{"7":"Active"}}"#);
        assert_eq!(look(Some(set), Some(here)), Ok(true));
        assert_eq!(look(Some(r#"{"type":{"ReplicaSet":{}}}"#), Some(here)), Ok(true));
        assert_eq!(look(Some(set), Some(r#"{"is_local":false,"this_peer_id":7,"peers":{"8":"Active"}}"#)), Ok(false));
        assert_eq!(look(Some(r#"{"type":"Local"}"#), None), Ok(true));
        assert_eq!(look(Some(r#"{"type":{"Remote":{"peer_id":8}}}"#), None), Ok(false));
        for (kind, state) in [
            (None, Some(here)),
            (Some(set), None),
            (Some(set), Some("{")),
            (Some(set), Some("{}")),
            (Some(r#"{"type":"Remotee"}"#), Some(here)),
            (Some("{}"), Some(here)),
        ] {
            assert!(look(kind, state).is_err(), "{kind:?} {state:?}");
        }
    }

    #[test]
    fn what_a_server_cannot_read_is_found() {
        let config = json!({
            "hnsw_config": {"m": 16, "ef_construct": 100, "full_scan_threshold": 10000},
            "optimizer_config": {"deleted_threshold": 0.2, "vacuum_min_vector_number": 1000, "default_segment_number": 0},
            "wal_config": {"wal_capacity_mb": 32, "wal_segments_ahead": 0}
        });
        let (none, indexes) = (json!([]), json!({"schema": {"a": "integer", "b": {"type": "text"}}}));
        assert!(check(&config, "0.4.2", Some(&none), &indexes).is_ok());
        assert!(check(&config, "0.4.2\n", None, &indexes).is_ok());
        let mut less = config.clone();
        less["hnsw_config"]["m"] = json!("x");
        assert!(check(&less, "0.4.2", None, &indexes).is_err());
        less["hnsw_config"] = Value::Null;
        assert!(check(&less, "0.4.2", None, &indexes).is_err());
        for version in ["", "0.4", "\0\0\0\0\0", "a.b.c"] {
            assert!(check(&config, version, None, &indexes).is_err(), "{version:?}");
        }
        assert!(check(&config, "0.4.2", Some(&json!("x")), &indexes).is_err());
        for indexes in [json!([]), json!({}), json!({"schema": {"a": 5}})] {
            assert!(check(&config, "0.4.2", None, &indexes).is_err(), "{indexes}");
        }
    }
}
