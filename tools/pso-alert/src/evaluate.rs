//! A batch judged against the state, and what comes of it put into the outbox: one transaction.

use std::time::Duration;

use pso_common::output::duration_ms;
use pso_common::{Run, Timestamp};
use rusqlite::Transaction;

use crate::alerts_file::Alerts;
use crate::batch::{Batch, Known};
use crate::delivery::is_about;
use crate::incident::{Book, Change, Ground, Silence, told_from};
use crate::notice::{Because, Notice};
use crate::policy::Policy;
use crate::store::{self, Row, Store};

/// A clock is put right by less than this all the time.
const CLOCK_SLACK: Duration = Duration::from_secs(60);

/// What an evaluation gave.
#[derive(Debug, Default)]
pub(crate) struct Evaluated {
    /// Each moment of an incident that is worth a record.
    pub(crate) changes: Vec<Change>,
    /// What is not over now.
    pub(crate) known: Known,
    /// By how much the clock went back since the state was written; people must know it.
    pub(crate) went_back: Option<Duration>,
}

impl Evaluated {
    /// Says what people must know of the evaluation itself.
    pub(crate) fn warn(&self, run: &mut Run<'_>) {
        if let Some(by) = self.went_back {
            let by = duration_ms(u64::try_from(by.as_millis()).unwrap_or(u64::MAX));
            run.warn(format_args!(
                "the clock went back by {by} since the state was written; nothing waits for that time"
            ));
        }
    }
}

/// Judges a batch that came from `source`.
///
/// # Errors
/// When the state cannot be read or written; then nothing has changed.
pub(crate) fn evaluate(
    store: &Store,
    batch: &Batch,
    source: &str,
    alerts: &Alerts,
    now: Timestamp,
) -> anyhow::Result<Evaluated> {
    evaluated(store, batch, source, alerts, now, None)
}

/// As [`evaluate`], for `pso-alert try`: in its time a state in memory is as good as a file.
///
/// # Errors
/// As [`evaluate`].
pub(crate) fn rehearse(
    store: &Store,
    batch: &Batch,
    source: &str,
    alerts: &Alerts,
    now: Timestamp,
) -> anyhow::Result<Evaluated> {
    evaluated(store, batch, source, alerts, now, Some(true))
}

/// `holds` says whether the state lasts, so that a condition can be waited for; otherwise that it is a file says so.
fn evaluated(
    store: &Store,
    batch: &Batch,
    source: &str,
    alerts: &Alerts,
    now: Timestamp,
    holds: Option<bool>,
) -> anyhow::Result<Evaluated> {
    store.transaction(|transaction| {
        // Asked in here, because the state may have moved into memory just now.
        let holds = holds.unwrap_or_else(|| transaction.path().is_some_and(|path| !path.is_empty()));
        let mut book = store::load_for(transaction, batch)?;
        let went_back = mend_clock(transaction, &mut book, now)?;
        let silences = store::silences(transaction)?;
        let ground = Ground { source, policy: &alerts.policy, silences: &silences, now, holds };
        let changes = book.evaluate(batch, &ground);
        let mut told = false;
        for change in &changes {
            if let Some(because) = change.because {
                let options = alerts.policy.of(&change.incident.rule);
                let notice = change.incident.notice(because, options.runbook.as_deref());
                post(transaction, alerts, &notice, now)?;
                told = true;
            }
        }
        let purged = store::purge_silences(transaction, now)?;
        // What has nothing to write costs no write: a run that finds all well is the usual one.
        if store::save(transaction, &book, now)? || told || purged || went_back.is_some() {
            store::set_clock(transaction, now)?;
        }
        Ok(Evaluated { changes, known: book.known(), went_back })
    })
}

/// Says how things stand, worst first, and the silences; nothing is changed. With `all`, what is over too.
///
/// # Errors
/// When the state cannot be read.
pub(crate) fn standing(
    store: &Store,
    policy: &Policy,
    all: bool,
    now: Timestamp,
) -> anyhow::Result<(Vec<Change>, Vec<Silence>)> {
    store.read(|connection| {
        let mut book = store::load(connection, std::iter::empty())?;
        if all {
            book.incidents.extend(store::settled(connection)?.incidents);
        }
        let silences = store::silences(connection)?;
        let ground = Ground { source: "", policy, silences: &silences, now, holds: true };
        Ok((book.standing(&ground), silences))
    })
}

/// A clock that went back must not keep anything waiting: what lies in the future is pulled to now. (A clock that goes forward
/// ends silences and waits too early, which does no harm that lasts.) Returns by how much it went back.
fn mend_clock(transaction: &Transaction<'_>, book: &mut Book, now: Timestamp) -> anyhow::Result<Option<Duration>> {
    let Some(then) = store::clock(transaction)?.filter(|then| now.until(*then) > CLOCK_SLACK) else { return Ok(None) };
    book.pull_back(now);
    store::pull_back(transaction, then, now)?;
    Ok(Some(now.until(then)))
}

/// Puts a notice into the outbox of each channel that its rule tells.
pub(crate) fn post(
    transaction: &Transaction<'_>,
    alerts: &Alerts,
    notice: &Notice,
    now: Timestamp,
) -> anyhow::Result<()> {
    let options = alerts.policy.of(&notice.rule);
    let group = group(&alerts.policy, notice);
    for channel in alerts.told(notice) {
        // A channel cannot say itself that it cannot be told.
        if is_about(&notice.rule, &notice.labels, channel) {
            continue;
        }
        if options.channels.as_ref().is_none_or(|names| names.iter().any(|name| name == channel)) {
            let due_at = due(transaction, alerts, channel, &group, notice, now)?;
            let expires_at = due_at.plus(alerts.policy.expire_after);
            store::hasten(transaction, channel, &notice.incident, due_at)?;
            store::add(transaction, &Row { channel, group: &group, notice, made_at: now, due_at, expires_at })?;
        }
    }
    Ok(())
}

/// When a channel is to be told: when the first of its group has waited for long enough, and not in quiet hours.
fn due(
    transaction: &Transaction<'_>,
    alerts: &Alerts,
    channel: &str,
    group: &str,
    notice: &Notice,
    now: Timestamp,
) -> anyhow::Result<Timestamp> {
    if matches!(notice.because, Because::ByHand | Because::Test) {
        return Ok(now);
    }
    let wait = alerts.policy.of(&notice.rule).group_wait;
    let mut due_at = now.plus(wait);
    if !wait.is_zero()
        && let Some(first) = store::due_of_group(transaction, channel, group)?
    {
        due_at = due_at.min(first.max(now));
    }
    Ok(due_at.max(told_from(&alerts.policy.quiet_hours, channel, notice.severity, due_at)))
}

/// The values of the labels by which notices are grouped.
pub(crate) fn group(policy: &Policy, notice: &Notice) -> String {
    let labels = &policy.of(&notice.rule).group_by;
    let value = |label: &String| match label.as_str() {
        "rule" => notice.rule.clone(),
        "severity" => notice.severity.to_string(),
        "incident" => notice.incident.clone(),
        label => notice.labels.get(label).cloned().unwrap_or_default(),
    };
    labels.iter().map(value).collect::<Vec<_>>().join("\u{1f}")
}

#[cfg(test)]
mod tests;
