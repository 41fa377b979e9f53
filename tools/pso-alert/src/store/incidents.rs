//! Incidents in the state file.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use pso_common::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

use super::millis;
use crate::batch::Batch;
use crate::incident::{Book, Incident};

/// How long it is remembered how many times an incident fired, and how it ended.
const REMEMBERED: Duration = Duration::from_secs(7 * 86_400);

/// All that time can act on, and those with the given keys.
pub(crate) fn load<'k>(connection: &Connection, keys: impl Iterator<Item = &'k String>) -> anyhow::Result<Book> {
    load_sharing(connection, keys, |_| {})
}

/// Whether there is anything left to do about an incident; without looking at all the others.
pub(crate) fn is_standing(connection: &Connection, key: &str) -> anyhow::Result<bool> {
    Ok(connection.prepare_cached("SELECT 1 FROM incidents WHERE key = ?1 AND open = 1")?.exists([key])?)
}

/// All that time can act on, and those that a batch speaks of. What both hold is held once.
pub(crate) fn load_for(connection: &Connection, batch: &Batch) -> anyhow::Result<Book> {
    load_sharing(connection, batch.tracks.keys(), |incident| {
        if let Some(subject) = batch.shared(&incident.subject) {
            incident.subject = subject;
        }
    })
}

fn load_sharing<'k>(
    connection: &Connection,
    keys: impl Iterator<Item = &'k String>,
    share: impl Fn(&mut Incident),
) -> anyhow::Result<Book> {
    let mut book = Book { heard: super::heard(connection)?, ..Book::default() };
    let mut open = connection.prepare_cached("SELECT key, data FROM incidents WHERE open = 1")?;
    let mut rows = open.query([])?;
    while let Some(row) = rows.next()? {
        take(&mut book, row, &share)?;
    }
    let mut by_key = connection.prepare_cached("SELECT key, data FROM incidents WHERE key = ?1 AND open = 0")?;
    for key in keys.filter(|key| !book.incidents.contains_key(*key)).collect::<Vec<_>>() {
        by_key.query_row([key], |row| Ok(take(&mut book, row, &share))).optional()?.transpose()?;
    }
    Ok(book)
}

/// Incidents of which only their record is left.
pub(crate) fn settled(connection: &Connection) -> anyhow::Result<Book> {
    let mut book = Book::default();
    let mut all = connection.prepare_cached("SELECT key, data FROM incidents WHERE open = 0")?;
    let mut rows = all.query([])?;
    while let Some(row) = rows.next()? {
        take(&mut book, row, &|_| {})?;
    }
    Ok(book)
}

/// One that cannot be read must not keep anybody from being told of the others: it is as if it had never been.
fn take(book: &mut Book, row: &Row<'_>, share: &impl Fn(&mut Incident)) -> rusqlite::Result<()> {
    let key: String = row.get(0)?;
    match serde_json::from_str::<Incident>(row.get_ref(1)?.as_str()?) {
        Ok(mut incident) => {
            share(&mut incident);
            book.incidents.insert(key, Arc::new(incident));
        }
        Err(_) => {
            book.changed.insert(key);
        }
    }
    Ok(())
}

/// Writes what an evaluation has changed. Says whether that was anything.
pub(crate) fn save(transaction: &Transaction<'_>, book: &Book, now: Timestamp) -> anyhow::Result<bool> {
    let mut put = transaction.prepare_cached(
        "INSERT INTO incidents (key, open, seen_at, data) VALUES (?1, ?2, ?3, ?4) \
             ON CONFLICT (key) DO UPDATE SET open = ?2, seen_at = ?3, data = ?4",
    )?;
    let mut remove = transaction.prepare_cached("DELETE FROM incidents WHERE key = ?1")?;
    let mut written = 0;
    // In the order of the index: at random, each of many would touch a page that was written already.
    let mut keys: Vec<&String> = book.changed.iter().collect();
    keys.sort_unstable();
    for key in keys {
        written += match book.incidents.get(key) {
            Some(incident) => {
                let data = serde_json::to_string(incident.as_ref()).context("write an incident")?;
                put.execute(params![key, !incident.is_settled(), millis(incident.seen_at), data])?
            }
            None => remove.execute([key])?,
        };
    }
    written += transaction
        .prepare_cached("DELETE FROM incidents WHERE open = 0 AND seen_at < ?1")?
        .execute([millis(now.minus(REMEMBERED))])?;
    written += usize::from(super::save_heard(transaction, &book.heard)?);
    Ok(written > 0)
}
