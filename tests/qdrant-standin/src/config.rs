//! The configuration of a collection: read from requests, kept in `config.json`, echoed in the collection's info.
//!
//! Names, order and defaults are those of the recorded `GET /collections/{c}`.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroUsize;

use qdrant_edge::{
    DEFAULT_VECTOR_NAME, EdgeConfig, EdgeOptimizersConfig, EdgeVectorParams, HnswIndexConfig, QuantizationConfig,
    WalOptions,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::answer::Failure;

/// What a collection is configured with.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct CollectionConfig {
    pub(crate) params: Params,
    pub(crate) hnsw_config: HnswIndexConfig,
    pub(crate) optimizer_config: OptimizerConfig,
    pub(crate) wal_config: WalConfig,
    #[serde(default)]
    pub(crate) quantization_config: Option<QuantizationConfig>,
}

/// Vectors, shards and replicas.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Params {
    pub(crate) vectors: Vectors,
    #[serde(default = "one")]
    pub(crate) shard_number: u32,
    #[serde(default = "one")]
    replication_factor: u32,
    #[serde(default = "one")]
    write_consistency_factor: u32,
    #[serde(default = "yes")]
    on_disk_payload: bool,
}

/// One unnamed vector a point, or several with names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Vectors {
    Single(EdgeVectorParams),
    Named(BTreeMap<String, EdgeVectorParams>),
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct OptimizerConfig {
    deleted_threshold: f64,
    vacuum_min_vector_number: usize,
    default_segment_number: usize,
    max_segment_size: Option<usize>,
    memmap_threshold: Option<usize>,
    indexing_threshold: Option<usize>,
    flush_interval_sec: u64,
    max_optimization_threads: Option<usize>,
    #[serde(default)]
    prevent_unoptimized: Option<bool>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct WalConfig {
    wal_capacity_mb: usize,
    wal_segments_ahead: usize,
    #[serde(default = "one_segment")]
    wal_retain_closed: NonZeroUsize,
}

fn one() -> u32 {
    1
}

fn yes() -> bool {
    true
}

fn one_segment() -> NonZeroUsize {
    NonZeroUsize::MIN
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        Self {
            deleted_threshold: 0.2,
            vacuum_min_vector_number: 1000,
            default_segment_number: 0,
            max_segment_size: None,
            memmap_threshold: None,
            indexing_threshold: Some(10_000),
            flush_interval_sec: 5,
            max_optimization_threads: None,
            prevent_unoptimized: None,
        }
    }
}

impl Default for WalConfig {
    fn default() -> Self {
        Self { wal_capacity_mb: 32, wal_segments_ahead: 0, wal_retain_closed: one_segment() }
    }
}

/// The body of `PUT /collections/{c}`.
#[derive(Debug, Deserialize)]
pub(crate) struct CreateCollection {
    vectors: Option<Vectors>,
    #[serde(default)]
    sparse_vectors: Option<Map<String, Value>>,
    #[serde(default = "one")]
    shard_number: u32,
    #[serde(default = "one")]
    replication_factor: u32,
    #[serde(default = "one")]
    write_consistency_factor: u32,
    #[serde(default = "yes")]
    on_disk_payload: bool,
    hnsw_config: Option<Map<String, Value>>,
    optimizers_config: Option<Map<String, Value>>,
    wal_config: Option<Map<String, Value>>,
    quantization_config: Option<QuantizationConfig>,
}

/// The body of `PATCH /collections/{c}`, as far as the stand-in can follow it.
#[derive(Debug, Deserialize)]
pub(crate) struct UpdateCollection {
    hnsw_config: Option<Map<String, Value>>,
    optimizers_config: Option<Map<String, Value>>,
    params: Option<Map<String, Value>>,
    vectors: Option<Map<String, Value>>,
    quantization_config: Option<Value>,
}

impl CreateCollection {
    /// The configuration asked for, with the defaults of a real server.
    pub(crate) fn into_config(self) -> Result<CollectionConfig, Failure> {
        if self.sparse_vectors.is_some_and(|vectors| !vectors.is_empty()) {
            return Err(Failure::unsupported("sparse vectors"));
        }
        if self.shard_number != 1 {
            return Err(Failure::unsupported("more than one shard"));
        }
        let vectors = self.vectors.unwrap_or(Vectors::Named(BTreeMap::new()));
        if vectors.all().any(|(_, params)| params.size == 0) {
            let message = "Validation error in JSON body: [vectors.size: value 0 invalid, must be 1 or larger]";
            return Err(Failure::invalid(message));
        }
        // The engine's default leaves `on_disk` out; a real server's default writes it.
        let hnsw = HnswIndexConfig { on_disk: Some(false), ..HnswIndexConfig::default() };
        Ok(CollectionConfig {
            params: Params {
                vectors,
                shard_number: 1,
                replication_factor: self.replication_factor,
                write_consistency_factor: self.write_consistency_factor,
                on_disk_payload: self.on_disk_payload,
            },
            hnsw_config: changed(&hnsw, self.hnsw_config)?,
            optimizer_config: changed(&OptimizerConfig::default(), self.optimizers_config)?,
            wal_config: changed(&WalConfig::default(), self.wal_config)?,
            quantization_config: self.quantization_config,
        })
    }
}

impl UpdateCollection {
    /// Whether the optimiser has a reason to look again. An empty `optimizers_config` changes nothing.
    pub(crate) fn wakes_optimizer(&self) -> bool {
        [&self.hnsw_config, &self.optimizers_config].into_iter().flatten().any(|changes| !changes.is_empty())
    }

    /// The configuration with the changes made.
    pub(crate) fn apply(self, config: &CollectionConfig) -> Result<CollectionConfig, Failure> {
        if self.params.is_some() || self.vectors.is_some() || self.quantization_config.is_some() {
            return Err(Failure::unsupported("a PATCH of anything but `optimizers_config` and `hnsw_config`"));
        }
        Ok(CollectionConfig {
            hnsw_config: changed(&config.hnsw_config, self.hnsw_config)?,
            optimizer_config: changed(&config.optimizer_config, self.optimizers_config)?,
            ..config.clone()
        })
    }
}

/// `base` with the fields that `changes` names replaced; null leaves one as it is, as in a real server.
fn changed<T>(base: &T, changes: Option<Map<String, Value>>) -> Result<T, Failure>
where
    T: Clone + Serialize + DeserializeOwned,
{
    let Some(changes) = changes else { return Ok(base.clone()) };
    let mut value = serde_json::to_value(base).map_err(|error| Failure::bad_json(&error))?;
    if let Value::Object(fields) = &mut value {
        fields.extend(changes.into_iter().filter(|(_, value)| !value.is_null()));
    }
    serde_json::from_value(value).map_err(|error| Failure::bad_json(&error))
}

impl Vectors {
    /// Every vector with its name, which is empty for the unnamed one.
    pub(crate) fn all(&self) -> Box<dyn Iterator<Item = (&str, &EdgeVectorParams)> + '_> {
        match self {
            Self::Single(params) => Box::new(std::iter::once((DEFAULT_VECTOR_NAME, params))),
            Self::Named(named) => Box::new(named.iter().map(|(name, params)| (name.as_str(), params))),
        }
    }

    /// The length of a vector.
    pub(crate) fn size_of(&self, name: &str) -> Option<usize> {
        self.all().find(|(known, _)| *known == name).map(|(_, params)| params.size)
    }

    /// The wording a real server uses when it says that two collections do not fit (its `Debug` output).
    pub(crate) fn describe(&self) -> String {
        let one = |params: &EdgeVectorParams| {
            format!(
                "VectorParams {{ size: {}, distance: {:?}, hnsw_config: {:?}, quantization_config: {:?}, \
                 on_disk: {:?}, datatype: {:?}, multivector_config: {:?} }}",
                params.size,
                params.distance,
                params.hnsw_config,
                params.quantization_config,
                params.on_disk,
                params.datatype,
                params.multivector_config,
            )
        };
        match self {
            Self::Single(params) => format!("Single({})", one(params)),
            Self::Named(named) => {
                let named: Vec<_> = named.iter().map(|(name, params)| format!("{name:?}: {}", one(params))).collect();
                format!("Multi({{{}}})", named.join(", "))
            }
        }
    }
}

impl CollectionConfig {
    /// What the engine is configured with.
    pub(crate) fn to_edge(&self) -> EdgeConfig {
        let vectors: HashMap<_, _> =
            self.params.vectors.all().map(|(name, params)| (name.to_owned(), params.clone())).collect();
        EdgeConfig {
            on_disk_payload: self.params.on_disk_payload,
            vectors,
            hnsw_config: self.hnsw_config,
            quantization_config: self.quantization_config.clone(),
            optimizers: self.to_edge_optimizers(),
            wal_options: Some(WalOptions {
                segment_capacity: self.wal_config.wal_capacity_mb << 20,
                segment_queue_len: self.wal_config.wal_segments_ahead,
                retain_closed: self.wal_config.wal_retain_closed,
            }),
            ..EdgeConfig::default()
        }
    }

    /// The part of it that a `PATCH` can change while the shard is open.
    pub(crate) fn to_edge_optimizers(&self) -> EdgeOptimizersConfig {
        let config = &self.optimizer_config;
        EdgeOptimizersConfig {
            deleted_threshold: Some(config.deleted_threshold),
            vacuum_min_vector_number: Some(config.vacuum_min_vector_number),
            default_segment_number: Some(config.default_segment_number),
            max_segment_size: config.max_segment_size,
            indexing_threshold: config.indexing_threshold,
            prevent_unoptimized: config.prevent_unoptimized,
        }
    }
}
