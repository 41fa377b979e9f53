//! When waiting notices are due.

use pso_common::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::{millis, moment};

/// When the first of a group that waits is due; those that join it are due then too.
pub(crate) fn due_of_group(
    transaction: &Transaction<'_>,
    channel: &str,
    group: &str,
) -> anyhow::Result<Option<Timestamp>> {
    let mut first = transaction.prepare_cached(
        "SELECT due_at FROM outbox WHERE channel = ?1 AND grouped = ?2 AND message IS NULL ORDER BY due_at LIMIT 1",
    )?;
    Ok(first.query_row([channel, group], |row| row.get(0)).optional()?.map(moment))
}

/// What was said of an incident before must not come after what is said now.
pub(crate) fn hasten(
    transaction: &Transaction<'_>,
    channel: &str,
    incident: &str,
    due_at: Timestamp,
) -> anyhow::Result<()> {
    transaction
        .prepare_cached(
            "UPDATE outbox SET due_at = ?3 WHERE incident = ?2 AND channel = ?1 AND due_at > ?3 AND message IS NULL",
        )?
        .execute(params![channel, incident, millis(due_at)])?;
    Ok(())
}

/// When the first of what waits for a channel is due.
pub(crate) fn next_due(connection: &Connection, channel: &str) -> anyhow::Result<Option<Timestamp>> {
    let mut first = connection.prepare_cached("SELECT min(due_at) FROM outbox WHERE channel = ?1")?;
    Ok(first.query_row([channel], |row| row.get::<_, Option<i64>>(0))?.map(moment))
}
