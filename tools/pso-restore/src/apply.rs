//! Doing what was planned. First everything is brought to where nobody sees it yet, then it is switched over, the
//! database last; whatever fails, what was done is undone in reverse.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use pso_archive::{Archive, private_folder};
use pso_common::{Attempted, Run, Severity};

use crate::confirm::Confirmed;
use crate::files::Files;
use crate::health;
use crate::plan::RestorePlan;
use crate::postgres::{Prepared, Uncertain};
use crate::qdrant::Vectors;
use crate::settings::{STAGED, Settings};

const UNDONE: Attempted = Attempted("nothing was restored: everything is as it was before");
const NOT_UNDONE: Attempted =
    Attempted("the restore failed, and not everything could be undone; the critical records say what lies where");

/// What was done so far, and can be undone.
#[derive(Default)]
struct Done {
    postgres: Option<Prepared>,
    qdrant: Option<Vectors>,
    files: Vec<Files>,
}

/// Carries the plan out.
pub(crate) fn apply(
    run: &mut Run<'_>,
    settings: &Settings,
    archive: &mut Archive,
    plan: &RestorePlan,
    _consent: Confirmed,
) -> anyhow::Result<()> {
    // From here on a reader that leaves does not end the run in the middle.
    run.must_finish();
    let folders = plan.undo_folders(settings.undo_folder());
    for folder in &folders {
        remove_leftovers(folder);
    }
    let mut done = Done::default();
    let result = carry_out(run, settings, archive, plan, &mut done);
    if let Err(error) = result {
        let certain = error.downcast_ref::<Uncertain>().is_none();
        let undone = done.undo(run, settings) && certain;
        remove_empty(&folders);
        return Err(error.context(if undone { UNDONE } else { NOT_UNDONE }));
    }
    if let Some(vectors) = &done.qdrant {
        vectors.remove_saved();
    }
    remove_empty(&folders);
    health::check(run, settings)
}

fn carry_out(
    run: &mut Run<'_>,
    settings: &Settings,
    archive: &mut Archive,
    plan: &RestorePlan,
    done: &mut Done,
) -> anyhow::Result<()> {
    run.cancel().check()?;
    let at = plan.at.compact();
    let work = settings.undo_folder().join(&at);
    private_folder(&work).with_context(|| format!("create {}", work.display()))?;
    if let Some(postgres) = &plan.postgres {
        done.postgres = Some(postgres.prepare(run, &settings.postgres, archive)?);
    }
    // These are noted before they are prepared, so that what fails in the middle is cleaned up too.
    if let Some(qdrant) = &plan.qdrant {
        done.qdrant.insert(Vectors::new(&settings.qdrant, &work)).prepare(run, qdrant)?;
    }
    for plan in &plan.files {
        let files = Files::new(plan, &at);
        let prepared = files.prepare(run, plan, archive);
        done.files.push(files);
        prepared.with_context(|| format!("prepare the files of {}", plan.component))?;
    }
    run.cancel().check()?;
    if let (Some(qdrant), Some(vectors)) = (&plan.qdrant, &mut done.qdrant) {
        vectors.switch(run, qdrant, archive)?;
    }
    for (files, prepared) in plan.files.iter().zip(&mut done.files) {
        prepared.switch(run, files)?;
    }
    run.cancel().check()?;
    match &mut done.postgres {
        Some(prepared) => prepared.switch(run, &settings.postgres),
        None => Ok(()),
    }
}

impl Done {
    /// Undoes everything in reverse; whether all of it could be.
    fn undo(mut self, run: &mut Run<'_>, settings: &Settings) -> bool {
        let mut results = Vec::new();
        if let Some(prepared) = self.postgres.take() {
            results.push(prepared.undo(run, &settings.postgres));
        }
        for files in self.files.iter_mut().rev() {
            results.push(files.undo(run));
        }
        if let Some(mut vectors) = self.qdrant.take() {
            results.push(vectors.undo(run));
        }
        for error in results.iter().filter_map(|result| result.as_ref().err()) {
            run.warn(format_args!("{error:#}"));
            run.note(Severity::Critical);
        }
        results.iter().all(Result::is_ok)
    }
}

/// Removes what killed restores had staged, saved snapshots of collections that they had not touched yet among it. What
/// they replaced stays: it may be all that is left of it.
fn remove_leftovers(folder: &Path) {
    for work in entries(folder) {
        let _ = fs::remove_dir_all(work.join(STAGED));
        remove_if_empty(&work);
    }
}

/// Removes the folders of restores that keep nothing, and what they are in, unless something else is there: the lock.
fn remove_empty(folders: &[PathBuf]) {
    for folder in folders {
        remove_if_empty(folder);
    }
}

/// Removes a folder that has nothing but empty folders in it.
fn remove_if_empty(folder: &Path) {
    for below in entries(folder) {
        if below.is_dir() {
            remove_if_empty(&below);
        }
    }
    // One that is not empty stays.
    let _ = fs::remove_dir(folder);
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).map(|entries| entries.flatten().map(|entry| entry.path()).collect());
    entries.unwrap_or_default()
}
