//! What was heard, and when.

use pso_common::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::{millis, moment};
use crate::incident::Heard;

pub(super) fn heard(connection: &Connection) -> anyhow::Result<Heard> {
    let mut all = connection.prepare_cached("SELECT source, host, tool, ended_at FROM heard")?;
    let rows = all.query_map([], |row| Ok(((row.get(0)?, row.get(1)?, row.get(2)?), moment(row.get(3)?))))?;
    Ok(Heard { at: rows.collect::<Result<_, _>>()?, changed: Vec::new() })
}

/// Says whether there was anything to write.
pub(super) fn save_heard(transaction: &Transaction<'_>, heard: &Heard) -> anyhow::Result<bool> {
    for key in &heard.changed {
        let (source, host, tool) = key;
        match heard.at.get(key) {
            Some(at) => transaction
                .prepare_cached("INSERT OR REPLACE INTO heard (source, host, tool, ended_at) VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![source, host, tool, millis(*at)])?,
            None => transaction
                .prepare_cached("DELETE FROM heard WHERE source = ?1 AND host = ?2 AND tool = ?3")?
                .execute(params![source, host, tool])?,
        };
    }
    Ok(!heard.changed.is_empty())
}

/// The latest moment at which anything was written.
pub(crate) fn clock(connection: &Connection) -> anyhow::Result<Option<Timestamp>> {
    let mut one = connection.prepare_cached("SELECT at FROM clock WHERE only = 1")?;
    Ok(one.query_row([], |row| row.get(0)).optional()?.map(moment))
}

/// Remembers that something is written at this moment.
pub(crate) fn set_clock(transaction: &Transaction<'_>, now: Timestamp) -> anyhow::Result<()> {
    transaction.prepare_cached("INSERT OR REPLACE INTO clock (only, at) VALUES (1, ?1)")?.execute([millis(now)])?;
    Ok(())
}

/// Moves what waits by as much as the clock went back from `then`.
pub(crate) fn pull_back(transaction: &Transaction<'_>, then: Timestamp, now: Timestamp) -> anyhow::Result<()> {
    let (by, now) = (millis(then) - millis(now), millis(now));
    transaction.execute(
        "UPDATE outbox SET made_at = made_at - ?1, due_at = due_at - ?1, expires_at = expires_at - ?1 WHERE made_at > ?2",
        [by, now],
    )?;
    transaction.execute("UPDATE messages SET made_at = made_at - ?1 WHERE made_at > ?2", [by, now])?;
    transaction.execute("UPDATE channels SET not_before = not_before - ?1 WHERE not_before > ?2", [by, now])?;
    transaction.execute("UPDATE channels SET leased_until = 0 WHERE leased_until > ?1", [now])?;
    transaction.execute("UPDATE channels SET failing_since = ?1 WHERE failing_since > ?1", [now])?;
    Ok(())
}
