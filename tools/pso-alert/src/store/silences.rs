//! Silences in the state file.

use std::time::Duration;

use anyhow::Context as _;
use pso_common::Timestamp;
use rusqlite::{Connection, Transaction, params};

use super::{millis, moment};
use crate::incident::Silence;

/// How long one that is over can still be listed.
const REMEMBERED: Duration = Duration::from_secs(30 * 86_400);

/// All of them, the first to end first.
pub(crate) fn silences(connection: &Connection) -> anyhow::Result<Vec<Silence>> {
    let mut all = connection.prepare_cached("SELECT data, ends_at FROM silences ORDER BY ends_at, id")?;
    let mut rows = all.query([])?;
    let mut silences = Vec::new();
    while let Some(row) = rows.next()? {
        let silence: Silence =
            serde_json::from_str(row.get_ref(0)?.as_str()?).context("read a silence of the state file")?;
        // The column is what `expire` changes.
        silences.push(Silence { ends_at: moment(row.get(1)?), ..silence });
    }
    Ok(silences)
}

/// Says whether its id was free.
pub(crate) fn add_silence(transaction: &Transaction<'_>, silence: &Silence) -> anyhow::Result<bool> {
    let data = serde_json::to_string(silence).context("write a silence")?;
    let added = transaction
        .prepare_cached("INSERT OR IGNORE INTO silences (id, starts_at, ends_at, data) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![silence.id, millis(silence.starts_at), millis(silence.ends_at), data])?;
    Ok(added > 0)
}

/// Ends one that is not over. Says whether there was one.
pub(crate) fn expire_silence(transaction: &Transaction<'_>, id: &str, now: Timestamp) -> anyhow::Result<bool> {
    let ended = transaction
        .prepare_cached("UPDATE silences SET ends_at = ?2 WHERE id = ?1 AND ends_at > ?2")?
        .execute(params![id, millis(now)])?;
    Ok(ended > 0)
}

/// Forgets those that are long over. Says whether there were any.
pub(crate) fn purge_silences(transaction: &Transaction<'_>, now: Timestamp) -> anyhow::Result<bool> {
    let purged = transaction
        .prepare_cached("DELETE FROM silences WHERE ends_at < ?1")?
        .execute([millis(now.minus(REMEMBERED))])?;
    Ok(purged > 0)
}
