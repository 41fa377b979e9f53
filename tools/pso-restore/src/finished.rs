//! Going back behind a restore that came to its end, for as long as what it has replaced is kept.

use anyhow::{Context as _, bail, ensure};
use pso_common::record::RestoreMode;
use pso_common::run::{Confirmed, Intent};
use pso_common::{Attempted, Run};

use crate::health;
use crate::journal::Journal;
use crate::lock;
use crate::service::Commands;
use crate::settings::Settings;
use crate::steps::Step;
use crate::unfinished::{committed, emit, refuse, same_servers, undo};

const NOT_BEGUN: Attempted = Attempted("nothing was rolled back: everything is as the restore has left it");

/// `--rollback TIME`: puts everything back as it was before the last restore, which was begun at that time. It is named,
/// so that nobody who only says `--rollback` twice loses what was written since an earlier one.
pub(crate) fn roll_back(run: &mut Run<'_>, settings: &Settings, time: &str, intent: Intent) -> anyhow::Result<()> {
    let _lock = lock::take(settings, intent)?;
    refuse(settings, intent)?;
    let folder = settings.undo_folder();
    let journal = Journal::last(&folder)?.with_context(|| {
        format!("nothing is kept in {} of what a restore has replaced; nothing is to be done", folder.display())
    })?;
    let last = journal.begun().at.compact();
    ensure!(
        time == last,
        "the last restore is that of {last}, and only the last one can be undone: pso-restore --rollback {last}"
    );
    same_servers(settings, &journal)?;
    let begun = journal.begun();
    if let Some(database) = committed(settings, &journal)? {
        bail!(
            "{database} was restored in place, and what it replaced was not kept, so there is no way back for all of it; \
             replaced files and snapshots of collections are in {}",
            begun.work.first().unwrap_or(&folder).display()
        );
    }
    journal.ensure_way_back(settings)?;
    let message = format!(
        "the restore of {}, begun at {}, is undone, and what was written since then is lost; `pso-backup` first keeps that",
        begun.archive.display(),
        begun.at
    );
    let commands = settings.commands.as_ref().or(journal.service()).cloned();
    let mut steps: Vec<Step> = commands.iter().map(Commands::stop_step).collect();
    steps.extend(journal.undo_steps());
    steps.extend(commands.iter().map(Commands::start_step));
    steps.push(Step::new("health", None, "service").says("asked whether it is healthy"));
    emit(run, &journal, RestoreMode::Rollback, message, &steps)?;
    let question = "Put everything back as it was before the last restore? What was written since then is lost.";
    let Some(consent) = intent.confirm(run, question)? else { return Ok(()) };
    carry_out(run, settings, journal, commands.as_ref(), &consent)?;
    health::check(run, settings)
}

fn carry_out(
    run: &mut Run<'_>,
    settings: &Settings,
    journal: Journal,
    commands: Option<&Commands>,
    consent: &Confirmed,
) -> anyhow::Result<()> {
    let mut journal = journal.reopen(&settings.journal())?;
    let stopped = match commands {
        Some(commands) => commands.stop(run, settings, &mut journal),
        None => run.cancel().check().map_err(anyhow::Error::from),
    };
    if let Err(error) = stopped {
        journal.start_service(run, settings)?;
        journal.keep()?;
        return Err(error.context(NOT_BEGUN));
    }
    undo(run, settings, journal, consent)
}
