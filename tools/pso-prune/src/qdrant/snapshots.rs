//! Snapshots on the server that killed backups have left.
//!
//! Qdrant gives them their names, so an operator's look the same: only those go that `pso-backup` has noted in its folder
//! ([`pso_archive::Notes`]), and none while a backup is running.

use std::path::PathBuf;
use std::time::Instant;

use pso_archive::{BACKUP_LOCK, Lock, Notes};
use pso_common::qdrant::{QdrantClient, Snapshot};
use pso_common::record::{PrunePart, StepState};
use pso_common::{Run, Severity};

use crate::step::Step;

/// What is noted in one backup folder, and lies on the server.
pub(super) struct Leftovers {
    folder: PathBuf,
    left: Vec<(String, Snapshot)>,
}

impl Leftovers {
    /// `None` where there are none.
    pub(super) fn plan(run: &mut Run<'_>, client: &QdrantClient, folder: PathBuf) -> anyhow::Result<Option<Self>> {
        let left = Notes::new(&folder, client.shown_url()).left(client)?;
        if left.is_empty() {
            return Ok(None);
        }
        if let Err(held) = Lock::refuse_held(&folder.join(BACKUP_LOCK), &what(&folder)) {
            let said = format!("snapshots on the server may be its own: {held:#}");
            let step = Step::new(PrunePart::Qdrant, "remove", folder.display().to_string());
            step.says(Severity::Info, said).emit(run, StepState::Skipped, None)?;
            return Ok(None);
        }
        Ok(Some(Self { folder, left }))
    }

    pub(super) fn steps(&self) -> impl Iterator<Item = Step> {
        self.left.iter().map(|(collection, snapshot)| {
            let step = Step::new(PrunePart::Qdrant, "remove", format!("{collection}/{}", snapshot.name));
            let said = "a snapshot on Qdrant's disk that a killed backup has left";
            let mut step = step.says(Severity::Ok, said);
            (step.files, step.size_bytes) = (Some(1), Some(snapshot.size));
            step
        })
    }

    pub(super) fn remove(&self, run: &mut Run<'_>, client: &QdrantClient) -> anyhow::Result<()> {
        let started = Instant::now();
        let lock = Lock::acquire(&self.folder.join(BACKUP_LOCK), &what(&self.folder));
        let deleted = match &lock {
            Ok(_held) => {
                let is_planned = |collection: &str, name: &str| {
                    self.left.iter().any(|(of, one)| of == collection && one.name == name)
                };
                Notes::new(&self.folder, client.shown_url()).clear(client, run.now(), is_planned)
            }
            Err(_) => Vec::new(),
        };
        for (step, (_, snapshot)) in self.steps().zip(&self.left) {
            if deleted.contains(&snapshot.name) {
                step.emit(run, StepState::Done, Some(started))?;
                continue;
            }
            let (state, severity, said) = match &lock {
                Err(held) => (StepState::Skipped, Severity::Info, format!("{held:#}")),
                Ok(_) => {
                    let said =
                        "it was not removed: it is not noted any more, or Qdrant refused; the next backup tries again";
                    (StepState::Failed, Severity::Warning, said.to_owned())
                }
            };
            step.says(severity, said).emit(run, state, Some(started))?;
        }
        Ok(())
    }
}

fn what(folder: &std::path::Path) -> String {
    format!("backup into {}", folder.display())
}
