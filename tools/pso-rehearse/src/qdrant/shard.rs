//! One shard in Qdrant's engine.

use std::fs;
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use qdrant_edge::{Condition, CountRequest, EdgeShard, Filter, PointId};
use serde_json::Value;

use super::config::CollectionConfig;
use super::log::{Log, operation};
use super::points::page;
use super::snapshot::{Fault, engines, read_json};

/// How many points are asked for at once where only their ids matter.
const IDS_AT_ONCE: usize = 1000;

/// A shard that is open.
pub(super) struct Shard {
    pub(super) number: u32,
    /// Closing it writes to its files, which may panic where reading them did: only [`Shard::close`] does.
    pub(super) engine: ManuallyDrop<EdgeShard>,
    /// What its log held before the engine opened it.
    pub(super) log: Log,
    /// The payload fields that the collection has indexed.
    pub(super) indexed_fields: Vec<String>,
}

impl Shard {
    /// Opens the shard whose files are in `folder`, as they were in the snapshot.
    pub(super) fn open(number: u32, folder: PathBuf, temp: &Path, config: &CollectionConfig) -> Result<Self, Fault> {
        let log = Log::read(&folder.join("wal")).map_err(Fault::Other)?;
        // An empty tar: what is to be unpacked lies there already, and the engine goes on to unpack the segments.
        let empty = temp.join("empty.tar");
        fs::write(&empty, [0; 1024]).context("write an empty tar").map_err(Fault::Other)?;
        let context = || format!("shard {number} cannot be restored");
        fs::create_dir_all(folder.join("segments")).with_context(context).map_err(Fault::Other)?;
        EdgeShard::unpack_snapshot(&empty, &folder).with_context(context).map_err(engines)?;
        // A server keeps what is indexed one level up. In a snapshot that was cut it is not there.
        let collection = folder.parent().unwrap_or(&folder).join("payload_index.json");
        let indexed = read_json(&collection).map_err(Fault::File)?;
        fs::copy(&collection, folder.join("payload_index.json")).with_context(context).map_err(Fault::Other)?;
        let engine = EdgeShard::load(&folder, Some(config.to_engine()))
            .with_context(|| format!("shard {number} cannot be opened"))
            .map_err(engines)?;
        Ok(Self { number, engine: ManuallyDrop::new(engine), log, indexed_fields: fields(&indexed) })
    }

    /// In how many segments the points are that can be read, counted for each.
    pub(super) fn instances(&self) -> anyhow::Result<u64> {
        let (mut found, mut offset) = (0, Some(PointId::NumId(0)));
        while let Some(from) = offset {
            let (records, next) = page(&self.engine, from, IDS_AT_ONCE, false)?;
            let filter = Filter::new_must(Condition::HasId(records.iter().map(|record| record.id).collect()));
            found += self.engine.count(CountRequest { filter: Some(filter), exact: true })? as u64;
            offset = next;
        }
        Ok(found)
    }

    /// Applies what its log holds once more; how many changes that were.
    pub(super) fn apply_log(&mut self, mut progress: impl FnMut() -> anyhow::Result<()>) -> Result<u64, Fault> {
        let mut applied = 0;
        for entry in self.log.iter() {
            let operation = entry
                .and_then(|bytes| operation(&bytes))
                .with_context(|| format!("change {} in the log of shard {}", applied + 1, self.number))
                .map_err(engines)?;
            // A change that Qdrant refused when it came is in the log too, and is refused again.
            let _refused = self.engine.update(operation);
            applied += 1;
            progress().map_err(Fault::Other)?;
        }
        Ok(applied)
    }

    /// Closes it.
    pub(super) fn close(self) {
        drop(ManuallyDrop::into_inner(self.engine));
    }
}

/// The fields of `payload_index.json`.
fn fields(indexed: &Value) -> Vec<String> {
    indexed.get("schema").and_then(Value::as_object).map(|schema| schema.keys().cloned().collect()).unwrap_or_default()
}
