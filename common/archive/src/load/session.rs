//! The sessions that load.

use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, anyhow};
use pso_common::io::Cancel;
use pso_common::postgres::{Client, Error, PgSettings, Purpose, connect};

use super::fault::Refused;
use crate::custom::Content;

/// How much of a large object is written at once, in bytes.
const LARGE_OBJECT_PIECE: usize = 256 << 10;

/// Some rows of a table.
///
/// A row that is larger than a piece comes bit by bit, to one session: memory has a bound.
pub(super) struct Piece {
    /// The id of the data.
    pub(super) id: u32,
    /// The `COPY` that takes them.
    pub(super) statement: Arc<str>,
    pub(super) bytes: Vec<u8>,
    /// The rest of the last row, where that is a long one.
    pub(super) rest: Option<Receiver<Vec<u8>>>,
}

impl Piece {
    fn write(&self, to: &mut impl Write) -> io::Result<()> {
        to.write_all(&self.bytes)?;
        self.rest.iter().flatten().try_for_each(|bytes| to.write_all(&bytes))
    }
}

/// What the sessions and the reader know of one another.
#[derive(Default)]
pub(super) struct Shared {
    failed: AtomicBool,
    abandoned: AtomicBool,
    told: AtomicBool,
}

impl Shared {
    /// Whether a session has failed: then the rest is in vain.
    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// A session has failed.
    pub(super) fn fail(&self) {
        self.failed.store(true, Ordering::Relaxed);
    }

    /// The reader has failed: nothing that is not finished yet is to be.
    pub(super) fn abandon(&self) {
        self.abandoned.store(true, Ordering::Relaxed);
    }

    /// Whether this is the first to ask.
    pub(super) fn take_first(&self) -> bool {
        !self.told.swap(true, Ordering::Relaxed)
    }
}

/// How a session is opened.
#[derive(Clone, Copy, Debug)]
pub(super) struct Door<'a> {
    pub(super) own: &'a PgSettings,
    pub(super) application: &'a str,
}

impl Door<'_> {
    fn open(self) -> anyhow::Result<Client> {
        open(self.own, self.application)
    }
}

/// A session like those of `pg_restore`.
///
/// # Errors
/// When there is none, or it cannot be set up.
pub fn open(own: &PgSettings, application: &str) -> anyhow::Result<Client> {
    let mut client = connect(own, application, Purpose::Work)?;
    client
        .batch_execute(include_str!("../../queries/load_session.sql"))
        .map_err(|error| said(&error))
        .context("set up a session that loads rows")?;
    Ok(client)
}

/// Loads pieces until there are no more.
pub(super) fn work(door: Door<'_>, pieces: &Mutex<Receiver<Piece>>, shared: &Shared) -> anyhow::Result<()> {
    let next = || pieces.lock().unwrap_or_else(PoisonError::into_inner).recv().ok();
    let result = load(door, next, shared);
    if result.is_err() {
        shared.fail();
        // The reader may wait for room in the queue, and where no session works any more nobody else would make some.
        while next().is_some() {}
    }
    result
}

fn load(door: Door<'_>, next: impl Fn() -> Option<Piece>, shared: &Shared) -> anyhow::Result<()> {
    let mut client = None;
    let mut held = next();
    while let Some(piece) = held.take() {
        // Not before there is something to do: a small database needs one session.
        let client = match &mut client {
            Some(client) => client,
            None => client.insert(door.open()?),
        };
        let context = || format!("load rows: {}", piece.statement);
        let mut copy = client
            .copy_in(&*piece.statement)
            .map_err(|error| refused(&error, &piece.statement))
            .with_context(context)?;
        let mut written = piece.write(&mut copy);
        while written.is_ok() {
            held = next();
            match &held {
                Some(next) if next.id == piece.id => written = next.write(&mut copy),
                _ => break,
            }
        }
        if shared.abandoned.load(Ordering::Relaxed) {
            // Dropped, a COPY is cancelled.
            return Ok(());
        }
        // Where writing failed, the server has the reason.
        copy.finish().map_err(|error| refused(&error, &piece.statement)).with_context(context)?;
        written.with_context(context)?;
    }
    Ok(())
}

/// What the server said. Its details and context may be rows of the table, and messages travel.
#[must_use]
pub fn said(error: &Error) -> anyhow::Error {
    match error.as_db_error() {
        Some(db) => {
            Refused { state: db.code().code().to_owned(), message: db.message().to_owned(), table: None }.into()
        }
        None => anyhow!("{error}"),
    }
}

/// What the server said of rows.
fn refused(error: &Error, statement: &str) -> anyhow::Error {
    said(error)
        .downcast::<Refused>()
        .map_or_else(|error| error, |refused| Refused { table: Some(copied(statement).to_owned()), ..refused }.into())
}

/// The table of a COPY. What follows its name is the columns, if it has any, in parentheses.
fn copied(statement: &str) -> &str {
    let rest = statement.strip_prefix("COPY ").unwrap_or(statement);
    let mut quoted = false;
    let end = rest.find(|c| {
        quoted ^= c == '"';
        c == ' ' && !quoted
    });
    end.map_or(rest, |end| &rest[..end])
}

/// The session that fills large objects, which are there already, in one transaction.
pub(super) struct LargeObjects {
    client: Client,
}

impl LargeObjects {
    pub(super) fn open(door: Door<'_>) -> anyhow::Result<Self> {
        let mut client = door.open()?;
        client.batch_execute("BEGIN").map_err(|error| said(&error))?;
        Ok(Self { client })
    }

    pub(super) fn load<R: Read>(
        &mut self,
        oid: u32,
        content: &mut Content<'_, R>,
        cancel: &Cancel,
        shared: &Shared,
    ) -> anyhow::Result<()> {
        let (mut piece, mut at) = (Vec::new(), 0_i64);
        loop {
            cancel.check()?;
            let more = content.fill(&mut piece, LARGE_OBJECT_PIECE)?;
            self.client
                .execute("SELECT pg_catalog.lo_put($1::oid, $2, $3)", &[&oid, &at, &piece])
                .map_err(|error| {
                    shared.fail();
                    said(&error)
                })
                .with_context(|| format!("write the large object {oid}"))?;
            if !more {
                return Ok(());
            }
            at += i64::try_from(piece.len())?;
            piece.clear();
        }
    }

    pub(super) fn commit(mut self) -> anyhow::Result<()> {
        self.client.batch_execute("COMMIT").map_err(|error| said(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_of_one_table() {
        for (statement, table) in [
            ("COPY public.plans (id, title) FROM stdin WITH (ENCODING 'UTF8')", "public.plans"),
            ("COPY public.\"to do\" (\"a (b\") FROM stdin", "public.\"to do\""),
            ("COPY public.\"a \"\" b\" FROM stdin", "public.\"a \"\" b\""),
        ] {
            assert_eq!(copied(statement), table);
        }
    }
}
