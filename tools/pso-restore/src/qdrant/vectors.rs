//! Carrying it out.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use pso_archive::{Archive, encoded, private_file, private_folder, sync_folder};
use pso_common::Run;
use pso_common::qdrant::{QdrantClient, QdrantSettings};
use pso_common::record::Component;

use super::transfer::{Cancelling, settled, upload};
use super::{PlannedCollection, QdrantPlan, SAVED, UPLOAD};
use crate::journal::{Action, Journal, Meaning, Replacing, Saved, Saving};
use crate::space;
use crate::steps::Step;

/// A restore of the vector store, as far as it has come. What it has done, the journal knows.
pub(crate) struct Vectors {
    client: QdrantClient,
    deadline: Duration,
    /// Where the snapshots of what was there lie.
    folder: PathBuf,
    /// One for each planned collection; none where the collection was not there.
    saved: Vec<Option<Saved>>,
}

impl Vectors {
    /// Nothing is done yet. `work` is this restore's folder.
    pub(crate) fn new(settings: &QdrantSettings, work: &Path) -> Self {
        Self {
            client: QdrantClient::new(settings),
            deadline: settings.snapshot_timeout,
            folder: work.join(SAVED),
            saved: Vec::new(),
        }
    }

    /// Saves what is there, and removes from the server what killed restores have left.
    pub(crate) fn prepare(
        &mut self,
        run: &mut Run<'_>,
        plan: &QdrantPlan,
        journal: &mut Journal,
    ) -> anyhow::Result<()> {
        for collection in &plan.collections {
            if collection.points_now.is_none() {
                self.saved.push(None);
                continue;
            }
            let step = Step::new("save", Component::Qdrant, collection.name.as_str())
                .says("a snapshot of what is there, in case it is needed again");
            let saved = step.run(run, |run, step| {
                let saved = self.save(run, &collection.name, journal)?;
                (step.size_bytes, step.rows) = (Some(saved.size), Some(saved.points));
                Ok(saved)
            })?;
            self.saved.push(Some(saved));
        }
        if self.folder.exists() {
            // From here on they may be all that is left of what was there.
            let mut folders = self.folder.ancestors().take(2);
            folders.try_for_each(sync_folder).with_context(|| format!("put {} on the disk", self.folder.display()))?;
        }
        Ok(())
    }

    fn save(&self, run: &Run<'_>, name: &str, journal: &mut Journal) -> anyhow::Result<Saved> {
        private_folder(&self.folder).with_context(|| format!("create {}", self.folder.display()))?;
        let file = self.folder.join(format!("{}.snapshot", encoded(name)));
        let listed = self.client.snapshots(name).context("list its snapshots")?;
        for left in listed.iter().filter(|snapshot| snapshot.name.starts_with(UPLOAD)) {
            // Killed restores left it; it is in nobody's way.
            let _ = self.client.delete_snapshot(name, &left.name);
        }
        let points = self.client.count(name).context("count its points")?;
        let before: Vec<String> = listed.into_iter().map(|snapshot| snapshot.name).collect();
        let saving = Saving { collection: name.to_owned(), at: run.now(), before: before.clone() };
        let id = journal.will(Action::Save(saving))?;
        let snapshot = self.client.create_snapshot(name).context("make a snapshot of what is there")?;
        let result = self.download(run, name, &snapshot, &file);
        if !before.contains(&snapshot.name) {
            self.client.delete_snapshot(name, &snapshot.name).context("delete the snapshot on the server")?;
        }
        journal.over(id)?;
        let (size, sha256) = result?;
        let said = snapshot.checksum.as_deref().unwrap_or(&sha256);
        ensure!(said.eq_ignore_ascii_case(&sha256), "the snapshot of what is there was changed on its way; try again");
        Ok(Saved { file, size, sha256, points })
    }

    fn download(
        &self,
        run: &Run<'_>,
        name: &str,
        snapshot: &pso_common::qdrant::Snapshot,
        file: &Path,
    ) -> anyhow::Result<(u64, String)> {
        space::ensure_room(&self.folder, snapshot.size)?;
        let mut out = private_file(file).with_context(|| format!("create {}", file.display()))?;
        let mut writer = Cancelling { inner: &mut out, cancel: run.cancel() };
        let downloaded = self.client.download_snapshot(name, snapshot, &mut writer)?;
        out.sync_all().with_context(|| format!("put {} on the disk", file.display()))?;
        Ok(downloaded)
    }

    /// Uploads every collection, compares it, and sets the aliases.
    pub(crate) fn switch(
        &self,
        run: &mut Run<'_>,
        plan: &QdrantPlan,
        archive: &mut Archive,
        journal: &mut Journal,
    ) -> anyhow::Result<()> {
        for (collection, saved) in plan.collections.iter().zip(&self.saved) {
            self.replace(run, plan, collection, saved.as_ref(), archive, journal)?;
        }
        if plan.aliases.is_empty() {
            return Ok(());
        }
        plan.alias_step().run(run, |_, _| {
            for alias in &plan.aliases {
                let before = plan.aliases_now.iter().find(|now| now.alias_name == alias.alias_name).cloned();
                let id = journal.will(Action::Alias(Meaning { alias: alias.alias_name.clone(), before }))?;
                self.client
                    .set_aliases(std::slice::from_ref(alias))
                    .with_context(|| format!("let the alias {} mean {}", alias.alias_name, alias.collection_name))?;
                journal.did(id)?;
            }
            Ok(())
        })
    }

    fn replace(
        &self,
        run: &mut Run<'_>,
        plan: &QdrantPlan,
        collection: &PlannedCollection,
        saved: Option<&Saved>,
        archive: &mut Archive,
        journal: &mut Journal,
    ) -> anyhow::Result<()> {
        let (name, entry) = (&collection.name, &collection.entry);
        let mut step = Step::new("restore", Component::Qdrant, name.as_str()).size(entry.size);
        step.rows = collection.source.counted();
        step.message = match step.rows {
            Some(_) => "green, compared with the manifest",
            None => "green; how many points there should be nobody noted",
        }
        .to_owned();
        step.run(run, |run, step| {
            let cancel = run.cancel().clone();
            cancel.check()?;
            let replacing = Replacing {
                collection: name.clone(),
                upload: plan.upload.clone(),
                size: entry.size,
                before: saved.cloned(),
            };
            let id = journal.will(Action::Collection(replacing))?;
            let mut content = archive.entry(&entry.name)?;
            let mut reader = Cancelling { inner: &mut content, cancel: &cancel };
            upload(&self.client, name, &plan.upload, &entry.sha256, entry.size, &mut reader)?;
            journal.did(id)?;
            let points = settled(&self.client, name, self.deadline, &cancel)?;
            ensure!(
                collection.source.allows(points),
                "{name} has {points} points after the restore, and should have {}",
                collection.source.counted().map_or_else(|| "some".to_owned(), |points| points.to_string())
            );
            step.rows = Some(points);
            Ok(())
        })
    }
}
