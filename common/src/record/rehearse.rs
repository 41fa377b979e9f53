//! What `pso-rehearse` found out by restoring an archive.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Component, Kind, Timestamp};

/// `rehearse.component`: one component of an archive that was restored somewhere harmless. `name` is the component;
/// `severity` is `critical` where something was refuted, `unknown` where what matters could not be tried.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RehearseComponentRecord {
    /// Which one.
    pub component: Component,
    /// What was tried and holds, a sentence each.
    pub proven: Vec<String>,
    /// What was not, or cannot be, tried, and why, a sentence each.
    pub unproven: Vec<String>,
    /// What was tried and does not hold: what makes the archive one that cannot be restored.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refuted: Vec<String>,
    /// What can be restored and should be looked at all the same: a plan that is not UTF-8, for instance.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Entries of the archive that belong to it.
    pub entries: u64,
    /// Bytes of those entries before compression by the archive.
    pub size_bytes: u64,
    /// Bytes that it took on the disk once restored (`pg_database_size`, the collections' files, the files); absent
    /// where it was not restored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restored_bytes: Option<u64>,
    /// Milliseconds that restoring it took, without what is only checking; absent where it was not restored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restore_ms: Option<u64>,
    /// Milliseconds that restoring and checking it took.
    pub elapsed_ms: u64,
    /// Rows by table as `schema.table`, counted in the restored database; with several databases as `database:schema.table`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rows: BTreeMap<String, u64>,
    /// Exact points by collection, counted by Qdrant's engine.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub points: BTreeMap<String, u64>,
}

impl Kind for RehearseComponentRecord {
    const KIND: &'static str = "rehearse.component";
    const COLUMNS: &'static [&'static str] = &["entries", "size_bytes", "restored_bytes", "restore_ms", "elapsed_ms"];
    const BELOW: &'static [&'static str] = &["refuted", "warnings", "unproven", "proven"];
}

/// `rehearse.result`: what a rehearsal came to. `name` is the archive's file name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RehearseResultRecord {
    /// The archive's path.
    pub path: String,
    /// Size of the file.
    pub size_bytes: u64,
    /// SHA-256 of the whole file, hex; absent where it could not be read to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// When the backup was begun; absent when the archive cannot say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_at: Option<Timestamp>,
    /// The host on which the backup was made, from its manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_host: Option<String>,
    /// The names of the databases in the archive.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub databases: Vec<String>,
    /// The system identifiers of the clusters that they come from, where the backup could read them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub system_identifiers: Vec<String>,
    /// The components that were to be rehearsed.
    pub components: Vec<Component>,
    /// What was proven of the archive as a whole, a sentence each; the parts are in the `rehearse.component` records.
    pub proven: Vec<String>,
    /// What was not, or cannot be, proven of it, and why.
    pub unproven: Vec<String>,
    /// What was tried and does not hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refuted: Vec<String>,
    /// What should be looked at all the same: a table that has shrunk (`--trend`), a component that the backup lacks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Milliseconds from the first byte read until everything was restored, without what is only checking: the recovery
    /// time that can be promised of a machine like this one. Absent where not everything was restored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restore_ms: Option<u64>,
    /// Milliseconds of the whole rehearsal.
    pub elapsed_ms: u64,
    /// Bytes that everything took on the disk once restored.
    pub restored_bytes: u64,
    /// When it was rehearsed, if all of it held: what was noted beside the archive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rehearsed_at: Option<Timestamp>,
    /// Rows by table, as in the `rehearse.component` record; what `--trend` compares.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rows: BTreeMap<String, u64>,
    /// Points by collection, as there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub points: BTreeMap<String, u64>,
}

impl Kind for RehearseResultRecord {
    const KIND: &'static str = "rehearse.result";
    const COLUMNS: &'static [&'static str] =
        &["taken_at", "size_bytes", "restored_bytes", "restore_ms", "elapsed_ms", "rehearsed_at"];
    const BELOW: &'static [&'static str] = &["refuted", "warnings", "unproven", "proven"];
}
