//! The private folders of rehearsals that were killed.

use std::path::{Path, PathBuf};
use std::time::Instant;

use pso_archive::{Lock, scratch};
use pso_common::record::StepState;
use pso_common::{Run, Severity};
use walkdir::WalkDir;

use super::Leftovers;
use crate::step::Step;

pub(super) struct Rehearsals(Vec<Left>);

struct Left {
    path: PathBuf,
    files: u64,
    size: u64,
}

pub(super) fn plan(run: &mut Run<'_>, parent: &Path) -> anyhow::Result<Rehearsals> {
    let mut all = Vec::new();
    for path in scratch::abandoned(parent) {
        let left = measure(path);
        match in_use(&left.path) {
            Some(reason) => left.step().says(Severity::Info, reason).emit(run, StepState::Skipped, None)?,
            None => all.push(left),
        }
    }
    Ok(Rehearsals(all))
}

fn measure(path: PathBuf) -> Left {
    let files =
        WalkDir::new(&path).follow_links(false).into_iter().flatten().filter(|entry| !entry.file_type().is_dir());
    let (files, size) = files
        .filter_map(|entry| entry.metadata().ok())
        .fold((0, 0), |(files, size), metadata| (files + 1, size + metadata.len()));
    Left { path, files, size }
}

impl Left {
    fn step(&self) -> Step {
        super::step(self.path.display().to_string(), self.files, self.size, "a killed rehearsal has left it")
    }

    fn removed(&self) -> Result<(), (StepState, Severity, String)> {
        let lock = self.path.join(scratch::LOCK);
        if !scratch::is_ours(&self.path) || !lock.is_file() {
            return Err((StepState::Skipped, Severity::Ok, "it is gone".to_owned()));
        }
        let _held = Lock::acquire(&lock, "rehearsal")
            .map_err(|held| (StepState::Skipped, Severity::Info, format!("{held:#}")))?;
        if let Some(reason) = in_use(&self.path) {
            return Err((StepState::Skipped, Severity::Info, reason));
        }
        scratch::remove(&self.path)
            .map_err(|error| (StepState::Failed, Severity::High, format!("it cannot be removed: {error}")))
    }
}

impl Leftovers for Rehearsals {
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

/// Why it is left alone: the server of a killed rehearsal may have outlived it, and how to end that `pso-rehearse` knows.
#[cfg(target_os = "linux")]
fn in_use(folder: &Path) -> Option<String> {
    let folder = std::fs::canonicalize(folder).ok()?;
    let mut processes = std::fs::read_dir("/proc").ok()?.flatten();
    let process = processes
        .find(|process| std::fs::read_link(process.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(&folder)))?;
    Some(format!(
        "a killed rehearsal has left it, and process {} still works in it; the next `pso-rehearse` ends that",
        process.file_name().display()
    ))
}

#[cfg(not(target_os = "linux"))]
fn in_use(folder: &Path) -> Option<String> {
    let reason = "a killed rehearsal has left it, and whether its server still runs is not told here; the next `pso-rehearse` \
                  ends that and removes it";
    folder.join("postgres").exists().then(|| reason.to_owned())
}
