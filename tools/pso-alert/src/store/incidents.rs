//! Incidents in the state file.

use std::collections::HashMap;

use anyhow::Context as _;
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::millis;
use crate::incident::{Book, Incident};

/// All that are not over, and those with the given keys.
pub(crate) fn load<'k>(connection: &Connection, keys: impl Iterator<Item = &'k String>) -> anyhow::Result<Book> {
    let mut incidents = HashMap::new();
    let mut open = connection.prepare_cached("SELECT data FROM incidents WHERE open = 1")?;
    for row in open.query_map([], |row| row.get::<_, String>(0))? {
        let incident = read(&row?)?;
        incidents.insert(incident.key.clone(), incident);
    }
    let mut by_key = connection.prepare_cached("SELECT data FROM incidents WHERE key = ?1")?;
    for key in keys {
        if !incidents.contains_key(key)
            && let Some(data) = by_key.query_row([key], |row| row.get::<_, String>(0)).optional()?
        {
            incidents.insert(key.clone(), read(&data)?);
        }
    }
    Ok(Book { incidents })
}

/// Writes what a batch has changed; incidents that are in `before` and no longer in the book are removed.
pub(crate) fn save(
    transaction: &Transaction<'_>,
    book: &Book,
    before: &HashMap<String, Incident>,
) -> anyhow::Result<()> {
    let mut put = transaction
        .prepare_cached("INSERT OR REPLACE INTO incidents (key, open, seen_at, data) VALUES (?1, ?2, ?3, ?4)")?;
    for (key, incident) in &book.incidents {
        if before.get(key) != Some(incident) {
            let data = serde_json::to_string(incident).context("write an incident")?;
            put.execute(params![key, incident.is_open(), millis(incident.seen_at), data])?;
        }
    }
    let mut remove = transaction.prepare_cached("DELETE FROM incidents WHERE key = ?1")?;
    for key in before.keys().filter(|key| !book.incidents.contains_key(*key)) {
        remove.execute([key])?;
    }
    Ok(())
}

fn read(data: &str) -> anyhow::Result<Incident> {
    serde_json::from_str(data).context("read an incident of the state file")
}
