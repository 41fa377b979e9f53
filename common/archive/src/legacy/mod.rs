//! Archives of the specification's own script, `backup-daily.ps1`: a flat folder in a ZIP file, without a manifest.
//!
//! | entry | content |
//! |---|---|
//! | `postgres.sql` | `pg_dump --clean --no-owner --no-acl` through `Out-File -Encoding UTF8`: a BOM, and lines that end in CRLF |
//! | `qdrant_snapshot` | the snapshot of the collection `plans` |
//! | `*.yaml`, `scripts/`, `plans/` | files |
//!
//! Windows PowerShell 5 writes backslashes between the parts of a name. All of such an archive is read once, and a
//! manifest made of what was seen: so it can be restored like any other, but nothing says whether it is what was stored.

mod names;
mod sql;
mod statement;

use std::collections::BTreeMap;
use std::io::{self, BufReader};
use std::path::Path;

use anyhow::{Context as _, anyhow, ensure};
use pso_common::Timestamp;
use pso_common::io::Cancel;
use pso_common::record::Component;
use zip::ZipArchive;

use crate::container::Container;
use crate::encryption::Identities;
use crate::hash::{CHUNK, Digest, copy_hashed};
use crate::manifest::{Collection, Database, Entry, Manifest, SnapshotSource, ToolVersion, UNCOUNTED, Versions};
use crate::names::NamedArchive;
use crate::reader::{Archive, Source};
use names::Named;
pub use sql::{Piece, SqlReader, copied_table};

/// The manifest's schema of an archive that has none.
pub const NO_MANIFEST: u32 = 0;
/// What made these archives.
const SCRIPT: &str = "backup-daily.ps1";
/// More entries than this are not a backup.
const MAX_ENTRIES: usize = 1_000_000;

/// What such an archive does not say.
#[derive(Clone, Debug)]
pub struct Assumed<'a> {
    /// The database that the dump is of.
    pub database: &'a str,
    /// The collection that the snapshot is of.
    pub collection: &'a str,
}

/// Whether the file is an archive of the script's: a ZIP file with its names in it and without a manifest.
#[must_use]
pub fn is_legacy(path: &Path) -> bool {
    let open = || -> anyhow::Result<bool> {
        let container = Container::new(path, &Identities::default())?;
        let zip = ZipArchive::new(BufReader::with_capacity(CHUNK, container.open()?))?;
        let has = |wanted: &str| zip.file_names().any(|name| name.is_ok_and(|name| name == wanted));
        Ok(!has(crate::manifest::MANIFEST_NAME) && (has(names::DUMP) || has(names::SNAPSHOT)))
    };
    open().unwrap_or_default()
}

/// Opens an archive of the script's. Reads all of it.
///
/// # Errors
/// When it is damaged, holds a name that is refused, or a dump that is not whole; or the run is to stop.
pub fn open(path: &Path, assumed: &Assumed<'_>, cancel: &Cancel) -> anyhow::Result<Archive> {
    open_file(path, assumed, cancel).with_context(|| format!("read the old archive {}", path.display()))
}

fn open_file(path: &Path, assumed: &Assumed<'_>, cancel: &Cancel) -> anyhow::Result<Archive> {
    let container = Container::new(path, &Identities::default())?;
    let mut zip = ZipArchive::new(BufReader::with_capacity(CHUNK, container.open()?))
        .map_err(|error| anyhow!("it is not a whole ZIP file, but cut off or damaged ({error})"))?;
    ensure!(zip.offset() == 0, "there are {} bytes before the ZIP file", zip.offset());
    ensure!(!zip.has_duplicate_names(), "it has two entries of one name");
    ensure!(zip.len() <= MAX_ENTRIES, "it has {} entries", zip.len());
    let at = taken_at(path)?;
    let listed = names::list(&zip, assumed)?;
    let mut contents = BTreeMap::new();
    let mut manifest = empty(at);
    for named in listed {
        let size = named.content.size;
        let (entry, found) = read(&mut zip, &named, at, cancel).with_context(|| format!("read {}", named.shown))?;
        ensure!(entry.size == size, "{} has {} bytes and should have {size}", named.shown, entry.size);
        if let Some(dump) = found {
            manifest.versions = dump.versions.clone();
            manifest.databases.push(dump.database(assumed.database, &entry.name, at)?);
        }
        if entry.component == Component::Qdrant {
            manifest.collections.push(collection(assumed.collection, &entry, at));
        }
        contents.insert(named.name, named.content);
        manifest.entries.push(entry);
    }
    manifest.components = Component::ALL
        .into_iter()
        .filter(|component| manifest.entries.iter().any(|entry| entry.component == *component))
        .collect();
    Ok(Archive::assembled(container, zip, manifest, contents))
}

/// Hashes one entry; what a dump holds is counted.
fn read(
    zip: &mut ZipArchive<Source>,
    named: &Named,
    at: Timestamp,
    cancel: &Cancel,
) -> anyhow::Result<(Entry, Option<Seen>)> {
    let file = zip.by_index(named.content.index)?;
    let mut hashed = Hashed { from: file, digest: Digest::default(), most: named.content.size };
    let seen = match named.component {
        Component::Postgres => Some(Seen::read(&mut hashed, cancel)?),
        _ => None,
    };
    copy_hashed(&mut hashed, &mut io::sink(), cancel)?;
    let (size, sha256) = hashed.digest.finish();
    let entry = Entry {
        name: named.name.clone(),
        component: named.component,
        size,
        sha256,
        source: named.shown.clone(),
        captured_at: at,
        modified_at: None,
        mode: None,
        packed: None,
    };
    Ok((entry, seen))
}

/// The moment in the name, which the script took from its own clock; else that of the file.
fn taken_at(path: &Path) -> anyhow::Result<Timestamp> {
    if let Some(named) = NamedArchive::of_path(path) {
        return Ok(named.at);
    }
    let modified = std::fs::metadata(path)?.modified()?;
    Ok(Timestamp::new(time::OffsetDateTime::from(modified)))
}

fn empty(at: Timestamp) -> Manifest {
    Manifest {
        schema: NO_MANIFEST,
        tool: ToolVersion { name: SCRIPT.to_owned(), version: "0".to_owned() },
        host: String::new(),
        kind: "daily".to_owned(),
        taken_at: at,
        finished_at: at,
        consistency: "Nothing is known of how these parts relate to one another.".to_owned(),
        components: Vec::new(),
        versions: Versions::default(),
        databases: Vec::new(),
        collections: Vec::new(),
        aliases: Vec::new(),
        skipped: Vec::new(),
        entries: Vec::new(),
        globals: None,
        missing: Vec::new(),
    }
}

/// How many points there were nobody noted, but an empty collection would be no backup.
fn collection(name: &str, entry: &Entry, at: Timestamp) -> Collection {
    Collection {
        name: name.to_owned(),
        entry: entry.name.clone(),
        points: UNCOUNTED,
        points_before: Some(1),
        config: serde_json::Value::Null,
        snapshot: SnapshotSource { name: entry.source.clone(), size: entry.size, sha256: Some(entry.sha256.clone()) },
        captured_at: at,
    }
}

/// What was seen of a dump.
struct Seen {
    rows: BTreeMap<String, u64>,
    versions: Versions,
}

impl Seen {
    fn read(from: &mut dyn io::Read, cancel: &Cancel) -> anyhow::Result<Self> {
        let mut reader = SqlReader::new(from);
        let mut rows = BTreeMap::new();
        let mut table = None;
        while let Some(piece) = reader.next_piece()? {
            cancel.check()?;
            match piece {
                Piece::Statement(_) => {}
                Piece::Copy(statement) => {
                    let name = copied_table(&statement).context("a COPY names no table")?;
                    ensure!(rows.insert(name.clone(), 0).is_none(), "the rows of {name} are in it twice");
                    table = Some(name);
                }
                Piece::Rows(lines) => {
                    let count = lines.iter().filter(|&&byte| byte == b'\n').count() as u64;
                    *table.as_ref().and_then(|name| rows.get_mut(name)).context("rows of no table")? += count;
                }
                Piece::End => table = None,
            }
        }
        ensure!(!rows.is_empty(), "there is no table in the dump: pg_dump failed when this archive was made");
        ensure!(reader.is_complete(), "the dump breaks off: its last line, which says that it is complete, is missing");
        let (postgres, pg_dump) = reader.versions();
        Ok(Self { rows, versions: Versions { postgres, pg_dump, qdrant: None } })
    }

    fn database(self, name: &str, entry: &str, at: Timestamp) -> anyhow::Result<Database> {
        let version = self.versions.postgres.as_deref().context("the dump does not say which server it is of")?;
        let major: u32 = version.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default().parse()?;
        Ok(Database {
            name: name.to_owned(),
            entry: entry.to_owned(),
            server_version_num: major * 10_000,
            system_identifier: None,
            owner: String::new(),
            encoding: "UTF8".to_owned(),
            collate: String::new(),
            ctype: String::new(),
            locale_provider: "c".to_owned(),
            locale: None,
            rows: self.rows,
            captured_at: at,
        })
    }
}

/// Hashes what passes, and ends where more comes than was announced: a bomb claims to be small.
struct Hashed<R> {
    from: R,
    digest: Digest,
    most: u64,
}

impl<R: io::Read> io::Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(buffer)?;
        self.digest.update(&buffer[..read]);
        if self.digest.length() > self.most {
            return Err(io::Error::other(format!("it is longer than its {} bytes", self.most)));
        }
        Ok(read)
    }
}
