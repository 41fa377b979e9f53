//! The components are restored side by side, each in a thread of its own, and each is told as it comes.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use anyhow::anyhow;
use pso_archive::{Archive, legacy};
use pso_common::io::elapsed_ms;
use pso_common::record::{Component, RehearseComponentRecord};
use pso_common::{Run, Severity};

use crate::result::Findings;
use crate::scratch::Place;
use crate::settings::Settings;
use crate::task::{Event, Outcome, Task};
use crate::{files, postgres, qdrant};

/// What is restored in one thread, and the folder of its own.
const GROUPS: [(&str, &[Component]); 3] = [
    ("postgres", &[Component::Postgres]),
    ("qdrant", &[Component::Qdrant]),
    ("files", &[Component::Config, Component::Scripts, Component::Plans]),
];

/// The signal that says that nobody reads any more.
const PIPE: usize = 13;

/// Restores the components that the findings name, writes a record for each as it comes, and notes it in the findings.
///
/// # Errors
/// When a record cannot be written, or the threads cannot be begun. What they find is no error.
pub(crate) fn restore(
    run: &mut Run<'_>,
    settings: &Settings,
    (archive, place): (&Archive, &Place),
    damaged: &BTreeMap<Component, String>,
    findings: &mut Findings,
) -> anyhow::Result<()> {
    let components = findings.record.components.clone();
    let (env, cancel) = (run.env().clone(), run.cancel().clone());
    let (events, happened) = mpsc::channel();
    let mut tasks = Vec::new();
    for (name, group) in GROUPS {
        let group: Vec<Component> = group.iter().copied().filter(|one| components.contains(one)).collect();
        if group.is_empty() {
            continue;
        }
        let (archive, folder) = (archive.again()?, place.folder(name)?);
        let task = Task { settings, env: &env, cancel: &cancel, archive, folder, place, events: events.clone() };
        tasks.push((task, group));
    }
    drop(events);
    let mut written = Ok(());
    thread::scope(|scope| {
        let began = Instant::now();
        for (mut task, group) in tasks {
            scope.spawn(move || {
                for component in group {
                    let outcome = tried(&mut task, component, damaged.get(&component));
                    // The rehearsal has ended if nobody listens.
                    let _ = task.events.send(Event::Done(component, outcome));
                }
            });
        }
        for event in happened {
            match event {
                Event::Progress(text) => run.progress(text),
                Event::Done(component, outcome) => {
                    let outcome = outcome.unwrap_or_else(unknown);
                    if written.is_ok() {
                        written = emit(run, archive, component, &outcome, began);
                        if written.is_err() {
                            cancel.cancel(PIPE);
                        }
                    }
                    findings.take(component, outcome);
                }
            }
        }
    });
    written
}

/// What becomes of a component, whatever happens while it is tried.
fn tried(task: &mut Task<'_>, component: Component, damage: Option<&String>) -> anyhow::Result<Outcome> {
    if let Some(damage) = damage {
        return Ok(refused(damage));
    }
    task.cancel.check()?;
    let tried = catch_unwind(AssertUnwindSafe(|| one(task, component)));
    tried.unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
        Err(anyhow!("a mistake in this program, and none of the archive: {}", said.unwrap_or("it said nothing")))
    })
}

fn one(task: &mut Task<'_>, component: Component) -> anyhow::Result<Outcome> {
    match component {
        Component::Postgres if task.archive.manifest().schema == legacy::NO_MANIFEST => Ok(plain_sql()),
        Component::Postgres => postgres::rehearse(task),
        Component::Qdrant => qdrant::rehearse(task),
        Component::Config | Component::Scripts | Component::Plans => files::rehearse(task, component),
    }
}

/// The specification's own script wrote the database as plain SQL, which psql would run, with all that psql can do to a machine.
fn plain_sql() -> Outcome {
    let mut outcome = Outcome::default();
    outcome.proof.cannot_tell(
        "its database is plain SQL and was read to its end, but not restored; `pso-restore ARCHIVE --dry-run` says what it \
         would put back",
    );
    outcome
}

/// What is damaged is not restored: whatever that would show, the archive is not what was stored.
fn refused(damage: &str) -> Outcome {
    let mut outcome = Outcome::default();
    outcome.proof.refute(damage);
    outcome.proof.leave("it was not restored, since it is not what was stored");
    outcome
}

fn unknown(error: anyhow::Error) -> Outcome {
    let mut outcome = Outcome::default();
    outcome.proof.cannot_tell(format!("{error:#}"));
    outcome
}

fn emit(
    run: &mut Run<'_>,
    archive: &Archive,
    component: Component,
    outcome: &Outcome,
    began: Instant,
) -> anyhow::Result<()> {
    let (mut entries, mut size_bytes) = (0, 0);
    for entry in archive.manifest().entries_of(component) {
        entries += 1;
        size_bytes += entry.size;
    }
    let (proof, restored) = (&outcome.proof, outcome.restored);
    let body = RehearseComponentRecord {
        component,
        proven: proof.proven.clone(),
        unproven: proof.unproven.clone(),
        refuted: proof.refuted.clone(),
        warnings: proof.warnings.clone(),
        entries,
        size_bytes,
        restored_bytes: restored.map(|restored| restored.bytes),
        restore_ms: restored
            .and_then(|restored| u64::try_from(restored.ended.duration_since(restored.began).as_millis()).ok()),
        elapsed_ms: elapsed_ms(began),
        rows: outcome.rows.clone(),
        points: outcome.points.clone(),
    };
    let severity = proof.severity();
    // What does not hold outweighs what nobody could tell, in the exit code too: the result says which it is.
    if severity != Severity::Unknown {
        run.note(severity);
    }
    run.emit_uncounted(severity, component.as_str(), proof.message(), body)
}
