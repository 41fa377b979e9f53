//! `manifest.json`: what an archive says about itself.

use std::collections::BTreeMap;

use anyhow::Context as _;
use pso_common::Timestamp;
use pso_common::qdrant::Alias;
use pso_common::record::Component;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::obstacle::{Blocked, Obstacle};

/// The version of the manifest that this code writes, and the newest that it reads. Changes within it only add fields.
pub const SCHEMA: u32 = 1;

/// The manifest's own entry. It is the only one that the manifest does not list.
pub const MANIFEST_NAME: &str = "manifest.json";

/// A manifest larger than this is refused, by the writer too (bytes). Some 100,000 files and
/// 2 TiB of content fit.
pub(crate) const MAX_MANIFEST_BYTES: u64 = 64 << 20;

/// What an archive holds, where it came from, and what must be there again after a restore.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`SCHEMA`].
    pub schema: u32,
    /// What made it.
    pub tool: ToolVersion,
    /// The host on which it was made.
    pub host: String,
    /// `daily` or `weekly`.
    pub kind: String,
    /// When the backup was begun. Archives are ordered by it.
    pub taken_at: Timestamp,
    /// When the last entry was captured.
    pub finished_at: Timestamp,
    /// How the captured stores relate to one another, in plain words.
    pub consistency: String,
    /// The components in it, in the order of capture. A component without entries (no collections, no files) is listed.
    pub components: Vec<Component>,
    /// Versions of the servers and programs.
    pub versions: Versions,
    /// The PostgreSQL databases.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub databases: Vec<Database>,
    /// The entry that holds the cluster's roles and tablespaces as SQL, where the role could read them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub globals: Option<String>,
    /// The Qdrant collections.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub collections: Vec<Collection>,
    /// The Qdrant aliases of these collections; snapshots do not contain them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<Alias>,
    /// What was found and not taken.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<Skipped>,
    /// The components that failed, where the configuration calls them optional.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Missing>,
    /// Every entry but the manifest.
    pub entries: Vec<Entry>,
}

/// A tool and its version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolVersion {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// Versions of what was captured, and with what.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versions {
    /// The PostgreSQL server's `server_version`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postgres: Option<String>,
    /// `pg_dump --version`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pg_dump: Option<String>,
    /// The Qdrant server's version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub qdrant: Option<String>,
}

/// One PostgreSQL database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Database {
    /// Its name.
    pub name: String,
    /// The entry that holds its dump.
    pub entry: String,
    /// `server_version_num` of the server, such as 150018.
    pub server_version_num: u32,
    /// The cluster's system identifier, where the role may read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_identifier: Option<String>,
    /// `pg_database`: owner, encoding and locale, with which it would be created again.
    pub owner: String,
    /// `pg_encoding_to_char(encoding)`.
    pub encoding: String,
    /// `datcollate`.
    pub collate: String,
    /// `datctype`.
    pub ctype: String,
    /// `datlocprovider`: `c` (libc, as before PostgreSQL 15), `i` (ICU) or `b` (builtin).
    #[serde(default = "libc")]
    pub locale_provider: String,
    /// The provider's own locale, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// Rows of every user table that holds rows of its own, as `schema.table` (quoted where SQL would quote it),
    /// counted in the snapshot that was dumped.
    pub rows: BTreeMap<String, u64>,
    /// When the snapshot was taken.
    pub captured_at: Timestamp,
}

fn libc() -> String {
    "c".to_owned()
}

/// Points of a collection that nobody has counted.
pub(crate) const UNCOUNTED: u64 = u64::MAX;

/// One Qdrant collection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Collection {
    /// Its name.
    pub name: String,
    /// The entry that holds its snapshot.
    pub entry: String,
    /// Exact number of points, counted after the snapshot was made.
    pub points: u64,
    /// Exact number of points before the snapshot was made, where points came or went meanwhile: what the snapshot
    /// holds lies between the two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub points_before: Option<u64>,
    /// Its configuration (vectors, HNSW, optimiser), word for word from `GET /collections/{c}`.
    pub config: serde_json::Value,
    /// What the server said about the snapshot.
    pub snapshot: SnapshotSource,
    /// When the snapshot was made.
    pub captured_at: Timestamp,
}

impl Collection {
    /// The number of points, where somebody counted them: nobody did for an archive without a manifest.
    #[must_use]
    pub const fn counted(&self) -> Option<u64> {
        if self.points == UNCOUNTED { None } else { Some(self.points) }
    }

    /// Whether a collection with this many points can be what was captured.
    #[must_use]
    pub fn allows(&self, points: u64) -> bool {
        let before = self.points_before.unwrap_or(self.points);
        (before.min(self.points)..=before.max(self.points)).contains(&points)
    }
}

/// A snapshot as the server described it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotSource {
    /// Its name on the server.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// The checksum that the server computed; it was compared with what arrived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

/// Something that was found where the backup looks and that was not taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// Its path.
    pub path: String,
    /// Why not.
    pub reason: String,
}

/// A component that should be in the archive and is not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// Which one.
    pub component: Component,
    /// Why.
    pub reason: String,
}

/// One block of an entry as it was packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// Bytes.
    pub length: u32,
    /// CRC-32 of these bytes, as ZIP has it.
    pub crc32: u32,
}

/// The blocks of an entry, `length:crc32` each; one string, since there can be a million.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Blocks(pub Vec<Block>);

impl Serialize for Blocks {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let blocks: Vec<String> = self.0.iter().map(|block| format!("{}:{:08x}", block.length, block.crc32)).collect();
        serializer.serialize_str(&blocks.join(" "))
    }
}

impl<'de> Deserialize<'de> for Blocks {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let block = |word: &str| {
            let (length, crc32) = word.split_once(':')?;
            Some(Block { length: length.parse().ok()?, crc32: u32::from_str_radix(crc32, 16).ok()? })
        };
        let blocks = text.split_ascii_whitespace().map(block).collect::<Option<_>>();
        blocks.map(Self).ok_or_else(|| serde::de::Error::custom("a block is `length:crc32`"))
    }
}

/// One entry of the archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its name in the archive.
    pub name: String,
    /// The component that it belongs to.
    pub component: Component,
    /// Size of its content in bytes.
    pub size: u64,
    /// SHA-256 of its content, hex.
    pub sha256: String,
    /// What it takes in the archive; absent in archives of pso-tools 0.1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packed: Option<PackedEntry>,
    /// The path, or the address without secrets, that it was read from.
    pub source: String,
    /// When it was read.
    pub captured_at: Timestamp,
    /// The file's time of last change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified_at: Option<Timestamp>,
    /// The file's permission bits on Unix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<u32>,
}

/// How an entry lies in the archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackedEntry {
    /// Bytes.
    pub size: u64,
    /// SHA-256 of these bytes, hex: they need not be unpacked to be checked.
    pub sha256: String,
    /// CRC-32 of the content, which ZIP's table of contents has too and others go by.
    pub crc32: u32,
    /// The blocks, each of 1 MiB of content but the last, that can be unpacked alone.
    pub blocks: Blocks,
}

impl Manifest {
    /// Understands a manifest.
    ///
    /// # Errors
    /// When it is not JSON of that shape, or of a newer schema.
    pub fn parse(bytes: &[u8]) -> anyhow::Result<Self> {
        #[derive(Deserialize)]
        struct Version {
            schema: u32,
        }
        let version: Version = serde_json::from_slice(bytes).context("it is not a manifest")?;
        if version.schema > SCHEMA {
            let text = format!(
                "it has manifest schema {}, and this version reads up to {SCHEMA}: use the version of pso-tools that made it, or a newer one",
                version.schema
            );
            return Err(Blocked::error(Obstacle::Newer, text));
        }
        serde_json::from_slice(bytes).context("it is not a manifest")
    }

    /// The entries of a component.
    pub fn entries_of(&self, component: Component) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |entry| entry.component == component)
    }

    /// An entry by its name.
    #[must_use]
    pub fn entry(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_schema_is_told_as_such() {
        let message = format!("{:#}", Manifest::parse(br#"{"schema": 2, "all": "different"}"#).expect_err("newer"));
        assert!(message.contains("schema 2") && message.contains("newer one"), "{message}");
        assert!(Manifest::parse(b"{}").is_err());
    }

    #[test]
    fn blocks_are_one_string() {
        let blocks = Blocks(vec![Block { length: 363_721, crc32: 0xab }, Block { length: 1, crc32: u32::MAX }]);
        let text = serde_json::to_string(&blocks).expect("written");
        assert_eq!(text, r#""363721:000000ab 1:ffffffff""#);
        assert_eq!(serde_json::from_str::<Blocks>(&text).expect("read"), blocks);
        assert_eq!(serde_json::from_str::<Blocks>(r#""""#).expect("read"), Blocks::default());
        for wrong in [r#""1""#, r#""1:x""#, r#""-1:00""#] {
            assert!(serde_json::from_str::<Blocks>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn points_that_came_while_the_snapshot_was_made_are_allowed() {
        let mut collection = Collection {
            name: "plans".to_owned(),
            entry: "qdrant/plans.snapshot".to_owned(),
            points: 10,
            points_before: None,
            config: serde_json::Value::Null,
            snapshot: SnapshotSource { name: "s".to_owned(), size: 1, sha256: None },
            captured_at: Timestamp::now(),
        };
        assert!(collection.allows(10) && !collection.allows(9));
        collection.points_before = Some(8);
        assert!(collection.allows(8) && collection.allows(9) && !collection.allows(7) && !collection.allows(11));
    }
}
