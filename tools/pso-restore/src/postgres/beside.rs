//! A new database beside the old one, swapped by renaming.

use std::io::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use pso_archive::{Archive, Running, command, count_rows, row_differences};
use pso_common::io::Cancel;
use pso_common::postgres::{Client, PgSettings, Purpose, connect};
use pso_common::record::Component;
use pso_common::{Run, Severity};

use super::target::{APPLICATION, Shape, admin, ident, literal};
use super::{MAX_NAME_BYTES, PgPlan, feed, properties, shortened};
use crate::steps::Step;

/// How long sessions of the old database may take to end.
const SESSIONS_END: Duration = Duration::from_secs(10);
/// How long a server that went away in the middle of the renaming may take to answer again.
const OUTCOME: Duration = Duration::from_secs(30);

/// The names and the form of the databases that take part.
pub(super) struct Names<'a> {
    pub(super) new: &'a str,
    pub(super) kept: Option<&'a str>,
    pub(super) shape: &'a Shape,
}

/// A new database that holds the archive's content.
pub(crate) struct Beside {
    database: String,
    new: String,
    kept: Option<String>,
    /// The new one, whatever its name is by now.
    oid: u32,
    /// The session that renames, by process and start; present once anything may have been renamed.
    session: Option<(i32, String)>,
}

/// Creates the new database, restores into it, compares, and gives it what the old one has.
pub(super) fn prepare(
    run: &mut Run<'_>,
    settings: &PgSettings,
    archive: &mut Archive,
    plan: &PgPlan,
    names: &Names<'_>,
) -> anyhow::Result<Beside> {
    let mut admin = admin(settings)?;
    reopen(&mut admin, run, &settings.dbname, names.shape)?;
    drop_leftovers(&mut admin, run, &settings.dbname)?;
    let rows = plan.source.rows.values().sum();
    let step = Step::new("restore", Component::Postgres, plan.database.as_str())
        .rows(rows)
        .size(plan.entry.size)
        .says(format!("into {}, compared with the manifest", names.new));
    let result = step.run(run, |run, step| {
        admin
            .batch_execute(&create_statement(names.new, names.shape))
            .with_context(|| format!("create the database {}", names.new))?;
        let oid = oid(&mut admin, names.new)?;
        let own = settings.with_dbname(names.new);
        restore(run, &own, archive, plan)?;
        compare(&own, plan, run.cancel())?;
        if names.kept.is_some() {
            let problems = properties::carry_over(&mut admin, &plan.database, names.new, names.shape)?;
            if !problems.is_empty() {
                run.note(Severity::Warning);
                let text = format!("settings of the database that were not carried over: {}", problems.join("; "));
                run.warn(&text);
                step.message = format!("{}; {text}", step.message);
            }
        }
        Ok(oid)
    });
    match result {
        Ok(oid) => Ok(Beside {
            database: plan.database.clone(),
            new: names.new.to_owned(),
            kept: names.kept.map(str::to_owned),
            oid,
            session: None,
        }),
        Err(error) => match drop_new(settings, names.new) {
            Ok(()) => Err(error),
            // The next restore does it.
            Err(left) => Err(error.context(format!("the unfinished database {} is left: {left:#}", names.new))),
        },
    }
}

fn create_statement(name: &str, shape: &Shape) -> String {
    let mut sql = format!(
        "CREATE DATABASE {} WITH TEMPLATE template0 OWNER {} ENCODING{} LC_COLLATE{} LC_CTYPE{}",
        ident(name),
        ident(&shape.owner),
        literal(&shape.encoding),
        literal(&shape.collate),
        literal(&shape.ctype)
    );
    match (shape.locale_provider.as_str(), &shape.locale) {
        ("i", Some(locale)) => sql.push_str(&format!(" LOCALE_PROVIDER icu ICU_LOCALE{}", literal(locale))),
        ("b", Some(locale)) => sql.push_str(&format!(" LOCALE_PROVIDER builtin BUILTIN_LOCALE{}", literal(locale))),
        _ => {}
    }
    if let Some(tablespace) = &shape.tablespace {
        sql.push_str(&format!(" TABLESPACE {}", ident(tablespace)));
    }
    sql
}

fn restore(run: &Run<'_>, own: &PgSettings, archive: &mut Archive, plan: &PgPlan) -> anyhow::Result<()> {
    let mut list = tempfile::NamedTempFile::new().context("create a temporary file")?;
    list.write_all(plan.list.as_bytes()).context("write the list of what to restore")?;
    let mut command = command(&plan.pg_restore, Some((own, APPLICATION)), run.env());
    command.args(["--exit-on-error", "--no-password"]).arg("--use-list").arg(list.path());
    if !plan.keep_owners {
        command.arg("--no-owner");
    }
    let running = Running::start(command, run.cancel(), None)?;
    feed(archive, &plan.entry, running, run.cancel()).with_context(|| format!("restore into {}", own.dbname))
}

fn compare(own: &PgSettings, plan: &PgPlan, cancel: &Cancel) -> anyhow::Result<()> {
    let mut client = connect(own, APPLICATION, Purpose::Work)?;
    client.batch_execute("SET row_security = off")?;
    let found = count_rows(&mut client, cancel)?;
    if let Some(differences) = row_differences(&plan.source.rows, &found, false) {
        bail!("what was restored is not what was backed up: {differences}");
    }
    client.batch_execute("ANALYZE").with_context(|| format!("gather statistics of {}", own.dbname))
}

/// The databases that killed restores of this one have left half made.
pub(super) fn leftovers(admin: &mut Client, database: &str) -> anyhow::Result<Vec<String>> {
    // As `suffixed` shortens it.
    let base = shortened(database, MAX_NAME_BYTES - "_pso_new_YYYYMMDD_HHMMSS".len());
    let rows = admin.query(include_str!("../../queries/leftovers.sql"), &[&base]).context("look for leftovers")?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

fn drop_leftovers(admin: &mut Client, run: &mut Run<'_>, database: &str) -> anyhow::Result<()> {
    for name in leftovers(admin, database)? {
        // One with sessions belongs to a restore that runs elsewhere.
        match admin.batch_execute(&format!("DROP DATABASE {}", ident(&name))) {
            Ok(()) => run.warn(format_args!("dropped the database {name}, which a killed restore had left")),
            Err(error) => run.warn(format_args!("the database {name} of another restore is left: {error}")),
        }
    }
    Ok(())
}

/// Lets others in again where a killed restore had just locked them out.
fn reopen(admin: &mut Client, run: &mut Run<'_>, database: &str, shape: &Shape) -> anyhow::Result<()> {
    if !shape.lets_in {
        allow(admin, database, true)?;
        run.warn(format_args!("{database} lets others in again, which a killed restore had kept out"));
    }
    let base = shortened(database, MAX_NAME_BYTES - "_before_YYYYMMDD_HHMMSS".len());
    for row in admin.query(include_str!("../../queries/closed.sql"), &[&base]).context("look for what is kept")? {
        let name: String = row.get(0);
        match allow(admin, &name, true) {
            Ok(()) => run.warn(format_args!("{name}, which a killed restore had kept, can be looked into again")),
            Err(error) => run.warn(format_args!("{error:#}; nobody can look into what a killed restore had kept")),
        }
    }
    Ok(())
}

fn drop_new(settings: &PgSettings, name: &str) -> anyhow::Result<()> {
    let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", ident(name));
    admin(settings)?.batch_execute(&sql).with_context(|| format!("drop the database {name}"))
}

fn oid(admin: &mut Client, name: &str) -> anyhow::Result<u32> {
    let row = admin.query_one("SELECT oid FROM pg_catalog.pg_database WHERE datname = $1", &[&name]);
    Ok(row.with_context(|| format!("look for the database {name}"))?.get(0))
}

impl Beside {
    pub(super) fn switch(&mut self, run: &mut Run<'_>, settings: &PgSettings) -> anyhow::Result<()> {
        let step = Step::new("swap", Component::Postgres, self.database.as_str());
        let step = match &self.kept {
            Some(kept) => step.says(format!(
                "the one that was there is kept; when it is no longer wanted: DROP DATABASE {}",
                ident(kept)
            )),
            None => step,
        };
        step.run(run, |run, _| {
            self.swap(run, settings).with_context(|| format!("rename {} to {}", self.new, self.database))
        })
    }

    /// Gives the new one the name. After an error [`Beside::undo`] finds out how far it came.
    fn swap(&mut self, run: &mut Run<'_>, settings: &PgSettings) -> anyhow::Result<()> {
        let mut session = admin(settings)?;
        self.session = Some(identity(&mut session)?);
        if let Err(error) = self.rename_in(&mut session) {
            drop(session);
            let settled = self.settle(settings);
            let (settled, swapped) = settled.with_context(|| format!("after an error ({error:#})"))?;
            if !swapped {
                return Err(error);
            }
            // It took place, and only the answer was lost.
            session = settled;
        }
        let Some(kept) = &self.kept else { return Ok(()) };
        let opened = allow(&mut session, kept, true)
            .or_else(|_| admin(settings).and_then(|mut session| allow(&mut session, kept, true)));
        if let Err(error) = opened {
            run.note(Severity::Warning);
            run.warn(format_args!("{error:#}; to look into {kept}, run {}", allow_statement(kept, true)));
        }
        Ok(())
    }

    fn rename_in(&self, session: &mut Client) -> anyhow::Result<()> {
        let Some(kept) = &self.kept else { return exchange(session, &[(&self.new, &self.database)]) };
        // Pools reconnect at once; a database with sessions cannot be renamed.
        allow(session, &self.database, false)?;
        exchange(session, &[(&self.database, kept), (&self.new, &self.database)])
    }

    fn rename_back(&self, session: &mut Client) -> anyhow::Result<()> {
        allow(session, &self.database, false)?;
        let away = (self.database.as_str(), self.new.as_str());
        match &self.kept {
            Some(kept) => exchange(session, &[away, (kept, &self.database)]),
            None => exchange(session, &[away]),
        }
    }

    /// Whether the new database has the name by now. A connection that broke says nothing about that, so the session
    /// that renames has to have ended first.
    fn settle(&self, settings: &PgSettings) -> anyhow::Result<(Client, bool)> {
        let deadline = Instant::now() + OUTCOME;
        loop {
            match self.look(settings) {
                Err(_) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(200)),
                result => return result.context("find out whether the databases were renamed"),
            }
        }
    }

    fn look(&self, settings: &PgSettings) -> anyhow::Result<(Client, bool)> {
        let mut session = admin(settings)?;
        if let Some((pid, start)) = &self.session {
            let ended = session.query_one(include_str!("../../queries/end_session.sql"), &[pid, start])?;
            ensure!(ended.get::<_, i64>(0) == 0, "the session that renames has not ended");
        }
        let row = session.query_opt("SELECT datname::text FROM pg_catalog.pg_database WHERE oid = $1", &[&self.oid])?;
        let swapped = row.is_some_and(|row| row.get::<_, String>(0) == self.database);
        Ok((session, swapped))
    }

    pub(super) fn undo(mut self, run: &mut Run<'_>, settings: &PgSettings) -> anyhow::Result<()> {
        let step = Step::new("restore", Component::Postgres, self.database.as_str());
        if let Err(error) = self.take_back(settings) {
            step.failed(run, Severity::Critical, &format!("{error:#}; {}", self.way_out()))?;
            return Err(error);
        }
        match drop_new(settings, &self.new) {
            Ok(()) => step.rolled_back(run, &format!("{} was dropped; {} is as before", self.new, self.database)),
            Err(error) => {
                let message = format!(
                    "{} is as before, but {} is left, which the next restore drops: {error:#}",
                    self.database, self.new
                );
                step.done_with(run, Instant::now(), Severity::Warning, &message)
            }
        }
    }

    /// Brings the old one back to its name, where it lost it, and lets others in.
    fn take_back(&mut self, settings: &PgSettings) -> anyhow::Result<()> {
        if self.session.is_none() {
            return Ok(());
        }
        let (mut session, swapped) = self.settle(settings)?;
        if swapped {
            self.session = Some(identity(&mut session)?);
            if let Err(error) = self.rename_back(&mut session) {
                drop(session);
                let (mut settled, swapped) = self.settle(settings)?;
                if swapped {
                    // Better the new content than none.
                    for name in [Some(&self.database), self.kept.as_ref()].into_iter().flatten() {
                        allow(&mut settled, name, true)?;
                    }
                    return Err(error.context(format!("give the old database the name {} again", self.database)));
                }
                session = settled;
            }
        }
        if self.kept.is_some() { allow(&mut session, &self.database, true) } else { Ok(()) }
    }

    /// What somebody has to do where the undoing failed.
    fn way_out(&self) -> String {
        let database = &self.database;
        match &self.kept {
            Some(kept) => format!(
                "where there is a database {kept}, the old content is in it and the new one in {database}: to go back, \
                 rename {database} to {} and {kept} to {database}; where there is none, {database} has the old content. \
                 Then let others in: {}",
                self.new,
                allow_statement(database, true)
            ),
            None => format!("{database}, which was not there before, may be there now with the new content"),
        }
    }
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

fn allow(admin: &mut Client, name: &str, allow: bool) -> anyhow::Result<()> {
    let context = || format!("let {} into {name}", if allow { "others" } else { "nobody" });
    admin.batch_execute(&allow_statement(name, allow)).with_context(context)
}

pub(super) fn allow_statement(name: &str, allow: bool) -> String {
    format!("ALTER DATABASE {} ALLOW_CONNECTIONS {allow}", ident(name))
}

fn rename(from: &str, to: &str) -> String {
    format!("ALTER DATABASE {} RENAME TO {}", ident(from), ident(to))
}
