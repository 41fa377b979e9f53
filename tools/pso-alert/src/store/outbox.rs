//! Notices that wait for their channels, and the messages that were made up of them.

use anyhow::Context as _;
use pso_common::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::{millis, moment};
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

/// A message that was made up and has not arrived.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Message {
    pub(crate) key: String,
    pub(crate) made_at: Timestamp,
    /// Attempts that were begun.
    pub(crate) attempts: u32,
    /// The ids of its notices.
    pub(crate) ids: Vec<i64>,
    /// They themselves, in the order in which they were made.
    pub(crate) notices: Vec<Notice>,
    /// Those of which it only tells the number: their ids and rules.
    pub(crate) summed: Vec<(i64, String)>,
}

/// Puts a notice into the outbox.
pub(crate) fn add(transaction: &Transaction<'_>, row: &Row<'_>) -> anyhow::Result<()> {
    let notice = serde_json::to_string(row.notice).context("write a notice")?;
    transaction
        .prepare_cached(
            "INSERT INTO outbox (channel, grouped, incident, notice, made_at, due_at, expires_at, episode, ends) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            row.channel,
            row.group,
            row.notice.incident,
            notice,
            millis(row.made_at),
            millis(row.due_at),
            millis(row.expires_at),
            row.notice.episode,
            row.notice.is_end()
        ])?;
    Ok(())
}

/// How many notices wait for a channel, and when the oldest of them was made.
pub(crate) fn backlog(connection: &Connection, channel: &str) -> anyhow::Result<(u64, Option<Timestamp>)> {
    let mut count = connection.prepare_cached("SELECT count(*), min(made_at) FROM outbox WHERE channel = ?1")?;
    Ok(count.query_row([channel], |row| {
        Ok((row.get::<_, i64>(0)?.unsigned_abs(), row.get::<_, Option<i64>>(1)?.map(moment)))
    })?)
}

/// Whether anything waits for a channel: the cheap question of a run that has nothing to say.
pub(crate) fn is_waiting(connection: &Connection, channel: &str) -> anyhow::Result<bool> {
    let mut any = connection.prepare_cached("SELECT EXISTS (SELECT 1 FROM outbox WHERE channel = ?1)")?;
    Ok(any.query_row([channel], |row| row.get(0))?)
}

/// The channels for which anything waits.
pub(crate) fn waiting_channels(connection: &Connection) -> anyhow::Result<Vec<String>> {
    let mut all = connection.prepare_cached("SELECT DISTINCT channel FROM outbox")?;
    Ok(all.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
}

/// A waiting notice.
pub(crate) fn notice(connection: &Connection, id: i64) -> anyhow::Result<Notice> {
    let mut one = connection.prepare_cached("SELECT notice FROM outbox WHERE id = ?1")?;
    let text: String = one.query_row([id], |row| row.get(0))?;
    parsed(&text)
}

/// Puts another notice in the place of one that waits.
pub(crate) fn rewrite(transaction: &Transaction<'_>, id: i64, notice: &Notice) -> anyhow::Result<()> {
    let text = serde_json::to_string(notice).context("write a notice")?;
    transaction.prepare_cached("UPDATE outbox SET notice = ?2 WHERE id = ?1")?.execute(params![id, text])?;
    Ok(())
}

/// Takes a notice out.
pub(crate) fn remove(transaction: &Transaction<'_>, id: i64) -> anyhow::Result<()> {
    transaction.prepare_cached("DELETE FROM outbox WHERE id = ?1")?.execute([id])?;
    Ok(())
}

/// Makes waiting notices one message.
pub(crate) fn bind(
    transaction: &Transaction<'_>,
    channel: &str,
    key: &str,
    made_at: Timestamp,
    notices: impl IntoIterator<Item = i64>,
    summed: impl IntoIterator<Item = i64>,
) -> anyhow::Result<()> {
    transaction
        .prepare_cached("INSERT INTO messages (key, channel, made_at, attempts) VALUES (?1, ?2, ?3, 0)")?
        .execute(params![key, channel, millis(made_at)])?;
    let mut put = transaction.prepare_cached("UPDATE outbox SET message = ?2, summed = ?3 WHERE id = ?1")?;
    for id in notices {
        put.execute(params![id, key, false])?;
    }
    for id in summed {
        put.execute(params![id, key, true])?;
    }
    Ok(())
}

/// The key of the oldest message of a channel that has not arrived.
pub(crate) fn undelivered_key(connection: &Connection, channel: &str) -> anyhow::Result<Option<String>> {
    // Over the messages, which are few: most of a long outbox is in none.
    let mut first = connection.prepare_cached(
        "SELECT messages.key FROM messages JOIN outbox ON outbox.message = messages.key \
         WHERE messages.channel = ?1 ORDER BY outbox.id LIMIT 1",
    )?;
    Ok(first.query_row([channel], |row| row.get(0)).optional()?)
}

/// The oldest message of a channel that has not arrived.
pub(crate) fn undelivered(connection: &Connection, channel: &str) -> anyhow::Result<Option<Message>> {
    let Some(key) = undelivered_key(connection, channel)? else { return Ok(None) };
    let mut one = connection.prepare_cached("SELECT made_at, attempts FROM messages WHERE key = ?1")?;
    let (made_at, attempts) = one.query_row([&key], |row| Ok((moment(row.get(0)?), row.get(1)?)))?;
    let mut message = Message { key, made_at, attempts, ids: Vec::new(), notices: Vec::new(), summed: Vec::new() };
    let mut all = connection.prepare_cached("SELECT id, summed, notice FROM outbox WHERE message = ?1 ORDER BY id")?;
    let mut rows = all.query([&message.key])?;
    while let Some(row) = rows.next()? {
        let (id, notice) = (row.get(0)?, parsed(row.get_ref(2)?.as_str()?)?);
        if row.get(1)? {
            message.summed.push((id, notice.rule));
        } else {
            message.ids.push(id);
            message.notices.push(notice);
        }
    }
    drop(rows);
    Ok(Some(message))
}

/// Whether a message is there that has not arrived.
pub(crate) fn is_undelivered(connection: &Connection, key: &str) -> anyhow::Result<bool> {
    Ok(connection.prepare_cached("SELECT 1 FROM messages WHERE key = ?1")?.exists([key])?)
}

/// Says that an attempt begins.
pub(crate) fn begin_attempt(transaction: &Transaction<'_>, key: &str) -> anyhow::Result<()> {
    transaction.prepare_cached("UPDATE messages SET attempts = attempts + 1 WHERE key = ?1")?.execute([key])?;
    Ok(())
}

/// Takes a message out whose notices become part of others.
pub(crate) fn forget_message(transaction: &Transaction<'_>, key: &str) -> anyhow::Result<()> {
    transaction.prepare_cached("DELETE FROM messages WHERE key = ?1")?.execute([key])?;
    Ok(())
}

/// Takes a message and all its notices out: it arrived, or never will. Returns how many notices those were.
pub(crate) fn close(transaction: &Transaction<'_>, key: &str) -> anyhow::Result<usize> {
    let count = transaction.prepare_cached("DELETE FROM outbox WHERE message = ?1")?.execute([key])?;
    transaction.prepare_cached("DELETE FROM messages WHERE key = ?1")?.execute([key])?;
    Ok(count)
}

/// Gives up what is too old. A message that loses a part is made up anew, since another message needs another key, and with it
/// all of its channel, so that the order stays. Returns how many notices were given up.
pub(crate) fn expire(transaction: &Transaction<'_>, channel: &str, now: Timestamp) -> anyhow::Result<usize> {
    let mut old = transaction.prepare_cached("DELETE FROM outbox WHERE channel = ?1 AND expires_at <= ?2")?;
    let expired = old.execute(params![channel, millis(now)])?;
    if expired > 0 {
        let mut unbind =
            transaction.prepare_cached("UPDATE outbox SET message = NULL, summed = 0 WHERE channel = ?1")?;
        unbind.execute([channel])?;
        transaction.prepare_cached("DELETE FROM messages WHERE channel = ?1")?.execute([channel])?;
    }
    Ok(expired)
}

pub(super) fn parsed(text: &str) -> anyhow::Result<Notice> {
    serde_json::from_str(text).context("read a notice of the outbox")
}
