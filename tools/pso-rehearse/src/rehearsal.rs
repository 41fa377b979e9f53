//! One rehearsal: the file, then each component in a thread of its own, then the result.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use pso_archive::{Archive, Identities};
use pso_common::io::elapsed_ms;
use pso_common::record::{Component, RehearseComponentRecord, RehearseResultRecord};
use pso_common::{Run, Severity};

use crate::result::{holds, name_of, note, of_whole};
use crate::scratch::{Place, remove_leftovers};
use crate::settings::Settings;
use crate::task::{Event, Outcome, Task};
use crate::{files, postgres, qdrant, trend, whole};

/// Rehearses an archive and writes what came of it.
///
/// # Errors
/// When nothing could be rehearsed.
pub(crate) fn rehearse(run: &mut Run<'_>, settings: &Settings, path: &Path) -> anyhow::Result<()> {
    let began = Instant::now();
    let cancel = run.cancel().clone();
    remove_leftovers(run, &settings.temp_dir);
    let identities = settings.identities()?;
    let mut archive = Archive::open_with(path, &identities)?;
    let components = components(&archive, &settings.only)?;
    run.progress(format_args!("reading {}", path.display()));
    let mut whole = whole::look(&mut archive, &cancel)?;
    let place = Place::create(&settings.temp_dir, settings.keep)?;
    let outcomes = restore(run, settings, &identities, path, (&place, &components, &whole.damaged))?;
    let mut result = RehearseResultRecord {
        taken_at: Some(archive.manifest().taken_at),
        ..of_whole(path, &whole, components.clone())
    };
    let mut worst = whole.proof.severity();
    let mut message = whole.proof.message();
    for (component, outcome) in &outcomes {
        let severity = outcome.proof.severity();
        if severity > worst {
            (worst, message) = (severity, format!("{component}: {}", outcome.proof.message()));
        }
        result.rows.extend(outcome.rows.clone());
        result.points.extend(outcome.points.clone());
        result.restored_bytes += outcome.restored.map_or(0, |restored| restored.bytes);
    }
    let restored: Option<Vec<_>> = outcomes.values().map(|outcome| outcome.restored).collect();
    result.restore_ms = restored.and_then(|all| {
        let ended = all.iter().map(|restored| restored.ended).max()?;
        u64::try_from(ended.duration_since(began).as_millis()).ok()
    });
    if let Some(file) = &settings.trend {
        match trend::last(run, file)? {
            None => result.unproven.push("there is no earlier rehearsal to compare with".to_owned()),
            Some(earlier) => {
                let shrunk = trend::shrunk(&earlier.body, &result, settings.max_shrink);
                if let Some(first) = shrunk.first().filter(|_| worst < Severity::Warning) {
                    (worst, message) = (Severity::Warning, first.clone());
                }
                result.unproven.extend(shrunk);
            }
        }
    }
    let is_all = settings.only.is_empty();
    if is_all
        && holds(worst)
        && let Some(status) = whole.status.take()
    {
        let now = run.now();
        match note(path, status, now) {
            Ok(()) => result.rehearsed_at = Some(now),
            Err(error) => run.warn(format_args!("that it was rehearsed was not noted: {error:#}")),
        }
    }
    if settings.keep {
        run.warn(format_args!("what was restored is kept in {}", place.path().display()));
    }
    place.remove()?;
    result.elapsed_ms = elapsed_ms(began);
    run.emit(worst, &name_of(path), message, result)
}

/// The components to rehearse, in their order.
fn components(archive: &Archive, only: &[Component]) -> anyhow::Result<Vec<Component>> {
    let there = &archive.manifest().components;
    for component in only {
        ensure!(there.contains(component), "the archive has no {component}; it has {there:?}");
    }
    Ok(there.iter().copied().filter(|component| only.is_empty() || only.contains(component)).collect())
}

/// Restores the components side by side, and writes a record for each as it comes.
fn restore(
    run: &mut Run<'_>,
    settings: &Settings,
    identities: &Identities,
    path: &Path,
    (place, components, damaged): (&Place, &[Component], &BTreeMap<Component, String>),
) -> anyhow::Result<BTreeMap<Component, Outcome>> {
    let (env, cancel) = (run.env().clone(), run.cancel().clone());
    let (events, happened) = mpsc::channel();
    let mut outcomes = BTreeMap::new();
    thread::scope(|scope| -> anyhow::Result<()> {
        for group in [
            &[Component::Postgres][..],
            &[Component::Qdrant],
            &[Component::Config, Component::Scripts, Component::Plans],
        ] {
            let group: Vec<Component> = group.iter().copied().filter(|one| components.contains(one)).collect();
            let Some(name) = group.first() else { continue };
            let mut task = Task {
                settings,
                env: &env,
                cancel: &cancel,
                archive: Archive::open_with(path, identities)?,
                folder: place.folder(if group.len() > 1 { "files" } else { name.as_str() })?,
                place,
                events: events.clone(),
            };
            scope.spawn(move || {
                for component in group {
                    let outcome = match damaged.get(&component) {
                        Some(damage) => Ok(refused(damage)),
                        None => one(&mut task, component),
                    };
                    let _ = task.events.send(Event::Done(component, outcome));
                }
            });
        }
        drop(events);
        let began = Instant::now();
        for event in happened {
            match event {
                Event::Progress(text) => run.progress(text),
                Event::Done(component, outcome) => {
                    cancel.check()?;
                    let outcome = outcome.unwrap_or_else(|error| {
                        let mut outcome = Outcome::default();
                        outcome.proof.cannot_tell(format!("{error:#}"));
                        outcome
                    });
                    emit(run, component, &outcome, began, path, identities)?;
                    outcomes.insert(component, outcome);
                }
            }
        }
        Ok(())
    })?;
    Ok(outcomes)
}

fn one(task: &mut Task<'_>, component: Component) -> anyhow::Result<Outcome> {
    match component {
        Component::Postgres => postgres::rehearse(task),
        Component::Qdrant => qdrant::rehearse(task),
        Component::Config | Component::Scripts | Component::Plans => files::rehearse(task, component),
    }
    .with_context(|| format!("rehearse {component}"))
}

/// What is damaged is not restored: whatever that would show, the archive is not what was stored.
fn refused(damage: &str) -> Outcome {
    let mut outcome = Outcome::default();
    outcome.proof.refute(damage);
    outcome.proof.leave("it was not restored, since it is not what was stored");
    outcome
}

fn emit(
    run: &mut Run<'_>,
    component: Component,
    outcome: &Outcome,
    began: Instant,
    path: &Path,
    identities: &Identities,
) -> anyhow::Result<()> {
    let archive = Archive::open_with(path, identities)?;
    let entries: Vec<_> = archive.manifest().entries_of(component).collect();
    let restored = outcome.restored;
    let body = RehearseComponentRecord {
        component,
        proven: outcome.proof.proven.clone(),
        unproven: outcome.proof.unproven.clone(),
        refuted: outcome.proof.refuted.clone(),
        entries: entries.len() as u64,
        size_bytes: entries.iter().map(|entry| entry.size).sum(),
        restored_bytes: restored.map(|restored| restored.bytes),
        restore_ms: restored
            .and_then(|restored| u64::try_from(restored.ended.duration_since(restored.began).as_millis()).ok()),
        elapsed_ms: elapsed_ms(began),
        rows: outcome.rows.clone(),
        points: outcome.points.clone(),
    };
    run.emit(outcome.proof.severity(), component.as_str(), outcome.proof.message(), body)
}
