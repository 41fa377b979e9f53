//! Carrying it out, and undoing it.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use pso_archive::{Archive, encoded, private_file, private_folder, sync_folder};
use pso_common::io::Cancel;
use pso_common::qdrant::{Alias, QdrantClient, QdrantError, QdrantSettings};
use pso_common::record::Component;
use pso_common::{Run, Severity};

use super::transfer::Cancelling;
use super::{QdrantPlan, UPLOAD};
use crate::settings::STAGED;
use crate::steps::Step;

/// How often a collection is looked at until it is green.
const STEP: Duration = Duration::from_millis(100);

/// A restore of the vector store, as far as it has come.
pub(crate) struct Vectors {
    client: QdrantClient,
    deadline: Duration,
    /// Where the snapshots of what was there lie once they may be needed.
    folder: PathBuf,
    /// Where they lie before: the next restore removes them from there when this one is killed.
    staged: PathBuf,
    undo: Vec<Undo>,
}

/// How to bring one thing back to what it was.
enum Undo {
    /// The collection was there: its snapshot, which may be needed.
    Saved { collection: String, file: PathBuf, size: u64, sha256: String, points: u64, touched: bool },
    /// The collection was not there.
    Absent { collection: String, touched: bool },
    /// The alias meant this, or nothing.
    Alias { alias: String, before: Option<Alias> },
}

impl Vectors {
    /// Nothing is done yet. `work` is this restore's folder.
    pub(crate) fn new(settings: &QdrantSettings, work: &Path) -> Self {
        Self {
            client: QdrantClient::new(settings),
            deadline: settings.snapshot_timeout,
            folder: work.join("qdrant"),
            staged: work.join(STAGED).join("qdrant"),
            undo: Vec::new(),
        }
    }

    /// Saves what is there, and removes from the server what killed restores have left.
    pub(crate) fn prepare(&mut self, run: &mut Run<'_>, plan: &QdrantPlan) -> anyhow::Result<()> {
        for collection in &plan.collections {
            if collection.points_now.is_none() {
                self.undo.push(Undo::Absent { collection: collection.name.clone(), touched: false });
                continue;
            }
            let step = Step::new("save", Component::Qdrant, collection.name.as_str())
                .says("a snapshot of what is there, in case it is needed again");
            let saved = step.run(run, |run, step| {
                let saved = self.save(&collection.name, run.cancel())?;
                if let Undo::Saved { size, points, .. } = &saved {
                    (step.size_bytes, step.rows) = (Some(*size), Some(*points));
                }
                Ok(saved)
            })?;
            self.undo.push(saved);
        }
        Ok(())
    }

    fn save(&self, name: &str, cancel: &Cancel) -> anyhow::Result<Undo> {
        private_folder(&self.staged).with_context(|| format!("create {}", self.staged.display()))?;
        let file_name = format!("{}.snapshot", encoded(name));
        let file = self.staged.join(&file_name);
        let listed = self.client.snapshots(name).context("list its snapshots")?;
        for left in listed.iter().filter(|snapshot| snapshot.name.starts_with(UPLOAD)) {
            // Killed restores left it; it is in nobody's way.
            let _ = self.client.delete_snapshot(name, &left.name);
        }
        let points = self.client.count(name).context("count its points")?;
        let snapshot = self.client.create_snapshot(name).context("make a snapshot of what is there")?;
        let mut out = private_file(&file).with_context(|| format!("create {}", file.display()))?;
        let mut writer = Cancelling { inner: &mut out, cancel };
        let result = self.client.download_snapshot(name, &snapshot, &mut writer);
        if listed.iter().all(|other| other.name != snapshot.name) {
            self.client.delete_snapshot(name, &snapshot.name).context("delete the snapshot on the server")?;
        }
        let (size, sha256) = result?;
        let said = snapshot.checksum.as_deref().unwrap_or(&sha256);
        ensure!(said.eq_ignore_ascii_case(&sha256), "the snapshot of what is there was changed on its way; try again");
        out.sync_all().with_context(|| format!("put {} on the disk", file.display()))?;
        let file = self.folder.join(file_name);
        Ok(Undo::Saved { collection: name.to_owned(), file, size, sha256, points, touched: false })
    }

    /// Uploads every collection, compares it, and sets the aliases.
    pub(crate) fn switch(&mut self, run: &mut Run<'_>, plan: &QdrantPlan, archive: &mut Archive) -> anyhow::Result<()> {
        if self.staged.exists() {
            // From here on they may be all that is left of what was there.
            fs::rename(&self.staged, &self.folder)
                .and_then(|()| sync_folder(self.folder.parent().unwrap_or(&self.folder)))
                .with_context(|| format!("keep the snapshots of what is there in {}", self.folder.display()))?;
        }
        for collection in &plan.collections {
            let step = Step::new("restore", Component::Qdrant, collection.name.as_str())
                .rows(collection.source.points)
                .size(collection.entry.size)
                .says("green, compared with the manifest");
            step.run(run, |run, step| {
                let cancel = run.cancel().clone();
                cancel.check()?;
                self.touch(&collection.name);
                let mut content = archive.entry(&collection.entry.name)?;
                let mut reader = Cancelling { inner: &mut content, cancel: &cancel };
                let entry = &collection.entry;
                self.upload(&collection.name, &plan.upload, &entry.sha256, entry.size, &mut reader)?;
                let points = self.settled(&collection.name, &cancel)?;
                ensure!(
                    collection.source.allows(points),
                    "{} has {points} points after the restore, and should have {}",
                    collection.name,
                    collection.source.points
                );
                step.rows = Some(points);
                Ok(())
            })?;
        }
        if plan.aliases.is_empty() {
            return Ok(());
        }
        plan.alias_step().run(run, |_, _| {
            for alias in &plan.aliases {
                let before = plan.aliases_now.iter().find(|now| now.alias_name == alias.alias_name);
                self.undo.push(Undo::Alias { alias: alias.alias_name.clone(), before: before.cloned() });
                self.client
                    .set_aliases(std::slice::from_ref(alias))
                    .with_context(|| format!("let the alias {} mean {}", alias.alias_name, alias.collection_name))?;
            }
            Ok(())
        })
    }

    fn touch(&mut self, name: &str) {
        for undo in &mut self.undo {
            match undo {
                Undo::Saved { collection, touched, .. } | Undo::Absent { collection, touched }
                    if collection == name =>
                {
                    *touched = true;
                }
                _ => {}
            }
        }
    }

    fn upload(
        &self,
        collection: &str,
        name: &str,
        sha256: &str,
        size: u64,
        content: &mut dyn Read,
    ) -> anyhow::Result<()> {
        let result = self
            .client
            .upload_snapshot(collection, name, sha256, size, content)
            .with_context(|| format!("upload the snapshot of {collection}"));
        // A refused upload stays on the server too, listed like a snapshot. Where the collection is not there, neither
        // is the list.
        let deleted = self.client.delete_snapshot(collection, name);
        result?;
        deleted.with_context(|| format!("delete the uploaded file {name} on the server"))
    }

    /// Waits until the collection is green and gives its exact number of points.
    fn settled(&self, name: &str, cancel: &Cancel) -> anyhow::Result<u64> {
        let started = Instant::now();
        loop {
            cancel.check()?;
            let status = self.client.info(name).with_context(|| format!("look at the collection {name}"))?.status;
            if status == "green" {
                return self.client.count(name).with_context(|| format!("count the points of {name}"));
            }
            ensure!(
                status != "red" && started.elapsed() < self.deadline,
                "the collection {name} is {status} {:?} after the upload",
                started.elapsed()
            );
            std::thread::sleep(STEP);
        }
    }

    /// Brings back what was there. Goes on after a failure and tells each.
    pub(crate) fn undo(&mut self, run: &mut Run<'_>) -> anyhow::Result<()> {
        let mut first = Ok(());
        let mut needed = false;
        for undo in std::mem::take(&mut self.undo).into_iter().rev() {
            let (step, way_out) = undo.step();
            let result = match self.undo_one(&undo) {
                Ok(None) => continue,
                Ok(Some(message)) => step.rolled_back(run, &message),
                Err(error) => {
                    needed |= matches!(undo, Undo::Saved { .. });
                    step.failed(run, Severity::Critical, &format!("{error:#}; {way_out}"))?;
                    Err(error)
                }
            };
            first = first.and(result);
        }
        if !needed {
            self.remove_saved();
        }
        first
    }

    /// What was done about it, or `None` where nothing was to be done.
    fn undo_one(&self, undo: &Undo) -> anyhow::Result<Option<String>> {
        // The signal that ended the restore must not end its undoing.
        let cancel = Cancel::default();
        match undo {
            Undo::Saved { touched: false, .. } | Undo::Absent { touched: false, .. } => Ok(None),
            Undo::Saved { collection, file, size, sha256, points, .. } => {
                let mut content = File::open(file).with_context(|| format!("open {}", file.display()))?;
                self.upload(collection, &format!("{UPLOAD}undo.snapshot"), sha256, *size, &mut content)?;
                let now = self.settled(collection, &cancel)?;
                ensure!(now == *points, "{collection} has {now} points and had {points}");
                Ok(Some(format!("{points} points, as before")))
            }
            Undo::Absent { collection, .. } => match self.client.delete_collection(collection) {
                Ok(_) => Ok(Some("deleted again: it was not there before".to_owned())),
                Err(error) => Err(error).with_context(|| format!("delete the collection {collection}")),
            },
            Undo::Alias { alias, before: Some(before) } => {
                self.client
                    .set_aliases(std::slice::from_ref(before))
                    .with_context(|| format!("set the alias {alias}"))?;
                Ok(Some(format!("means {} again", before.collection_name)))
            }
            Undo::Alias { alias, before: None } => match self.client.delete_alias(alias) {
                Ok(()) | Err(QdrantError::Status(400 | 404, _)) => Ok(Some("deleted again".to_owned())),
                Err(error) => Err(error).with_context(|| format!("delete the alias {alias}")),
            },
        }
    }

    /// Removes the saved snapshots: what was restored stays.
    pub(crate) fn remove_saved(&self) {
        // They are only copies; whatever cannot be removed is in the undo folder, which is told.
        let _ = fs::remove_dir_all(&self.folder);
        let _ = fs::remove_dir_all(&self.staged);
    }
}

impl Undo {
    /// The step that is undone, and what to do where that fails.
    fn step(&self) -> (Step, String) {
        let step = |name, object: &str| Step::new(name, Component::Qdrant, object);
        match self {
            Self::Saved { collection, file, .. } => (
                step("restore", collection),
                format!(
                    "what was there before is in {}; upload it to /collections/{collection}/snapshots/upload?priority=snapshot",
                    file.display()
                ),
            ),
            Self::Absent { collection, .. } => {
                (step("restore", collection), format!("it was not there before; DELETE /collections/{collection}"))
            }
            Self::Alias { alias, before } => (
                step("aliases", alias),
                before.as_ref().map_or_else(
                    || "it was not there before; delete it".to_owned(),
                    |before| format!("before it meant {}", before.collection_name),
                ),
            ),
        }
    }
}
