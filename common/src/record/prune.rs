//! What `pso-prune` would do and does.

use clap::ValueEnum;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Kind, StepState};

/// A part of the weekly cleaning. In this order it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum PrunePart {
    /// Log files.
    Logs,
    /// Rows of the database.
    Rows,
    /// `VACUUM (ANALYZE)`.
    Vacuum,
    /// The vector store's optimiser, and snapshots of ours on its server.
    Qdrant,
    /// What killed runs have left.
    Tmp,
}

impl PrunePart {
    /// All of them, in their order.
    pub const ALL: [Self; 5] = [Self::Logs, Self::Rows, Self::Vacuum, Self::Qdrant, Self::Tmp];

    /// As on the command line and in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Logs => "logs",
            Self::Rows => "rows",
            Self::Vacuum => "vacuum",
            Self::Qdrant => "qdrant",
            Self::Tmp => "tmp",
        }
    }
}

/// `prune.step`: one step of a cleaning. `name` is `<part>:<object>`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PruneStepRecord {
    /// What is done: `delete`, `drop_partition`, `compress`, `remove`, `vacuum`, `optimise`, …
    pub step: String,
    /// The part that it belongs to.
    pub component: PrunePart,
    /// A table, a partition, a file, a collection.
    pub object: String,
    /// How far it has come.
    pub state: StepState,
    /// Rows that would be, or were, deleted: counted, not estimated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// Files that would be, or were, removed or compressed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<u64>,
    /// Bytes of the files that would be, or were, removed; of compressed ones what that saved, once it is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
    /// Milliseconds that it took; absent while it is only planned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elapsed_ms: Option<u64>,
}

impl Kind for PruneStepRecord {
    const KIND: &'static str = "prune.step";
    const COLUMNS: &'static [&'static str] = &["step", "state", "rows", "files", "size_bytes", "elapsed_ms"];
}
