//! The parts of Qdrant's answers that the tools read. `time` and everything else is ignored.

use std::collections::BTreeMap;

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
    /// Changes that are not applied yet; older versions do not say.
    #[serde(default)]
    pub update_queue: Option<UpdateQueue>,
    /// The collection's configuration, kept word for word.
    pub config: serde_json::Value,
}

/// What waits to be applied to a collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct UpdateQueue {
    /// Changes in the queue.
    pub length: u64,
}

/// `GET /cluster`. Without cluster mode it has no more than the status `disabled`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct ClusterInfo {
    /// `enabled` or `disabled`.
    pub status: String,
    /// The number of this node.
    pub peer_id: Option<u64>,
    /// All nodes by number.
    pub peers: BTreeMap<String, ClusterPeer>,
    /// What the nodes have agreed on.
    pub raft_info: Option<RaftInfo>,
    /// Whether this node takes part in agreeing.
    pub consensus_thread_status: Option<ConsensusStatus>,
    /// Nodes to which messages could not be sent since they last could, by address.
    pub message_send_failures: BTreeMap<String, SendFailures>,
}

/// One node.
#[derive(Clone, Debug, Deserialize)]
pub struct ClusterPeer {
    /// Its address.
    pub uri: String,
}

/// The state of the Raft protocol on a node.
#[derive(Clone, Debug, Deserialize)]
pub struct RaftInfo {
    /// The number of the leading node, where there is one.
    #[serde(default)]
    pub leader: Option<u64>,
    /// Operations that are agreed on and not applied yet.
    #[serde(default)]
    pub pending_operations: u64,
}

/// Whether a node takes part in agreeing.
#[derive(Clone, Debug, Deserialize)]
pub struct ConsensusStatus {
    /// `working`, `stopped` or `stopped_with_err`.
    #[serde(rename = "consensus_thread_status")]
    pub status: String,
    /// The error that stopped it.
    #[serde(default)]
    pub err: Option<String>,
}

/// Messages that could not be sent.
#[derive(Clone, Debug, Deserialize)]
pub struct SendFailures {
    /// How many.
    pub count: u64,
    /// Why the last one could not.
    #[serde(default)]
    pub latest_error: Option<String>,
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
