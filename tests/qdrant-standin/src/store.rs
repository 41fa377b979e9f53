//! The storage folder, the collections in it, and their aliases.
//!
//! The layout is a server's (recorded in `on-disk-layout.txt`):
//!
//! ```text
//! snapshots/<collection>/<name>.snapshot[.checksum]
//! snapshots/tmp/
//! storage/aliases/data.json
//! storage/collections/<collection>/{0/, config.json, payload_index.json, shard_key_mapping.json, version.info}
//! storage/raft_state.json
//! storage/tmp/
//! ```

use std::collections::BTreeMap;
use std::fs;
use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use crate::answer::Failure;
use crate::collection::Collection;
use crate::config::CollectionConfig;

/// Everything that a server keeps.
pub(crate) struct Store {
    root: PathBuf,
    /// The number in snapshot names and cluster answers; drawn once for each storage folder.
    pub(crate) peer_id: u64,
    collections: RwLock<BTreeMap<String, Arc<Collection>>>,
    aliases: Mutex<BTreeMap<String, String>>,
    /// Held while collections come and go, so that only one of them does at a time.
    structure: Mutex<()>,
}

/// `raft_state.json`, as far as one node needs it.
#[derive(Serialize, Deserialize)]
struct RaftState {
    this_peer_id: u64,
}

impl Store {
    /// Opens a storage folder and every collection in it; what an earlier run left half done is removed.
    pub(crate) fn open(root: &Path) -> anyhow::Result<Self> {
        let storage = root.join("storage");
        for folder in [storage.join("tmp"), root.join("snapshots/tmp")] {
            if folder.exists() {
                fs::remove_dir_all(&folder).with_context(|| format!("empty {}", folder.display()))?;
            }
            fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
        }
        for folder in ["aliases", "collections"] {
            fs::create_dir_all(storage.join(folder)).with_context(|| format!("create {folder}"))?;
        }
        // Absolute, as `recover` compares paths with it and the engine keeps it.
        let root = root.canonicalize().with_context(|| format!("resolve {}", root.display()))?;
        let state = root.join("storage/raft_state.json");
        let peer_id = if state.exists() {
            read_json::<RaftState>(&state).map_err(failed)?.this_peer_id
        } else {
            // Sixteen digits, like the recorded one, and exact in a reader that keeps numbers as doubles.
            let this_peer_id = RandomState::new().hash_one(&state) % 9_000_000_000_000_000 + 1_000_000_000_000_000;
            write_json(&state, &RaftState { this_peer_id }).map_err(failed)?;
            this_peer_id
        };
        let aliases = root.join("storage/aliases/data.json");
        let aliases = if aliases.exists() { read_json(&aliases).map_err(failed)? } else { BTreeMap::new() };
        let mut collections = BTreeMap::new();
        for entry in fs::read_dir(root.join("storage/collections")).context("list the collections")? {
            let entry = entry.context("list the collections")?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let collection = Collection::open(&name, entry.path())
                .map_err(failed)
                .with_context(|| format!("open the collection {name}"))?;
            collections.insert(name, Arc::new(collection));
        }
        Ok(Self {
            root,
            peer_id,
            collections: RwLock::new(collections),
            aliases: Mutex::new(aliases),
            structure: Mutex::new(()),
        })
    }

    /// The folder that holds one folder of snapshots for each collection, and the full snapshots.
    pub(crate) fn snapshots(&self) -> PathBuf {
        self.root.join("snapshots")
    }

    /// A folder of its own, removed when dropped, on the same file system as the collections.
    pub(crate) fn temp_dir(&self, prefix: &str) -> io::Result<TempDir> {
        tempfile::Builder::new().prefix(prefix).tempdir_in(self.root.join("storage/tmp"))
    }

    /// The collection of this name, or the one that the alias of this name leads to.
    pub(crate) fn get(&self, name: &str) -> Result<Arc<Collection>, Failure> {
        let known = |name: &str| read(&self.collections).get(name).cloned();
        known(name)
            .or_else(|| lock(&self.aliases).get(name).and_then(|target| known(target)))
            .ok_or_else(|| Failure::no_collection(name))
    }

    /// Every collection, by name.
    pub(crate) fn all(&self) -> Vec<Arc<Collection>> {
        read(&self.collections).values().cloned().collect()
    }

    /// Creates an empty collection.
    pub(crate) fn create(&self, name: &str, config: &CollectionConfig) -> Result<(), Failure> {
        let _structure = lock(&self.structure);
        if read(&self.collections).contains_key(name) {
            return Err(Failure::conflict(format_args!("Collection `{name}` already exists!")));
        }
        if lock(&self.aliases).contains_key(name) {
            return Err(Failure::conflict(format_args!(
                "Can't create collection with name {name}. Alias with the same name already exists"
            )));
        }
        // Built aside and moved in whole, so that a kill leaves a collection or none.
        let aside = self.temp_dir("create-")?;
        let built = aside.path().join("collection");
        Collection::create_files(&built, config)?;
        self.move_in(name, &built)
    }

    /// Puts restored files in the place of a collection, or makes a new one of them. The old data stays if the new
    /// cannot be opened.
    pub(crate) fn restore(&self, name: &str, files: &Path, config: &CollectionConfig) -> Result<(), Failure> {
        let _structure = lock(&self.structure);
        // An alias is restored into the collection that it leads to.
        let Ok(existing) = self.get(name) else { return self.move_in(name, files) };
        let (ours, theirs) = (existing.config().params.vectors, &config.params.vectors);
        if ours != *theirs {
            return Err(Failure::wrong_input(format_args!(
                "Snapshot is not compatible with existing collection: Collection vectors: {} Snapshot Vectors: {}",
                ours.describe(),
                theirs.describe()
            )));
        }
        let aside = self.temp_dir("replaced-")?;
        existing.replace(files, &aside.path().join("collection"))
    }

    fn move_in(&self, name: &str, files: &Path) -> Result<(), Failure> {
        let place = self.root.join("storage/collections").join(name);
        fs::rename(files, &place)?;
        fs::create_dir_all(self.snapshots().join(name))?;
        let collection = Collection::open(name, place.clone()).inspect_err(|_| {
            // The failure to open is what the caller must hear of, not a failure to tidy up after it.
            let _ = fs::remove_dir_all(&place);
        })?;
        self.collections.write().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), Arc::new(collection));
        Ok(())
    }

    /// Deletes a collection and the aliases that lead to it; its snapshots stay on disk. False if there is none.
    pub(crate) fn delete(&self, name: &str) -> Result<bool, Failure> {
        let _structure = lock(&self.structure);
        let removed = self.collections.write().unwrap_or_else(PoisonError::into_inner).remove(name);
        let Some(collection) = removed else { return Ok(false) };
        self.change_aliases(|aliases| {
            aliases.retain(|_, target| target != name);
            Ok(())
        })?;
        let aside = self.temp_dir("deleted-")?;
        collection.close(&aside.path().join("collection"))?;
        Ok(true)
    }

    /// Every alias and the collection that it leads to.
    pub(crate) fn aliases(&self) -> BTreeMap<String, String> {
        lock(&self.aliases).clone()
    }

    /// Changes the aliases, all of what `change` does or, if it fails, nothing.
    pub(crate) fn change_aliases(
        &self,
        change: impl FnOnce(&mut BTreeMap<String, String>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut aliases = lock(&self.aliases);
        let mut changed = aliases.clone();
        change(&mut changed)?;
        write_json(&self.root.join("storage/aliases/data.json"), &changed)?;
        *aliases = changed;
        Ok(())
    }

    /// Whether a collection, and not an alias, has this name.
    pub(crate) fn is_collection(&self, name: &str) -> bool {
        read(&self.collections).contains_key(name)
    }
}

/// Reads a JSON file.
pub(crate) fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, Failure> {
    let bytes = fs::read(path)?;
    serde_json::from_slice(&bytes)
        .map_err(|error| Failure::internal(format_args!("Json error in {}: {error}", path.display())))
}

/// Writes a JSON file, whole or not at all.
pub(crate) fn write_json(path: &Path, value: &impl Serialize) -> Result<(), Failure> {
    let bytes = serde_json::to_vec(value)
        .map_err(|error| Failure::internal(format_args!("cannot write {}: {error}", path.display())))?;
    let temporary = path.with_extension("new");
    fs::write(&temporary, bytes)?;
    fs::File::open(&temporary)?.sync_all()?;
    Ok(fs::rename(&temporary, path)?)
}

/// A lock that a panic in the engine does not close for good.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The same for reading.
pub(crate) fn read<T>(lock: &RwLock<T>) -> std::sync::RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn failed(failure: Failure) -> anyhow::Error {
    anyhow::Error::msg(failure.message().to_owned())
}
