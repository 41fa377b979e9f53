//! Which of the waiting notices may be told, and when the others may.
//!
//! Within an incident the order in which notices were made is kept, whatever their groups: what comes later waits for what came
//! before. (What is urgent takes with it what came before: see [`hasten`].) SQLite does the choosing, so that an outbox of any length
//! takes no memory.

use std::time::Duration;

use pso_common::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Transaction, named_params, params};

use super::outbox::parsed;
use super::{millis, moment};
use crate::notice::Notice;

/// A notice that was made so long after now was made by a clock that has gone back since; what it says of its moment means nothing.
const FUTURE: Duration = Duration::from_secs(60);

/// Notices that may be told now.
const DUE: &str = "own.channel = :channel AND own.message IS NULL AND (own.due_at <= :now OR own.made_at > :future)";

/// Of these, the ones that need not wait for an earlier notice of their incident, because that is not due or goes into another message.
const NEXT: &str = "NOT EXISTS (SELECT 1 FROM outbox AS before \
     WHERE before.incident = own.incident AND before.channel = own.channel AND before.id < own.id AND before.message IS NULL \
     AND (before.grouped <> own.grouped OR (before.due_at > :now AND before.made_at <= :future)))";

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

/// The group of the next message.
pub(crate) fn next_group(connection: &Connection, channel: &str, now: Timestamp) -> anyhow::Result<Option<String>> {
    let text = format!("SELECT own.grouped FROM outbox AS own WHERE {DUE} AND {NEXT} ORDER BY own.id LIMIT 1");
    let future = millis(now.plus(FUTURE));
    let values = named_params! { ":channel": channel, ":now": millis(now), ":future": future };
    Ok(connection.prepare_cached(&text)?.query_row(values, |row| row.get(0)).optional()?)
}

/// The notices of the next message of a group, `capacity` at most, in the order in which they were made.
pub(crate) fn next_of_group(
    connection: &Connection,
    channel: &str,
    group: &str,
    capacity: usize,
    now: Timestamp,
) -> anyhow::Result<Vec<i64>> {
    let text = format!(
        "SELECT own.id FROM outbox AS own WHERE {DUE} AND own.grouped = :group AND {NEXT} ORDER BY own.id LIMIT :capacity"
    );
    let values = named_params! {
        ":channel": channel, ":now": millis(now), ":future": millis(now.plus(FUTURE)), ":group": group,
        ":capacity": i64::try_from(capacity).unwrap_or(i64::MAX),
    };
    let mut all = connection.prepare_cached(&text)?;
    Ok(all.query_map(values, |row| row.get(0))?.collect::<Result<_, _>>()?)
}

/// How many notices may be told now.
pub(crate) fn count_due(connection: &Connection, channel: &str, now: Timestamp) -> anyhow::Result<usize> {
    let text = format!("SELECT count(*) FROM outbox AS own WHERE {DUE}");
    let future = millis(now.plus(FUTURE));
    let values = named_params! { ":channel": channel, ":now": millis(now), ":future": future };
    let count: i64 = connection.prepare_cached(&text)?.query_row(values, |row| row.get(0))?;
    Ok(usize::try_from(count)?)
}

/// Shows each notice that may be told now, in the order in which they were made.
pub(crate) fn each_due(
    connection: &Connection,
    channel: &str,
    now: Timestamp,
    mut show: impl FnMut(i64, Notice),
) -> anyhow::Result<()> {
    let text = format!("SELECT own.id, own.notice FROM outbox AS own WHERE {DUE} ORDER BY own.id");
    let future = millis(now.plus(FUTURE));
    let values = named_params! { ":channel": channel, ":now": millis(now), ":future": future };
    let mut all = connection.prepare_cached(&text)?;
    let mut rows = all.query(values)?;
    while let Some(row) = rows.next()? {
        show(row.get(0)?, parsed(row.get_ref(1)?.as_str()?)?);
    }
    Ok(())
}

/// What says nothing that a later notice of the same episode does not say: the earlier ones, each with the next one.
pub(crate) fn superseded(connection: &Connection, channel: &str, now: Timestamp) -> anyhow::Result<Vec<(i64, i64)>> {
    let text = format!(
        "SELECT id, next FROM (SELECT own.id, (SELECT min(later.id) FROM outbox AS later \
         WHERE later.incident = own.incident AND later.channel = own.channel AND later.id > own.id AND later.episode = own.episode \
         AND later.ends = 0 AND later.message IS NULL AND (later.due_at <= :now OR later.made_at > :future)) AS next \
         FROM outbox AS own WHERE {DUE} AND own.ends = 0) WHERE next IS NOT NULL ORDER BY id"
    );
    let future = millis(now.plus(FUTURE));
    let values = named_params! { ":channel": channel, ":now": millis(now), ":future": future };
    let mut all = connection.prepare_cached(&text)?;
    Ok(all.query_map(values, |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use pso_common::Severity;
    use pso_common::record::{IncidentState, Labels};

    use super::super::{Row, Store, add};
    use super::*;
    use crate::notice::Because;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_unix_millis(1_800_000_000_000 + second * 1_000)
    }

    /// Incident, episode, whether it ends, group and when it is due, and when it was made.
    type Waits = (&'static str, u32, bool, &'static str, i64, i64);

    fn store(rows: &[Waits]) -> Store {
        let store = Store::in_memory().expect("made");
        for (incident, episode, ends, group, due, made) in rows.iter().copied() {
            let state = if ends { IncidentState::Resolved } else { IncidentState::Firing };
            let by_hand = Notice::by_hand(Severity::High, "it", Labels::new(), at(0));
            let notice = Notice { incident: incident.to_owned(), episode, state, because: Because::Fired, ..by_hand };
            let (made_at, due_at, expires_at) = (at(made), at(due), at(due + 1_000));
            let row = Row { channel: "slack", group, notice: &notice, made_at, due_at, expires_at };
            store.transaction(|transaction| add(transaction, &row)).expect("added");
        }
        store
    }

    fn next(store: &Store, capacity: usize, now: i64) -> Vec<i64> {
        let choose = |connection: &Connection| match next_group(connection, "slack", at(now))? {
            Some(group) => next_of_group(connection, "slack", &group, capacity, at(now)),
            None => Ok(Vec::new()),
        };
        store.read(choose).expect("read")
    }

    #[test]
    fn what_is_not_due_holds_up_what_follows() {
        let store = store(&[("a", 1, false, "", 30, 0), ("b", 1, false, "", 10, 0), ("a", 1, true, "", 0, 0)]);
        assert_eq!(next(&store, 9, 1), [0; 0]);
        // The end of a waits for its beginning.
        assert_eq!(next(&store, 9, 10), [2]);
        assert_eq!(next(&store, 9, 30), [1, 2, 3]);
        let hastened = |transaction: &Transaction<'_>| hasten(transaction, "slack", "a", at(5));
        store.transaction(hastened).expect("done");
        assert_eq!(next(&store, 9, 5), [1, 3]);
        assert_eq!(store.read(|connection| count_due(connection, "slack", at(5))).expect("read"), 2);
    }

    #[test]
    fn a_clock_that_was_ahead_keeps_nothing_waiting() {
        let store = store(&[("a", 1, false, "", 86_430, 86_400), ("a", 1, true, "", 86_440, 86_400)]);
        assert_eq!(next(&store, 9, 0), [1, 2]);
    }

    #[test]
    fn a_message_is_of_one_group_and_keeps_the_order_of_an_incident() {
        let store = store(&[
            ("a", 1, false, "x", 0, 0),
            ("b", 1, false, "y", 0, 0),
            ("c", 1, false, "x", 0, 0),
            ("b", 1, true, "x", 0, 0),
            ("d", 1, false, "x", 0, 0),
        ]);
        // The end of b is in x, its beginning in y.
        assert_eq!(next(&store, 20, 1), [1, 3, 5]);
        assert_eq!(next(&store, 2, 1), [1, 3]);
        let y = store.read(|connection| next_of_group(connection, "slack", "y", 20, at(1)));
        assert_eq!(y.expect("read"), [2]);
    }

    #[test]
    fn a_repeat_takes_the_place_of_what_was_not_told_yet() {
        let store = store(&[
            ("a", 1, false, "", 0, 0),
            ("b", 1, false, "", 0, 0),
            ("a", 1, false, "", 0, 0),
            ("a", 1, true, "", 0, 0),
            ("a", 2, false, "", 0, 0),
        ]);
        let pairs = store.read(|connection| superseded(connection, "slack", at(1)));
        assert_eq!(pairs.expect("read"), [(1, 3)]);
    }
}
