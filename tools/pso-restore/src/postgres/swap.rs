//! New databases take the names of the old ones, all in one transaction; and back.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use pso_common::postgres::{Client, PgSettings};
use pso_common::record::Component;
use pso_common::{Run, Severity};

use super::target::{admin, connect, ident};
use crate::journal::{Action, Journal, NewDatabase, Renaming, Swap, not_undone};
use crate::steps::Step;

/// How long sessions of the old databases may take to end.
const SESSIONS_END: Duration = Duration::from_secs(10);
/// How long a server that went away in the middle of the renaming may take to answer again.
const OUTCOME: Duration = Duration::from_secs(30);

/// Gives the new databases their names. After an error the journal finds out how far it came.
pub(super) fn switch(
    run: &mut Run<'_>,
    settings: &PgSettings,
    journal: &mut Journal,
    databases: Vec<Swap>,
) -> anyhow::Result<()> {
    let Some(step) = step(&databases) else { return Ok(()) };
    let what = renames(&databases);
    step.run(run, |run, _| swap(run, settings, journal, databases).with_context(|| format!("rename {what}")))
}

fn step(databases: &[Swap]) -> Option<Step> {
    let names: Vec<&str> = databases.iter().map(|swap| swap.database.as_str()).collect();
    let kept: Vec<String> =
        databases.iter().filter_map(|swap| Some(format!("DROP DATABASE {}", ident(swap.kept.as_ref()?)))).collect();
    if names.is_empty() {
        return None;
    }
    let step = Step::new("swap", Component::Postgres, names.join(", "));
    Some(if kept.is_empty() {
        step
    } else {
        let what = if kept.len() == 1 { "the one that was there is kept" } else { "those that were there are kept" };
        step.says(format!("{what}; when no longer wanted: pso-restore --drop-previous, or {}", kept.join("; ")))
    })
}

fn renames(databases: &[Swap]) -> String {
    let each: Vec<String> = databases.iter().map(|swap| format!("{} to {}", swap.new, swap.database)).collect();
    each.join(" and ")
}

fn swap(run: &mut Run<'_>, settings: &PgSettings, journal: &mut Journal, databases: Vec<Swap>) -> anyhow::Result<()> {
    let mut session = admin(settings)?;
    let renaming = Renaming { databases, session: identity(&mut session)? };
    let id = journal.will(Action::Rename(renaming.clone()))?;
    if let Err(error) = rename_in(&renaming, &mut session) {
        drop(session);
        let settled = settle(settings, &renaming);
        let (settled, swapped) = settled.with_context(|| format!("after an error ({error:#})"))?;
        if !swapped {
            return Err(error);
        }
        // It took place, and only the answer was lost.
        session = settled;
    }
    drop(session);
    open_kept(run, settings, &renaming);
    // It is done, and the server says so to whoever asks; a disk that is full now must not undo it.
    let _ = journal.did(id);
    Ok(())
}

/// Lets others look into what is kept. Where that fails, somebody can do it by hand.
fn open_kept(run: &mut Run<'_>, settings: &PgSettings, renaming: &Renaming) {
    for kept in renaming.databases.iter().filter_map(|swap| swap.kept.as_ref()) {
        let opened = admin(settings).and_then(|mut session| allow(&mut session, kept, true));
        if let Err(error) = opened {
            run.note(Severity::Warning);
            run.warn(format_args!("{error:#}; to look into {kept}, run {}", allow_statement(kept, true)));
        }
    }
}

fn rename_in(renaming: &Renaming, session: &mut Client) -> anyhow::Result<()> {
    let mut names: Vec<(&str, &str)> = Vec::new();
    for swap in &renaming.databases {
        if let Some(kept) = &swap.kept {
            // Pools reconnect at once; a database with sessions cannot be renamed.
            allow(session, &swap.database, false)?;
            names.push((&swap.database, kept));
        }
        names.push((&swap.new, &swap.database));
    }
    exchange(session, &names)
}

fn take_back_in(renaming: &Renaming, session: &mut Client) -> anyhow::Result<()> {
    let mut names: Vec<(&str, &str)> = Vec::new();
    for swap in &renaming.databases {
        allow(session, &swap.database, false)?;
        names.push((&swap.database, &swap.new));
        names.extend(swap.kept.iter().map(|kept| (kept.as_str(), swap.database.as_str())));
    }
    exchange(session, &names)
}

/// Whether the new databases have their names by now. A connection that broke says nothing about that, so the session
/// that renames has to have ended first.
fn settle(settings: &PgSettings, renaming: &Renaming) -> anyhow::Result<(Client, bool)> {
    let deadline = Instant::now() + OUTCOME;
    loop {
        match look(settings, renaming) {
            Err(_) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(200)),
            result => return result.context("find out whether the databases were renamed"),
        }
    }
}

fn look(settings: &PgSettings, renaming: &Renaming) -> anyhow::Result<(Client, bool)> {
    let mut session = admin(settings)?;
    let (pid, start) = &renaming.session;
    let ended = session.query_one(include_str!("../../queries/end_session.sql"), &[pid, start])?;
    ensure!(ended.get::<_, i64>(0) == 0, "the session that renames has not ended");
    let swapped = is_swapped(&mut session, renaming)?;
    Ok((session, swapped))
}

fn is_swapped(session: &mut Client, renaming: &Renaming) -> anyhow::Result<bool> {
    // All of them were renamed, or none.
    let Some(swap) = renaming.databases.first() else { return Ok(false) };
    let row = session.query_opt("SELECT datname::text FROM pg_catalog.pg_database WHERE oid = $1", &[&swap.oid])?;
    let name: String = row.map(|row| row.get(0)).with_context(|| {
        format!(
            "neither {} nor {} is the database that was restored into; is this the server that the restore went to? \
             Name it as then (--pg-host, --pg-port)",
            swap.database, swap.new
        )
    })?;
    Ok(name == swap.database)
}

/// Whether the renaming took place. With `ends_session` for certain, after the end of the session that renames.
pub(crate) fn has_swapped(settings: &PgSettings, renaming: &Renaming, ends_session: bool) -> anyhow::Result<bool> {
    if ends_session {
        return settle(settings, renaming).map(|(_, swapped)| swapped);
    }
    is_swapped(&mut admin(settings)?, renaming)
}

/// What is left to do after a renaming that took place in a run that was killed.
pub(crate) fn finish_swap(run: &mut Run<'_>, settings: &PgSettings, renaming: &Renaming) {
    open_kept(run, settings, renaming);
}

/// Brings the old ones back to their names, where they lost them, and lets others in.
pub(crate) fn rename_back(run: &mut Run<'_>, settings: &PgSettings, renaming: &Renaming) -> anyhow::Result<()> {
    let names: Vec<&str> = renaming.databases.iter().map(|swap| swap.database.as_str()).collect();
    let step = Step::new("swap", Component::Postgres, names.join(", "));
    match take_back(settings, renaming) {
        Ok(true) => step.rolled_back(run, "the old one has its name again"),
        // It never took place.
        Ok(false) => Ok(()),
        Err(error) => not_undone(run, &step, error, &way_out(renaming)),
    }
}

fn take_back(settings: &PgSettings, renaming: &Renaming) -> anyhow::Result<bool> {
    let (mut session, was_swapped) = settle(settings, renaming)?;
    if was_swapped {
        let own = Renaming { databases: renaming.databases.clone(), session: identity(&mut session)? };
        if let Err(error) = take_back_in(&own, &mut session) {
            drop(session);
            let (mut settled, swapped) = settle(settings, &own)?;
            if swapped {
                // Better the new content than none.
                for swap in &renaming.databases {
                    for name in [Some(&swap.database), swap.kept.as_ref()].into_iter().flatten() {
                        allow(&mut settled, name, true)?;
                    }
                }
                return Err(error.context("give the old databases their names again"));
            }
            session = settled;
        }
    }
    for swap in renaming.databases.iter().filter(|swap| swap.kept.is_some()) {
        allow(&mut session, &swap.database, true)?;
    }
    Ok(was_swapped)
}

/// What somebody has to do where the undoing failed.
fn way_out(renaming: &Renaming) -> String {
    let each = renaming.databases.iter().map(|Swap { database, new, kept, .. }| match kept {
        Some(kept) => format!(
            "where there is a database {kept}, the old content is in it and the new one in {database}: to go back, \
             rename {database} to {new} and {kept} to {database}; where there is none, {database} has the old content. \
             Then let others in: {}",
            allow_statement(database, true)
        ),
        None => format!("{database}, which was not there before, may be there now with the new content"),
    });
    each.collect::<Vec<_>>().join(". ")
}

/// Drops a new database that is not wanted any more.
pub(crate) fn drop_unfinished(run: &mut Run<'_>, settings: &PgSettings, new: &NewDatabase) -> anyhow::Result<()> {
    let step = Step::new("restore", Component::Postgres, new.database.as_str());
    match drop_new(settings, &new.new) {
        Ok(()) => step.rolled_back(run, &format!("{} was dropped; {} is as before", new.new, new.database)),
        Err(error) => {
            let message = format!(
                "{} is as before, but {} is left, which the next restore drops: {error:#}",
                new.database, new.new
            );
            step.done_with(run, Instant::now(), Severity::Warning, &message)
        }
    }
}

fn drop_new(settings: &PgSettings, name: &str) -> anyhow::Result<()> {
    let mut admin = admin(settings)?;
    // Whoever is still in there works in vain, and may hold what is to be dropped.
    let _ = admin.query_one(include_str!("../../queries/end_sessions.sql"), &[&[name].as_slice()]);
    // Where something of this fails, the server has the better words.
    let _ = empty(settings, name);
    let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", ident(name));
    admin.batch_execute(&sql).with_context(|| format!("drop the database {name}"))
}

/// Makes room where the disk is full: dropping a database needs a checkpoint first, which then fails, and leaves a
/// database that nobody can connect to any more and that takes all the room. Tables can be dropped.
fn empty(settings: &PgSettings, name: &str) -> anyhow::Result<()> {
    forget_subscriptions(settings, name)?;
    let mut session = connect(&settings.with_dbname(name))?;
    for row in session.query(include_str!("../../queries/heavy.sql"), &[])? {
        session.batch_execute(row.get(0))?;
    }
    Ok(())
}

/// Drops the subscriptions of an unfinished database, which keep it from being dropped. They have never spoken to a
/// publisher, whose slots are those of the old database.
pub(super) fn forget_subscriptions(settings: &PgSettings, name: &str) -> anyhow::Result<()> {
    let mut session = connect(&settings.with_dbname(name))?;
    for row in session.query(include_str!("../../queries/subscriptions.sql"), &[])? {
        let name = ident(row.get(0));
        // Each by itself: a slot cannot be let go of in a transaction.
        for statement in [
            format!("ALTER SUBSCRIPTION {name} DISABLE"),
            format!("ALTER SUBSCRIPTION {name} SET (slot_name = NONE)"),
            format!("DROP SUBSCRIPTION {name}"),
        ] {
            session.batch_execute(&statement)?;
        }
    }
    Ok(())
}

/// The session, told from every other of the server.
fn identity(session: &mut Client) -> anyhow::Result<(i32, String)> {
    let row = session.query_one(include_str!("../../queries/own_session.sql"), &[]).context("look at our session")?;
    Ok((row.get(0), row.get(1)))
}

/// Renames databases, all or none, after ending their sessions.
fn exchange(session: &mut Client, renames: &[(&str, &str)]) -> anyhow::Result<()> {
    let names: Vec<&str> = renames.iter().map(|(from, _)| *from).collect();
    let deadline = Instant::now() + SESSIONS_END;
    loop {
        let ended = session
            .query_one(include_str!("../../queries/end_sessions.sql"), &[&names])
            .context("end the sessions of the database")?;
        if ended.get::<_, i64>(0) == 0 || Instant::now() > deadline {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let mut transaction = session.transaction()?;
    for (from, to) in renames {
        transaction.batch_execute(&rename(from, to)).with_context(|| format!("rename {from} to {to}"))?;
    }
    transaction.commit().context("commit the renaming")
}

pub(super) fn allow(admin: &mut Client, name: &str, allow: bool) -> anyhow::Result<()> {
    let context = || format!("let {} into {name}", if allow { "others" } else { "nobody" });
    admin.batch_execute(&allow_statement(name, allow)).with_context(context)
}

pub(super) fn allow_statement(name: &str, allow: bool) -> String {
    format!("ALTER DATABASE {} ALLOW_CONNECTIONS {allow}", ident(name))
}

fn rename(from: &str, to: &str) -> String {
    format!("ALTER DATABASE {} RENAME TO {}", ident(from), ident(to))
}
