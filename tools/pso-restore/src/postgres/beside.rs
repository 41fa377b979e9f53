//! A new database beside the old one, swapped by renaming.

use std::io::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
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
    /// Whether the swap was begun: then the old one may be found under its other name.
    begun: bool,
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
    drop_leftovers(&mut admin, run, &settings.dbname)?;
    let beside = Beside {
        database: plan.database.clone(),
        new: names.new.to_owned(),
        kept: names.kept.map(str::to_owned),
        begun: false,
    };
    let rows = plan.source.rows.values().sum();
    let step = Step::new("restore", Component::Postgres, plan.database.as_str())
        .rows(rows)
        .size(plan.entry.size)
        .says(format!("into {}, compared with the manifest", names.new));
    let result = step.run(run, |run, step| {
        admin
            .batch_execute(&create_statement(names.new, names.shape))
            .with_context(|| format!("create the database {}", names.new))?;
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
        Ok(())
    });
    match result {
        Ok(()) => Ok(beside),
        Err(error) => match drop_database(&mut admin, &beside.new) {
            Ok(()) => Err(error),
            // The next restore does it.
            Err(left) => Err(error.context(format!("the unfinished database {} is left: {left:#}", beside.new))),
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

fn drop_leftovers(admin: &mut Client, run: &mut Run<'_>, database: &str) -> anyhow::Result<()> {
    // As `suffixed` shortens it.
    let base = shortened(database, MAX_NAME_BYTES - "_pso_new_YYYYMMDD_HHMMSS".len());
    for row in admin.query(include_str!("../../queries/leftovers.sql"), &[&base]).context("look for leftovers")? {
        let name: String = row.get(0);
        // One with sessions belongs to a restore that runs elsewhere.
        match admin.batch_execute(&format!("DROP DATABASE {}", ident(&name))) {
            Ok(()) => run.warn(format_args!("dropped the database {name}, which a killed restore had left")),
            Err(error) => run.warn(format_args!("the database {name} of another restore is left: {error}")),
        }
    }
    Ok(())
}

fn drop_database(admin: &mut Client, name: &str) -> anyhow::Result<()> {
    let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", ident(name));
    admin.batch_execute(&sql).with_context(|| format!("drop the database {name}"))
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
        step.run(run, |run, _| match &self.kept {
            Some(kept) => self.swap(run, settings, kept),
            None => Ok(admin(settings)?.batch_execute(&rename(&self.new, &self.database))?),
        })
    }

    fn swap(&self, run: &mut Run<'_>, settings: &PgSettings, kept: &str) -> anyhow::Result<()> {
        let mut session = admin(settings)?;
        // Pools reconnect at once; a database with sessions cannot be renamed.
        allow(&mut session, &self.database, false)?;
        let renamed = self.rename_both(&mut session, kept);
        // A connection that broke at the commit says nothing about the commit.
        let mut session = if session.is_closed() { admin(settings) } else { Ok(session) };
        let done = match (&renamed, &mut session) {
            (Ok(()), _) => true,
            (Err(_), Ok(session)) => exists(session, kept)?,
            (Err(_), Err(_)) => false,
        };
        let old = if done { kept } else { &self.database };
        let allowed = session.and_then(|mut session| allow(&mut session, old, true));
        match (done, renamed, allowed) {
            (true, _, Ok(())) => Ok(()),
            (true, _, Err(error)) => {
                run.note(Severity::Warning);
                run.warn(format_args!("{error:#}; to look into {old}, run {}", allow_statement(old, true)));
                Ok(())
            }
            (false, renamed, Ok(())) => renamed,
            (false, renamed, Err(left)) => renamed.map_err(|error| {
                error.context(format!("{old} lets nobody in ({left:#}); run {}", allow_statement(old, true)))
            }),
        }
        .with_context(|| format!("rename {} to {}", self.new, self.database))
    }

    fn rename_both(&self, admin: &mut Client, kept: &str) -> anyhow::Result<()> {
        let deadline = Instant::now() + SESSIONS_END;
        loop {
            let ended = admin
                .query_one(include_str!("../../queries/end_sessions.sql"), &[&self.database, &self.new])
                .context("end the sessions of the database")?;
            let sessions: i64 = ended.get(0);
            if sessions == 0 || Instant::now() > deadline {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let mut transaction = admin.transaction()?;
        transaction.batch_execute(&rename(&self.database, kept))?;
        transaction.batch_execute(&rename(&self.new, &self.database))?;
        Ok(transaction.commit()?)
    }

    pub(super) fn undo(&self, run: &mut Run<'_>, settings: &PgSettings) -> anyhow::Result<()> {
        let step = Step::new("restore", Component::Postgres, self.database.as_str());
        let result = admin(settings).and_then(|mut admin| {
            if self.begun
                && let Some(kept) = self.kept.as_deref().filter(|kept| exists(&mut admin, kept).unwrap_or_default())
            {
                // The swap took place after all, and nobody was told.
                self.rename_back(&mut admin, kept)?;
            }
            drop_database(&mut admin, &self.new)
        });
        match result {
            Ok(()) => step.rolled_back(run, &format!("{} was dropped; {} is as before", self.new, self.database)),
            Err(error) if !self.begun => {
                // The database itself was not touched; the next restore drops what is left.
                let message = format!("{} was not touched, but {} is left: {error:#}", self.database, self.new);
                step.done_with(run, Instant::now(), Severity::Warning, &message)
            }
            Err(error) => {
                let kept = self.kept.as_deref().unwrap_or("no other");
                let message = format!(
                    "{error:#}; the old content is in {} or in {kept}, the new one in {} or in {}, and {} may let nobody in",
                    self.database, self.new, self.database, self.database
                );
                step.failed(run, Severity::Critical, &message)?;
                Err(error)
            }
        }
    }

    fn rename_back(&self, admin: &mut Client, kept: &str) -> anyhow::Result<()> {
        allow(admin, kept, true)?;
        admin.query_one(include_str!("../../queries/end_sessions.sql"), &[&self.database, &kept])?;
        let mut transaction = admin.transaction()?;
        transaction.batch_execute(&rename(&self.database, &self.new))?;
        transaction.batch_execute(&rename(kept, &self.database))?;
        transaction.commit().with_context(|| format!("rename {kept} back to {}", self.database))
    }
}

fn exists(admin: &mut Client, name: &str) -> anyhow::Result<bool> {
    let row = admin.query_opt(include_str!("../../queries/database.sql"), &[&name]);
    Ok(row.with_context(|| format!("look for the database {name}"))?.is_some())
}

fn allow(admin: &mut Client, name: &str, allow: bool) -> anyhow::Result<()> {
    let context = || format!("let {} into {name}", if allow { "others" } else { "nobody" });
    admin.batch_execute(&allow_statement(name, allow)).with_context(context)
}

fn allow_statement(name: &str, allow: bool) -> String {
    format!("ALTER DATABASE {} ALLOW_CONNECTIONS {allow}", ident(name))
}

fn rename(from: &str, to: &str) -> String {
    format!("ALTER DATABASE {} RENAME TO {}", ident(from), ident(to))
}
