//! What is not mentioned any more.
//!
//! * A run (or round) of a tool that came to its end without a word about an **event** that the same pipe reported: it is over.
//! * The same for a **level**: nothing is known of it. That is a state of its own once it lasts for `no_data_after`.
//! * Events of a tool whose runs have no end here (`--follow`, a script without `run.end`), and all that is found in logs, are
//!   over when nothing more comes for `no_data_after`.
//! * Whatever is not heard of for more than a week has no data, and after as long again nobody waits for it any more: after
//!   two days where runs of its tool come to their end without it, as they do when a check is not configured any more.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use pso_common::Timestamp;
use pso_common::record::IncidentState;

use super::{Ground, Heard, Incident, before_message, step};
use crate::batch::{Batch, Completed};

pub(super) const DAY: Duration = Duration::from_secs(86_400);

/// Not heard of for so long, an incident has no data, whatever the reason. Tools that run every week are late by less than a
/// day.
const LOST: Duration = Duration::from_secs(8 * DAY.as_secs());

/// Runs that do not mention it for so long will not mention it again.
const GONE: Duration = Duration::from_secs(2 * DAY.as_secs());

/// Kind of the subjects that are expected to report (`expect`): they come and go with that alone.
pub(super) const SOURCE: &str = "source";

/// Kind of the subjects that report in rounds: only another round, or the end of a run, says that they do again.
pub(crate) const ROUNDS: &str = "rounds";

/// The runs of a batch that came to their end, by host and tool.
pub(super) struct Runs<'b>(HashMap<(&'b str, &'b str), Vec<&'b Completed>>);

impl<'b> Runs<'b> {
    pub(super) fn of(batch: &'b Batch) -> Self {
        let mut runs: HashMap<_, Vec<_>> = HashMap::new();
        for run in &batch.completed {
            runs.entry((run.host.as_str(), run.tool.as_str())).or_default().push(run);
        }
        Self(runs)
    }

    /// The end of the last run that did not mention it. Runs of a clock that is ahead began now at the latest, as what they
    /// mention was seen now at the latest.
    fn missed(&self, it: &Incident, source: &str, now: Timestamp) -> Option<Timestamp> {
        let runs = self.0.get(&(it.subject.host.as_str(), it.subject.tool.as_str()))?;
        let without = runs.iter().filter(|run| it.source == source && it.seen_at < run.began_at.min(now));
        without.map(|run| run.ended_at).max()
    }
}

/// Lets absence act on an incident that is not over. `spoken`: the batch speaks of it. Returns what is left of it, and whether
/// anything has changed.
pub(super) fn act(
    mut incident: Arc<Incident>,
    runs: &Runs<'_>,
    heard: &Heard,
    spoken: bool,
    ground: &Ground<'_>,
) -> (Option<Arc<Incident>>, bool) {
    let now = ground.now;
    if !incident.is_open() || incident.subject.kind == SOURCE {
        return (Some(incident), false);
    }
    let missed = runs.missed(&incident, ground.source, now).map(|at| at.min(now));
    let patience = ground.policy.of(&incident.rule).no_data_after;
    let unheard = incident.seen_at.until(now);
    // Notices that were lost are lost once, whatever becomes of their channel.
    if !incident.subject.is_level() || incident.rule == crate::delivery::LOST {
        let by_time = !spoken && unheard >= patience && dies_down(&incident, heard);
        let ended = missed.or_else(|| by_time.then(|| incident.seen_at.plus(patience)));
        if let Some(ended) = ended {
            let seen_at = incident.seen_at;
            let mut left = step::well(incident, ended, ended, ground);
            // It was not seen to be well.
            if let Some(it) = &mut left
                && it.is_open()
            {
                Arc::make_mut(it).seen_at = seen_at;
            }
            return (left, true);
        }
    }
    let mut changed = false;
    if missed.is_some() && incident.missed_at.is_none() {
        Arc::make_mut(&mut incident).missed_at = missed;
        changed = true;
    }
    let lost = unheard >= LOST && !spoken;
    if !lost && (incident.missed_at.is_none() || unheard < patience) {
        return (Some(incident), changed);
    }
    match incident.state {
        IncidentState::Pending => (step::dropped(incident), true),
        // It is on its way to its end.
        _ if incident.well_since.is_some() => (Some(incident), changed),
        IncidentState::NoData
            if unheard >= LOST.saturating_add(patience.max(LOST))
                || incident.missed_at.is_some_and(|missed| missed.until(now) >= patience.max(GONE)) =>
        {
            (step::well(incident, now, now, ground), true)
        }
        IncidentState::NoData => (Some(incident), changed),
        _ => {
            lose(Arc::make_mut(&mut incident), ground);
            (Some(incident), true)
        }
    }
}

/// Whether it is over when nothing more comes.
fn dies_down(it: &Incident, heard: &Heard) -> bool {
    let kind = it.subject.kind.as_str();
    kind.starts_with("log.") || (kind != ROUNDS && !heard.completes(&it.source, &it.subject))
}

fn lose(it: &mut Incident, ground: &Ground<'_>) {
    it.state = IncidentState::NoData;
    it.severity = ground.policy.of(&it.rule).severity.unwrap_or(ground.policy.no_data);
    it.message =
        before_message(&format!("nothing is known of it since {}; the last word was", it.last_at), &it.message);
}
