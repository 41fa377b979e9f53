//! What killed runs have left: unfinished archives, private folders of rehearsals, unfinished compressed logs.
//!
//! Only what is ours by its name, and whose run is over: by the lock that it held, or, of a file without one, by its age. The
//! journal of a killed restore is no leftover: it is what brings everything back, so it is told and stays.

mod archives;
mod logs;
mod rehearsals;

use std::path::{Path, PathBuf};

use pso_archive::{Lock, RESTORE_LOCK, unfinished_restore};
use pso_common::config::{Config, Field, Paths};
use pso_common::record::{PrunePart, StepState};
use pso_common::run::Confirmed;
use pso_common::{Run, Severity};
use serde::Deserialize;

use crate::cleaning::Plan;
use crate::settings::Settings;
use crate::step::Step;

/// One kind of leftovers.
trait Leftovers {
    fn steps(&self) -> Vec<Step>;
    fn remove(&self, run: &mut Run<'_>) -> anyhow::Result<()>;
}

/// Finds out what is left.
///
/// # Errors
/// When records cannot be written.
pub(crate) fn plan(run: &mut Run<'_>, settings: &Settings) -> anyhow::Result<Box<dyn Plan>> {
    tell_restore(run, &settings.paths)?;
    Ok(Box::new(TmpPlan(vec![
        Box::new(archives::plan(run, settings)?),
        Box::new(rehearsals::plan(run, &settings.rehearsals)?),
        Box::new(logs::plan(settings)),
    ])))
}

struct TmpPlan(Vec<Box<dyn Leftovers>>);

impl Plan for TmpPlan {
    fn steps(&self) -> Vec<Step> {
        self.0.iter().flat_map(|leftovers| leftovers.steps()).collect()
    }

    fn apply(self: Box<Self>, run: &mut Run<'_>, _settings: &Settings, _consent: &Confirmed) -> anyhow::Result<()> {
        for leftovers in &self.0 {
            run.cancel().check()?;
            leftovers.remove(run)?;
        }
        Ok(())
    }
}

/// A step that removes so many files of that size.
fn step(object: String, files: u64, size: u64, said: &str) -> Step {
    let mut step = Step::new(PrunePart::Tmp, "remove", object).says(Severity::Ok, said);
    (step.files, step.size_bytes) = (Some(files), Some(size));
    step
}

/// Writes what became of a leftover.
fn tell(
    run: &mut Run<'_>,
    step: Step,
    result: Result<(), (StepState, Severity, String)>,
    started: std::time::Instant,
) -> anyhow::Result<()> {
    match result {
        Ok(()) => step.emit(run, StepState::Done, Some(started)),
        Err((state, severity, said)) => step.says(severity, said).emit(run, state, Some(started)),
    }
}

/// A restore that was killed has left half of one state and half of another.
fn tell_restore(run: &mut Run<'_>, paths: &Paths) -> anyhow::Result<()> {
    let said = match unfinished_restore(&paths.root) {
        Ok(None) => return Ok(()),
        // One that still runs.
        Ok(Some(_)) if Lock::refuse_held(&paths.root.join(RESTORE_LOCK), "restore").is_err() => return Ok(()),
        Ok(Some(unfinished)) => format!(
            "the restore of {} at {} was killed, and what is there may be half of it: `pso-restore --rollback` puts everything \
             back as it was, `pso-restore --resume` brings it to its end; nothing of it is removed here",
            unfinished.archive.display(),
            unfinished.at
        ),
        Err(error) => format!("{error:#}"),
    };
    let step = Step::new(PrunePart::Tmp, "look", paths.join(Path::new(".pso-restore")).display().to_string());
    step.says(Severity::Warning, said).emit(run, StepState::Skipped, None)
}

/// The one key of `maintenance.rehearse` that is asked for here.
#[derive(Default, Deserialize)]
#[serde(default)]
struct FileConfig {
    maintenance: Option<Maintenance>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Maintenance {
    rehearse: Option<RehearseSection>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RehearseSection {
    temp_dir: Field,
}

/// Where rehearsals make their private folders.
pub(crate) fn rehearsals_in(config: &Config, paths: &Paths) -> anyhow::Result<PathBuf> {
    let section =
        config.read::<FileConfig>()?.maintenance.and_then(|maintenance| maintenance.rehearse).unwrap_or_default();
    let folder: PathBuf = config
        .pick("maintenance.rehearse.temp_dir")
        .env("PSO_REHEARSE_TEMP_DIR")
        .file(&section.temp_dir)
        .or(std::env::temp_dir())?;
    Ok(paths.join(&folder))
}
