//! How it stands with each channel, from run to run.

use pso_common::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

use super::{millis, moment};

/// How it stands with a channel.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Standing {
    /// No attempt before then: back-off, or what the other end asked for.
    pub(crate) not_before: Option<Timestamp>,
    /// A run makes an attempt, and will have ended it by then.
    pub(crate) leased_until: Option<Timestamp>,
    /// That run's worker.
    pub(crate) leased_by: String,
    /// In a row.
    pub(crate) failures: u32,
    pub(crate) failing_since: Option<Timestamp>,
    /// When it took a message last.
    pub(crate) sent_at: Option<Timestamp>,
    /// Of the last failure.
    pub(crate) reason: String,
    /// Of the configuration that cannot be used; empty when that is not so.
    pub(crate) fingerprint: String,
}

/// How it stands with a channel; one that was never tried stands well.
pub(crate) fn standing(connection: &Connection, name: &str) -> anyhow::Result<Standing> {
    let mut one = connection.prepare_cached(
        "SELECT not_before, leased_until, leased_by, failures, failing_since, sent_at, reason, fingerprint \
         FROM channels WHERE name = ?1",
    )?;
    Ok(one.query_row([name], read).optional()?.unwrap_or_default())
}

/// Writes how it stands with a channel.
pub(crate) fn put_standing(transaction: &Transaction<'_>, name: &str, standing: &Standing) -> anyhow::Result<()> {
    let column = |at: Option<Timestamp>| at.map_or(0, millis);
    transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO channels (name, not_before, leased_until, leased_by, failures, failing_since, \
             sent_at, reason, fingerprint) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            name,
            column(standing.not_before),
            column(standing.leased_until),
            standing.leased_by,
            standing.failures,
            standing.failing_since.map(millis),
            standing.sent_at.map(millis),
            standing.reason,
            standing.fingerprint
        ])?;
    Ok(())
}

fn read(row: &Row<'_>) -> rusqlite::Result<Standing> {
    let at = |column: i64| (column != 0).then(|| moment(column));
    Ok(Standing {
        not_before: at(row.get(0)?),
        leased_until: at(row.get(1)?),
        leased_by: row.get(2)?,
        failures: row.get(3)?,
        failing_since: row.get::<_, Option<i64>>(4)?.map(moment),
        sent_at: row.get::<_, Option<i64>>(5)?.map(moment),
        reason: row.get(6)?,
        fingerprint: row.get(7)?,
    })
}
