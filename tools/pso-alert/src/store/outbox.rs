//! Notices that wait for their channels.

use anyhow::Context as _;
use pso_common::Timestamp;
use rusqlite::{Transaction, params};

use super::millis;
use crate::notice::Notice;

/// A notice for one channel.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row<'a> {
    pub(crate) channel: &'a str,
    /// Notices of one message have the same.
    pub(crate) group: &'a str,
    pub(crate) notice: &'a Notice,
    pub(crate) made_at: Timestamp,
    pub(crate) due_at: Timestamp,
    pub(crate) expires_at: Timestamp,
}

/// Puts a notice into the outbox.
pub(crate) fn add(transaction: &Transaction<'_>, row: &Row<'_>) -> anyhow::Result<()> {
    let notice = serde_json::to_string(row.notice).context("write a notice")?;
    transaction
        .prepare_cached(
            "INSERT INTO outbox (channel, grouped, incident, notice, made_at, due_at, expires_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            row.channel,
            row.group,
            row.notice.incident,
            notice,
            millis(row.made_at),
            millis(row.due_at),
            millis(row.expires_at)
        ])?;
    Ok(())
}
