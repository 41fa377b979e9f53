//! What follows from another incident is not told while that one fires.
//!
//! An incident that follows from another holds back its own consequences too: the first cause of a chain is told, and nothing
//! else. In a circle somebody must be told: it is the one that began first. Whether the cause itself is told (it may be
//! silenced) does not matter, as with Alertmanager: who silences PostgreSQL's host knows what follows.
//!
//! Unlike there, the end of the cause does not tell at once all that followed: most of that is over too, and the pipe that
//! will say so runs in a while. What is reported anew is told; what nobody speaks of is told an hour later.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use pso_common::Timestamp;
use pso_common::record::Labels;

use super::Incident;
use crate::policy::{Inhibition, Matchers};

/// What was reported so soon after its cause was over may still be what came of it.
const SETTLING: Duration = Duration::from_secs(2 * 60);

/// What followed, and of which nothing new is said, is told so long after its cause was over: a backup that failed with
/// PostgreSQL has failed all the same.
const AFTERMATH: Duration = Duration::from_secs(3_600);

/// What holds without being said, where PostgreSQL, Qdrant or the service is down: each line is what pso-health, pso-pgstats,
/// pso-backup and pso-logscan were seen to write then.
pub(crate) fn built_in() -> Vec<Inhibition> {
    vec![
        inhibition(
            &[("rule", "health.check"), ("name", "postgres"), ("severity", "critical"), ("state", "firing")],
            &[
                // The same port, and what the connection would have shown.
                &[("rule", "health.check"), ("name", "ports.postgres")],
                &[("kind", "health.*"), ("name", "postgres.*")],
                // The service's own view of it, and the operations that fail for it.
                &[("rule", "health.check"), ("name", "service.*postgres*")],
                &[("rule", "error_rate")],
                &[("rule", "log.errors")],
                // They end with "connect to PostgreSQL at …: connection refused".
                &[("rule", "run.failed"), ("tool", "pso-pgstats")],
                &[("rule", "run.failed"), ("tool", "pso-backup")],
                // What could not be looked at.
                &[("kind", "audit.section"), ("name", "postgres")],
            ],
        ),
        inhibition(
            &[("rule", "health.check"), ("name", "qdrant"), ("severity", "critical"), ("state", "firing")],
            &[
                &[("rule", "health.check"), ("name", "ports.qdrant")],
                &[("kind", "health.*"), ("name", "qdrant.*")],
                &[("rule", "health.check"), ("name", "service.*qdrant*")],
                &[("kind", "backup.component"), ("name", "qdrant")],
                &[("kind", "audit.section"), ("name", "qdrant")],
                &[("rule", "run.failed"), ("tool", "pso-backup")],
            ],
        ),
        // Not its parts that it calls unhealthy: they are why it is.
        inhibition(
            &[("rule", "health.check"), ("name", "service"), ("severity", "critical"), ("state", "firing")],
            &[
                &[("rule", "health.check"), ("name", "metrics")],
                &[("rule", "health.check"), ("name", "ports.service")],
                // It is the service that is asked whether the token is good.
                &[("rule", "health.check"), ("name", "token")],
                &[("kind", "audit.section"), ("name", "token")],
                &[("rule", "health.check"), ("name", "service.*"), ("state", "no_data")],
                &[("kind", "health.metric"), ("state", "no_data")],
            ],
        ),
        // Who says nothing at all says nothing of its parts either.
        Inhibition {
            equal: vec!["host".to_owned(), "tool".to_owned()],
            ..inhibition(
                &[("rule", "no_data"), ("kind", super::absence::ROUNDS)],
                &[&[("kind", "health.*"), ("state", "no_data")]],
            )
        },
    ]
}

fn inhibition(when: &[(&str, &str)], silences: &[&[(&str, &str)]]) -> Inhibition {
    let matchers = |pairs: &[(&str, &str)]| -> Matchers {
        pairs.iter().map(|(key, pattern)| ((*key).to_owned(), (*pattern).to_owned())).collect::<Labels>()
    };
    Inhibition {
        when: matchers(when),
        silences: silences.iter().map(|pairs| matchers(pairs)).collect(),
        equal: vec!["host".to_owned()],
    }
}

/// Incidents of one inhibition whose labels are equal.
#[derive(Default)]
struct Group {
    causes: Vec<usize>,
    consequences: Vec<usize>,
}

/// Whether it is held back for what it followed from, though that is over.
pub(super) fn is_in_aftermath(it: &Incident, now: Timestamp) -> bool {
    it.freed_at.is_some_and(|freed| it.last_at < freed.plus(SETTLING) && freed.until(now) < AFTERMATH)
}

/// The keys of those among what fires that follow from others.
pub(super) fn followers<'i>(firing: impl Iterator<Item = &'i Incident>, inhibitions: &[Inhibition]) -> HashSet<String> {
    if inhibitions.is_empty() {
        return HashSet::new();
    }
    let mut firing: Vec<&Incident> = firing.collect();
    firing.sort_unstable_by(|a, b| a.since.cmp(&b.since).then_with(|| a.key.cmp(&b.key)));
    let groups: Vec<Group> = inhibitions.iter().flat_map(|inhibition| groups(&firing, inhibition)).collect();
    // Of each incident: the groups in which it is a cause, and how many causes it has.
    let mut causes_in: Vec<Vec<usize>> = vec![Vec::new(); firing.len()];
    let mut has_cause = vec![false; firing.len()];
    for (number, group) in groups.iter().enumerate() {
        group.causes.iter().for_each(|&cause| causes_in[cause].push(number));
        for &consequence in &group.consequences {
            has_cause[consequence] |= group.causes.iter().any(|&cause| cause != consequence);
        }
    }
    let mut inhibited = vec![false; firing.len()];
    let mut reached = vec![false; firing.len()];
    let mut done = vec![false; groups.len()];
    // First causes, then of what is left (circles) whoever began first.
    let first = (0..firing.len()).filter(|&at| !has_cause[at]);
    for root in first.chain((0..firing.len()).filter(|&at| has_cause[at])) {
        if reached[root] {
            continue;
        }
        reached[root] = true;
        let mut next = VecDeque::from([root]);
        while let Some(cause) = next.pop_front() {
            for &number in &causes_in[cause] {
                if std::mem::replace(&mut done[number], true) {
                    continue;
                }
                for &consequence in &groups[number].consequences {
                    if !reached[consequence] {
                        (reached[consequence], inhibited[consequence]) = (true, true);
                        next.push_back(consequence);
                    }
                }
            }
        }
    }
    firing.iter().zip(inhibited).filter(|(_, inhibited)| *inhibited).map(|(incident, _)| incident.key.clone()).collect()
}

fn groups(firing: &[&Incident], inhibition: &Inhibition) -> Vec<Group> {
    let place = |incident: &Incident| -> Vec<String> {
        inhibition.equal.iter().map(|label| incident.value(label).unwrap_or_default().to_owned()).collect()
    };
    let mut groups: HashMap<Vec<String>, Group> = HashMap::new();
    for (at, incident) in firing.iter().enumerate().filter(|(_, incident)| incident.fits(&inhibition.when)) {
        groups.entry(place(incident)).or_default().causes.push(at);
    }
    if groups.is_empty() {
        return Vec::new();
    }
    for (at, incident) in firing.iter().enumerate() {
        if inhibition.silences.iter().any(|matchers| incident.fits(matchers))
            && let Some(group) = groups.get_mut(&place(incident))
        {
            group.consequences.push(at);
        }
    }
    groups.into_values().collect()
}
