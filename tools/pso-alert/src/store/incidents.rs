//! Incidents in the state file.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use pso_common::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

use super::millis;
use crate::incident::{Book, Incident};

/// How long it is remembered how many times an incident fired, and how it ended.
const REMEMBERED: Duration = Duration::from_secs(7 * 86_400);

/// All that time can act on, and those with the given keys.
pub(crate) fn load<'k>(connection: &Connection, keys: impl Iterator<Item = &'k String>) -> anyhow::Result<Book> {
    let mut book = Book { heard: super::heard(connection)?, ..Book::default() };
    let mut open = connection.prepare_cached("SELECT key, data FROM incidents WHERE open = 1")?;
    let mut rows = open.query([])?;
    while let Some(row) = rows.next()? {
        take(&mut book, row)?;
    }
    let mut by_key = connection.prepare_cached("SELECT key, data FROM incidents WHERE key = ?1 AND open = 0")?;
    for key in keys.filter(|key| !book.incidents.contains_key(*key)).collect::<Vec<_>>() {
        by_key.query_row([key], |row| Ok(take(&mut book, row))).optional()?.transpose()?;
    }
    Ok(book)
}

/// Incidents of which only their record is left, the last ended first.
pub(crate) fn settled(connection: &Connection) -> anyhow::Result<Book> {
    let mut book = Book::default();
    let mut all = connection.prepare_cached("SELECT key, data FROM incidents WHERE open = 0")?;
    let mut rows = all.query([])?;
    while let Some(row) = rows.next()? {
        take(&mut book, row)?;
    }
    Ok(book)
}

/// One that cannot be read must not keep anybody from being told of the others: it is as if it had never been.
fn take(book: &mut Book, row: &Row<'_>) -> rusqlite::Result<()> {
    let key: String = row.get(0)?;
    match serde_json::from_str::<Incident>(row.get_ref(1)?.as_str()?) {
        Ok(incident) => {
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
