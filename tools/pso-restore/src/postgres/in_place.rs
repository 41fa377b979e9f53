//! In place: one transaction of one `psql` session, which waits with its COMMIT until everything else is back.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{ChildStdin, ChildStdout};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail, ensure};
use pso_archive::{Archive, Running, command, count_query, row_differences, user_tables};
use pso_common::Run;
use pso_common::io::Cancel;
use pso_common::postgres::{PATIENCE, PgSettings, Program};
use pso_common::record::Component;

use super::fill::listed;
use super::target::{APPLICATION, connect};
use super::{PgPlan, feed, scratch};
use crate::journal::{Action, InPlaceTransaction, Journal, not_undone};
use crate::steps::Step;

/// How long the transaction waits for others to let go of a table.
const LOCK_TIMEOUT: &str = "30s";
/// Marks the lines of psql's output that are meant for us.
const MARK: &str = "pso-restore-mark";
/// How long a COMMIT may take whose outcome is not known.
const OUTCOME: Duration = Duration::from_secs(30);

/// A transaction that holds the archive's content and is not committed.
pub(crate) struct InPlace {
    database: String,
    session: Session,
    /// Tells later whether the transaction was committed, where the session cannot.
    transaction: String,
}

/// Replaces the content in a transaction, compares it, and leaves the transaction open.
pub(super) fn prepare(
    run: &mut Run<'_>,
    settings: &PgSettings,
    archive: &mut Archive,
    plan: &PgPlan,
    psql: &Program,
    journal: &mut Journal,
) -> anyhow::Result<InPlace> {
    let step = Step::new("restore", Component::Postgres, plan.database.as_str())
        .rows(plan.source.rows.values().sum())
        .size(plan.entry.size)
        .says("in a transaction that is not committed yet, compared with the manifest");
    step.run(run, |run, _| {
        let mut session = Session::start(run, settings, psql)?;
        session.write(&format!(
            "{};\nBEGIN;\nSET LOCAL idle_in_transaction_session_timeout = 0;\nSET LOCAL statement_timeout = 0;\n\
             SET LOCAL lock_timeout = '{LOCK_TIMEOUT}';\n{}",
            PATIENCE,
            first_statements(settings, plan)?
        ))?;
        let begun = session.transaction()?;
        let action = InPlaceTransaction { database: plan.database.clone(), transaction: begun.clone() };
        journal.will(Action::InPlace(action))?;
        replace(run, &mut session, archive, plan, &scratch(journal)?)
            .map_err(|error| session.explain(error))
            .with_context(|| format!("restore into {}", settings.shown()))?;
        let rows = session.count(plan, run.cancel())?;
        let transaction = session.transaction()?;
        if begun != transaction {
            let what = "the dump ended the transaction that it was restored in, so part of it is committed; look at the \
                        database before you go on, and please report this";
            return Err(anyhow!(what).context(Uncertain));
        }
        if let Some(differences) = row_differences(&plan.source.rows, &rows, true) {
            bail!("what was restored is not what was backed up: {differences}");
        }
        Ok(InPlace { database: plan.database.clone(), session, transaction })
    })
}

/// What comes before the dump. Locks the tables that are there, in one statement and before anything else: what
/// `pg_restore` writes takes its locks one by one and waits for them without end. And takes away default privileges, which
/// the dump knows nothing of when it makes things again, and sets at its end.
fn first_statements(settings: &PgSettings, plan: &PgPlan) -> anyhow::Result<String> {
    let mut client = connect(settings)?;
    let there: Vec<String> =
        user_tables(&mut client)?.into_iter().filter(|table| plan.source.rows.contains_key(table)).collect();
    let mut sql = String::new();
    if !there.is_empty() {
        sql.push_str(&format!("LOCK TABLE ONLY {} IN ACCESS EXCLUSIVE MODE;\n", there.join(", ONLY ")));
    }
    let defaults = client.query(include_str!("../../queries/default_privileges.sql"), &[]);
    for row in defaults.context("look at the default privileges")? {
        sql.push_str(row.get(0));
        sql.push_str(";\n");
    }
    Ok(sql)
}

/// `pg_restore` turns the dump into SQL, and psql executes it.
fn replace(
    run: &Run<'_>,
    session: &mut Session,
    archive: &mut Archive,
    plan: &PgPlan,
    folder: &Path,
) -> anyhow::Result<()> {
    let list = listed(folder, &plan.list)?;
    let mut command = command(plan.pg_restore()?, None, run.env());
    command.args(["--clean", "--if-exists", "--exit-on-error", "--file=-"]).arg("--use-list").arg(list.path());
    if !plan.keep_owners {
        command.arg("--no-owner");
    }
    let mut running = Running::start(command, run.cancel(), None)?;
    let stdout = running.take_stdout().context("pg_restore has no output")?;
    let mut stdin = session.stdin.take().context("psql has no input")?;
    let pump = thread::spawn(move || {
        let mut stdout = stdout;
        // Where psql ends early, pg_restore's pipe closes too, and so does ours.
        let copied = std::io::copy(&mut stdout, &mut stdin);
        (stdin, copied)
    });
    let fed = feed(archive, &plan.entry, running, run.cancel());
    let (stdin, copied) = pump.join().map_err(|_| anyhow!("the pump between pg_restore and psql failed"))?;
    session.stdin = Some(stdin);
    copied.context("pass the dump on to psql")?;
    fed
}

/// Marks an error after which the database is not known to be as it was.
#[derive(Debug)]
pub(crate) struct Uncertain;

impl std::fmt::Display for Uncertain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the database may have changed")
    }
}

/// Whether the dump's list of contents has large objects. `pg_restore` writes them between a BEGIN and a COMMIT of their
/// own, which would end the transaction that everything else is restored in.
pub(super) fn holds_large_objects(list: &str) -> bool {
    // "3456; 0 0 BLOBS - BLOBS owner"; from PostgreSQL 17 on "… BLOBS - 16384..16390 owner".
    list.lines().any(|line| !line.starts_with(';') && line.split_whitespace().nth(3) == Some("BLOBS"))
}

impl InPlace {
    /// The database that the transaction is in.
    pub(super) fn database(&self) -> &str {
        &self.database
    }

    /// Commits. After an error the journal finds out whether that took place.
    pub(super) fn switch(
        mut self,
        run: &mut Run<'_>,
        settings: &PgSettings,
        journal: &mut Journal,
    ) -> anyhow::Result<()> {
        let step = Step::new("swap", Component::Postgres, self.database.as_str()).says("committed");
        let action = InPlaceTransaction { database: self.database.clone(), transaction: self.transaction.clone() };
        let id = journal.will(Action::Commit(action))?;
        step.run(run, |_, step| {
            if let Err(error) = self.session.commit() {
                self.session.end();
                let committed = outcome(settings, &self.transaction).with_context(|| format!("commit: {error:#}"))?;
                ensure!(committed, "commit: {error:#}; the transaction was rolled back");
            }
            let analyzed = connect(settings).and_then(|mut client| Ok(client.batch_execute("ANALYZE")?));
            if let Err(error) = analyzed {
                step.message = format!("committed; statistics are not up to date yet: {error:#}");
            }
            Ok(())
        })?;
        // The server says so to whoever asks; a disk that is full now must not make a failure of it.
        let _ = journal.did(id);
        Ok(())
    }
}

/// Whether a transaction of a run that has ended was committed; waits until the server knows.
pub(crate) fn is_committed(settings: &PgSettings, place: &InPlaceTransaction) -> anyhow::Result<bool> {
    outcome(settings, &place.transaction)
}

/// Takes back a transaction that was never told to commit: its session has ended, and it with it.
pub(crate) fn roll_back(run: &mut Run<'_>, settings: &PgSettings, place: &InPlaceTransaction) -> anyhow::Result<()> {
    if matches!(status(settings, &place.transaction).as_deref(), Ok("committed")) {
        return take_back_commit(run, settings, place);
    }
    let step = Step::new("restore", Component::Postgres, place.database.as_str());
    step.rolled_back(run, "the transaction was rolled back; the database was not touched")
}

/// Makes sure that a transaction that was told to commit did not.
pub(crate) fn take_back_commit(
    run: &mut Run<'_>,
    settings: &PgSettings,
    place: &InPlaceTransaction,
) -> anyhow::Result<()> {
    let step = Step::new("swap", Component::Postgres, place.database.as_str());
    match outcome(settings, &place.transaction) {
        Ok(false) => Ok(()),
        Ok(true) => {
            let error =
                anyhow!("the new content of {} is committed, and what it replaced was not kept", place.database);
            not_undone(run, &step, error, "restore another archive to go back")
        }
        Err(error) => {
            let way_out = format!(
                "whether {} has its old or its new content is not known; ask the server: SELECT pg_xact_status('{}')",
                place.database, place.transaction
            );
            not_undone(run, &step, error, &way_out)
        }
    }
}

fn status(settings: &PgSettings, transaction: &str) -> anyhow::Result<String> {
    let mut client = connect(settings)?;
    let row = client.query_one("SELECT pg_catalog.pg_xact_status($1::text::xid8)", &[&transaction])?;
    Ok(row.get::<_, Option<String>>(0).unwrap_or_default())
}

/// Finds out whether a COMMIT that was not answered took place.
fn outcome(settings: &PgSettings, transaction: &str) -> anyhow::Result<bool> {
    let deadline = Instant::now() + OUTCOME;
    loop {
        let status = status(settings, transaction);
        match status.as_deref() {
            Ok("committed") => return Ok(true),
            Ok("aborted") => return Ok(false),
            _ if Instant::now() > deadline => {
                let reason = status.map_or_else(|error| format!("{error:#}"), |status| format!("it is {status}"));
                bail!("whether the transaction {transaction} was committed is not known ({reason})");
            }
            _ => thread::sleep(Duration::from_millis(200)),
        }
    }
}

/// A `psql` that executes what it is given and stops at the first error.
struct Session {
    running: Option<Running>,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    cancel: Cancel,
}

impl Session {
    fn start(run: &Run<'_>, settings: &PgSettings, psql: &Program) -> anyhow::Result<Self> {
        let mut command = command(psql, Some((settings, APPLICATION)), run.env());
        command.args(["--no-psqlrc", "--no-password", "--quiet", "--no-align", "--tuples-only"]);
        // The context of an error in COPY is a row of the table, and error messages travel.
        command.args(["--set=ON_ERROR_STOP=1", "--set=SHOW_CONTEXT=never", "--file=-"]);
        let mut running = Running::start(command, run.cancel(), None)?;
        let stdin = running.take_stdin();
        let lines = marked_lines(running.take_stdout().context("psql has no output")?);
        Ok(Self { running: Some(running), stdin, lines, cancel: run.cancel().clone() })
    }

    fn write(&mut self, sql: &str) -> anyhow::Result<()> {
        let stdin = self.stdin.as_mut().context("psql has no input")?;
        let written = stdin.write_all(sql.as_bytes()).and_then(|()| stdin.flush());
        written.context("write to psql").map_err(|error| self.explain(error))
    }

    /// What psql itself says, where it has ended; else the error.
    fn explain(&mut self, error: anyhow::Error) -> anyhow::Error {
        self.stdin = None;
        match self.running.take().map(Running::finish) {
            Some(Err(own)) => own,
            _ => error,
        }
    }

    /// The next line that is meant for us.
    fn line(&mut self) -> anyhow::Result<String> {
        loop {
            match self.lines.recv_timeout(Duration::from_millis(50)) {
                Ok(line) => return Ok(line),
                Err(RecvTimeoutError::Timeout) => self.cancel.check()?,
                Err(RecvTimeoutError::Disconnected) => return Err(self.explain(anyhow!("psql has ended early"))),
            }
        }
    }

    /// Rows of the plan's tables as the transaction sees them.
    fn count(&mut self, plan: &PgPlan, cancel: &Cancel) -> anyhow::Result<BTreeMap<String, u64>> {
        let mut rows = BTreeMap::new();
        for table in plan.source.rows.keys() {
            cancel.check()?;
            self.write(&format!("SELECT '{MARK}' || ({});\n", count_query(table)))?;
            let count = self.line().with_context(|| format!("count {table}"))?;
            rows.insert(table.clone(), count.parse().with_context(|| format!("count {table}"))?);
        }
        Ok(rows)
    }

    /// The id of the transaction that the session is in.
    fn transaction(&mut self) -> anyhow::Result<String> {
        self.write(&format!("SELECT '{MARK}' || pg_catalog.pg_current_xact_id()::text;\n"))?;
        let transaction = self.line().context("ask for the transaction's id")?;
        ensure!(transaction.bytes().all(|byte| byte.is_ascii_digit()), "psql answered {transaction:?}");
        Ok(transaction)
    }

    fn commit(&mut self) -> anyhow::Result<()> {
        self.write(&format!("COMMIT;\nSELECT '{MARK}committed';\n"))?;
        let line = self.line()?;
        ensure!(line == "committed", "psql answered {line:?}");
        self.end();
        Ok(())
    }

    fn end(&mut self) {
        self.stdin = None;
        // What it did is known, and it is killed if it does not end.
        drop(self.running.take().map(Running::finish));
    }
}

/// Reads all that psql prints, so that it never waits for us, and hands on the marked lines.
fn marked_lines(stdout: ChildStdout) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        // Long values do not come: what prints anything is `setval` and the like.
        for line in BufReader::new(stdout).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            if let Some(text) = line.strip_prefix(MARK)
                && sender.send(text.trim_end().to_owned()).is_err()
            {
                return;
            }
        }
    });
    receiver
}
