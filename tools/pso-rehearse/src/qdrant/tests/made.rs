//! Makes snapshots of a collection with the engine, as a server packs them when it streams them.

use std::collections::BTreeMap;
use std::fs;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use qdrant_edge::{
    CreateIndex, EdgeOptimizersConfig, EdgeShard, FieldIndexOperations, PayloadFieldSchema, PayloadSchemaType,
    PointInsertOperations, PointOperations, PointStructPersisted, UpdateOperation,
};
use serde_json::{Value, json};
use tar::{Builder, EntryType, Header};

use super::super::child;
use super::super::config::CollectionConfig;
use super::super::engine::memory_for;
use super::super::message::{Said, Work};

/// A collection that becomes a snapshot.
pub(super) struct Made {
    folder: tempfile::TempDir,
    config: Value,
    /// Files beside the shards, or instead of one in them.
    files: BTreeMap<String, String>,
    has_log: bool,
}

/// Points with a unit vector of four numbers, and a payload.
pub(super) fn points(ids: RangeInclusive<u64>) -> Vec<Value> {
    let point = |id: u64| json!({"id": id, "vector": [1.0, id, 0.25, -0.5], "payload": {"title": format!("t{id}"), "rank": id}});
    ids.map(point).collect()
}

/// A configuration as a server writes it: with what the engine does not read.
pub(super) fn as_server(config: &Value) -> Value {
    let mut whole = json!({
        "hnsw_config": {"m": 16, "ef_construct": 100, "full_scan_threshold": 10000},
        "optimizer_config": {"deleted_threshold": 0.2, "vacuum_min_vector_number": 1000, "default_segment_number": 0},
        "wal_config": {"wal_capacity_mb": 32, "wal_segments_ahead": 0}
    });
    let sections = whole.as_object_mut().expect("an object");
    for (name, value) in config.as_object().expect("an object") {
        match sections.get_mut(name).and_then(Value::as_object_mut) {
            Some(known) => known.extend(value.as_object().expect("an object").clone()),
            None => drop(sections.insert(name.clone(), value.clone())),
        }
    }
    whole
}

/// One point with this vector.
pub(super) fn with_vector(vector: [f32; 4]) -> Vec<Value> {
    vec![json!({"id": 1, "vector": vector, "payload": {"a": 1}})]
}

fn upsert(points: Vec<Value>) -> UpdateOperation {
    let points =
        points.into_iter().map(|point| serde_json::from_value::<PointStructPersisted>(point).expect("a point"));
    UpdateOperation::PointOperation(PointOperations::UpsertPoints(PointInsertOperations::PointsList(points.collect())))
}

/// An operation as it is in a log, with more in it.
pub(super) fn after_log(more: &Value) -> Vec<u8> {
    let mut operation = serde_json::to_value(upsert(points(1..=2))).expect("JSON");
    let fields = operation.as_object_mut().expect("an object");
    fields.extend(more.as_object().expect("an object").clone());
    serde_cbor::to_vec(&operation).expect("CBOR")
}

impl Made {
    pub(super) fn new(config: Value) -> Self {
        let files = [
            ("config.json", as_server(&config).to_string()),
            ("version.info", "0.4.2".to_owned()),
            ("shard_key_mapping.json", "[]".to_owned()),
            ("payload_index.json", r#"{"schema":{}}"#.to_owned()),
        ];
        let files = files.map(|(name, text)| (name.to_owned(), text)).into();
        Self { folder: tempfile::tempdir().expect("a folder"), config, files, has_log: true }
    }

    fn path(&self, shard: u32) -> PathBuf {
        self.folder.path().join(shard.to_string())
    }

    /// A shard with these points.
    pub(super) fn shard(self, number: u32, points: Vec<Value>) -> Self {
        let path = self.path(number);
        fs::create_dir(&path).expect("a folder");
        let config = CollectionConfig::parse(&self.config).expect("a configuration").to_engine();
        let shard = EdgeShard::new(&path, config).expect("a shard");
        if !points.is_empty() {
            shard.update(upsert(points)).expect("stored");
        }
        drop(shard);
        let state = json!({"is_local": true, "this_peer_id": 7, "peers": {"7": "Active"}}).to_string();
        self.file(&format!("{number}/replica_state.json"), &state)
            .file(&format!("{number}/shard_config.json"), r#"{"type":"ReplicaSet"}"#)
    }

    /// Points that came to a shard and are in its log only.
    pub(super) fn and_later(self, number: u32, points: Vec<Value>) -> Self {
        let (path, aside) = (self.path(number), self.folder.path().join("aside"));
        fs::create_dir(&aside).expect("a folder");
        copy(&path.join("segments"), &aside);
        let shard = EdgeShard::load(&path, None).expect("a shard");
        shard.update(upsert(points)).expect("stored");
        drop(shard);
        fs::remove_dir_all(path.join("segments")).expect("removed");
        fs::rename(&aside, path.join("segments")).expect("put back");
        self
    }

    /// Indexes a field of whole numbers.
    pub(super) fn indexed(self, number: u32, field: &str) -> Self {
        let shard = EdgeShard::load(&self.path(number), None).expect("a shard");
        let schema = PayloadFieldSchema::FieldType(PayloadSchemaType::Integer);
        let index = CreateIndex { field_name: field.parse().expect("a field"), field_schema: Some(schema) };
        let operation = FieldIndexOperations::CreateIndex(index);
        shard.update(UpdateOperation::FieldIndexOperation(operation)).expect("indexed");
        drop(shard);
        let schema = json!({"schema": {field: "integer"}}).to_string();
        self.file("payload_index.json", &schema)
    }

    /// As the optimiser leaves a shard that is large enough for a search index.
    pub(super) fn optimised(self, number: u32) -> Self {
        let shard = EdgeShard::load(&self.path(number), None).expect("a shard");
        let optimizers = EdgeOptimizersConfig { indexing_threshold: Some(1), ..EdgeOptimizersConfig::default() };
        shard.set_optimizers_config(optimizers).expect("set");
        assert!(shard.optimize().expect("optimised"));
        drop(shard);
        self
    }

    /// A file in the snapshot.
    pub(super) fn file(mut self, name: &str, text: &str) -> Self {
        self.files.insert(name.to_owned(), text.to_owned());
        self
    }

    pub(super) fn without_log(mut self) -> Self {
        self.has_log = false;
        self
    }

    /// The snapshot.
    pub(super) fn tar(&self) -> Vec<u8> {
        let mut tar = Builder::new(Vec::new());
        for shard in sorted(self.folder.path()) {
            let name = PathBuf::from(shard.file_name().expect("a name"));
            for segment in sorted(&shard.join("segments")) {
                let inside = name.join("segments").join(segment.file_name().expect("a name")).join("files");
                tar.append_dir_all(inside, &segment).expect("packed");
            }
            if self.has_log {
                tar.append_dir_all(name.join("wal"), shard.join("wal")).expect("packed");
            }
        }
        for (name, text) in &self.files {
            let mut header = Header::new_gnu();
            header.set_mode(0o644);
            header.set_size(text.len() as u64);
            tar.append_data(&mut header, name, text.as_bytes()).expect("packed");
        }
        tar.into_inner().expect("packed")
    }
}

/// One file as it is in a tar.
pub(super) fn file(name: &str, content: &[u8]) -> Vec<u8> {
    let mut tar = Builder::new(Vec::new());
    let mut header = Header::new_gnu();
    header.set_mode(0o644);
    header.set_size(content.len() as u64);
    tar.append_data(&mut header, name, content).expect("packed");
    let mut bytes = tar.into_inner().expect("packed");
    bytes.truncate(bytes.len() - 1024);
    bytes
}

/// One entry of any kind and name, with a block of content: a sparse one has it behind a hole of a TiB.
pub(super) fn entry(name: &str, kind: EntryType) -> Vec<u8> {
    let mut header = Header::new_gnu();
    let gnu = header.as_gnu_mut().expect("of GNU");
    // The builder would refuse such names.
    gnu.name[..name.len()].copy_from_slice(name.as_bytes());
    if kind == EntryType::GNUSparse {
        let hole: u64 = (1 << 40) - 512;
        gnu.sparse[0].offset.copy_from_slice(&[&[0x80, 0, 0, 0][..], &hole.to_be_bytes()].concat());
        gnu.sparse[0].numbytes.copy_from_slice(b"00000001000\0");
        gnu.realsize.copy_from_slice(&[&[0x80, 0, 0, 0][..], &(1_u64 << 40).to_be_bytes()].concat());
    }
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_size(512);
    header.set_cksum();
    [header.as_bytes().as_slice(), &[b'x'; 512]].concat()
}

fn sorted(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> =
        fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths
}

fn copy(from: &Path, to: &Path) {
    for path in sorted(from) {
        let to = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            fs::create_dir(&to).expect("a folder");
            copy(&path, &to);
        } else {
            fs::copy(&path, &to).expect("copied");
        }
    }
}

/// What the child says of a snapshot; the progress is left out.
pub(super) fn examine(tar: &[u8], config: &Value, points: Option<u64>) -> Vec<Said> {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("snapshot.tar"), tar).expect("written");
    let work = Work {
        snapshot: "snapshot.tar".into(),
        config: Some(config.clone()).filter(|config| !config.is_null()),
        points: points.map(|points| (points, points)),
        memory: memory_for(tar.len() as u64),
    };
    let mut said = Vec::new();
    child::examine(&work, folder.path(), false, &mut |one| {
        if !matches!(one, Said::Does(_) | Said::Read(_)) {
            said.push(one);
        }
        Ok(())
    })
    .expect("somebody listens");
    said
}
