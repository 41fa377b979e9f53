//! Unfinished archives in the backup folders, and files that describe an archive that is not there.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use pso_archive::{BACKUP_LOCK, Lock, leftovers, wanted};
use pso_common::record::{PrunePart, StepState};
use pso_common::{Run, Severity};

use super::Leftovers;
use crate::settings::Settings;
use crate::step::Step;

pub(super) struct Unfinished(Vec<Folder>);

struct Folder {
    path: PathBuf,
    /// Names with sizes in bytes.
    left: Vec<(String, u64)>,
}

pub(super) fn plan(run: &mut Run<'_>, settings: &Settings) -> anyhow::Result<Unfinished> {
    let mut folders = Vec::new();
    for path in wanted::folders(&settings.paths) {
        if !path.exists() {
            continue;
        }
        let skipped = match Lock::refuse_held(&path.join(BACKUP_LOCK), &what(&path)) {
            Err(held) => Some((Severity::Info, held)),
            Ok(()) => match leftovers(&path) {
                Err(error) => Some((Severity::Warning, error)),
                Ok(names) => {
                    let size = |name: &String| fs::symlink_metadata(path.join(name)).map_or(0, |file| file.len());
                    let left =
                        names.into_iter().map(|name| (size(&name), name)).map(|(size, name)| (name, size)).collect();
                    folders.push(Folder { path: path.clone(), left });
                    None
                }
            },
        };
        if let Some((severity, error)) = skipped {
            let step = Step::new(PrunePart::Tmp, "look", path.display().to_string());
            step.says(severity, format!("{error:#}")).emit(run, StepState::Skipped, None)?;
        }
    }
    Ok(Unfinished(folders))
}

impl Folder {
    fn step(&self, name: &str, size: u64) -> Step {
        super::step(self.path.join(name).display().to_string(), 1, size, "a killed backup has left it")
    }
}

impl Leftovers for Unfinished {
    fn steps(&self) -> Vec<Step> {
        self.0.iter().flat_map(|folder| folder.left.iter().map(|(name, size)| folder.step(name, *size))).collect()
    }

    fn remove(&self, run: &mut Run<'_>) -> anyhow::Result<()> {
        for folder in self.0.iter().filter(|folder| !folder.left.is_empty()) {
            let lock = Lock::acquire(&folder.path.join(BACKUP_LOCK), &what(&folder.path));
            // A backup that has come meanwhile has removed them, and what is there now may be described by them.
            let still = match &lock {
                Ok(_held) => leftovers(&folder.path).unwrap_or_default(),
                Err(_) => Vec::new(),
            };
            for (name, size) in &folder.left {
                let started = Instant::now();
                let result = match &lock {
                    Err(held) => Err((StepState::Skipped, Severity::Info, format!("{held:#}"))),
                    Ok(_) if !still.contains(name) => {
                        Err((StepState::Skipped, Severity::Ok, "it is gone, or no leftover any more".to_owned()))
                    }
                    Ok(_) => fs::remove_file(folder.path.join(name))
                        .map_err(|error| (StepState::Failed, Severity::High, format!("it cannot be removed: {error}"))),
                };
                super::tell(run, folder.step(name, *size), result, started)?;
            }
        }
        Ok(())
    }
}

fn what(folder: &Path) -> String {
    format!("backup into {}", folder.display())
}
