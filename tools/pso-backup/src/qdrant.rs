//! The vector store: for each collection a snapshot is made on the server, downloaded, compared and deleted there.

use std::cell::Cell;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use pso_archive::{ArchiveWriter, Collection, NewEntry, Packing, SnapshotSource, encoded};
use pso_common::io::Cancel;
use pso_common::qdrant::{Alias, QdrantClient, QdrantSettings, Snapshot};
use pso_common::record::Component;
use pso_common::{Run, Timestamp};
use serde::{Deserialize, Serialize};

/// Snapshots that lie on the server because of us: what a killed run leaves for the next one.
const PENDING: &str = ".pso-backup.pending";
/// How often a snapshot is made again because points came or went meanwhile.
const ATTEMPTS: u32 = 3;

/// A store that can be reached.
pub(crate) struct QdrantSource {
    client: QdrantClient,
    version: String,
    collections: Vec<String>,
    pending: PathBuf,
    /// Whether something was left on the server.
    left: Cell<bool>,
}

/// What was captured.
pub(crate) struct Captured {
    pub(crate) collections: Vec<Collection>,
    pub(crate) aliases: Vec<Alias>,
    pub(crate) version: String,
    pub(crate) size: u64,
}

#[derive(Serialize, Deserialize)]
struct Pending {
    url: String,
    collection: String,
    snapshot: String,
}

impl QdrantSource {
    /// Looks whether the collections are there; changes nothing.
    pub(crate) fn open(settings: &QdrantSettings, folder: &Path) -> anyhow::Result<Self> {
        let client = QdrantClient::new(settings);
        let context = || format!("connect to Qdrant at {}", client.shown_url());
        let version = client.version().with_context(context)?;
        let collections = client.collections().with_context(context)?;
        for collection in &collections {
            client.info(collection).with_context(|| format!("look at the collection {collection} of Qdrant"))?;
        }
        Ok(Self { client, version, collections, pending: folder.join(PENDING), left: Cell::new(false) })
    }

    /// Deletes what a killed run has left on the server. The folder must be locked.
    pub(crate) fn remove_pending(&self, run: &mut Run<'_>) {
        let Ok(text) = fs::read_to_string(&self.pending) else { return };
        let url = self.client.shown_url();
        let mut all = true;
        for line in text.lines() {
            // A line that was cut off by the kill names nothing that could be deleted.
            let Ok(left) = serde_json::from_str::<Pending>(line) else { continue };
            // One that is gone already is no error.
            if left.url == url && self.client.delete_snapshot(&left.collection, &left.snapshot).is_ok() {
                run.progress(format_args!("removed from Qdrant what an earlier run had left: {}", left.snapshot));
            } else {
                all = false;
            }
        }
        if all {
            let _ = fs::remove_file(&self.pending);
        }
    }

    /// Captures every collection, and the aliases of these.
    pub(crate) fn capture(self, archive: &mut ArchiveWriter, run: &mut Run<'_>) -> anyhow::Result<Captured> {
        let result = self.all(archive, run);
        if !self.left.get() {
            let _ = fs::remove_file(&self.pending);
        }
        result
    }

    fn all(&self, archive: &mut ArchiveWriter, run: &mut Run<'_>) -> anyhow::Result<Captured> {
        let (mut collections, mut size) = (Vec::new(), 0);
        for name in &self.collections {
            run.progress(format_args!("collection {name}"));
            let (collection, bytes) =
                self.collection(name, archive, run).with_context(|| format!("back up the collection {name}"))?;
            collections.push(collection);
            size += bytes;
        }
        let mut aliases = self.client.aliases().context("list Qdrant's aliases")?;
        aliases.retain(|alias| self.collections.contains(&alias.collection_name));
        Ok(Captured { collections, aliases, version: self.version.clone(), size })
    }

    fn collection(
        &self,
        name: &str,
        archive: &mut ArchiveWriter,
        run: &mut Run<'_>,
    ) -> anyhow::Result<(Collection, u64)> {
        let config = self.client.info(name)?.config;
        let made = self.snapshot(name, run.cancel())?;
        let captured_at = run.now();
        let result = self.download(name, &made.snapshot, captured_at, archive);
        // Whatever became of it, the server's disk is not ours.
        let deleted = self.delete(name, &made);
        let entry = result?;
        if let Err(error) = deleted {
            run.warn(format_args!("{error:#}"));
            run.note(pso_common::Severity::Warning);
        }
        let collection = Collection {
            name: name.to_owned(),
            entry: entry.name,
            points: made.after,
            points_before: Some(made.before).filter(|&before| before != made.after),
            config,
            snapshot: SnapshotSource {
                name: made.snapshot.name,
                size: made.snapshot.size,
                sha256: made.snapshot.checksum,
            },
            captured_at,
        };
        Ok((collection, entry.size))
    }

    /// Makes a snapshot, counting before and after. Where the counts differ it is made again: only between equal
    /// counts is it known exactly how many points it holds.
    fn snapshot(&self, name: &str, cancel: &Cancel) -> anyhow::Result<Made> {
        let mut attempt = 1;
        loop {
            cancel.check()?;
            let listed = self.client.snapshots(name).context("list its snapshots")?;
            let before = self.client.count(name).context("count its points")?;
            let snapshot = self
                .client
                .create_snapshot(name)
                .context("make a snapshot (where the time ran out, Qdrant may still be at it and leave one behind)")?;
            // Names have a resolution of one second: one that was there before is also somebody else's.
            let ours = listed.iter().all(|other| other.name != snapshot.name);
            let mut made = Made { snapshot, before, after: before, ours };
            if made.ours {
                self.note_pending(name, &made.snapshot.name);
            }
            match self.client.count(name) {
                Ok(after) => made.after = after,
                Err(error) => {
                    let _ = self.delete(name, &made);
                    return Err(error).context("count its points");
                }
            }
            if made.before == made.after || attempt == ATTEMPTS {
                return Ok(made);
            }
            attempt += 1;
            self.delete(name, &made)?;
            // In the same second the next one would have the same name.
            std::thread::sleep(Duration::from_millis(1100));
        }
    }

    fn download(
        &self,
        name: &str,
        snapshot: &Snapshot,
        at: Timestamp,
        archive: &mut ArchiveWriter,
    ) -> anyhow::Result<pso_archive::Entry> {
        let new = NewEntry {
            name: format!("qdrant/{}.snapshot", encoded(name)),
            component: Component::Qdrant,
            source: format!("{}/collections/{name}/snapshots/{}", self.client.shown_url(), snapshot.name),
            captured_at: at,
            modified_at: None,
            mode: None,
            packing: Packing::Deflate,
        };
        let (entry, (length, sha256)) = archive.add(new, |out| self.client.download_snapshot(name, snapshot, out))?;
        ensure!(
            length == snapshot.size && entry.size == length,
            "the snapshot has {} bytes on the server and {length} here",
            snapshot.size
        );
        let said = snapshot.checksum.as_deref().unwrap_or(&sha256);
        ensure!(
            said.eq_ignore_ascii_case(&sha256) && entry.sha256 == sha256,
            "the snapshot was changed on its way: its SHA-256 is {said} on the server and {sha256} here; try again"
        );
        Ok(entry)
    }

    fn delete(&self, collection: &str, made: &Made) -> anyhow::Result<()> {
        if !made.ours {
            return Ok(());
        }
        let name = &made.snapshot.name;
        let result = self.client.delete_snapshot(collection, name);
        self.left.set(self.left.get() || result.is_err());
        result.with_context(|| format!("delete the snapshot {name} on Qdrant's disk; the next backup tries again"))
    }

    fn note_pending(&self, collection: &str, snapshot: &str) {
        let note =
            Pending { url: self.client.shown_url(), collection: collection.to_owned(), snapshot: snapshot.to_owned() };
        // Without the note only a kill in the next moments would leave a file on the server.
        let _ = serde_json::to_string(&note).map(|line| {
            let file = OpenOptions::new().create(true).append(true).open(&self.pending);
            file.and_then(|mut file| writeln!(file, "{line}"))
        });
    }
}

/// A snapshot on the server.
struct Made {
    snapshot: Snapshot,
    before: u64,
    after: u64,
    ours: bool,
}
