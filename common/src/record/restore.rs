//! What `pso-restore` would do and does.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Component, Kind, Timestamp};

/// What is about to be done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RestoreMode {
    /// An archive is put back.
    #[default]
    Restore,
    /// An interrupted restore is brought to its end.
    Resume,
    /// Everything is put back as it was before an interrupted restore, or before the last one that came to its end.
    Rollback,
}

/// `restore.plan`: what is about to be put where. `name` is the archive's file name; its steps follow as
/// `restore.step` records in state `planned`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RestorePlanRecord {
    /// The archive.
    pub path: String,
    /// When it was taken.
    pub taken_at: Timestamp,
    /// What would be restored, in this order.
    pub components: Vec<Component>,
    /// Number of steps that follow.
    pub steps: u64,
    /// What is about to be done.
    #[serde(default)]
    pub mode: RestoreMode,
    /// SHA-256 (hex) over the archive and over what is there now: databases, tables with their rows, collections, files.
    /// `--plan-hash` takes it. Absent where nobody asked for it (`--yes` alone): it takes a look at every row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// Bytes that new and saved files need in `.pso-restore/`, as far as they are known before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needed_bytes: Option<u64>,
    /// Bytes that are free there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub free_bytes: Option<u64>,
}

impl Kind for RestorePlanRecord {
    const KIND: &'static str = "restore.plan";
    const COLUMNS: &'static [&'static str] = &["taken_at", "components", "steps", "hash"];
}

/// How far a step has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// It would be done.
    Planned,
    /// It was done and checked.
    Done,
    /// Nothing was to be done.
    Skipped,
    /// It failed.
    Failed,
    /// It was done and then undone, because a later one failed.
    RolledBack,
}

/// `restore.step`: one step of a restore. `name` is `<component>:<object>`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RestoreStepRecord {
    /// What is done: `save`, `stop`, `restore`, `aliases`, `swap`, `start`, `keep`, `drop`, `health`, …
    pub step: String,
    /// The component it belongs to; absent for steps of the whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<Component>,
    /// A database, a collection, a folder.
    pub object: String,
    /// How far it has come.
    pub state: StepState,
    /// Rows or points restored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// Files restored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<u64>,
    /// Bytes restored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
    /// SHA-256 (hex) over what is there now, of a planned step; two plans that differ in `hash` differ here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// Milliseconds that it took; absent while it is only planned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elapsed_ms: Option<u64>,
}

impl Kind for RestoreStepRecord {
    const KIND: &'static str = "restore.step";
    const COLUMNS: &'static [&'static str] = &["step", "state", "rows", "files", "size_bytes", "elapsed_ms"];
}
