//! A session in which one VACUUM after the other runs, none of them longer than it may.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, ensure};
use pso_common::io::Cancel;
use pso_common::postgres::{Client, Error, PgSettings, Purpose, connect};

use super::tables::{Table, tables};

/// How long a lock is waited for. Well below `deadlock_timeout` (1 s): after that time a VACUUM that waits makes the server
/// cancel the autovacuum worker that is in its way (`src/backend/storage/lmgr/proc.c`, `ProcSleep`), which is to be left alone.
const LOCK: &str = "SET lock_timeout = '100ms'";
/// How often a signal is looked for.
const STEP: Duration = Duration::from_millis(50);
/// How long the statistics may take to tell what was done: below 15 they come from a process that writes twice a second.
const TOLD: Duration = Duration::from_millis(1500);
/// From this version on statistics lie in shared memory.
const SHARED_STATISTICS: i32 = 150_000;

/// The session.
pub(super) struct Session {
    client: Client,
    settings: PgSettings,
    pid: i32,
    version: i32,
}

/// What became of a VACUUM.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Vacuumed {
    Done,
    /// Somebody holds a lock on it.
    Locked,
    /// The time was over.
    Late,
    /// There is no such table any more.
    Gone,
    Failed(String),
}

impl Session {
    /// # Errors
    /// When the server cannot be reached, or may not be changed.
    pub(super) fn open(settings: &PgSettings) -> anyhow::Result<Self> {
        let mut client = connect(settings, "pso-prune", Purpose::Work)?;
        let row = client.query_one(include_str!("../../queries/vacuum_session.sql"), &[]).context("ask the server")?;
        ensure!(
            !row.get::<_, bool>("is_standby"),
            "{} is a standby, which cannot be vacuumed; name the primary (PGHOST, maintenance.postgres.host)",
            settings.shown()
        );
        client.batch_execute(LOCK).context("set lock_timeout")?;
        let (pid, version) = (row.get("pid"), row.get("version"));
        Ok(Self { client, settings: settings.clone(), pid, version })
    }

    pub(super) fn tables(&mut self) -> anyhow::Result<Vec<Table>> {
        tables(&mut self.client)
    }

    /// Waits until what other sessions of ours have counted is told, or a moment.
    pub(super) fn await_counts(&mut self, cancel: &Cancel) -> anyhow::Result<()> {
        let until = Instant::now() + TOLD;
        while Instant::now() < until {
            cancel.check()?;
            let row = self.client.query_one(include_str!("../../queries/own_sessions.sql"), &[]);
            let ended = row.is_ok_and(|row| row.get::<_, i64>(0) == 0);
            if ended && self.version >= SHARED_STATISTICS {
                break;
            }
            thread::sleep(STEP);
        }
        Ok(())
    }

    /// Who is vacuuming a table now.
    pub(super) fn busy(&mut self, table: &Table) -> anyhow::Result<Option<String>> {
        let row = self.client.query_opt(include_str!("../../queries/vacuum_busy.sql"), &[&table.oid]);
        let row = row.context("ask who is vacuuming")?;
        Ok(row.map(|row| {
            let who = if row.get("is_autovacuum") { "autovacuum" } else { "another session" };
            format!("{who} is vacuuming it (process {})", row.get::<_, i32>("pid"))
        }))
    }

    /// Vacuums and analyses a table, for as long as it may take.
    ///
    /// # Errors
    /// When the run is to stop; the server has been told then.
    pub(super) fn vacuum(
        self,
        table: &Table,
        at_most: Duration,
        cancel: &Cancel,
    ) -> anyhow::Result<(Option<Self>, Vacuumed)> {
        let Self { mut client, settings, pid, version } = self;
        // Never FULL: that locks everybody out, and takes the room of the table once more.
        let sql = format!("VACUUM (ANALYZE) {}", table.name);
        let limit = format!("SET statement_timeout = {}", at_most.as_millis().clamp(1, i32::MAX as u128));
        let (sender, receiver) = mpsc::sync_channel(1);
        thread::Builder::new()
            .name("vacuum".to_owned())
            .spawn(move || {
                // Two calls: several statements in one would be a transaction, in which there is no VACUUM.
                let result = client.batch_execute(&limit).and_then(|()| client.batch_execute(&sql));
                let after = client.batch_execute("SET statement_timeout = 0");
                let _ = sender.send((client, result, after.is_ok()));
            })
            .context("start a thread")?;
        let mut told = false;
        loop {
            match receiver.recv_timeout(STEP) {
                Ok((client, result, is_usable)) => {
                    cancel.check()?;
                    let outcome = result.map_or_else(|error| outcome_of(&error), |()| Vacuumed::Done);
                    return Ok((is_usable.then_some(Self { client, settings, pid, version }), outcome));
                }
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(anyhow!("the thread of VACUUM ended without a result"));
                }
                Err(RecvTimeoutError::Timeout) if cancel.is_cancelled() && !told => {
                    told = true;
                    if stop(&settings, pid).is_err() {
                        // The session ends with this process, and the server notices when it next speaks.
                        cancel.check()?;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// The table as it is after a VACUUM; `None` where the statistics do not tell in time.
    pub(super) fn after(&mut self, before: &Table) -> anyhow::Result<Option<Table>> {
        let until = Instant::now() + TOLD;
        loop {
            let now = self.tables()?.into_iter().find(|table| table.oid == before.oid);
            match now {
                Some(now) if now.vacuums > before.vacuums => return Ok(Some(now)),
                _ if Instant::now() >= until => return Ok(None),
                _ => thread::sleep(STEP),
            }
        }
    }
}

/// Tells the server to stop what a session of ours is doing.
fn stop(settings: &PgSettings, pid: i32) -> anyhow::Result<()> {
    let mut client = connect(settings, "pso-prune", Purpose::Work)?;
    client.execute("SELECT pg_catalog.pg_cancel_backend($1)", &[&pid]).context("cancel VACUUM")?;
    Ok(())
}

fn outcome_of(error: &Error) -> Vacuumed {
    // https://www.postgresql.org/docs/current/errcodes-appendix.html
    match error.code().map_or("", |code| code.code()) {
        "55P03" => Vacuumed::Locked,
        // Cancelled: by `statement_timeout`, or by somebody with the right to.
        "57014" => Vacuumed::Late,
        "42P01" => Vacuumed::Gone,
        _ => Vacuumed::Failed(error.as_db_error().map_or_else(|| error.to_string(), |db| db.message().to_owned())),
    }
}
