//! What `pso-backup` keeps.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Kind, Timestamp};

/// A part of the system that is backed up and restored as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Component {
    /// The PostgreSQL database.
    Postgres,
    /// The Qdrant collections and aliases.
    Qdrant,
    /// `config/*.yaml`.
    Config,
    /// `scripts/`.
    Scripts,
    /// `roadmaps/plans/`.
    Plans,
}

impl Component {
    /// All components, in the order in which they are captured and restored.
    pub const ALL: [Self; 5] = [Self::Postgres, Self::Qdrant, Self::Config, Self::Scripts, Self::Plans];

    /// The word as it stands in records, flags and archives.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Qdrant => "qdrant",
            Self::Config => "config",
            Self::Scripts => "scripts",
            Self::Plans => "plans",
        }
    }
}

impl std::fmt::Display for Component {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::str::FromStr for Component {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|component| component.as_str() == text)
            .ok_or_else(|| format!("`{text}` is not a component: postgres, qdrant, config, scripts or plans"))
    }
}

/// `backup.component`: one component of an archive that is being made or looked at. `name` is the component.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BackupComponentRecord {
    /// Which one.
    pub component: Component,
    /// Entries of the archive that belong to it.
    pub entries: u64,
    /// Bytes of those entries before compression by the archive.
    pub size_bytes: u64,
    /// Milliseconds that capturing or checking it took.
    pub elapsed_ms: u64,
    /// Rows of the database, by table as `schema.table`, counted in the dump's own snapshot.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rows: BTreeMap<String, u64>,
    /// Exact points of each collection.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub points: BTreeMap<String, u64>,
}

impl Kind for BackupComponentRecord {
    const KIND: &'static str = "backup.component";
    const COLUMNS: &'static [&'static str] = &["entries", "size_bytes", "elapsed_ms"];
}

/// What retention makes of an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// It stays.
    Keep,
    /// It would go, and is still there.
    Remove,
    /// It is gone.
    Removed,
}

/// `backup.archive`: one archive. `name` is its file name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BackupArchiveRecord {
    /// The archive's path.
    pub path: String,
    /// Size of the file.
    pub size_bytes: u64,
    /// SHA-256 of the whole file, hex; absent where it was not computed (`list`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// When the backup was begun; absent when the archive cannot say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_at: Option<Timestamp>,
    /// Seconds since the backup was begun, 0 where that lies in the future; absent when the archive cannot say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_seconds: Option<u64>,
    /// The components in it.
    pub components: Vec<Component>,
    /// The optional components that were asked for, failed, and are not in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Component>,
    /// When its content was last compared with its manifest; absent when it never was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified_at: Option<Timestamp>,
    /// When it was last restored somewhere harmless; absent when it never was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rehearsed_at: Option<Timestamp>,
    /// Whether reading it takes an identity.
    #[serde(default)]
    pub encrypted: bool,
    /// Whether it is pinned: a file `NAME.keep` beside it keeps it from retention.
    #[serde(default)]
    pub pinned: bool,
    /// What retention makes of it (`prune`); the message says why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
}

impl Kind for BackupArchiveRecord {
    const KIND: &'static str = "backup.archive";
    const COLUMNS: &'static [&'static str] =
        &["age_seconds", "taken_at", "size_bytes", "components", "missing", "verified_at", "rehearsed_at", "decision"];
}
