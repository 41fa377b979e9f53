//! A batch judged against the state, and what comes of it put into the outbox: one transaction.

use pso_common::Timestamp;

use crate::alerts_file::Alerts;
use crate::batch::{Batch, Known};
use crate::incident::Change;
use crate::notice::Notice;
use crate::policy::Policy;
use crate::store::{self, Row, Store};

/// What an evaluation gave.
#[derive(Debug, Default)]
pub(crate) struct Evaluated {
    /// Each moment of an incident that is worth a record.
    pub(crate) changes: Vec<Change>,
    /// What is not over now.
    pub(crate) known: Known,
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
    store.transaction(|transaction| {
        let mut book = store::load(transaction, batch.tracks.keys())?;
        let before = book.incidents.clone();
        let changes = book.evaluate(batch, source, &alerts.policy, now);
        for change in &changes {
            if let Some(because) = change.because {
                let options = alerts.policy.of(&change.incident.rule);
                let notice = change.incident.notice(because, options.runbook.as_deref());
                post(transaction, alerts, &notice, now)?;
            }
        }
        store::save(transaction, &book, &before)?;
        Ok(Evaluated { changes, known: book.known() })
    })
}

/// Puts a notice into the outbox of each channel that its rule tells.
pub(crate) fn post(
    transaction: &rusqlite::Transaction<'_>,
    alerts: &Alerts,
    notice: &Notice,
    now: Timestamp,
) -> anyhow::Result<()> {
    let options = alerts.policy.of(&notice.rule);
    let group = group(&alerts.policy, notice);
    for channel in &alerts.channels {
        let wanted = options.channels.as_ref().is_none_or(|names| names.contains(&channel.name)) && channel.wants(notice);
        if wanted {
            let due_at = now.plus(options.group_wait);
            let expires_at = now.plus(alerts.policy.expire_after);
            store::add(
                transaction,
                &Row { channel: &channel.name, group: &group, notice, made_at: now, due_at, expires_at },
            )?;
        }
    }
    Ok(())
}

/// The values of the labels by which notices are grouped.
fn group(policy: &Policy, notice: &Notice) -> String {
    let labels = &policy.of(&notice.rule).group_by;
    let value = |label: &String| match label.as_str() {
        "rule" => notice.rule.clone(),
        "severity" => notice.severity.to_string(),
        "incident" => notice.incident.clone(),
        label => notice.labels.get(label).cloned().unwrap_or_default(),
    };
    labels.iter().map(value).collect::<Vec<_>>().join("\u{1f}")
}
