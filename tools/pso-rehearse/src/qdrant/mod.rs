//! The collections: each shard of each snapshot opened by Qdrant's own engine, in a process of its own.
//!
//! ```text
//! rehearse ── collection ── engine ═══ pipe ═══ child ── snapshot ── unpack, shard ── points, log
//! ```
//!
//! One after the other, and each removed before the next: there must be room for one.

mod beside;
mod blame;
pub(crate) mod child;
mod collection;
mod config;
mod engine;
mod ids;
mod limits;
mod log;
mod message;
mod points;
mod shard;
mod snapshot;
#[cfg(test)]
mod tests;
mod unpack;
mod version;

use std::time::{Duration, Instant};

use crate::task::{Outcome, Restored, Task};

/// Opens the collections of the archive and compares them with the manifest.
///
/// # Errors
/// When nobody can tell whether they can be restored.
pub(crate) fn rehearse(task: &mut Task<'_>) -> anyhow::Result<Outcome> {
    let began = Instant::now();
    // The database takes longer, and cannot use all cores all of the time.
    crate::scratch::yield_beside(task.settings.nice);
    let mut outcome = Outcome::default();
    let collections = task.archive.manifest().collections.clone();
    let versions = version::Versions::of(task.archive.manifest().versions.qdrant.as_deref());
    if let Some(said) = versions.sentence().filter(|_| !collections.is_empty()) {
        outcome.proof.leave(said);
    }
    let mut restored = Some((Duration::ZERO, 0));
    for (number, collection) in collections.iter().enumerate() {
        task.progress(format!("opening the collection {} ({} of {})", collection.name, number + 1, collections.len()));
        let one = collection::rehearse(task, collection, &versions, &mut outcome)?;
        restored = restored.zip(one).map(|((time, bytes), one)| (time + one.0, bytes + one.1));
    }
    aliases(task, &mut outcome);
    if collections.is_empty() {
        outcome.proof.prove("the archive has no collections, and the manifest none");
    } else {
        outcome.proof.leave(
            "there are no checksums inside a snapshot: a vector or payload that was changed and is still valid shows only \
             in the archive's SHA-256",
        );
    }
    // What is only checking is done in between, and does not count.
    outcome.restored = restored.map(|(time, bytes)| Restored { began, ended: began + time, bytes });
    Ok(outcome)
}

/// Aliases point to collections that are there.
fn aliases(task: &Task<'_>, outcome: &mut Outcome) {
    let manifest = task.archive.manifest();
    let mut holding = 0;
    for alias in &manifest.aliases {
        if manifest.collections.iter().any(|collection| collection.name == alias.collection_name) {
            holding += 1;
        } else {
            outcome.proof.refute(format!(
                "the alias {} is of the collection {}, which the archive does not have",
                alias.alias_name, alias.collection_name
            ));
        }
    }
    if holding > 0 {
        outcome.proof.prove(match holding {
            1 => "1 alias is of a collection that is there".to_owned(),
            many => format!("{many} aliases are of collections that are there"),
        });
    }
}
