//! What would be put where: found out without changing anything.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use pso_archive::Archive;
use pso_archive::catalog;
use pso_archive::verify::{Report, verify};
use pso_common::record::{Component, RestorePlanRecord};
use pso_common::{Run, Severity, Timestamp};

use crate::files::{self, FilesPlan};
use crate::postgres::{self, PgPlan};
use crate::qdrant::{self, QdrantPlan};
use crate::settings::Settings;
use crate::steps::Step;

/// A restore, thought through to its end.
pub(crate) struct RestorePlan {
    /// The archive.
    pub(crate) path: String,
    pub(crate) taken_at: Timestamp,
    pub(crate) components: Vec<Component>,
    pub(crate) postgres: Option<PgPlan>,
    pub(crate) qdrant: Option<QdrantPlan>,
    pub(crate) files: Vec<FilesPlan>,
    /// When it was made; names of what is kept carry it.
    pub(crate) at: Timestamp,
    /// What the archive does not have although another one does, and which.
    lacks: Option<String>,
}

/// Verifies the whole archive, looks at every target, and says what would be done. Changes nothing.
pub(crate) fn plan(run: &mut Run<'_>, settings: &Settings, archive: &mut Archive) -> anyhow::Result<RestorePlan> {
    let components = components(settings, archive)?;
    run.progress(format_args!("verifying {}", archive.path().display()));
    let cancel = run.cancel().clone();
    let report = verify(archive, &cancel)?;
    refuse_damage(archive, &report)?;
    let at = run.now();
    let has = |component| components.contains(&component);
    let postgres = if has(Component::Postgres) && !archive.manifest().databases.is_empty() {
        Some(postgres::plan(run, &settings.postgres, archive, at)?)
    } else {
        None
    };
    let qdrant = if has(Component::Qdrant) { Some(qdrant::plan(&settings.qdrant, archive, at)?) } else { None };
    let files = components
        .iter()
        .filter(|component| !matches!(component, Component::Postgres | Component::Qdrant))
        .map(|&component| {
            files::plan(component, settings, archive, &cancel)
                .with_context(|| format!("plan the restore of {component}"))
        })
        .collect::<anyhow::Result<_>>()?;
    Ok(RestorePlan {
        lacks: if settings.only.is_empty() { lacks(settings, archive)? } else { None },
        path: archive.path().display().to_string(),
        taken_at: archive.manifest().taken_at,
        components,
        postgres,
        qdrant,
        files,
        at,
    })
}

/// What was asked for, which the archive must have; or all that it has.
fn components(settings: &Settings, archive: &Archive) -> anyhow::Result<Vec<Component>> {
    let there = &archive.manifest().components;
    if let Some(missing) = settings.only.iter().find(|component| !there.contains(component)) {
        let names: Vec<&str> = there.iter().map(|component| component.as_str()).collect();
        bail!("{} has no {missing}, but: {}; take another archive", archive.path().display(), names.join(", "));
    }
    let wanted = |component: &Component| settings.only.is_empty() || settings.only.contains(component);
    Ok(Component::ALL.into_iter().filter(|component| there.contains(component) && wanted(component)).collect())
}

/// Components that stay as they are although they were meant: an archive of a part is the newest one, and an older one
/// has more.
fn lacks(settings: &Settings, archive: &Archive) -> anyhow::Result<Option<String>> {
    let there = &archive.manifest().components;
    let missing: Vec<Component> = Component::ALL.into_iter().filter(|component| !there.contains(component)).collect();
    let listed = catalog::list(&settings.backup_folders())?;
    let other = listed.iter().find(|listed| {
        listed.content.as_ref().is_ok_and(|other| other.components.iter().any(|component| missing.contains(component)))
    });
    Ok(other.map(|other| {
        let names: Vec<&str> = missing.iter().map(|component| component.as_str()).collect();
        format!("it holds no {}, which stay as they are; {} holds more", names.join(", "), other.path.display())
    }))
}

fn refuse_damage(archive: &Archive, report: &Report) -> anyhow::Result<()> {
    match report.summary() {
        None => Ok(()),
        Some(damage) => bail!(
            "the archive {} is damaged, and nothing of it is restored: {damage}; take another archive (`pso-backup list` shows them)",
            archive.path().display()
        ),
    }
}

impl RestorePlan {
    /// The folders in which this restore works and keeps what it replaces; `main` is the first.
    pub(crate) fn undo_folders(&self, main: PathBuf) -> Vec<PathBuf> {
        let mut folders = vec![main];
        for files in &self.files {
            if !folders.contains(&files.undo) {
                folders.push(files.undo.clone());
            }
        }
        folders
    }

    fn steps(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        let postgres: Vec<Step> = self.postgres.iter().flat_map(PgPlan::steps).collect();
        let (swaps, restores): (Vec<Step>, Vec<Step>) = postgres.into_iter().partition(|step| step.step == "swap");
        steps.extend(restores);
        steps.extend(self.qdrant.iter().flat_map(QdrantPlan::steps));
        steps.extend(self.files.iter().map(FilesPlan::step));
        // Last, because it cannot be undone once others have written into it.
        steps.extend(swaps);
        steps.push(Step::new("health", None, "service").says("asked whether it is healthy"));
        steps
    }

    /// Writes the plan and its steps.
    pub(crate) fn emit(&self, run: &mut Run<'_>) -> anyhow::Result<()> {
        let steps = self.steps();
        let body = RestorePlanRecord {
            path: self.path.clone(),
            taken_at: self.taken_at,
            components: self.components.clone(),
            steps: steps.len() as u64,
        };
        let name = std::path::Path::new(&self.path).file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (severity, more) = match &self.lacks {
            Some(lacks) => (Severity::Warning, format!("; {lacks}")),
            None => (Severity::Ok, String::new()),
        };
        run.emit(severity, name, format!("the whole archive was compared with its manifest{more}"), body)?;
        if let Some(warning) = self.postgres.as_ref().and_then(PgPlan::warning) {
            run.warn(warning);
            run.note(Severity::Warning);
        }
        steps.iter().try_for_each(|step| step.planned(run))
    }

    /// The question to somebody on a terminal.
    pub(crate) fn question(&self) -> String {
        let names: Vec<&str> = self.components.iter().map(|component| component.as_str()).collect();
        format!("Replace {} by what is in {}, taken {}?", names.join(", "), self.path, self.taken_at)
    }
}
