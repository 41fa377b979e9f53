//! The parts of Qdrant's answers that the tools read. `time` and everything else is ignored.

use serde::{Deserialize, Serialize};

/// The envelope of a successful answer.
#[derive(Deserialize)]
pub(super) struct Success<T> {
    pub(super) result: T,
}

/// The envelope of an error: `status` is an object then, a string otherwise.
#[derive(Deserialize)]
pub(super) struct Failure {
    pub(super) status: FailureStatus,
}

#[derive(Deserialize)]
pub(super) struct FailureStatus {
    pub(super) error: String,
}

#[derive(Deserialize)]
pub(super) struct Root {
    pub(super) version: String,
}

#[derive(Deserialize)]
pub(super) struct Collections {
    pub(super) collections: Vec<CollectionName>,
}

#[derive(Deserialize)]
pub(super) struct CollectionName {
    pub(super) name: String,
}

#[derive(Deserialize)]
pub(super) struct Aliases {
    pub(super) aliases: Vec<Alias>,
}

#[derive(Deserialize)]
pub(super) struct Count {
    pub(super) count: u64,
}

/// `GET /collections/{c}`.
#[derive(Clone, Debug, Deserialize)]
pub struct CollectionInfo {
    /// `green`, `yellow` (optimising), `grey` (optimisation pending) or `red`.
    pub status: String,
    /// `ok`, or an object with the optimiser's error.
    pub optimizer_status: serde_json::Value,
    /// Approximate number of points.
    #[serde(default)]
    pub points_count: Option<u64>,
    /// Vectors in the index; 0 is normal below the indexing threshold.
    #[serde(default)]
    pub indexed_vectors_count: Option<u64>,
    /// Segments.
    #[serde(default)]
    pub segments_count: u64,
    /// The collection's configuration, kept word for word.
    pub config: serde_json::Value,
}

/// One alias.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Alias {
    /// The alias.
    pub alias_name: String,
    /// What it stands for.
    pub collection_name: String,
}

/// One snapshot file on the server.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Snapshot {
    /// File name; its resolution is one second, so two snapshots within one second are one file.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// SHA-256, hex; absent for files that were uploaded.
    #[serde(default)]
    pub checksum: Option<String>,
}
