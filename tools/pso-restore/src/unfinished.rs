//! A restore that was interrupted, or whose undoing was: what lies there, and how it is brought to its end, or back.

use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use pso_archive::{Lock, RESTORE_LOCK, hash_file};
use pso_common::record::{RestoreMode, RestorePlanRecord};
use pso_common::run::{Confirmed, Intent};
use pso_common::{Attempted, Run, Severity};

use crate::apply::{self, NOT_UNDONE};
use crate::health;
use crate::journal::{Action, Begun, Journal};
use crate::lock;
use crate::plan;
use crate::postgres;
use crate::settings::Settings;
use crate::source;
use crate::steps::Step;

const AGAIN: Attempted =
    Attempted("the interrupted restore was rolled back, and doing it again failed: everything is as it was before it");

/// Refuses to go on where an interrupted restore lies.
///
/// # Errors
/// When one does; the message says what lies there and how to go on.
pub(crate) fn refuse(settings: &Settings, intent: Intent) -> anyhow::Result<()> {
    if let Some(journal) = look(settings, intent)? {
        bail!(
            "{}; to bring it to its end: `pso-restore --resume`; to put everything back as it was: `pso-restore \
             --rollback`; what each would do: the same with --dry-run. Until then nothing else is restored or backed up",
            journal.describe()
        );
    }
    Ok(())
}

/// The journal that lies there. One of a restore that still runs is none of an interrupted one.
fn look(settings: &Settings, intent: Intent) -> anyhow::Result<Option<Journal>> {
    if intent.changes() {
        return Journal::left(&settings.journal());
    }
    let left = Journal::peek(&settings.journal())?;
    if left.is_some() {
        let what = format!("restore into {}", settings.paths.root.display());
        Lock::refuse_held(&settings.paths.join(Path::new(RESTORE_LOCK)), &what)?;
    }
    Ok(left)
}

fn found(settings: &Settings, intent: Intent) -> anyhow::Result<Journal> {
    if let Some(journal) = look(settings, intent)? {
        return Ok(journal);
    }
    let folder = settings.undo_folder();
    // One that cannot be read is of no interrupted restore either.
    let last = Journal::last(&folder).ok().flatten().map(|last| {
        let begun = last.begun();
        format!(
            "; to undo the one of {}, which came to its end: --rollback {}",
            begun.archive.display(),
            begun.at.compact()
        )
    });
    bail!("there is no interrupted restore in {}; nothing is to be done{}", folder.display(), last.unwrap_or_default())
}

/// `--rollback`: puts everything back as it was before.
pub(crate) fn roll_back(run: &mut Run<'_>, settings: &Settings, intent: Intent) -> anyhow::Result<()> {
    let _lock = lock::take(settings, intent)?;
    let journal = found(settings, intent)?;
    same_servers(settings, &journal)?;
    if let Some(database) = committed(settings, &journal)? {
        bail!(
            "the new content of {database} is committed, and what it replaced in place was not kept: there is no way back; \
             run `pso-restore --resume`, or restore another archive after it"
        );
    }
    show(run, &journal, RestoreMode::Rollback, journal.undo_steps())?;
    let was_stopped = journal.commands().is_some();
    let question = "Put everything back as it was before the interrupted restore?";
    let Some(consent) = intent.confirm(run, question)? else { return Ok(()) };
    undo(run, settings, journal, &consent)?;
    if was_stopped { health::check(run, settings) } else { Ok(()) }
}

pub(crate) fn undo(
    run: &mut Run<'_>,
    settings: &Settings,
    journal: Journal,
    _consent: &Confirmed,
) -> anyhow::Result<()> {
    if !apply::roll_back(run, settings, journal)? {
        return Err(anyhow::anyhow!("the restore was not rolled back").context(NOT_UNDONE));
    }
    Ok(())
}

/// `--resume`: forwards where everything was switched over, or else back and then the same restore again.
pub(crate) fn resume(run: &mut Run<'_>, mut settings: Settings, intent: Intent) -> anyhow::Result<()> {
    let _lock = lock::take(&settings, intent)?;
    let mut journal = found(&settings, intent)?;
    same_servers(&settings, &journal)?;
    let forwards = is_switched(&settings, &journal, intent)?;
    let begun = journal.begun().clone();
    if forwards {
        let steps = journal.commands().map(crate::service::Commands::start_step).into_iter();
        let health = Step::new("health", None, "service").says("asked whether it is healthy");
        show(run, &journal, RestoreMode::Resume, steps.chain([health]).collect())?;
    } else {
        as_then(&mut settings, &begun)?;
        let (_, sha256) = hash_file(&begun.archive, run.cancel())
            .with_context(|| format!("read the archive {}; without it: --rollback", begun.archive.display()))?;
        ensure!(
            sha256 == begun.sha256,
            "{} is not the archive that the interrupted restore read; put that one back, or run `pso-restore --rollback`",
            begun.archive.display()
        );
        let mut steps = journal.undo_steps();
        let again = Step::new("restore", None, begun.archive.display().to_string());
        steps.push(again.says("then the same restore is done again, from its beginning"));
        show(run, &journal, RestoreMode::Resume, steps)?;
    }
    let Some(consent) = intent.confirm(run, "Bring the interrupted restore to its end?")? else { return Ok(()) };
    if forwards {
        let renamings: Vec<_> = journal.open().filter_map(Action::renaming).cloned().collect();
        for renaming in renamings {
            postgres::finish_swap(run, &settings.postgres, &renaming);
        }
        // Where that cannot be noted, it is found out again.
        let _ = journal.switched();
        return apply::conclude(run, &settings, journal);
    }
    undo(run, &settings, journal, &consent)?;
    let again = |run: &mut Run<'_>| -> anyhow::Result<()> {
        let mut archive = source::open(run, &settings, &begun.archive)?;
        let plan = plan::plan(run, &settings, &mut archive, plan::Detail::Usual)?;
        plan.emit(run)?;
        apply::apply(run, &settings, &mut archive, &plan, consent)
    };
    again(run).map_err(|error| {
        // One that was undone says so itself.
        if error.downcast_ref::<Attempted>().is_some() { error } else { error.context(AGAIN) }
    })
}

/// Has the restore done again as it was begun: the same parts, into the same databases, on the same servers. What goes to
/// a place that was named on the command line must not go to the usual one because that is not named again.
fn as_then(settings: &mut Settings, begun: &Begun) -> anyhow::Result<()> {
    settings.only.clone_from(&begun.components);
    settings.in_place = begun.in_place;
    settings.names_database = begun.names_database;
    settings.postgres = settings.postgres.with_dbname(&begun.database);
    // Another role may do it.
    let place = |shown: &str| shown.rsplit_once(" as ").map_or(shown, |(place, _)| place).to_owned();
    let now = place(&settings.postgres.shown());
    if let Some(then) = begun.postgres.as_deref().map(place).filter(|then| *then != now) {
        bail!(
            "the interrupted restore went to PostgreSQL at {then}, and not to {now}; name it as then (--pg-host, --pg-port), \
             or run `pso-restore --rollback`"
        );
    }
    let now = settings.qdrant_shown();
    if let Some(then) = begun.qdrant.as_ref().filter(|then| **then != now) {
        bail!("the interrupted restore went to Qdrant at {then}, and not to {now}; give --qdrant-url {then}");
    }
    Ok(())
}

/// Writes what would be done.
fn show(run: &mut Run<'_>, journal: &Journal, mode: RestoreMode, steps: Vec<Step>) -> anyhow::Result<()> {
    emit(run, journal, mode, journal.describe(), &steps)
}

pub(crate) fn emit(
    run: &mut Run<'_>,
    journal: &Journal,
    mode: RestoreMode,
    message: String,
    steps: &[Step],
) -> anyhow::Result<()> {
    let begun = journal.begun();
    let body = RestorePlanRecord {
        path: begun.archive.display().to_string(),
        taken_at: begun.taken_at,
        components: begun.components.clone(),
        steps: steps.len() as u64,
        mode,
        hash: None,
        needed_bytes: None,
        free_bytes: None,
    };
    let name = begun.archive.file_name().unwrap_or_default().to_string_lossy().into_owned();
    run.emit(Severity::Ok, name, message, body)?;
    steps.iter().try_for_each(|step| step.planned(run))
}

/// Refuses to undo on one server what was done on another: that would be a second accident.
pub(crate) fn same_servers(settings: &Settings, journal: &Journal) -> anyhow::Result<()> {
    let touches_qdrant = journal.open().any(Action::is_of_qdrant);
    let now = settings.qdrant_shown();
    if let Some(then) = journal.begun().qdrant.as_ref().filter(|then| touches_qdrant && **then != now) {
        bail!("the interrupted restore went to Qdrant at {then}, and not to {now}; give --qdrant-url {then}");
    }
    let touches_postgres = journal.open().any(Action::is_of_postgres);
    if let Some(then) = journal.begun().system_identifier.as_ref().filter(|_| touches_postgres)
        && postgres::system_identifier(&settings.postgres).is_some_and(|now| now != *then)
    {
        bail!(
            "the interrupted restore went to the PostgreSQL server at {}, and the one at {} is another; name it as then \
             (--pg-host, --pg-port)",
            journal.begun().postgres.as_deref().unwrap_or("another place"),
            settings.postgres.shown()
        );
    }
    Ok(())
}

/// A database whose new content was committed in place.
pub(crate) fn committed(settings: &Settings, journal: &Journal) -> anyhow::Result<Option<String>> {
    for place in journal.open().filter_map(Action::commit) {
        if postgres::is_committed(&settings.postgres, place)? {
            return Ok(Some(place.database.clone()));
        }
    }
    Ok(None)
}

/// Whether everything was switched over. The databases come last, so where they were, everything was.
fn is_switched(settings: &Settings, journal: &Journal, intent: Intent) -> anyhow::Result<bool> {
    if journal.is_switched() {
        return Ok(true);
    }
    let count = |is_meant: fn(&Action) -> bool| journal.open().filter(|action| is_meant(action)).count();
    let new = count(|action| matches!(action, Action::NewDatabase(_)));
    let begun = count(|action| matches!(action, Action::InPlace(_)));
    let mut swapped = 0;
    for renaming in journal.open().filter_map(Action::renaming) {
        if postgres::has_swapped(&settings.postgres, renaming, intent.changes())? {
            swapped += renaming.databases.len();
        }
    }
    let mut committed = 0;
    for place in journal.open().filter_map(Action::commit) {
        committed += usize::from(postgres::is_committed(&settings.postgres, place)?);
    }
    Ok(new + begun > 0 && swapped == new && committed == begun)
}
