//! The vector store: a snapshot of what is there first, then upload with checksum, wait for green, count, aliases.

mod transfer;
mod undo;
mod vectors;

use anyhow::{Context as _, bail, ensure};
use pso_archive::{Archive, Collection, Entry};
use pso_common::Timestamp;
use pso_common::qdrant::{Alias, QdrantClient, QdrantSettings};
use pso_common::record::Component;

use crate::steps::Step;
pub(crate) use undo::{forget, mean_again, put_back};
pub(crate) use vectors::Vectors;

/// How our uploads are called on the server, before the time.
const UPLOAD: &str = "pso-restore-";
/// The folder below a restore's own for the snapshots of what was there.
pub(crate) const SAVED: &str = "qdrant";

/// What is to be done with the vector store.
pub(crate) struct QdrantPlan {
    pub(crate) collections: Vec<PlannedCollection>,
    /// The aliases to set.
    pub(crate) aliases: Vec<Alias>,
    /// Collections that are there and not in the archive: they stay.
    pub(crate) others: Vec<String>,
    /// The name under which snapshots are uploaded.
    upload: String,
    /// The aliases that are there now.
    aliases_now: Vec<Alias>,
}

/// One collection.
pub(crate) struct PlannedCollection {
    pub(crate) name: String,
    /// Points that are there now; absent when the collection is not.
    pub(crate) points_now: Option<u64>,
    source: Collection,
    entry: Entry,
}

/// Plans the restore of the vector store; changes nothing.
pub(crate) fn plan(settings: &QdrantSettings, archive: &Archive, at: Timestamp) -> anyhow::Result<QdrantPlan> {
    let client = QdrantClient::new(settings);
    let manifest = archive.manifest();
    let context = || format!("connect to Qdrant at {}", client.shown_url());
    let version = client.version().with_context(context)?;
    if let Some(source) = manifest.versions.qdrant.as_deref().filter(|_| !manifest.collections.is_empty()) {
        check_version(source, &version)
            .with_context(|| format!("restore snapshots into Qdrant at {}", client.shown_url()))?;
    }
    let there = client.all_collections().with_context(context)?;
    let aliases_now = client.aliases().with_context(context)?;
    let mut collections = Vec::new();
    for source in &manifest.collections {
        ensure!(
            aliases_now.iter().all(|alias| alias.alias_name != source.name),
            "{} is an alias on the server and a collection in the archive; delete or rename the alias",
            source.name
        );
        let is_there = there.contains(&source.name);
        collections.push(PlannedCollection {
            name: source.name.clone(),
            points_now: if is_there { Some(client.count(&source.name).with_context(context)?) } else { None },
            entry: manifest.entry(&source.entry).cloned().context("the snapshot is not listed")?,
            source: source.clone(),
        });
    }
    let ours = |name: &String| manifest.collections.iter().any(|collection| collection.name == *name);
    let mut others: Vec<String> = there.into_iter().filter(|name| !ours(name)).collect();
    others.sort();
    let aliases = manifest.aliases.iter().filter(|alias| !aliases_now.contains(alias)).cloned().collect();
    Ok(QdrantPlan { collections, aliases, others, upload: format!("{UPLOAD}{}.snapshot", at.compact()), aliases_now })
}

/// A snapshot goes into the same minor version, and the same or a newer patch of it.
fn check_version(source: &str, target: &str) -> anyhow::Result<()> {
    let parts = |version: &str| -> Option<[u32; 3]> {
        let mut numbers = version.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse().ok());
        Some([numbers.next()??, numbers.next()??, numbers.next()??])
    };
    let (Some([s_major, s_minor, s_patch]), Some([t_major, t_minor, t_patch])) = (parts(source), parts(target)) else {
        bail!("the versions {source} and {target} cannot be compared");
    };
    ensure!(
        (s_major, s_minor) == (t_major, t_minor) && t_patch >= s_patch,
        "they are of Qdrant {source}, and the server is {target}; run {s_major}.{s_minor}.{s_patch} or a newer {s_major}.{s_minor}, restore, then upgrade"
    );
    Ok(())
}

impl QdrantPlan {
    /// What changes when the vector store does, for the plan's hash: each object with its facts.
    pub(crate) fn present(&self) -> Vec<(String, Vec<String>)> {
        let count =
            |points: Option<u64>| points.map_or_else(|| "there is none".to_owned(), |points| points.to_string());
        let mut all: Vec<(String, Vec<String>)> = self
            .collections
            .iter()
            .map(|collection| (collection.name.clone(), vec![count(collection.points_now)]))
            .collect();
        let aliases = self.aliases_now.iter().map(|now| format!("{} {}", now.alias_name, now.collection_name));
        all.push(("aliases".to_owned(), aliases.collect()));
        all
    }

    /// About how many bytes the snapshots of what is there take: as many as those of the archive.
    pub(crate) fn saved_size(&self) -> u64 {
        let there = self.collections.iter().filter(|collection| collection.points_now.is_some());
        there.map(|collection| collection.entry.size).sum()
    }

    /// The steps that this plan will take.
    pub(crate) fn steps(&self) -> Vec<Step> {
        let mut steps: Vec<Step> = self
            .collections
            .iter()
            .map(|collection| {
                let now = collection.points_now.map_or_else(
                    || "it is not there".to_owned(),
                    |points| format!("it has {points} points now, of which a snapshot is made first"),
                );
                let mut step = Step::new("restore", Component::Qdrant, collection.name.as_str());
                step.rows = collection.source.counted();
                step.size(collection.entry.size).says(now)
            })
            .collect();
        if !self.aliases.is_empty() {
            steps.push(self.alias_step());
        }
        if let (Some(last), false) = (steps.last_mut(), self.others.is_empty()) {
            last.message = format!("{}; left alone: {}", last.message, self.others.join(", "));
        }
        steps
    }

    fn alias_step(&self) -> Step {
        let names: Vec<String> =
            self.aliases.iter().map(|alias| format!("{} for {}", alias.alias_name, alias.collection_name)).collect();
        Step::new("aliases", Component::Qdrant, "aliases").says(names.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::check_version;

    #[test]
    fn snapshots_go_into_the_same_minor_version() {
        for (source, target, fits) in [
            ("1.18.2", "1.18.2", true),
            ("1.18.2", "1.18.3", true),
            ("1.18.2", "1.18.1", false),
            ("1.18.2", "1.19.0", false),
            ("1.18.2", "2.18.2", false),
            ("1.18.2", "1.18.2-dev", true),
            ("1.18", "1.18.2", false),
        ] {
            assert_eq!(check_version(source, target).is_ok(), fits, "{source} into {target}");
        }
    }
}
