//! The vector store: for each collection a snapshot is made on the server, downloaded, compared and deleted there.

mod snapshot;

use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use pso_archive::{ArchiveWriter, Collection, NewEntry, Packing, SnapshotSource, encoded};
use pso_common::Run;
use pso_common::Timestamp;
use pso_common::qdrant::{Alias, QdrantClient, Snapshot};
use pso_common::record::Component;
use snapshot::{Made, Maker};

use crate::progress::Progress;
use crate::settings::Settings;
use crate::space;

/// A store that can be reached.
pub(crate) struct QdrantSource {
    client: QdrantClient,
    version: String,
    collections: Vec<String>,
    maker: Maker,
    folder: PathBuf,
    packing: Packing,
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
    pub(crate) fn open(settings: &Settings) -> anyhow::Result<Self> {
        let client = QdrantClient::new(&settings.qdrant);
        let context = || format!("connect to Qdrant at {}", client.shown_url());
        let version = client.version().with_context(context)?;
        let all = client.all_collections().with_context(context)?;
        let mut collections = if settings.collections.is_empty() { all.clone() } else { settings.collections.clone() };
        collections.sort();
        collections.dedup();
        for collection in &collections {
            ensure!(
                all.contains(collection),
                "Qdrant has no collection {collection}, which maintenance.backup.collections lists"
            );
            client.info(collection).with_context(|| format!("look at the collection {collection} of Qdrant"))?;
        }
        let maker = Maker::new(&client, &settings.folder, settings.qdrant.snapshot_timeout);
        let (folder, packing) = (settings.folder.clone(), settings.packing());
        Ok(Self { client, version, collections, maker, folder, packing })
    }

    /// Deletes what a killed run has left on the server. The folder must be locked.
    pub(crate) fn remove_pending(&self, run: &mut Run<'_>) {
        for name in self.maker.notes().clear(&self.client, run.now(), |_, _| true) {
            run.progress(format_args!("removed from Qdrant what an earlier run had left: {name}"));
        }
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
        let made = self.maker.make(name, run)?;
        let captured_at = run.now();
        let result = space::check_snapshot(&self.folder, made.snapshot.size)
            .and_then(|()| self.download(name, &made, captured_at, archive, run));
        // Whatever became of it, the server's disk is not ours.
        let deleted = self.maker.delete(name, &made);
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

    fn download(
        &self,
        name: &str,
        made: &Made,
        at: Timestamp,
        archive: &mut ArchiveWriter,
        run: &mut Run<'_>,
    ) -> anyhow::Result<pso_archive::Entry> {
        let snapshot: &Snapshot = &made.snapshot;
        let new = NewEntry {
            name: format!("qdrant/{}.snapshot", encoded(name)),
            component: Component::Qdrant,
            source: format!("{}/collections/{name}/snapshots/{}", self.client.shown_url(), snapshot.name),
            captured_at: at,
            modified_at: None,
            mode: None,
            packing: self.packing,
        };
        let (entry, (length, sha256)) = archive.add(new, |out| {
            let mut out = Progress::new(out, run, format!("collection {name}"), Some(snapshot.size));
            self.client.download_snapshot(name, snapshot, &mut out)
        })?;
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
}
