//! Compressed logs that were not whole when `pso-prune logs` was killed.

use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use pso_common::record::StepState;
use pso_common::{Run, Severity};
use walkdir::WalkDir;

use super::Leftovers;
use crate::logs::{Folder, Identity, is_unfinished};
use crate::settings::Settings;
use crate::step::Step;

/// What was written to in this time may belong to a run that is at it.
const AT_IT: Duration = Duration::from_secs(3600);

pub(super) struct Unfinished(Vec<Left>);

struct Left {
    root: PathBuf,
    below: PathBuf,
    identity: Identity,
}

pub(super) fn plan(settings: &Settings) -> Unfinished {
    let mut all: Vec<Left> = Vec::new();
    for root in settings.logs.folders() {
        // A link to the folder was configured as such; links in it are not followed.
        let Ok(real) = std::fs::canonicalize(root) else { continue };
        for entry in WalkDir::new(&real).same_file_system(true).into_iter().flatten() {
            if !entry.file_type().is_file() || !is_unfinished(entry.file_name()) {
                continue;
            }
            let (Ok(metadata), Ok(below)) = (entry.metadata(), entry.path().strip_prefix(&real)) else { continue };
            let identity = Identity::of(&metadata);
            let age = SystemTime::now().duration_since(identity.modified).unwrap_or_default();
            if age > AT_IT {
                all.push(Left { root: root.clone(), below: below.to_path_buf(), identity });
            }
        }
    }
    Unfinished(all)
}

impl Left {
    fn step(&self) -> Step {
        let path = self.root.join(&self.below).display().to_string();
        super::step(path, 1, self.identity.size, "a killed run of this tool has left it")
    }

    fn removed(&self) -> Result<(), (StepState, Severity, String)> {
        let folder = self.below.parent().unwrap_or_else(|| std::path::Path::new(""));
        let removed = Folder::open(&self.root, folder)
            .and_then(|folder| folder.remove(self.below.file_name().unwrap_or_default(), &self.identity));
        removed.map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => (StepState::Skipped, Severity::Ok, "it is gone".to_owned()),
            _ => (StepState::Failed, Severity::Warning, format!("it was not removed: {error}")),
        })
    }
}

impl Leftovers for Unfinished {
    fn steps(&self) -> Vec<Step> {
        self.0.iter().map(Left::step).collect()
    }

    fn remove(&self, run: &mut Run<'_>) -> anyhow::Result<()> {
        for left in &self.0 {
            run.cancel().check()?;
            let started = Instant::now();
            super::tell(run, left.step(), left.removed(), started)?;
        }
        Ok(())
    }
}
