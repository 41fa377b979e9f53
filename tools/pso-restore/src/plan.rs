//! What would be put where: found out without changing anything.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use pso_archive::verify::{Depth, Report, verify};
use pso_archive::{Archive, catalog, legacy};
use pso_common::record::{Component, RestoreMode, RestorePlanRecord};
use pso_common::{Run, Severity, Timestamp};

use crate::files::{self, FilesPlan};
use crate::postgres::{self, PgPlan};
use crate::present::Present;
use crate::qdrant::{self, QdrantPlan};
use crate::service::Commands;
use crate::settings::Settings;
use crate::space::{self, Space};
use crate::steps::Step;

/// How much is looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Detail {
    /// What it takes to restore.
    Usual,
    /// Every row that is there too, for the plan's hash.
    Hashed,
}

/// A restore, thought through to its end.
pub(crate) struct RestorePlan {
    /// The archive.
    pub(crate) path: String,
    /// Whether the archive says what it should be; one of the old script does not.
    has_manifest: bool,
    /// The archive's SHA-256.
    pub(crate) sha256: String,
    pub(crate) taken_at: Timestamp,
    pub(crate) components: Vec<Component>,
    pub(crate) postgres: Vec<PgPlan>,
    pub(crate) qdrant: Option<QdrantPlan>,
    pub(crate) files: Vec<FilesPlan>,
    /// When it was made; names of what is kept carry it.
    pub(crate) at: Timestamp,
    /// What the archive does not have although another one does, and which.
    lacks: Option<String>,
    commands: Option<Commands>,
    /// What is there now, where the plan has a hash.
    present: Option<Present>,
    space: Space,
}

/// Verifies the whole archive, looks at every target, and says what would be done. Changes nothing.
pub(crate) fn plan(
    run: &mut Run<'_>,
    settings: &Settings,
    archive: &mut Archive,
    detail: Detail,
) -> anyhow::Result<RestorePlan> {
    let components = components(settings, archive)?;
    run.progress(format_args!("verifying {}", archive.path().display()));
    let cancel = run.cancel().clone();
    let report = verify(archive, Depth::Packed, &cancel)?;
    refuse_damage(archive, &report)?;
    let sha256 = report.sha256.context("the hash of the archive was not computed")?;
    let at = moment(settings, run.now());
    let has = |component| components.contains(&component);
    let postgres = if has(Component::Postgres) && !archive.manifest().databases.is_empty() {
        postgres::plan(run, settings, archive, at)?
    } else {
        Vec::new()
    };
    let qdrant = if has(Component::Qdrant) { Some(qdrant::plan(&settings.qdrant, archive, at)?) } else { None };
    let files: Vec<FilesPlan> = components
        .iter()
        .filter(|component| !matches!(component, Component::Postgres | Component::Qdrant))
        .map(|&component| {
            files::plan(component, settings, archive, &cancel)
                .with_context(|| format!("plan the restore of {component}"))
        })
        .collect::<anyhow::Result<_>>()?;
    let space = space::look(settings, &postgres, qdrant.as_ref(), &files)?;
    let present = match detail {
        Detail::Usual => None,
        Detail::Hashed => Some(Present::look(run, settings, &sha256, &postgres, qdrant.as_ref(), &files)?),
    };
    Ok(RestorePlan {
        lacks: if settings.only.is_empty() { lacks(settings, archive)? } else { None },
        path: archive.path().display().to_string(),
        sha256,
        has_manifest: archive.manifest().schema != legacy::NO_MANIFEST,
        taken_at: archive.manifest().taken_at,
        components,
        postgres,
        qdrant,
        files,
        at,
        commands: settings.commands.clone(),
        present,
        space,
    })
}

/// Now, or the first second after it in which no other restore was begun: names carry the time in seconds, and what an
/// earlier one has kept must not be written over.
fn moment(settings: &Settings, now: Timestamp) -> Timestamp {
    let folders = files::undo_folders(settings);
    let is_taken = |at: &Timestamp| folders.iter().any(|folder| folder.join(at.compact()).exists());
    let mut seconds = (0..).map(|seconds| Timestamp::new(now.to_utc() + Duration::from_secs(seconds)));
    seconds.find(|at| !is_taken(at)).unwrap_or(now)
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
        steps.extend(self.commands.iter().map(Commands::stop_step));
        steps.extend(self.qdrant.iter().flat_map(QdrantPlan::steps));
        steps.extend(self.files.iter().map(FilesPlan::step));
        // Last, because it cannot be undone once others have written into it.
        steps.extend(swaps);
        steps.extend(self.commands.iter().map(Commands::start_step));
        steps.push(Step::new("health", None, "service").says("asked whether it is healthy"));
        if let Some(present) = &self.present {
            steps.iter_mut().for_each(|step| step.hash = present.hash_of(step));
        }
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
            mode: RestoreMode::Restore,
            hash: self.present.as_ref().map(Present::hash),
            needed_bytes: Some(self.space.needed),
            free_bytes: self.space.free,
        };
        let name = std::path::Path::new(&self.path).file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut message = if self.has_manifest {
            "the whole archive was compared with its manifest".to_owned()
        } else {
            "it carries no manifest, so it could only be read to its end".to_owned()
        };
        message.extend(self.space.note.iter().chain(&self.lacks).map(|note| format!("; {note}")));
        let severity = if self.lacks.is_some() || !self.has_manifest { Severity::Warning } else { Severity::Ok };
        if let Some(hash) = &body.hash {
            // A table shows its beginning only.
            run.progress(format_args!("to carry out this plan and no other: --yes --plan-hash {hash}"));
        }
        run.emit(severity, name, message, body)?;
        for warning in
            self.postgres.iter().filter_map(PgPlan::warning).chain(self.space.warnings.iter().map(String::as_str))
        {
            run.warn(warning);
            run.note(Severity::Warning);
        }
        steps.iter().try_for_each(|step| step.planned(run))
    }

    /// Refuses where the target or the archive is not as it was when somebody looked at the plan.
    pub(crate) fn ensure_hash(&self, expected: Option<&str>) -> anyhow::Result<()> {
        let now = self.present.as_ref().map(Present::hash);
        match (expected, now) {
            (Some(expected), Some(now)) if !now.eq_ignore_ascii_case(expected.trim()) => bail!(
                "nothing was changed: the target or the archive is not as it was for the plan {expected}, but as in the \
                 plan {now} that is printed now; each of its steps has a hash of what is there, and those that differ \
                 from the earlier plan's say where: {}",
                self.present.as_ref().map(Present::parts).unwrap_or_default()
            ),
            _ => Ok(()),
        }
    }

    /// The question to somebody on a terminal.
    pub(crate) fn question(&self) -> String {
        let names: Vec<&str> = self.components.iter().map(|component| component.as_str()).collect();
        format!("Replace {} by what is in {}, taken {}?", names.join(", "), self.path, self.taken_at)
    }
}
