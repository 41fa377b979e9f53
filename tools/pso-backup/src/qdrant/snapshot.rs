//! Snapshots on the server: asked for, waited for, deleted.

use std::cell::Cell;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use pso_archive::Notes;
use pso_common::io::Cancel;
use pso_common::qdrant::{QdrantClient, QdrantError, Snapshot};
use pso_common::{Run, Timestamp};

/// How often a snapshot is made again because points came or went meanwhile.
const ATTEMPTS: u32 = 3;
/// Names of snapshots have this resolution, so one that is made sooner could replace the one before.
const PACE: Duration = Duration::from_millis(1010);
/// How often the list is looked at: first soon, because most snapshots are small, later seldom.
const SOONEST: Duration = Duration::from_millis(10);
const SELDOMEST: Duration = Duration::from_secs(1);
/// How long a signal may wait to be noticed.
const STEP: Duration = Duration::from_millis(50);
/// A file that has not grown for so long and has no checksum gets none: some stores of snapshots compute none.
const NO_CHECKSUM: Duration = Duration::from_secs(120);

/// Makes snapshots, one a second at most, and notes what lies on the server because of it.
pub(super) struct Maker {
    client: QdrantClient,
    notes: Notes,
    timeout: Duration,
    next: Cell<Option<Instant>>,
}

/// A snapshot on the server.
pub(super) struct Made {
    pub(super) snapshot: Snapshot,
    /// Points before and after.
    pub(super) before: u64,
    pub(super) after: u64,
    /// Nobody else has made it.
    ours: bool,
}

impl Maker {
    pub(super) fn new(client: &QdrantClient, folder: &Path, timeout: Duration) -> Self {
        let notes = Notes::new(folder, client.shown_url());
        Self { client: client.clone(), notes, timeout, next: Cell::new(None) }
    }

    pub(super) const fn notes(&self) -> &Notes {
        &self.notes
    }

    /// Makes a snapshot, counting before and after. Where the counts differ it is made again: only between equal
    /// counts is it known exactly how many points it holds.
    pub(super) fn make(&self, name: &str, run: &mut Run<'_>) -> anyhow::Result<Made> {
        let cancel = run.cancel().clone();
        let mut attempt = 1;
        loop {
            self.keep_pace(&cancel)?;
            let listed = self.client.snapshots(name).context("list its snapshots")?;
            let before = self.client.count(name).context("count its points")?;
            let (snapshot, ours) = self.create(name, &listed, run)?;
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
        }
    }

    /// Waits until a snapshot has a name that none has yet.
    fn keep_pace(&self, cancel: &Cancel) -> anyhow::Result<()> {
        if let Some(next) = self.next.get() {
            pause(next.saturating_duration_since(Instant::now()), cancel)?;
        }
        Ok(cancel.check()?)
    }

    /// Asks the server for a snapshot and waits until it lies there; whether it is ours. The server answers at once
    /// and only logs when it fails later, hence the deadline.
    fn create(&self, name: &str, listed: &[Snapshot], run: &mut Run<'_>) -> anyhow::Result<(Snapshot, bool)> {
        let (at, cancel) = (run.now(), run.cancel().clone());
        self.notes.asked(name, at, listed);
        if let Err(error) = self.client.request_snapshot(name) {
            // These say that it did not begin; a gateway's, or none, say nothing.
            if matches!(error, QdrantError::Status(status, _) if !matches!(status, 502..=504)) {
                self.notes.answered(name, at, None);
            }
            return Err(error).context("ask for a snapshot (where no answer came, Qdrant may make one all the same)");
        }
        let result = self.appears(name, at, listed, run, &cancel);
        self.next.set(Some(Instant::now() + PACE));
        let (snapshot, ours) = result?;
        self.notes.answered(name, at, Some(snapshot.name.as_str()).filter(|_| ours));
        Ok((snapshot, ours))
    }

    /// Looks at the list until a snapshot is in it that was not there before, with its checksum and a size that stays.
    fn appears(
        &self,
        name: &str,
        at: Timestamp,
        before: &[Snapshot],
        run: &mut Run<'_>,
        cancel: &Cancel,
    ) -> anyhow::Result<(Snapshot, bool)> {
        let started = Instant::now();
        let mut wait = SOONEST;
        let mut last: Option<(Snapshot, Instant)> = None;
        loop {
            pause(wait, cancel).context("wait for a snapshot")?;
            let listed = self.client.snapshots(name).context("look for the snapshot that was asked for")?;
            let mut new = listed.into_iter().filter(|snapshot| is_new(snapshot, name, before));
            let (found, others) = (new.next(), new.next().is_some());
            match (found, &last) {
                (Some(found), Some((seen, since))) if found == *seen => {
                    if found.checksum.is_some() || since.elapsed() >= NO_CHECKSUM {
                        // Of two that are new one is somebody else's, and nobody knows which.
                        return Ok((found, !others));
                    }
                }
                (Some(found), _) => {
                    run.progress_again(format_args!("collection {name}: the server is at it, {} bytes", found.size));
                    // Once more soon: most are whole when they appear.
                    wait = SOONEST;
                    last = Some((found, Instant::now()));
                }
                (None, _) => last = None,
            }
            if started.elapsed() >= self.timeout {
                bail!(
                    "no snapshot appeared within {:?} since {at}: see Qdrant's log for the reason (a full disk is one), \
                     or set maintenance.qdrant.snapshot_timeout higher",
                    self.timeout
                );
            }
            wait = (wait * 2).min(SELDOMEST);
        }
    }

    /// Deletes it on the server, where it is ours.
    pub(super) fn delete(&self, collection: &str, made: &Made) -> anyhow::Result<()> {
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

/// Whether a snapshot came since, and was made by the server rather than uploaded.
fn is_new(snapshot: &Snapshot, collection: &str, before: &[Snapshot]) -> bool {
    snapshot.name.starts_with(&format!("{collection}-")) && before.iter().all(|other| other.name != snapshot.name)
}

/// Waits, as long as no signal comes.
fn pause(span: Duration, cancel: &Cancel) -> anyhow::Result<()> {
    let until = Instant::now() + span;
    loop {
        cancel.check()?;
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        thread::sleep(left.min(STEP));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_uploaded_or_there_before_is_not_new() {
        let snapshot = |name: &str| Snapshot { name: name.to_owned(), size: 1, checksum: None };
        let before = [snapshot("plans-1-2026-11-22-09-00-00.snapshot")];
        assert!(is_new(&snapshot("plans-1-2026-11-22-09-00-01.snapshot"), "plans", &before));
        assert!(!is_new(&before[0], "plans", &before));
        assert!(!is_new(&snapshot("pso-restore-20261122_090000.snapshot"), "plans", &before));
    }
}
