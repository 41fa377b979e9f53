//! The state file: SQLite, in write-ahead mode, readable to its owner only, and safe with several runs at once.

mod incidents;
mod outbox;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use pso_common::Timestamp;
use rusqlite::{Connection, Transaction, TransactionBehavior};

pub(crate) use incidents::{load, save};
pub(crate) use outbox::{Row, add};

const SCHEMA: &str = include_str!("schema.sql");

/// The version of [`SCHEMA`], kept as `PRAGMA user_version`.
const VERSION: i64 = 1;

/// How long a run waits for another one's transaction.
const BUSY: Duration = Duration::from_secs(5);

/// The state, shared by the threads of a run. Other runs have their own.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    connection: Arc<Mutex<Connection>>,
    /// Whether what is written is there after this run.
    lasting: bool,
}

impl Store {
    /// Opens the state file, or makes it.
    ///
    /// # Errors
    /// When it cannot be made, read or locked, or is no state file.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let context = || format!("open the state file {}", path.display());
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder).with_context(context)?;
        }
        private(path).with_context(context)?;
        let connection = Connection::open(path).with_context(context)?;
        connection.pragma_update(None, "journal_mode", "wal").with_context(context)?;
        Self::prepared(connection, true).with_context(context)
    }

    /// State in memory: what is left when the file cannot be used.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub(crate) fn in_memory() -> anyhow::Result<Self> {
        Self::prepared(Connection::open_in_memory().context("make a state in memory")?, false)
    }

    fn prepared(mut connection: Connection, lasting: bool) -> anyhow::Result<Self> {
        connection.busy_timeout(BUSY)?;
        connection.pragma_update(None, "synchronous", "full")?;
        let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        anyhow::ensure!(version <= VERSION, "it was made by a newer pso-alert; use that one, or another --state");
        if version < VERSION {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            // Another run may have made the tables while this one waited.
            let version: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
            if version < VERSION {
                transaction.execute_batch(SCHEMA)?;
                transaction.pragma_update(None, "user_version", VERSION)?;
            }
            transaction.commit()?;
        }
        Ok(Self { connection: Arc::new(Mutex::new(connection)), lasting })
    }

    /// Whether what is written is there after this run.
    pub(crate) const fn is_lasting(&self) -> bool {
        self.lasting
    }

    /// Does `work` as a whole or not at all; no other run comes in between.
    pub(crate) fn transaction<T>(&self, work: impl FnOnce(&Transaction<'_>) -> anyhow::Result<T>) -> anyhow::Result<T> {
        let mut connection = self.lock();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let result = work(&transaction)?;
        transaction.commit()?;
        Ok(result)
    }

    /// Looks without changing anything.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&Connection) -> anyhow::Result<T>) -> anyhow::Result<T> {
        look(&self.lock())
    }

    /// A transaction that was not committed is rolled back by its own end, so a panic leaves the connection whole.
    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes the file readable to its owner only before SQLite puts anything into it; its companions take its mode.
fn private(path: &Path) -> std::io::Result<PathBuf> {
    let mut options = fs::OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?;
    Ok(path.to_owned())
}

/// A moment as a column holds it.
pub(crate) fn millis(at: Timestamp) -> i64 {
    at.unix_millis()
}

/// A column's moment.
pub(crate) fn moment(millis: i64) -> Timestamp {
    Timestamp::from_unix_millis(millis)
}
