//! The state file: SQLite, in write-ahead mode, readable to its owner only, and safe with several runs at once.
//!
//! A file that cannot be used must not keep anybody from being told. A damaged one is set aside and a new one begins; where
//! that is not possible, or the disk is full, or another program locks it, the run goes on with a state in memory. All of it can
//! happen at any moment, and all who share the store go on with the other state; [`Store::take_troubles`] says it.

mod channels;
mod due;
mod fault;
mod file;
mod heard;
mod incidents;
mod outbox;
mod silences;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pso_common::{Severity, Timestamp};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params_from_iter};

pub(crate) use channels::{Standing, put_standing, standing};
pub(crate) use due::{count_due, due_of_group, each_due, hasten, next_due, next_group, next_of_group, superseded};
use fault::Fault;
pub(crate) use heard::{clock, pull_back, set_clock};
use heard::{heard, save_heard};
pub(crate) use incidents::{is_standing, load, load_for, save, settled};
pub(crate) use outbox::{
    Message, Row, add, backlog, begin_attempt, bind, close, expire, forget_message, is_undelivered, is_waiting, notice,
    remove, rewrite, undelivered, undelivered_key, waiting_channels,
};
pub(crate) use silences::{add_silence, expire_silence, purge_silences, silences};

/// What goes along when the run goes on with another state: tables, and their columns. Notices that wait get numbers of their own
/// there. Whoever reads the file we leave tells them a second time; that is better than nobody telling them.
const TAKEN_OVER: [(&str, &str); 7] = [
    ("incidents", "*"),
    ("silences", "*"),
    ("heard", "*"),
    ("clock", "*"),
    ("channels", "*"),
    ("messages", "*"),
    ("outbox", "channel, grouped, incident, notice, made_at, due_at, expires_at, episode, ends, message, summed"),
];

/// A write-ahead log longer than this is written back in the middle of a run (bytes).
const LONG_LOG: u64 = 4 << 20;

/// One longer than this is written back at the beginning of a run, when nothing is under way that would have to wait for it (bytes).
const GROWN_LOG: u64 = 1 << 20;

/// The state, shared by the threads of a run. Other runs have their own.
#[derive(Clone, Debug)]
pub(crate) struct Store(Arc<Mutex<Inner>>);

/// What happened to the state file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Trouble {
    /// What the run is at least.
    pub(crate) severity: Severity,
    pub(crate) text: String,
}

impl Trouble {
    /// Something that was known is not known any more.
    const fn lost(text: String) -> Self {
        Self { severity: Severity::Unknown, text }
    }
}

/// Notices that may not be on the disk yet.
#[derive(Debug)]
struct Unsynced {
    path: PathBuf,
    /// The last of them.
    last: i64,
    /// Whether the file's name may not be there, either.
    new: bool,
}

#[derive(Debug)]
struct Inner {
    connection: Connection,
    /// Absent when the state is in memory.
    path: Option<PathBuf>,
    /// Tells the file that is open from another one that has taken its name.
    identity: Option<(u64, u64)>,
    /// What happened to the file and was not told yet.
    troubles: Vec<Trouble>,
    /// The last notice that is known to be on the disk.
    synced: i64,
    /// Whether the file's name is known to be on the disk.
    named: bool,
}

impl Store {
    /// Opens the state file, or makes it. A damaged one is set aside.
    ///
    /// # Errors
    /// When it cannot be made, read or locked, or is no state file.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let mut troubles = Vec::new();
        let connection = file::open(path, &mut troubles)?;
        let (identity, path) = (file::identity(path), Some(path.to_owned()));
        let mut inner = Inner { connection, path, identity, troubles, synced: 0, named: false };
        inner.synced = inner.last_notice().unwrap_or_default();
        inner.shorten(GROWN_LOG);
        Ok(Self(Arc::new(Mutex::new(inner))))
    }

    /// State in memory.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub(crate) fn in_memory() -> anyhow::Result<Self> {
        Ok(Self::of_memory(file::in_memory()?))
    }

    /// State in memory, with what can be read of a file that cannot be written: what was told before is not told again.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub(crate) fn in_the_place_of(path: &Path) -> anyhow::Result<Self> {
        let connection = file::in_memory()?;
        if let Ok(file) = file::open_to_read(path) {
            take_over(&file, &connection);
        }
        Ok(Self::of_memory(connection))
    }

    fn of_memory(connection: Connection) -> Self {
        let (troubles, path, identity) = (Vec::new(), None, None);
        Self(Arc::new(Mutex::new(Inner { connection, path, identity, troubles, synced: 0, named: false })))
    }

    /// Whether what is written is there after this run.
    pub(crate) fn is_lasting(&self) -> bool {
        self.lock().path.is_some()
    }

    /// What happened to the file since this was asked last; people must know it.
    pub(crate) fn take_troubles(&self) -> Vec<Trouble> {
        std::mem::take(&mut self.lock().troubles)
    }

    /// Does `work` as a whole or not at all; no other run comes in between. New notices in the outbox are on the disk when this
    /// returns; of all else a power failure may take the last moments. `work` is done again when the state had to be
    /// changed for another one.
    pub(crate) fn transaction<T>(
        &self,
        mut work: impl FnMut(&Transaction<'_>) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let (result, unsynced) = self.lock().insist(|inner| {
            let transaction = inner.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let result = work(&transaction)?;
            transaction.commit()?;
            inner.shorten(LONG_LOG);
            Ok((result, inner.unsynced()))
        })?;
        // Not while others wait for the state: what they have sent is to be written down at once.
        if let Some(unsynced) = unsynced {
            let synced = file::sync(&unsynced.path, unsynced.new);
            self.lock().synced(&unsynced, synced);
        }
        Ok(result)
    }

    /// Looks without changing anything. `look` is called again when the state had to be changed for another one.
    pub(crate) fn read<T>(&self, mut look: impl FnMut(&Connection) -> anyhow::Result<T>) -> anyhow::Result<T> {
        self.lock().insist(|inner| look(&inner.connection))
    }

    /// A transaction that was not committed is rolled back by its own end, so a panic leaves the connection whole.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Tries with the file, with a new file where that one is damaged, and in memory.
    fn insist<T>(&mut self, mut attempt: impl FnMut(&mut Self) -> anyhow::Result<T>) -> anyhow::Result<T> {
        self.follow()?;
        let mut fresh = false;
        loop {
            let error = match attempt(self) {
                Ok(result) => return Ok(result),
                Err(error) => error,
            };
            let (Some(fault), Some(path)) = (Fault::of(&error), self.path.clone()) else { return Err(error) };
            if fault == Fault::Damaged && !fresh && self.begin_anew(&path).is_ok() {
                fresh = true;
            } else {
                self.degrade(&error)?;
            }
        }
    }

    /// Sets the damaged file aside and begins a new one.
    fn begin_anew(&mut self, path: &Path) -> anyhow::Result<()> {
        file::set_aside(path, self.identity, &mut self.troubles)?;
        self.connection = file::open(path, &mut self.troubles)?;
        self.identity = file::identity(path);
        (self.synced, self.named) = (self.last_notice().unwrap_or_default(), false);
        Ok(())
    }

    /// Goes to the file that now has the name of ours, when somebody removed or replaced that: what is written into it is seen by
    /// no other run, and is gone with this one.
    fn follow(&mut self) -> anyhow::Result<()> {
        let Some(path) = self.path.clone() else { return Ok(()) };
        if self.identity.is_none() || file::identity(&path) == self.identity {
            return Ok(());
        }
        match file::open(&path, &mut self.troubles) {
            Ok(connection) => {
                take_over(&self.connection, &connection);
                self.connection = connection;
                self.identity = file::identity(&path);
                (self.synced, self.named) = (0, false);
                let path = path.display();
                self.troubles.push(Trouble {
                    severity: Severity::Warning,
                    text: format!(
                        "the state file {path} was removed or replaced while it was in use; what was in it is written into {path} again"
                    ),
                });
                Ok(())
            }
            Err(error) => self.degrade(&error),
        }
    }

    /// Goes on in memory.
    fn degrade(&mut self, error: &anyhow::Error) -> anyhow::Result<()> {
        let memory = file::in_memory()?;
        take_over(&self.connection, &memory);
        let path = self.path.take().unwrap_or_default();
        self.connection = memory;
        self.troubles.push(Trouble::lost(format!(
            "use the state file {}: {error:#}; going on without it: nothing is remembered from here on",
            path.display()
        )));
        Ok(())
    }

    /// Writes the log back where it has grown beyond `limit`: each run reads the whole of it when it opens the file.
    fn shorten(&self, limit: u64) {
        if self.path.as_deref().is_some_and(|path| file::log_size(path) > limit) {
            file::shorten(&self.connection);
        }
    }

    /// What must reach the disk before anybody relies on it: new notices.
    fn unsynced(&self) -> Option<Unsynced> {
        let (path, last) = (self.path.clone()?, self.last_notice()?);
        (last != self.synced).then_some(Unsynced { path, last, new: !self.named })
    }

    /// Takes in whether that was so.
    fn synced(&mut self, unsynced: &Unsynced, result: std::io::Result<()>) {
        if self.path.as_ref() != Some(&unsynced.path) {
            return;
        }
        let path = &unsynced.path;
        match result {
            Ok(()) => (self.synced, self.named) = (self.synced.max(unsynced.last), true),
            // They are written, and will be delivered unless the machine dies first.
            Err(error) => {
                let trouble =
                    format!("sync the state file {}: {error}; a power failure may lose notices", path.display());
                self.troubles.push(Trouble { severity: Severity::Warning, text: trouble });
            }
        }
    }

    /// The number of the last notice that was ever put into the outbox.
    fn last_notice(&self) -> Option<i64> {
        let mut last = self.connection.prepare_cached("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'").ok()?;
        last.query_row([], |row| row.get(0)).optional().ok().flatten()
    }
}

/// Copies what another state does not have yet. What cannot be read is not known any more.
fn take_over(from: &Connection, to: &Connection) {
    for (table, columns) in TAKEN_OVER {
        let _ = copy(from, to, table, columns);
    }
}

fn copy(from: &Connection, to: &Connection, table: &str, columns: &str) -> rusqlite::Result<()> {
    let mut all = from.prepare(&format!("SELECT {columns} FROM {table}"))?;
    let names = all.column_names().collect::<Vec<_>>().join(", ");
    let count = all.column_count();
    let marks = vec!["?"; count].join(", ");
    let transaction = to.unchecked_transaction()?;
    {
        let mut put = transaction.prepare(&format!("INSERT OR IGNORE INTO {table} ({names}) VALUES ({marks})"))?;
        let mut rows = all.query([])?;
        while let Some(row) = rows.next()? {
            let values = (0..count).map(|column| row.get::<_, Value>(column)).collect::<Result<Vec<_>, _>>()?;
            put.execute(params_from_iter(values))?;
        }
    }
    transaction.commit()
}

/// A moment as a column holds it.
pub(crate) fn millis(at: Timestamp) -> i64 {
    at.unix_millis()
}

/// A column's moment.
pub(crate) fn moment(millis: i64) -> Timestamp {
    Timestamp::from_unix_millis(millis)
}

#[cfg(test)]
mod tests;
