//! What a collection's configuration says about its vectors: how the engine opens it, and what a vector must be.

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroUsize};

use anyhow::Context as _;
use qdrant_edge::{
    DEFAULT_VECTOR_NAME, Distance, EdgeConfig, EdgeSparseVectorParams, EdgeVectorParams, Modifier, MultiVectorConfig,
    VectorStorageDatatype, WalOptions,
};
use serde::Deserialize;
use serde_json::Value;

/// The capacity of a log's files unless the configuration says so (MiB), as in a server.
const USUAL_LOG_MB: usize = 32;
/// More than this is no capacity (MiB).
const MOST_LOG_MB: usize = 64 << 10;

/// `config.json` of a snapshot, and `result.config` of `GET /collections/{c}`, as far as it matters here.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct CollectionConfig {
    params: Params,
    #[serde(default)]
    wal_config: Option<LogConfig>,
    #[serde(default)]
    optimizer_config: Option<OptimizerConfig>,
}

#[derive(Clone, Debug, Deserialize)]
struct Params {
    #[serde(default)]
    vectors: Option<Vectors>,
    #[serde(default)]
    sparse_vectors: Option<BTreeMap<String, Sparse>>,
    #[serde(default)]
    shard_number: Option<NonZeroU32>,
    #[serde(default)]
    sharding_method: Option<String>,
    #[serde(default)]
    on_disk_payload: Option<bool>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Vectors {
    Unnamed(VectorParams),
    Named(BTreeMap<String, VectorParams>),
}

/// What all vectors of a name have in common for ever. The rest is how they are stored and indexed, which may be partial
/// in a server (`hnsw_config` is a difference there), and may change.
#[derive(Clone, Debug, Deserialize)]
struct VectorParams {
    size: usize,
    distance: Distance,
    #[serde(default)]
    datatype: Option<VectorStorageDatatype>,
    #[serde(default)]
    multivector_config: Option<MultiVectorConfig>,
}

/// A server nests under `index` what the engine has flat; all that must fit is the modifier.
#[derive(Clone, Debug, Deserialize)]
struct Sparse {
    #[serde(default)]
    modifier: Option<Modifier>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
struct LogConfig {
    #[serde(default)]
    wal_capacity_mb: Option<usize>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
struct OptimizerConfig {
    #[serde(default)]
    prevent_unoptimized: Option<bool>,
}

/// What the vectors of one name are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Shape {
    /// One vector.
    Dense(Dense),
    /// Any number of vectors.
    Multi(Dense),
    /// Indices and values.
    Sparse,
}

/// A vector with a value for each dimension.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Dense {
    /// How many.
    pub(super) size: usize,
    /// Where Qdrant keeps vectors of length 1: how far their squared length may be from it.
    pub(super) unit: Option<f64>,
}

impl VectorParams {
    fn to_engine(&self) -> EdgeVectorParams {
        EdgeVectorParams {
            size: self.size,
            distance: self.distance,
            on_disk: None,
            multivector_config: self.multivector_config,
            datatype: self.datatype,
            quantization_config: None,
            hnsw_config: None,
        }
    }
}

impl Shape {
    /// For people: "of 384 numbers".
    pub(super) fn in_words(self) -> String {
        match self {
            Self::Dense(dense) => format!("of {} numbers", dense.size),
            Self::Multi(dense) => format!("in rows of {} numbers", dense.size),
            Self::Sparse => "sparse".to_owned(),
        }
    }
}

impl CollectionConfig {
    /// Reads it.
    ///
    /// # Errors
    /// When it is not one.
    pub(super) fn parse(value: &Value) -> anyhow::Result<Self> {
        Self::deserialize(value).context("it is not the configuration of a collection")
    }

    fn dense(&self) -> BTreeMap<&str, &VectorParams> {
        match &self.params.vectors {
            None => BTreeMap::new(),
            Some(Vectors::Unnamed(params)) => BTreeMap::from([(DEFAULT_VECTOR_NAME, params)]),
            Some(Vectors::Named(named)) => named.iter().map(|(name, params)| (name.as_str(), params)).collect(),
        }
    }

    fn sparse(&self) -> impl Iterator<Item = (&str, &Sparse)> {
        self.params.sparse_vectors.iter().flatten().map(|(name, params)| (name.as_str(), params))
    }

    /// What a point's vectors must be, by name.
    pub(super) fn shapes(&self) -> BTreeMap<String, Shape> {
        let dense = self.dense().into_iter().map(|(name, params)| (name.to_owned(), shape(params)));
        dense.chain(self.sparse().map(|(name, _)| (name.to_owned(), Shape::Sparse))).collect()
    }

    /// How many shards it has; `None` where keys decide.
    pub(super) fn shards(&self) -> Option<u32> {
        if self.params.sharding_method.as_deref() == Some("custom") {
            return None;
        }
        Some(self.params.shard_number.map_or(1, NonZeroU32::get))
    }

    /// Whether points may be in it that a server does not show before its optimiser has been there.
    pub(super) fn defers_points(&self) -> bool {
        self.optimizer_config.and_then(|config| config.prevent_unoptimized).unwrap_or_default()
    }

    fn log_megabytes(&self) -> usize {
        let capacity = self.wal_config.and_then(|config| config.wal_capacity_mb).unwrap_or(USUAL_LOG_MB);
        capacity.clamp(1, MOST_LOG_MB)
    }

    /// How long a file of its log is, in bytes.
    pub(super) fn log_capacity(&self) -> u64 {
        (self.log_megabytes() as u64) << 20
    }

    /// What the engine is told to expect.
    pub(super) fn to_engine(&self) -> EdgeConfig {
        EdgeConfig {
            on_disk_payload: self.params.on_disk_payload.unwrap_or(true),
            vectors: self.dense().into_iter().map(|(name, params)| (name.to_owned(), params.to_engine())).collect(),
            sparse_vectors: self
                .sparse()
                .map(|(name, params)| {
                    (name.to_owned(), EdgeSparseVectorParams { modifier: params.modifier, ..Default::default() })
                })
                .collect(),
            wal_options: Some(WalOptions {
                segment_capacity: self.log_megabytes() << 20,
                segment_queue_len: 0,
                retain_closed: NonZeroUsize::MIN,
            }),
            ..EdgeConfig::default()
        }
    }

    /// What differs between two configurations of one collection, of what can never change in its life.
    pub(super) fn differences(&self, of_manifest: &Self) -> Vec<String> {
        let describe = |config: &Self| -> BTreeMap<String, String> {
            let dense = config.dense().into_iter().map(|(name, params)| (name.to_owned(), described(params)));
            let sparse =
                config.sparse().map(|(name, params)| (name.to_owned(), format!("sparse {:?}", params.modifier)));
            dense.chain(sparse).collect()
        };
        let (here, there) = (describe(self), describe(of_manifest));
        let names: std::collections::BTreeSet<&String> = here.keys().chain(there.keys()).collect();
        let mut found = Vec::new();
        for name in names {
            let (here, there) = (here.get(name), there.get(name));
            if here != there {
                let show = |side: Option<&String>| side.cloned().unwrap_or_else(|| "nothing".to_owned());
                found.push(format!(
                    "the vectors {name:?} are {} in the snapshot and {} in the manifest",
                    show(here),
                    show(there)
                ));
            }
        }
        found
    }
}

fn described(params: &VectorParams) -> String {
    let datatype = params.datatype.unwrap_or_default();
    let multi = if params.multivector_config.is_some() { "multivectors" } else { "vectors" };
    format!("{multi} of {} x {datatype:?}, {:?}", params.size, params.distance)
}

fn shape(params: &VectorParams) -> Shape {
    // `cosine_preprocess` of the engine (`segment/spaces/simple.rs`) makes vectors of length 1 when they are stored, in
    // 32 bits, and leaves those that are within 1e-6 of it; not those of bytes. Rounding adds up with the root of the
    // number of dimensions, to some 3e-8 of it: this leaves 30 times as much. 16 bits have 11 of precision.
    let rounding = 5e-6 + 1e-6 * (params.size as f64).sqrt();
    let unit = match (params.distance, params.datatype.unwrap_or_default()) {
        (Distance::Cosine, VectorStorageDatatype::Float32) => Some(rounding),
        (Distance::Cosine, VectorStorageDatatype::Float16) => Some(rounding + 2e-3),
        _ => None,
    };
    let dense = Dense { size: params.size, unit };
    if params.multivector_config.is_some() { Shape::Multi(dense) } else { Shape::Dense(dense) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parsed(params: Value) -> CollectionConfig {
        CollectionConfig::parse(&json!({ "params": params })).expect("a configuration")
    }

    #[test]
    fn unnamed_named_and_sparse_vectors_have_their_shapes() {
        let unnamed = parsed(json!({"vectors": {"size": 4, "distance": "Cosine"}, "shard_number": 3}));
        assert_eq!(unnamed.shards(), Some(3));
        let unit = Shape::Dense(Dense { size: 4, unit: Some(5e-6 + 1e-6 * 2.0) });
        assert_eq!(unnamed.shapes(), BTreeMap::from([(String::new(), unit)]));
        let named = parsed(json!({
            "vectors": {
                "a": {"size": 2, "distance": "Dot"},
                "b": {"size": 3, "distance": "Cosine", "datatype": "uint8", "multivector_config": {"comparator": "max_sim"}}
            },
            "sparse_vectors": {"s": {"index": {"on_disk": true}, "modifier": "idf"}},
            "sharding_method": "custom"
        }));
        assert_eq!(named.shards(), None);
        let shapes = BTreeMap::from([
            ("a".to_owned(), Shape::Dense(Dense { size: 2, unit: None })),
            ("b".to_owned(), Shape::Multi(Dense { size: 3, unit: None })),
            ("s".to_owned(), Shape::Sparse),
        ]);
        assert_eq!(named.shapes(), shapes);
        assert!(CollectionConfig::parse(&json!({"params": {"vectors": {"size": "four"}}})).is_err());
        assert!(CollectionConfig::parse(&json!({})).is_err());
    }

    #[test]
    fn what_can_never_change_is_compared_and_nothing_else() {
        let one = parsed(json!({"vectors": {"size": 4, "distance": "Cosine", "on_disk": true}}));
        let same = parsed(json!({"vectors": {"size": 4, "distance": "Cosine", "hnsw_config": {"m": 4}}}));
        assert_eq!(one.differences(&same), [""; 0]);
        let other = parsed(json!({"vectors": {"size": 5, "distance": "Cosine"}}));
        assert_eq!(
            one.differences(&other),
            [
                r#"the vectors "" are vectors of 4 x Float32, Cosine in the snapshot and vectors of 5 x Float32, Cosine in the manifest"#
            ]
        );
    }
}
