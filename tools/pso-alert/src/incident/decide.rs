//! Whether people are told, from how an incident stands and what they believe.

use pso_common::Timestamp;
use pso_common::record::{IncidentState, Telling};

use super::{Incident, Told};
use crate::finding::rank;
use crate::notice::Because;
use crate::policy::RuleOptions;

/// Decides; `held` is what keeps it from being told, if anything does. What people believe then is in the incident.
pub(super) fn tell(
    incident: &mut Incident,
    options: &RuleOptions,
    held: Option<Telling>,
    now: Timestamp,
) -> (Telling, Option<Because>) {
    let (telling, because) = decide(incident, options, held, now);
    match because {
        Some(Because::Ended) => {
            if let Some(told) = incident.told.take() {
                incident.severity = told.worst;
            }
        }
        Some(because) => {
            // A new episode, and what was not told for its flapping, begin a new count.
            let same = incident.told.as_ref().filter(|told| told.episode == incident.episode && !told.flaps);
            let again = same.map_or(0, |told| told.again).saturating_add(u32::from(because == Because::Again));
            // What people were told of an episode whose end they did not hear of ends with this one.
            let worst = incident.told.as_ref().map_or(incident.severity, |told| told.worst);
            incident.told = Some(Told {
                at: now,
                severity: incident.severity,
                worst: if rank(worst) > rank(incident.severity) { worst } else { incident.severity },
                state: incident.state,
                episode: incident.episode,
                again,
                flaps: because == Because::Flapping || (incident.flapping && because == Because::Worse),
            });
        }
        // Nobody waits for this end.
        None if telling == Telling::Unwanted => incident.told = None,
        None => {}
    }
    (telling, because)
}

pub(super) fn decide(
    incident: &Incident,
    options: &RuleOptions,
    held: Option<Telling>,
    now: Timestamp,
) -> (Telling, Option<Because>) {
    let over = incident.state == IncidentState::Resolved;
    if incident.state == IncidentState::Pending {
        return (Telling::Pending, None);
    }
    if options.channels.as_ref().is_some_and(Vec::is_empty) {
        return (Telling::Unwanted, None);
    }
    if let Some(held) = held {
        return (held, None);
    }
    let Some(told) = &incident.told else {
        return match (over, incident.flapping) {
            (true, _) => (Telling::Unwanted, None),
            (false, true) => (Telling::Now, Some(Because::Flapping)),
            (false, false) => (Telling::Now, Some(Because::Fired)),
        };
    };
    let worse = rank(incident.severity) > rank(told.severity);
    if incident.flapping {
        return match (over, told.flaps) {
            (false, true) if worse => (Telling::Now, Some(Because::Worse)),
            (false, false) => (Telling::Now, Some(Because::Flapping)),
            _ => (Telling::Flapping, None),
        };
    }
    if over {
        return if options.resolved { (Telling::Now, Some(Because::Ended)) } else { (Telling::Unwanted, None) };
    }
    let lost = incident.state == IncidentState::NoData && told.state != IncidentState::NoData;
    // What a weekly run found is not told every four hours until the next one: only that nothing is known stays true by itself.
    let confirmed = options.reminds || incident.last_at > told.at || incident.state == IncidentState::NoData;
    let due = confirmed
        && told.at.until(now) >= options.repeat
        && (options.repeat_limit == 0 || told.again < options.repeat_limit);
    match () {
        () if told.episode != incident.episode => (Telling::Now, Some(Because::Fired)),
        () if worse || lost => (Telling::Now, Some(Because::Worse)),
        () if due || told.flaps => (Telling::Now, Some(Because::Again)),
        () => (Telling::Already, None),
    }
}
