//! One collection: its files, its shard in the engine, and the order in which the two may be touched.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};

use qdrant_edge::{EdgeShard, UpdateOperation};
use serde_json::json;

use crate::answer::Failure;
use crate::config::CollectionConfig;
use crate::store::{lock, read, read_json, write_json};

/// What `version.info` says: the version of Qdrant's `collection` crate, which has not moved for years.
const COLLECTION_VERSION: &str = "0.4.2";

/// A collection that is open.
///
/// Two locks, always taken in this order. `gate` admits one writer, snapshot or optimiser at a time, each of which may
/// take long. `shard` is held for reading by all of these and by readers, and for writing only by one who passed the
/// gate and closes or swaps the shard: so a reader never waits for anything long.
pub(crate) struct Collection {
    /// Its name, as in paths and snapshot names.
    pub(crate) name: String,
    folder: PathBuf,
    gate: Mutex<()>,
    /// None once the collection is deleted.
    shard: RwLock<Option<EdgeShard>>,
    config: RwLock<CollectionConfig>,
    /// Runs of the optimiser that are under way or waiting for the gate.
    pub(crate) optimizing: AtomicUsize,
    /// Why the last run of the optimiser failed, if it did.
    pub(crate) optimizer_error: Mutex<Option<String>>,
    operations: AtomicU64,
    /// Snapshots made since the server started, for `/metrics`.
    pub(crate) snapshots_created: AtomicU64,
}

impl Collection {
    /// Writes the files of an empty collection.
    pub(crate) fn create_files(folder: &Path, config: &CollectionConfig) -> Result<(), Failure> {
        let shard = folder.join("0");
        fs::create_dir_all(&shard)?;
        write_json(&folder.join("config.json"), &stored_config(config)?)?;
        write_json(&folder.join("payload_index.json"), &json!({ "schema": {} }))?;
        write_json(&folder.join("shard_key_mapping.json"), &json!([]))?;
        fs::write(folder.join("version.info"), COLLECTION_VERSION)?;
        // Dropping the shard flushes it.
        EdgeShard::new(&shard, config.to_edge())?;
        Ok(())
    }

    /// Opens a collection from its files.
    pub(crate) fn open(name: &str, folder: PathBuf) -> Result<Self, Failure> {
        let config: CollectionConfig = read_json(&folder.join("config.json"))?;
        let shard = load_shard(&folder, &config)?;
        Ok(Self {
            name: name.to_owned(),
            folder,
            gate: Mutex::new(()),
            shard: RwLock::new(Some(shard)),
            config: RwLock::new(config),
            optimizing: AtomicUsize::new(0),
            optimizer_error: Mutex::new(None),
            operations: AtomicU64::new(0),
            snapshots_created: AtomicU64::new(0),
        })
    }

    /// A copy of its configuration.
    pub(crate) fn config(&self) -> CollectionConfig {
        read(&self.config).clone()
    }

    /// The size of one of its vectors.
    pub(crate) fn vector_size(&self, name: &str) -> Option<usize> {
        read(&self.config).params.vectors.size_of(name)
    }

    /// Lets `look` read the shard.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&EdgeShard) -> Result<T, Failure>) -> Result<T, Failure> {
        look(read(&self.shard).as_ref().ok_or_else(|| Failure::no_collection(&self.name))?)
    }

    /// Lets `work` have the shard while nobody writes to it; all that was written before is on disk.
    pub(crate) fn quiet<T>(&self, work: impl FnOnce(&EdgeShard, &Path) -> Result<T, Failure>) -> Result<T, Failure> {
        let _gate = lock(&self.gate);
        self.read(|shard| {
            shard.flush();
            work(shard, &self.folder)
        })
    }

    /// Applies a change and writes it to disk, so that a kill right after the answer loses nothing: the engine as a
    /// library does not replay its log. Gives back the number of the operation, counted since the server started.
    pub(crate) fn update(&self, operation: UpdateOperation) -> Result<u64, Failure> {
        let _gate = lock(&self.gate);
        self.read(|shard| {
            let outcome = shard.update(operation);
            shard.flush();
            Ok(outcome?)
        })?;
        Ok(self.operations.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// Changes the configuration, in memory and on disk.
    pub(crate) fn reconfigure(
        &self,
        change: impl FnOnce(&CollectionConfig) -> Result<CollectionConfig, Failure>,
    ) -> Result<(), Failure> {
        let mut config = self.config.write().unwrap_or_else(PoisonError::into_inner);
        let changed = change(&config)?;
        self.read(|shard| {
            shard.set_hnsw_config(changed.hnsw_config)?;
            Ok(shard.set_optimizers_config(changed.to_edge_optimizers())?)
        })?;
        write_json(&self.folder.join("config.json"), &stored_config(&changed)?)?;
        *config = changed;
        Ok(())
    }

    /// Records what is indexed, for the snapshot and for segments to come.
    pub(crate) fn save_payload_schema(&self, change: impl FnOnce(&mut PayloadSchema)) -> Result<(), Failure> {
        let _gate = lock(&self.gate);
        let path = self.folder.join("payload_index.json");
        let mut schema: PayloadSchema = read_json(&path)?;
        change(&mut schema);
        write_json(&path, &schema)
    }

    /// Swaps its files for `files`; the old ones go to `aside`, and come back if the new ones cannot be opened.
    pub(crate) fn replace(&self, files: &Path, aside: &Path) -> Result<(), Failure> {
        let _gate = lock(&self.gate);
        let mut shard = self.shard.write().unwrap_or_else(PoisonError::into_inner);
        if shard.take().is_none() {
            return Err(Failure::no_collection(&self.name));
        }
        fs::rename(&self.folder, aside)?;
        let opened = fs::rename(files, &self.folder).map_err(Failure::from).and_then(|()| {
            let config = read_json(&self.folder.join("config.json"))?;
            Ok((load_shard(&self.folder, &config)?, config))
        });
        match opened {
            Ok((new_shard, new_config)) => {
                *shard = Some(new_shard);
                *self.config.write().unwrap_or_else(PoisonError::into_inner) = new_config;
                Ok(())
            }
            Err(failure) => {
                if self.folder.exists() {
                    fs::remove_dir_all(&self.folder)?;
                }
                fs::rename(aside, &self.folder)?;
                *shard = Some(load_shard(&self.folder, &self.config())?);
                Err(failure)
            }
        }
    }

    /// Closes it for good and moves its files to `aside`.
    pub(crate) fn close(&self, aside: &Path) -> Result<(), Failure> {
        let _gate = lock(&self.gate);
        let mut shard = self.shard.write().unwrap_or_else(PoisonError::into_inner);
        drop(shard.take());
        Ok(fs::rename(&self.folder, aside)?)
    }
}

/// `payload_index.json`.
#[derive(Default, serde::Serialize, serde::Deserialize)]
pub(crate) struct PayloadSchema {
    /// What each indexed field is indexed as.
    pub(crate) schema: std::collections::BTreeMap<String, qdrant_edge::PayloadFieldSchema>,
}

/// Opens the shard of a collection's files.
pub(crate) fn load_shard(folder: &Path, config: &CollectionConfig) -> Result<EdgeShard, Failure> {
    // The engine looks here for the indexes of a segment that it has to create; a server keeps the file one level up.
    fs::copy(folder.join("payload_index.json"), folder.join("0/payload_index.json"))?;
    Ok(EdgeShard::load(&folder.join("0"), Some(config.to_edge()))?)
}

/// `config.json`: the configuration and, last, the collection's uuid, which the recorded server left at null.
fn stored_config(config: &CollectionConfig) -> Result<serde_json::Value, Failure> {
    let mut value = serde_json::to_value(config).map_err(|error| Failure::internal(&error))?;
    value["uuid"] = serde_json::Value::Null;
    Ok(value)
}
