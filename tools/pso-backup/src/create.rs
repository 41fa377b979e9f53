//! `create`: locks, hooks, the archive, its copy, retention, and `logs/backup.log`.

use std::fs;

use anyhow::{Context as _, bail};
use pso_archive::{
    Identities, Lock, Manifest, Published, Recipients, Status, is_encrypted, remove_leftovers, unfinished_restore,
};
use pso_common::record::BackupArchiveRecord;
use pso_common::{Attempted, Run, Severity, Timestamp};

use crate::capture::{self, Sources};
use crate::destination::{self, FolderDestination};
use crate::log::LogLine;
use crate::record::name_of;
use crate::retention::{Confirmed, Plan, Trust};
use crate::settings::Settings;
use crate::space;

/// Makes an archive, and writes the outcome to `logs/backup.log`.
pub(crate) fn create(run: &mut Run<'_>, settings: &Settings) -> anyhow::Result<()> {
    // A reader that leaves early does not end a backup.
    run.must_finish();
    let taken_at = run.now();
    let result = make(run, settings, taken_at);
    let error = result.as_ref().err().map(|error| format!("{error:#}"));
    let line = match (&result, &error) {
        (Err(_), Some(error)) => LogLine::failed(run.now(), &settings.folder, error),
        (Ok(published), _) => LogLine::success(run.now(), &published.path, published.size),
        (Err(_), None) => bail!("an error without a text"),
    };
    if let Err(error) = line.append(&settings.paths.logs) {
        warn(run, &error);
    }
    result.map(drop)
}

fn make(run: &mut Run<'_>, settings: &Settings, taken_at: Timestamp) -> anyhow::Result<Published> {
    let folder = &settings.folder;
    refuse_restore(settings)?;
    let keys = settings.encryption.for_writing()?;
    // Where nothing can be backed up, not even a folder is created.
    let sources = capture::look(run, settings, Vec::new())?;
    fs::create_dir_all(folder).with_context(|| format!("create the backup folder {}", folder.display()))?;
    let _lock = FolderDestination::new(folder).lock().map_err(|error| space::explain(error, folder))?;
    // Once more after our own was taken, as a restore does, so that at least one of the two sees the other.
    refuse_restore(settings)?;
    for name in remove_leftovers(folder)? {
        run.progress(format_args!("removed what a killed run had left: {name}"));
    }
    sources.remove_pending(run);
    space::check(folder, &sources.components())?;
    run.cancel().check()?;
    let captured = between_hooks(run, settings, sources, &keys, taken_at)
        .context(Attempted("no archive was published; earlier ones are untouched"));
    let (published, manifest) = match captured {
        Ok(captured) => captured,
        Err(error) => {
            settings.hooks.after_failure(run);
            return Err(error);
        }
    };
    // The archive is there, whatever becomes of the rest.
    settings.hooks.after_success(run, &published.path, severity_of(&manifest).max(run.worst()));
    let copied = copy(run, settings, &published);
    let (place, consent) = (FolderDestination::new(folder), Confirmed::by_publication(&published));
    let pruned = trust(settings, &published)
        .and_then(|trust| Plan::of(&place, &settings.policy, &trust, taken_at, run))
        .and_then(|plan| plan.apply(run, &consent));
    if let Err(error) = pruned {
        warn(run, &error.context("old archives were not removed"));
    }
    tell(run, &published, manifest, taken_at, copied)?;
    Ok(published)
}

/// Runs `before` and captures. What the hook has changed is looked at again.
fn between_hooks(
    run: &mut Run<'_>,
    settings: &Settings,
    sources: Sources,
    keys: &(Recipients, Identities),
    taken_at: Timestamp,
) -> anyhow::Result<(Published, Manifest)> {
    let sources = if settings.hooks.before.is_some() {
        drop(sources);
        settings.hooks.before(run)?;
        capture::look(run, settings, Vec::new())?
    } else {
        sources
    };
    capture::capture(run, settings, sources, keys, taken_at)
}

/// What retention may rely on after a backup.
pub(crate) fn trust<'a>(settings: &Settings, published: &'a Published) -> anyhow::Result<Trust<'a>> {
    Ok(Trust { identities: settings.encryption.for_reading()?, proven: Some(&published.path) })
}

/// Copies the archive to the second place, if there is one; what to say about it, and how loudly.
fn copy(run: &mut Run<'_>, settings: &Settings, published: &Published) -> Option<(Severity, String)> {
    let folder = settings.copy_to.as_deref()?;
    Some(match destination::copy(run, settings, folder, published) {
        Ok(()) => (Severity::Ok, format!("copied to {}", folder.display())),
        Err(error) => {
            let error = error.context("the archive is published, but the second place does not have it as it should");
            warn(run, &error);
            (Severity::Warning, format!("{error:#}"))
        }
    })
}

/// The record of the new archive.
fn tell(
    run: &mut Run<'_>,
    published: &Published,
    manifest: Manifest,
    taken_at: Timestamp,
    copied: Option<(Severity, String)>,
) -> anyhow::Result<()> {
    let lacking: Vec<String> = manifest
        .missing
        .iter()
        .map(|missing| format!("{} is missing: {}", missing.component, missing.reason))
        .collect();
    let severity = copied.as_ref().map_or(Severity::Ok, |(severity, _)| *severity).max(severity_of(&manifest));
    let message: Vec<String> = lacking.into_iter().chain(copied.map(|(_, text)| text)).collect();
    let now = run.now();
    let body = BackupArchiveRecord {
        path: published.path.display().to_string(),
        size_bytes: published.size,
        sha256: Some(published.sha256.clone()),
        taken_at: Some(taken_at),
        age_seconds: Some(taken_at.until(now).as_secs()),
        components: manifest.components,
        missing: manifest.missing.iter().map(|missing| missing.component).collect(),
        verified_at: Status::read(&published.path).and_then(|status| status.verified_at),
        encrypted: is_encrypted(&published.path),
        ..BackupArchiveRecord::default()
    };
    run.emit(severity, name_of(&published.path), message.join("; "), body)
}

fn severity_of(manifest: &Manifest) -> Severity {
    if manifest.missing.is_empty() { Severity::Ok } else { Severity::Warning }
}

/// What a restore has half done is not worth an archive.
fn refuse_restore(settings: &Settings) -> anyhow::Result<()> {
    let root = &settings.paths.root;
    Lock::refuse_held(&settings.restore_lock, &format!("restore into {}", root.display()))?;
    if let Some(restore) = unfinished_restore(root)? {
        bail!(
            "the restore of {} into {}, begun at {}, was interrupted; `pso-restore --resume` ends it, or \
             `pso-restore --rollback` undoes it",
            restore.archive.display(),
            root.display(),
            restore.at
        );
    }
    Ok(())
}

fn warn(run: &mut Run<'_>, error: &anyhow::Error) {
    run.warn(format_args!("{error:#}"));
    run.note(Severity::Warning);
}
