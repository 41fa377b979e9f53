//! Calls about collections as a whole.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use qdrant_edge::PayloadIndexInfo;
use serde::Serialize;
use serde_json::{Value, json};

use crate::answer::{Answer, Failure};
use crate::call::Call;
use crate::config::{CollectionConfig, CreateCollection, UpdateCollection};
use crate::optimizer;
use crate::store::{Store, lock};

/// The `result` of `GET /collections/{c}`, in the recorded order.
#[derive(Serialize)]
struct Info {
    status: &'static str,
    optimizer_status: Value,
    indexed_vectors_count: usize,
    points_count: usize,
    segments_count: usize,
    config: CollectionConfig,
    payload_schema: BTreeMap<String, PayloadIndexInfo>,
    update_queue: UpdateQueue,
}

#[derive(Serialize)]
struct UpdateQueue {
    /// Always zero: an update is applied before it is answered.
    length: usize,
}

/// `GET /collections`.
pub(crate) fn list(store: &Store) -> Result<Answer, Failure> {
    let names: Vec<_> = store.all().iter().map(|collection| json!({ "name": collection.name })).collect();
    Answer::result(&json!({ "collections": names }))
}

/// `GET /collections/{c}`.
pub(crate) fn info(store: &Store, name: &str) -> Result<Answer, Failure> {
    let collection = store.get(name)?;
    let shard = collection.read(|shard| Ok(shard.info()))?;
    let error = lock(&collection.optimizer_error).clone();
    let status = if error.is_some() {
        "red"
    } else if collection.optimizing.load(Ordering::Acquire) > 0 {
        "yellow"
    } else {
        "green"
    };
    Answer::result(&Info {
        status,
        optimizer_status: error.map_or_else(|| json!("ok"), |error| json!({ "error": error })),
        indexed_vectors_count: shard.indexed_vectors_count,
        points_count: shard.points_count,
        segments_count: shard.segments_count,
        config: collection.config(),
        payload_schema: shard.payload_schema.into_iter().map(|(field, index)| (field.to_string(), index)).collect(),
        update_queue: UpdateQueue { length: 0 },
    })
}

/// `GET /collections/{c}/exists`.
pub(crate) fn exists(store: &Store, name: &str) -> Result<Answer, Failure> {
    Answer::result(&json!({ "exists": store.get(name).is_ok() }))
}

/// `GET /collections/{c}/cluster`.
pub(crate) fn cluster(store: &Store, name: &str) -> Result<Answer, Failure> {
    let points = store.get(name)?.read(|shard| Ok(shard.info().points_count))?;
    Answer::result(&json!({
        "peer_id": store.peer_id,
        "shard_count": 1,
        "local_shards": [{ "shard_id": 0, "points_count": points, "state": "Active" }],
        "remote_shards": [],
        "shard_transfers": [],
    }))
}

/// `GET /collections/{c}/optimizations`. The engine does not tell how far it is, so what it works on is told as queued.
pub(crate) fn optimizations(store: &Store, name: &str) -> Result<Answer, Failure> {
    let collection = store.get(name)?;
    let shard = collection.read(|shard| Ok(shard.info()))?;
    let runs = collection.optimizing.load(Ordering::Acquire);
    let (segments, points, idle) = match runs {
        0 => (0, 0, shard.segments_count),
        _ => (shard.segments_count, shard.points_count, 0),
    };
    Answer::result(&json!({
        "summary": {
            "queued_optimizations": runs,
            "queued_segments": segments,
            "queued_points": points,
            "idle_segments": idle,
        },
        "running": [],
    }))
}

/// `PUT /collections/{c}`.
pub(crate) fn create(store: &Store, call: &mut Call<'_>, name: &str) -> Result<Answer, Failure> {
    check_name(name)?;
    let config = call.json::<CreateCollection>()?.into_config()?;
    store.create(name, &config)?;
    Answer::result(&true)
}

/// `PATCH /collections/{c}`: 200 at once, the optimiser works on in the background.
pub(crate) fn update(store: &Store, call: &mut Call<'_>, name: &str) -> Result<Answer, Failure> {
    let update: UpdateCollection = call.json()?;
    let collection = store.get(name)?;
    let wakes = update.wakes_optimizer();
    collection.reconfigure(|config| update.apply(config))?;
    if wakes {
        optimizer::wake(Arc::clone(&collection));
    }
    Answer::result(&true)
}

/// `DELETE /collections/{c}`; an alias is not deleted by it.
pub(crate) fn delete(store: &Store, name: &str) -> Result<Answer, Failure> {
    Answer::result(&store.delete(name)?)
}

/// Refuses a name that could not be a folder, in the recorded words.
pub(crate) fn check_name(name: &str) -> Result<(), Failure> {
    let refuse = |reason: &str| {
        let message = format!("Validation error in path parameters: [collection_name: collection name {reason}]");
        Err(Failure::invalid(message))
    };
    if let Some(forbidden) = name.chars().find(|c| r#"<>:"/\|?*"#.contains(*c) || c.is_control()) {
        return refuse(&format!("cannot contain \"{forbidden}\" char"));
    }
    if name == "." || name == ".." || name.len() > 255 {
        return refuse("cannot be the name of a folder");
    }
    Ok(())
}
