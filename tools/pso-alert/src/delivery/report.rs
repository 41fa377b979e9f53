//! That a channel fails is an incident like others, told through the other channels.

use std::collections::HashMap;
use std::sync::Arc;

use pso_common::io::host_name;
use pso_common::record::{DeliveryState, Labels};
use pso_common::{Severity, Timestamp};

use super::Event;
use crate::alerts_file::{Alerts, Problem};
use crate::batch::Batch;
use crate::evaluate::evaluate;
use crate::finding::{Finding, Subject, bounded};
use crate::incident::Change;
use crate::store::{self, Store};

/// The rule of a channel that cannot be told.
pub(crate) const FAILED: &str = "channel.failed";

/// The rule of notices that a channel will never get.
pub(crate) const LOST: &str = "channel.lost";

/// What these incidents are said to come from, in the place of a pipe.
const SOURCE: &str = "delivery";

/// Whether a rule speaks of a channel; that channel itself is not told.
pub(crate) fn is_about(rule: &str, labels: &Labels, channel: &str) -> bool {
    (rule == FAILED || rule == LOST) && labels.get("name").is_some_and(|name| *name == bounded(channel))
}

/// Has the others told of each channel that cannot be used as it is configured, when something waits for it.
pub(crate) fn unusable(store: &Store, alerts: &Alerts, now: Timestamp) -> anyhow::Result<Vec<Change>> {
    let mut changes = Vec::new();
    for Problem { channel, reason, .. } in &alerts.problems {
        if store.read(|connection| store::is_waiting(connection, channel))? {
            let message = format!("the channel {channel} cannot be told: {reason}");
            changes.extend(bad(store, alerts, channel, FAILED, &message, now)?);
        }
    }
    Ok(changes)
}

/// Has the others told that a channel fails, or that it will never get some notices.
pub(super) fn bad(
    store: &Store,
    alerts: &Alerts,
    channel: &str,
    rule: &'static str,
    message: &str,
    now: Timestamp,
) -> anyhow::Result<Vec<Change>> {
    let mut batch = Batch::default();
    batch.add(Finding::about(subject(channel), rule, Severity::High, message, now));
    Ok(evaluate(store, &batch, SOURCE, alerts, now)?.changes)
}

/// The channel has taken a message: if others were told that it fails, they are told that this is over.
pub(super) fn well(store: &Store, alerts: &Alerts, channel: &str, now: Timestamp) -> anyhow::Result<Vec<Change>> {
    let subject = subject(channel);
    let key = Finding::about(subject.clone(), FAILED, Severity::High, "", now).incident;
    if !store.read(|connection| store::is_standing(connection, &key))? {
        return Ok(Vec::new());
    }
    let mut batch = Batch::new(HashMap::from([(Arc::new(subject.clone()), vec![key])]));
    batch.saw(&subject, now, Vec::new());
    Ok(evaluate(store, &batch, SOURCE, alerts, now)?.changes)
}

/// Gives up what is too old and waits for channels that are not in use: nobody else does.
pub(crate) fn expire_of_others(store: &Store, alerts: &Alerts) -> anyhow::Result<Vec<Event>> {
    let now = Timestamp::now();
    let waiting = store.read(store::waiting_channels)?;
    let mut events = Vec::new();
    for name in waiting {
        if alerts.channels.iter().any(|channel| channel.name == name) {
            continue;
        }
        let expired = store.transaction(|transaction| store::expire(transaction, &name, now))?;
        if expired > 0 {
            let problem = alerts.problems.iter().find(|problem| problem.channel == name);
            let why = problem.map_or("it is not in use", |problem| &problem.reason);
            let text = format!("{expired} of its notices waited too long and will not be told: {why}");
            let event = Event::not_attempted(&name, expired as u64, text);
            events.push(Event { state: DeliveryState::Expired, ..event });
        }
    }
    Ok(events)
}

fn subject(channel: &str) -> Subject {
    Subject {
        kind: "alert.channel".to_owned(),
        host: host_name(),
        tool: crate::TOOL.name.to_owned(),
        name: bounded(channel),
        labels: crate::few_labels::FewLabels::default(),
    }
}
