//! The only Qdrant client. What it relies on was observed on a real server; where Qdrant's documentation says otherwise,
//! the observation counts.

mod client;
mod model;
mod requested;
mod settings;
mod snapshot;

pub use client::{QdrantClient, QdrantError};
pub use model::{
    Alias, ClusterInfo, ClusterPeer, CollectionInfo, ConsensusStatus, RaftInfo, SendFailures, Snapshot, UpdateQueue,
};
pub use requested::requested_snapshot;
pub use settings::QdrantSettings;
