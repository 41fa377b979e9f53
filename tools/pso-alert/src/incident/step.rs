//! What one step of a batch, and what time, makes of an incident.

use std::sync::Arc;

use pso_common::Timestamp;
use pso_common::record::IncidentState;

use super::{Ground, Incident, flap};
use crate::batch::Step;
use crate::finding::{Condition, Finding};

/// The incident after a step; `None` when nothing is left of it.
pub(super) fn advance(incident: Option<Arc<Incident>>, step: &Step, ground: &Ground<'_>) -> Option<Arc<Incident>> {
    match &step.trouble {
        Some(trouble) => Some(bad(incident, trouble, step, ground)),
        None => well(incident?, step.from, step.to, ground),
    }
}

fn bad(incident: Option<Arc<Incident>>, trouble: &Finding, step: &Step, ground: &Ground<'_>) -> Arc<Incident> {
    let now = ground.now;
    let mut incident = match incident {
        Some(incident) if incident.is_open() => incident,
        over => Arc::new(begin(over, trouble, step.from.min(now))),
    };
    let it = Arc::make_mut(&mut incident);
    let options = ground.policy.of(&it.rule);
    it.severity = options.severity.unwrap_or(match trouble.condition {
        Condition::Unfinished => ground.policy.unfinished,
        Condition::Bad | Condition::NoData => trouble.severity,
    });
    it.message.clone_from(&trouble.message);
    if it.source != ground.source {
        ground.source.clone_into(&mut it.source);
    }
    it.count = it.count.saturating_add(trouble.count);
    it.last_at = step.to.min(now).max(it.last_at);
    it.well_since = None;
    saw(it, step.to, now);
    if it.state != IncidentState::Pending || !ground.holds || it.since.until(it.last_at) >= options.hold {
        if it.state == IncidentState::Pending {
            it.before = None;
            flap::began(it, &ground.policy.flapping);
        }
        it.state = match trouble.condition {
            Condition::Bad => IncidentState::Firing,
            Condition::NoData => IncidentState::NoData,
            Condition::Unfinished => IncidentState::Unfinished,
        };
    }
    incident
}

fn begin(over: Option<Arc<Incident>>, trouble: &Finding, since: Timestamp) -> Incident {
    let mut incident = Incident {
        key: trouble.incident.clone(),
        subject: Arc::clone(&trouble.subject),
        source: String::new(),
        rule: trouble.rule.to_string(),
        state: IncidentState::Pending,
        severity: trouble.severity,
        message: String::new(),
        count: 0,
        episode: 1,
        since,
        last_at: since,
        seen_at: since,
        missed_at: None,
        freed_at: None,
        well_since: None,
        ended_at: None,
        told: None,
        changes: Vec::new(),
        flapping: false,
        before: None,
    };
    if let Some(over) = over {
        incident.episode = over.episode.saturating_add(1);
        // If the end of the last episode was not told, people still believe it.
        incident.told.clone_from(&over.told);
        incident.changes.clone_from(&over.changes);
        incident.flapping = over.flapping;
        incident.before = Some(Box::new(Arc::unwrap_or_clone(over)));
    }
    incident
}

/// The incident when it is well, from then to then.
pub(super) fn well(
    mut incident: Arc<Incident>,
    from: Timestamp,
    to: Timestamp,
    ground: &Ground<'_>,
) -> Option<Arc<Incident>> {
    match incident.state {
        IncidentState::Resolved => return Some(incident),
        IncidentState::Pending => return dropped(incident),
        _ => {}
    }
    let it = Arc::make_mut(&mut incident);
    saw(it, to, ground.now);
    if it.well_since.is_none() {
        it.well_since = Some(from.max(it.last_at).min(ground.now));
    }
    settle(it, to.min(ground.now), ground);
    Some(incident)
}

/// What is left of a pending incident that comes to nothing.
pub(super) fn dropped(incident: Arc<Incident>) -> Option<Arc<Incident>> {
    let mut pending = Arc::unwrap_or_clone(incident);
    let mut before = pending.before.take()?;
    // What people believe, and what time did to it, went on meanwhile.
    before.told = pending.told;
    before.flapping = pending.flapping;
    before.changes = pending.changes;
    Some(Arc::from(before))
}

/// Ends it when it was well for long enough.
fn settle(it: &mut Incident, at: Timestamp, ground: &Ground<'_>) {
    let Some(well_since) = it.well_since else { return };
    if it.is_firing() && well_since.until(at) >= ground.policy.of(&it.rule).keep_firing_for {
        it.state = IncidentState::Resolved;
        it.well_since = None;
        it.missed_at = None;
        it.freed_at = None;
        it.ended_at = Some(well_since);
        flap::ended(it, well_since, &ground.policy.flapping);
    }
}

/// What time alone does to an incident. Says whether anything has changed.
pub(super) fn pass(incident: &mut Arc<Incident>, ground: &Ground<'_>) -> bool {
    let ends = incident.well_since.is_some_and(|since| {
        incident.is_firing() && since.until(ground.now) >= ground.policy.of(&incident.rule).keep_firing_for
    });
    let calms = flap::is_calm(incident, &ground.policy.flapping, ground.now);
    if ends || calms {
        let it = Arc::make_mut(incident);
        it.flapping &= !calms;
        settle(it, ground.now, ground);
    }
    ends || calms
}

/// Takes in when the last record about it came. A clock that is far off must not make it seen for years.
fn saw(it: &mut Incident, at: Timestamp, now: Timestamp) {
    it.seen_at = at.min(now.plus(super::absence::DAY));
    it.missed_at = None;
}

/// A clock that went back: nothing of it may lie in the future. Says whether anything did.
pub(super) fn pull_back(incident: &mut Arc<Incident>, now: Timestamp) -> bool {
    let stamps = [Some(incident.since), Some(incident.last_at), Some(incident.seen_at), incident.missed_at];
    let more = [incident.freed_at, incident.well_since, incident.ended_at, incident.told.as_ref().map(|told| told.at)];
    if stamps.into_iter().chain(more).flatten().chain(incident.changes.iter().copied()).all(|at| at <= now) {
        return false;
    }
    let it = Arc::make_mut(incident);
    for at in [&mut it.since, &mut it.last_at, &mut it.seen_at].into_iter().chain(&mut it.changes) {
        *at = now.min(*at);
    }
    for at in [&mut it.missed_at, &mut it.freed_at, &mut it.well_since, &mut it.ended_at].into_iter().flatten() {
        *at = now.min(*at);
    }
    if let Some(told) = &mut it.told {
        told.at = now.min(told.at);
    }
    if let Some(before) = &mut it.before {
        before.seen_at = now.min(before.seen_at);
    }
    true
}
