//! Doing what was planned. First everything is brought to where nobody sees it yet, then the service is stopped and
//! everything is switched over, the database last; whatever fails, the journal undoes in reverse.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, bail};
use pso_archive::{Archive, private_folder, sync_folder};
use pso_common::run::Confirmed;
use pso_common::{Attempted, Run, Severity};

use crate::files::Files;
use crate::health;
use crate::journal::{Begun, Journal};
use crate::plan::RestorePlan;
use crate::postgres::{self, Uncertain};
use crate::qdrant::Vectors;
use crate::settings::{STAGED, Settings};
use crate::steps::Step;

const UNDONE: Attempted = Attempted("nothing was restored: everything is as it was before");
/// What the run says that could not undo everything.
pub(crate) const NOT_UNDONE: Attempted = Attempted(
    "not everything could be undone; the critical records say what lies where; `pso-restore --rollback` tries again",
);

/// Carries the plan out.
pub(crate) fn apply(
    run: &mut Run<'_>,
    settings: &Settings,
    archive: &mut Archive,
    plan: &RestorePlan,
    _consent: Confirmed,
) -> anyhow::Result<()> {
    let folders = plan.undo_folders(settings.undo_folder());
    for folder in &folders {
        remove_leftovers(folder);
    }
    let mut journal = begin(run, settings, archive, plan, &folders)?;
    if let Err(error) = carry_out(run, settings, archive, plan, &mut journal) {
        let certain = error.downcast_ref::<Uncertain>().is_none();
        let undone = roll_back(run, settings, journal)? && certain;
        return Err(error.context(if undone { UNDONE } else { NOT_UNDONE }));
    }
    conclude(run, settings, journal)
}

fn begin(
    run: &Run<'_>,
    settings: &Settings,
    archive: &Archive,
    plan: &RestorePlan,
    folders: &[PathBuf],
) -> anyhow::Result<Journal> {
    let path = settings.journal();
    if let Some(left) = Journal::left(&path)? {
        bail!("{}", left.describe());
    }
    let absolute =
        |path: &Path| std::path::absolute(path).with_context(|| format!("find out where {} is", path.display()));
    let work = folders.iter().map(|folder| Ok(absolute(folder)?.join(plan.at.compact())));
    let begun = Begun {
        archive: absolute(archive.path())?,
        sha256: plan.sha256.clone(),
        taken_at: plan.taken_at,
        at: plan.at,
        pid: std::process::id(),
        components: plan.components.clone(),
        in_place: settings.in_place,
        database: settings.postgres.dbname.clone(),
        names_database: settings.names_database,
        work: work.collect::<anyhow::Result<_>>()?,
        postgres: (!plan.postgres.is_empty()).then(|| settings.postgres.shown()),
        qdrant: plan.qdrant.as_ref().map(|_| settings.qdrant_shown()),
        system_identifier: if plan.postgres.is_empty() {
            None
        } else {
            postgres::system_identifier(&settings.postgres)
        },
    };
    run.cancel().check()?;
    Journal::begin(&path, begun)
}

fn carry_out(
    run: &mut Run<'_>,
    settings: &Settings,
    archive: &mut Archive,
    plan: &RestorePlan,
    journal: &mut Journal,
) -> anyhow::Result<()> {
    run.cancel().check()?;
    let at = plan.at.compact();
    let work = journal.begun().work.first().context("a restore without a folder")?.clone();
    private_folder(&work)
        .and_then(|()| work.parent().map_or(Ok(()), sync_folder))
        .with_context(|| format!("create {}", work.display()))?;
    let mut databases = Vec::new();
    for postgres in &plan.postgres {
        databases.push(postgres.prepare(run, &settings.postgres, archive, journal)?);
    }
    let mut vectors = Vectors::new(&settings.qdrant, &work);
    if let Some(qdrant) = &plan.qdrant {
        vectors.prepare(run, qdrant, journal)?;
    }
    let mut files = Vec::new();
    for plan in &plan.files {
        let staged = Files::new(plan, &at)?;
        staged.prepare(run, plan, archive).with_context(|| format!("prepare the files of {}", plan.component))?;
        files.push(staged);
    }
    run.cancel().check()?;
    // Everything that is seen changes from here on.
    if let Some(commands) = &settings.commands {
        commands.stop(run, settings, journal)?;
    }
    if let Some(qdrant) = &plan.qdrant {
        vectors.switch(run, qdrant, archive, journal)?;
    }
    for (staged, plan) in files.iter().zip(&plan.files) {
        staged.switch(run, plan, journal)?;
    }
    run.cancel().check()?;
    postgres::switch(run, &settings.postgres, databases, journal)?;
    // It is done; a disk that is full now must not undo it.
    if let Err(error) = journal.switched() {
        run.warn(format_args!("{error:#}"));
    }
    Ok(())
}

/// Undoes what the journal knows of and starts the service again; whether all of it could be undone. If not, the
/// journal stays.
pub(crate) fn roll_back(run: &mut Run<'_>, settings: &Settings, mut journal: Journal) -> anyhow::Result<bool> {
    let folders = above(&journal.begun().work);
    let undone = journal.undo(run, settings);
    journal.start_service(run, settings)?;
    if undone {
        end(run, journal.close());
    }
    remove_empty(&folders);
    Ok(undone)
}

/// The end of a restore that has switched everything over.
pub(crate) fn conclude(run: &mut Run<'_>, settings: &Settings, mut journal: Journal) -> anyhow::Result<()> {
    let folders = above(&journal.begun().work);
    journal.start_service(run, settings)?;
    let (work, time) = (journal.begun().work.first().cloned(), journal.begun().at.compact());
    let is_kept = journal.has_way_back();
    end(run, journal.keep());
    remove_empty(&folders);
    if let Some(work) = work.filter(|_| is_kept) {
        let step = Step::new("keep", None, work.display().to_string());
        let message = format!(
            "what was there before; to go back to it: pso-restore --rollback {time}; when no longer wanted: pso-restore \
             --drop-previous"
        );
        step.says(message).done(run, Instant::now())?;
    }
    health::check(run, settings)
}

fn end(run: &mut Run<'_>, ended: anyhow::Result<()>) {
    if let Err(error) = ended {
        run.warn(format_args!("{error:#}"));
        run.note(Severity::Warning);
    }
}

fn above(work: &[PathBuf]) -> Vec<PathBuf> {
    work.iter().filter_map(|work| work.parent()).map(Path::to_path_buf).collect()
}

/// Removes what killed restores of earlier versions had staged, saved snapshots of collections that they had not touched
/// yet among it. What they replaced stays: it may be all that is left of it.
fn remove_leftovers(folder: &Path) {
    for work in entries(folder) {
        let _ = fs::remove_dir_all(work.join(STAGED));
        remove_if_empty(&work);
    }
}

/// Removes the folders of restores that keep nothing, and what they are in, unless something else is there: the lock.
pub(crate) fn remove_empty(folders: &[PathBuf]) {
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

/// What lies in a folder; nothing where it cannot be read.
pub(crate) fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).map(|entries| entries.flatten().map(|entry| entry.path()).collect());
    entries.unwrap_or_default()
}
