//! The vector store: for each collection a snapshot is made on the server, downloaded, compared and deleted there.

use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use pso_archive::{ArchiveWriter, Collection, NewEntry, Packing, SnapshotSource, encoded};
use pso_common::io::Cancel;
use pso_common::qdrant::{Alias, QdrantClient, QdrantError, QdrantSettings, Snapshot};
use pso_common::record::Component;
use pso_common::{Run, Timestamp};

use crate::pending::Notes;

/// How often a snapshot is made again because points came or went meanwhile.
const ATTEMPTS: u32 = 3;
/// How long a signal may wait to be noticed.
const STEP: Duration = Duration::from_millis(50);

/// A store that can be reached.
pub(crate) struct QdrantSource {
    client: QdrantClient,
    version: String,
    collections: Vec<String>,
    notes: Notes,
}

/// What was captured.
pub(crate) struct Captured {
    pub(crate) collections: Vec<Collection>,
    pub(crate) aliases: Vec<Alias>,
    pub(crate) version: String,
    pub(crate) size: u64,
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
        let notes = Notes::new(folder, client.shown_url());
        Ok(Self { client, version, collections, notes })
    }

    /// Deletes what a killed run has left on the server. The folder must be locked.
    pub(crate) fn remove_pending(&self, run: &mut Run<'_>) {
        self.notes.clear(&self.client, run);
    }

    /// Captures every collection, and the aliases of these.
    pub(crate) fn capture(self, archive: &mut ArchiveWriter, run: &mut Run<'_>) -> anyhow::Result<Captured> {
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
        let made = self.snapshot(name, run)?;
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
    fn snapshot(&self, name: &str, run: &Run<'_>) -> anyhow::Result<Made> {
        let cancel = run.cancel();
        let mut attempt = 1;
        loop {
            cancel.check()?;
            let listed = self.client.snapshots(name).context("list its snapshots")?;
            let before = self.client.count(name).context("count its points")?;
            let (snapshot, ours) = self.create(name, run.now(), &listed, cancel)?;
            let mut made = Made { snapshot, before, after: before, ours };
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
            let next = Instant::now() + Duration::from_millis(1100);
            while Instant::now() < next {
                cancel.check()?;
                thread::sleep(STEP);
            }
        }
    }

    /// Lets the server make a snapshot; whether it is ours. A signal ends the wait, and the next run deletes what the
    /// server makes all the same.
    fn create(
        &self,
        name: &str,
        at: Timestamp,
        listed: &[Snapshot],
        cancel: &Cancel,
    ) -> anyhow::Result<(Snapshot, bool)> {
        self.notes.asked(name, at, listed);
        let (sender, receiver) = mpsc::sync_channel(1);
        let (client, collection) = (self.client.clone(), name.to_owned());
        thread::spawn(move || {
            // After a signal nobody waits any more.
            let _ = sender.send(client.create_snapshot(&collection));
        });
        let result = loop {
            match receiver.recv_timeout(STEP) {
                Ok(result) => break result,
                Err(RecvTimeoutError::Timeout) => cancel.check().context("make a snapshot")?,
                Err(RecvTimeoutError::Disconnected) => bail!("the thread that makes a snapshot has ended"),
            }
        };
        match result {
            Ok(snapshot) => {
                // Names have a resolution of one second: one that was there before is also somebody else's.
                let ours = listed.iter().all(|other| other.name != snapshot.name);
                self.notes.answered(name, at, Some(snapshot.name.as_str()).filter(|_| ours));
                Ok((snapshot, ours))
            }
            Err(error) => {
                // These say that it did not begin or did not succeed; a gateway's, or none, say nothing.
                if matches!(error, QdrantError::Status(status, _) if !matches!(status, 502..=504)) {
                    self.notes.answered(name, at, None);
                }
                let context =
                    "make a snapshot (where the time ran out, Qdrant may still be at it and leave one behind)";
                Err(error).context(context)
            }
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
        let context = || format!("delete the snapshot {name} on Qdrant's disk; the next backup tries again");
        self.client.delete_snapshot(collection, name).with_context(context)?;
        self.notes.deleted(collection, name);
        Ok(())
    }
}

/// A snapshot on the server.
struct Made {
    snapshot: Snapshot,
    before: u64,
    after: u64,
    ours: bool,
}
