//! From one state to the next.

use pso_common::Timestamp;
use pso_common::record::{IncidentState, Telling};

use super::{Book, Change, Incident, Told};
use crate::batch::{Batch, Step};
use crate::finding::{Condition, Finding, rank};
use crate::notice::Because;
use crate::policy::{Policy, RuleOptions};

pub(super) fn evaluate(book: &mut Book, batch: &Batch, source: &str, policy: &Policy, now: Timestamp) -> Vec<Change> {
    let mut changes = Vec::new();
    for (key, track) in &batch.tracks {
        let mut incident = book.incidents.remove(key);
        for step in &track.steps {
            incident = advance(incident, step, source, policy, now);
            if let Some(incident) = &mut incident {
                changes.push(tell(incident, policy.of(&incident.rule), now));
            }
        }
        if let Some(incident) = incident {
            book.incidents.insert(key.clone(), incident);
        }
    }
    changes.sort_by(|a, b| {
        rank(b.incident.severity)
            .cmp(&rank(a.incident.severity))
            .then_with(|| a.incident.since.cmp(&b.incident.since))
            .then_with(|| a.incident.key.cmp(&b.incident.key))
    });
    changes
}

/// The incident after one step; `None` when nothing is left of it.
fn advance(incident: Option<Incident>, step: &Step, source: &str, policy: &Policy, now: Timestamp) -> Option<Incident> {
    let Some(trouble) = &step.trouble else {
        return well(incident?, step, policy);
    };
    let mut incident = match incident {
        Some(incident) if incident.is_open() => incident,
        over => begin(over, trouble, source, step.from.min(now)),
    };
    let options = policy.of(&incident.rule);
    incident.severity = options.severity.unwrap_or(trouble.severity);
    incident.message.clone_from(&trouble.message);
    incident.labels.clone_from(&trouble.labels);
    incident.count = incident.count.saturating_add(trouble.count);
    incident.last_at = step.to.min(now);
    incident.seen_at = incident.last_at;
    incident.well_since = None;
    if incident.since.until(incident.last_at) >= options.hold {
        incident.state = match trouble.condition {
            Condition::Bad => IncidentState::Firing,
            Condition::NoData => IncidentState::NoData,
            Condition::Unfinished => IncidentState::Unfinished,
        };
    }
    Some(incident)
}

fn begin(over: Option<Incident>, trouble: &Finding, source: &str, since: Timestamp) -> Incident {
    Incident {
        key: trouble.incident.clone(),
        subject: trouble.subject.clone(),
        source: source.to_owned(),
        rule: trouble.rule.to_string(),
        state: IncidentState::Pending,
        severity: trouble.severity,
        message: String::new(),
        labels: trouble.labels.clone(),
        count: 0,
        episode: over.as_ref().map_or(0, |over| over.episode) + 1,
        since,
        last_at: since,
        seen_at: since,
        well_since: None,
        ended_at: None,
        told: None,
        changes: over.map(|over| over.changes).unwrap_or_default(),
    }
}

fn well(mut incident: Incident, step: &Step, policy: &Policy) -> Option<Incident> {
    if incident.state == IncidentState::Pending {
        return None;
    }
    incident.seen_at = step.to;
    let well_since = *incident.well_since.get_or_insert(step.from);
    if incident.is_open() && well_since.until(step.to) >= policy.of(&incident.rule).keep_firing_for {
        incident.state = IncidentState::Resolved;
        incident.ended_at = Some(well_since);
    }
    Some(incident)
}

/// Decides whether people are told now.
fn tell(incident: &mut Incident, options: &RuleOptions, now: Timestamp) -> Change {
    let (telling, because) = decide(incident, options, now);
    match because {
        Some(Because::Ended) => incident.told = None,
        Some(because) => {
            let again = incident.told.as_ref().map_or(0, |told| told.again) + u32::from(because == Because::Again);
            incident.told = Some(Told { at: now, severity: incident.severity, again });
        }
        None => {}
    }
    Change { incident: incident.clone(), telling, because }
}

fn decide(incident: &Incident, options: &RuleOptions, now: Timestamp) -> (Telling, Option<Because>) {
    match (incident.state, &incident.told) {
        (IncidentState::Pending, _) => (Telling::Pending, None),
        (IncidentState::Resolved, Some(_)) if options.resolved => (Telling::Now, Some(Because::Ended)),
        (IncidentState::Resolved, _) => (Telling::Unwanted, None),
        (_, None) => (Telling::Now, Some(Because::Fired)),
        (_, Some(told)) if rank(incident.severity) > rank(told.severity) => (Telling::Now, Some(Because::Worse)),
        (_, Some(told))
            if told.at.until(now) >= options.repeat
                && (options.repeat_limit == 0 || told.again < options.repeat_limit) =>
        {
            (Telling::Now, Some(Because::Again))
        }
        _ => (Telling::Already, None),
    }
}
