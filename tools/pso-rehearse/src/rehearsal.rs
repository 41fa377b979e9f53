//! One rehearsal: the file, then its components side by side, then the result, whatever happens.

use anyhow::{Context as _, ensure};
use pso_archive::{Archive, Manifest, Status, legacy};
use pso_common::Run;
use pso_common::output::StdoutClosed;
use pso_common::record::Component;

use crate::result::{Findings, rehearsed};
use crate::scratch::{self, Place};
use crate::settings::Settings;
use crate::whole::Whole;
use crate::{opened, postgres, side_by_side, trend, whole};

/// What no rehearsal can prove.
const IN_PRINCIPLE: [&str; 2] = [
    "nothing is signed: an archive that was altered together with its .sha256 and its .json is not told from the one that \
     was made (--trend tells it where it was rehearsed before)",
    "that the rows and points are the right ones: only that they are those that the backup wrote",
];

/// Rehearses an archive and writes what came of it.
///
/// # Errors
/// When that cannot be written.
pub(crate) fn rehearse(run: &mut Run<'_>, settings: &Settings, mut findings: Findings) -> anyhow::Result<()> {
    if let Err(error) = attempt(run, settings, &mut findings) {
        if error.downcast_ref::<StdoutClosed>().is_some() {
            run.note(findings.proof.severity());
            return Err(error);
        }
        if run.cancel().is_cancelled() {
            run.warn(format_args!("{error:#}"));
        }
        findings.proof.cannot_tell(format!("{error:#}"));
    }
    findings.write(run)
}

fn attempt(run: &mut Run<'_>, settings: &Settings, findings: &mut Findings) -> anyhow::Result<()> {
    let cancel = run.cancel().clone();
    scratch::yield_to_others(settings.nice);
    scratch::remove_leftovers(run, &settings.temp_dir);
    // A file that cannot be read is told now, not after hours.
    let history = settings.trend.as_deref().map(|file| trend::History::read(run, file)).transpose()?;
    run.progress(format_args!("reading {}", findings.path.display()));
    let Some(mut archive) = opened::open(settings, findings, &cancel)? else { return Ok(()) };
    let at_first = archive.metadata().context("look at the archive")?;
    findings.describe(archive.manifest());
    findings.record.components = components(archive.manifest(), &settings.only)?;
    let whole = whole::look(&mut archive, &cancel)?;
    findings.take_whole(&whole);
    restored(run, settings, &archive, &whole, findings)?;
    cancel.check()?;
    for missing in archive.manifest().missing.iter().filter(|_| settings.only.is_empty()) {
        let (component, reason) = (missing.component, &missing.reason);
        findings.proof.warn(format!("{component} is not in it: that failed when the backup was made ({reason})"));
    }
    if let Some(history) = history {
        history.compare((&findings.record, &findings.held), settings.max_shrink, &mut findings.proof);
    }
    IN_PRINCIPLE.iter().for_each(|what| findings.proof.leave(*what));
    if let Err(reason) = whole::is_still(&at_first, &archive, &findings.path) {
        findings.proof.cannot_tell(reason);
        return Ok(());
    }
    if archive.manifest().schema != legacy::NO_MANIFEST {
        note(run, settings, &archive, whole, findings);
    }
    Ok(())
}

/// Restores everything in a private folder, which is gone afterwards.
fn restored(
    run: &mut Run<'_>,
    settings: &Settings,
    archive: &Archive,
    whole: &Whole,
    findings: &mut Findings,
) -> anyhow::Result<()> {
    let to_restore: Vec<Component> =
        findings.record.components.iter().copied().filter(|component| !whole.damaged.contains_key(component)).collect();
    scratch::ensure_room(&settings.temp_dir, scratch::needed(archive.manifest(), &to_restore))?;
    let place = Place::create(&settings.temp_dir, settings.keep)?;
    let restored = side_by_side::restore(run, settings, (archive, &place), &whole.damaged, findings);
    if settings.keep {
        run.warn(format_args!("what was restored is kept in {}", place.path().display()));
        let data = place.path().join(postgres::DATA_FOLDER);
        if data.is_dir() {
            run.warn(format_args!(
                "its cluster is stopped; as its owner: pg_ctl -D {} -o \"-k {} -c listen_addresses=''\" start",
                data.display(),
                data.with_file_name("socket").display()
            ));
        }
    }
    if let Err(error) = place.end() {
        run.warn(format_args!("{error:#}"));
        findings.proof.warn(format!("{error:#}"));
    }
    restored
}

/// The components to rehearse, in their order.
fn components(manifest: &Manifest, only: &[Component]) -> anyhow::Result<Vec<Component>> {
    let there = &manifest.components;
    let names = || there.iter().map(|component| component.as_str()).collect::<Vec<_>>().join(", ");
    for component in only {
        let missing = manifest.missing.iter().find(|missing| missing.component == *component);
        let why =
            missing.map_or_else(String::new, |missing| format!(", which failed when it was made: {}", missing.reason));
        ensure!(there.contains(component), "there is no {component} in the archive{why}; it has {}", names());
    }
    ensure!(!there.is_empty(), "there is nothing in the archive");
    Ok(Component::ALL
        .into_iter()
        .filter(|component| there.contains(component) && (only.is_empty() || only.contains(component)))
        .collect())
}

/// Notes beside the archive that it was rehearsed, or that it must not count as such any more. One on a read-only disk is none
/// the worse.
fn note(run: &mut Run<'_>, settings: &Settings, archive: &Archive, whole: Whole, findings: &mut Findings) {
    let now = run.now();
    let is_whole = !whole.proof.is_refuted();
    let known = match whole.status {
        Some(known) => known,
        None if is_whole => Status::new(archive.manifest(), whole.size_bytes, &whole.sha256),
        // What was noted of the file that was made stays: it is what tells this one from that, tomorrow too.
        None => match Status::read(&findings.path) {
            Some(of_that) => of_that,
            None => return,
        },
    };
    let status = if findings.hold() && settings.only.is_empty() {
        rehearsed(known, now)
    } else if findings.proof.is_refuted() && (known.rehearsed_at.is_some() || !is_whole) {
        Status { rehearsed_at: None, verified_at: known.verified_at.filter(|_| is_whole), ..known }
    } else {
        return;
    };
    let at = status.rehearsed_at;
    match status.write(&findings.path) {
        Ok(()) => findings.record.rehearsed_at = at,
        Err(error) => {
            run.warn(format_args!("what was found was not noted: {error:#}"));
            findings.proof.leave(format!("what was found is not noted beside the archive: {error:#}"));
        }
    }
}
