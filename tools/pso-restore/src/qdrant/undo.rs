//! Bringing back what was there, in the run that failed or in a later one.

use std::fs::File;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use pso_common::Run;
use pso_common::qdrant::{QdrantClient, QdrantError, QdrantSettings, requested_snapshot};
use pso_common::record::Component;

use super::UPLOAD;
use super::transfer::{settled, upload};
use crate::journal::{Meaning, Replacing, Saved, Saving, not_undone, undisturbed};
use crate::steps::Step;

/// How long nothing may come of an upload that nobody waits for until it is taken for dead, with a second for every
/// 64 MiB of it; how often that is looked at; and how often it is put right.
const QUIET: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(100);
const TRIES: u32 = 3;

/// Deletes from the server the snapshot of what was there, where a killed run did not come to that. What cannot be
/// deleted is in nobody's way.
pub(crate) fn forget(settings: &QdrantSettings, saving: &Saving) {
    let client = QdrantClient::new(settings);
    let listed = client.snapshots(&saving.collection).unwrap_or_default();
    if let Some(name) = requested_snapshot(&listed, saving.at, &saving.before) {
        let _ = client.delete_snapshot(&saving.collection, name);
    }
}

/// Gives a collection the content that it had. Where the upload may not have been `answered`, the server may still be
/// at it, and is looked at until it has been quiet for a while.
pub(crate) fn put_back(
    run: &mut Run<'_>,
    settings: &QdrantSettings,
    replacing: &Replacing,
    answered: bool,
) -> anyhow::Result<()> {
    let client = QdrantClient::new(settings);
    let name = &replacing.collection;
    let step = Step::new("restore", Component::Qdrant, name.as_str());
    let mut result = put_back_once(&client, settings, replacing);
    let mut more = if answered { 0 } else { TRIES };
    while more > 0 && result.is_ok() && !stays_quiet(&client, replacing) {
        more -= 1;
        result = put_back_once(&client, settings, replacing);
    }
    match result {
        Ok(message) => step.rolled_back(run, &message),
        Err(error) => {
            let way_out = replacing.before.as_ref().map_or_else(
                || format!("it was not there before; DELETE /collections/{name}"),
                |saved| {
                    format!(
                        "what was there before is in {}; upload it to /collections/{name}/snapshots/upload?priority=snapshot",
                        saved.file.display()
                    )
                },
            );
            not_undone(run, &step, error, &way_out)
        }
    }
}

fn put_back_once(client: &QdrantClient, settings: &QdrantSettings, replacing: &Replacing) -> anyhow::Result<String> {
    let name = &replacing.collection;
    // A killed run leaves its upload there. Without its collection it would stay on the server's disk, and nobody could
    // reach it.
    let _ = client.delete_snapshot(name, &replacing.upload);
    match &replacing.before {
        Some(saved) => upload_saved(client, settings.snapshot_timeout, replacing, saved),
        None => client
            .delete_collection(name)
            .map(|_| "deleted again: it was not there before".to_owned())
            .with_context(|| format!("delete the collection {name}")),
    }
}

/// Whether an upload that the server had received whole, and went on with after its sender was killed, does not come
/// through any more. One that does leaves its file there, and the collection, where there was none.
fn stays_quiet(client: &QdrantClient, replacing: &Replacing) -> bool {
    let quiet = QUIET + Duration::from_secs(replacing.size >> 26);
    let started = Instant::now();
    while started.elapsed() < quiet {
        match client.snapshots(&replacing.collection) {
            Ok(listed) if replacing.before.is_none() || listed.iter().any(|file| file.name == replacing.upload) => {
                return false;
            }
            // What cannot be asked cannot be seen to change either.
            _ => std::thread::sleep(LOOK),
        }
    }
    true
}

fn upload_saved(
    client: &QdrantClient,
    deadline: Duration,
    replacing: &Replacing,
    saved: &Saved,
) -> anyhow::Result<String> {
    let name = &replacing.collection;
    let mut content = File::open(&saved.file).with_context(|| format!("open {}", saved.file.display()))?;
    upload(client, name, &format!("{UPLOAD}undo.snapshot"), &saved.sha256, saved.size, &mut content)?;
    let now = settled(client, name, deadline, &undisturbed())?;
    ensure!(now == saved.points, "{name} has {now} points and had {}", saved.points);
    Ok(format!("{now} points, as before"))
}

/// Gives an alias the meaning that it had.
pub(crate) fn mean_again(run: &mut Run<'_>, settings: &QdrantSettings, meaning: &Meaning) -> anyhow::Result<()> {
    let client = QdrantClient::new(settings);
    let alias = &meaning.alias;
    let step = Step::new("aliases", Component::Qdrant, alias.as_str());
    let result = match &meaning.before {
        Some(before) => client
            .set_aliases(std::slice::from_ref(before))
            .map(|()| format!("means {} again", before.collection_name))
            .with_context(|| format!("set the alias {alias}")),
        None => match client.delete_alias(alias) {
            // Deleting its collection took it along.
            Ok(()) | Err(QdrantError::Status(400 | 404, _)) => Ok("deleted again".to_owned()),
            Err(error) => Err(error).with_context(|| format!("delete the alias {alias}")),
        },
    };
    match result {
        Ok(message) => step.rolled_back(run, &message),
        Err(error) => {
            let way_out = meaning.before.as_ref().map_or_else(
                || "it was not there before; delete it".to_owned(),
                |before| format!("before it meant {}", before.collection_name),
            );
            not_undone(run, &step, error, &way_out)
        }
    }
}
