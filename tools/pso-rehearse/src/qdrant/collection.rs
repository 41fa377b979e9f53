//! One collection: taken out of the archive, opened by a child, and what that proves.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use pso_archive::{Collection, Entry};

use super::engine::{self, End};
use super::message::{Said, Work};
use super::version::Versions;
use super::{blame, engine::memory_for};
use crate::proof::Proof;
use crate::scratch::ensure_room;
use crate::task::{Outcome, Task};

/// What the snapshot is called in the child's folder.
const SNAPSHOT: &str = "snapshot.tar";
/// A log's files, and what else the engine makes anew (bytes).
const ROOM_ANYHOW: u64 = 128 << 20;

/// How long it took to restore, and what it takes on the disk.
type Cost = (Duration, u64);

/// Rehearses one collection; `None` where it could not be restored.
///
/// # Errors
/// When the machine is at fault, or the run is to stop.
pub(super) fn rehearse(
    task: &mut Task<'_>,
    collection: &Collection,
    versions: &Versions,
    outcome: &mut Outcome,
) -> anyhow::Result<Option<Cost>> {
    task.cancel.check()?;
    let began = Instant::now();
    let name = &collection.name;
    let Some(entry) = task.archive.manifest().entry(&collection.entry).cloned() else {
        outcome.proof.refute(format!("{name}: the archive has no {}", collection.entry));
        return Ok(None);
    };
    compare_source(collection, &entry, &mut outcome.proof);
    let folder = task.folder.join(Path::new(&entry.name).file_stem().unwrap_or_default());
    fs::create_dir(&folder).with_context(|| format!("make the folder {}", folder.display()))?;
    // As a tar, and unpacked; then the segments in it, which are tars themselves.
    ensure_room(&folder, entry.size.saturating_mul(2).saturating_add(ROOM_ANYHOW))?;
    if let Err(error) = extract(task, &entry, &folder) {
        task.cancel.check()?;
        if blame::is_machines(&error) {
            return Err(error);
        }
        outcome.proof.refute(format!("{name}: {error:#}"));
        return Ok(None);
    }
    let extracted = began.elapsed();
    let work = Work {
        snapshot: SNAPSHOT.into(),
        config: Some(collection.config.clone()).filter(|config| !config.is_null()),
        points: collection.counted().map(|points| {
            let before = collection.points_before.unwrap_or(points);
            (before.min(points), before.max(points))
        }),
        memory: memory_for(entry.size),
    };
    let mut heard = Heard { name, versions, proof: Proof::default(), cost: None, points: None };
    let end = engine::run((&folder, &work, entry.size), (task.env, task.cancel), |said| heard.hear(said))?;
    heard.end(end);
    let Heard { proof, cost, points, .. } = heard;
    outcome.proof.take(&proof);
    outcome.points.extend(points.map(|points| (name.clone(), points)));
    if !task.settings.keep {
        fs::remove_dir_all(&folder).with_context(|| format!("remove {}", folder.display()))?;
    }
    Ok(cost.map(|(time, bytes)| (extracted + time, bytes)))
}

/// The snapshot in the archive is the one that the server made.
fn compare_source(collection: &Collection, entry: &Entry, proof: &mut Proof) {
    let (name, source) = (&collection.name, &collection.snapshot);
    if source.size != entry.size {
        proof.refute(format!(
            "{name}: the server made a snapshot of {} bytes, and the archive's has {}",
            source.size, entry.size
        ));
    }
    match &source.sha256 {
        None => proof.leave(format!("{name}: the server gave no checksum of its snapshot to compare with")),
        Some(sha256) if sha256.eq_ignore_ascii_case(&entry.sha256) => {}
        Some(_) => proof.refute(format!("{name}: its snapshot has not the SHA-256 that the server gave for it")),
    }
}

/// Writes the snapshot into the folder, and compares it with the manifest on the way.
fn extract(task: &mut Task<'_>, entry: &Entry, folder: &Path) -> anyhow::Result<()> {
    let file = File::create(folder.join(SNAPSHOT)).with_context(|| format!("write {SNAPSHOT}"))?;
    let mut file = BufWriter::with_capacity(1 << 20, file);
    task.archive.copy(entry, &mut file, task.cancel)?;
    file.into_inner().map_err(std::io::IntoInnerError::into_error).with_context(|| format!("write {SNAPSHOT}"))?;
    Ok(())
}

/// What was heard of a child.
struct Heard<'a> {
    name: &'a str,
    versions: &'a Versions,
    proof: Proof,
    cost: Option<Cost>,
    points: Option<u64>,
}

impl Heard<'_> {
    fn hear(&mut self, said: Said) {
        let name = self.name;
        match said {
            Said::Does(_) | Said::Read(_) | Said::Done => {}
            Said::Restored { ms, bytes } => self.cost = Some((Duration::from_millis(ms), bytes)),
            Said::Counted(points) => self.points = Some(points),
            Said::Proved(what) => self.proof.prove(format!("{name}: {what}")),
            Said::Left(what) => self.proof.leave(format!("{name}: {what}")),
            Said::Odd(what) => self.proof.warn(format!("{name}: {what}")),
            Said::Unclear(what) => self.proof.cannot_tell(format!("{name}: {what}")),
            Said::Broken(what) => self.proof.refute(format!("{name}: {what}")),
            Said::Refuted(what) => self.refute(&what),
        }
    }

    /// What an engine of another version finds wrong need not be wrong for its own.
    fn refute(&mut self, what: &str) {
        let name = self.name;
        if self.versions.is_same() {
            self.proof.refute(format!("{name}: {what}"));
        } else {
            self.proof.cannot_tell(format!("{name}: {what}; {}", self.versions.way_out()));
        }
    }

    fn end(&mut self, end: End) {
        match end {
            End::Done => {}
            End::OfSnapshot(what) => self.refute(&what),
            End::Unclear(what) => self.proof.cannot_tell(format!("{}: {what}", self.name)),
        }
    }
}
