//! One evaluation: what the records say, what time does, and what of it people are told.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use pso_common::record::{IncidentState, Telling};

use super::{Book, Change, Ground, Incident, absence, decide, inhibit, step};
use crate::batch::{Batch, Step};
use crate::finding::{Finding, rank};

/// Moments of an incident that are worth a record, in order. Where the last is how it stands, it is the same as in the book.
type Story = Vec<Arc<Incident>>;

pub(super) fn evaluate(book: &mut Book, batch: &Batch, ground: &Ground<'_>) -> Vec<Change> {
    let mut stories = HashMap::new();
    let mut ended = steps(book, batch, &mut stories, ground);
    book.heard.take_in(batch, ground.source, ground.policy, ground.now);
    expectations(book, &mut stories, ground);
    ended.extend(time(book, batch, &mut stories, ground));
    tell(book, stories, &ended, ground)
}

pub(super) fn standing(book: &Book, ground: &Ground<'_>) -> Vec<Change> {
    let firing = book.incidents.values().map(AsRef::as_ref).filter(|incident| incident.is_firing());
    let following = inhibit::followers(firing, &ground.policy.inhibitions);
    let stands = |incident: &Arc<Incident>| {
        let held = held(incident, &following, ground);
        let (telling, because) = decide::decide(incident, ground.policy.of(&incident.rule), held, ground.now);
        vec![Change { incident: Arc::clone(incident), telling, because }]
    };
    in_reading_order(book.incidents.values().map(stands).collect())
}

/// What the records say. Returns those that fired before and were over at some moment of the batch, as they were before.
fn steps(
    book: &mut Book,
    batch: &Batch,
    stories: &mut HashMap<String, Story>,
    ground: &Ground<'_>,
) -> Vec<Arc<Incident>> {
    let mut ended = Vec::new();
    for (key, track) in &batch.tracks {
        let mut incident = book.incidents.remove(key);
        let mut story = Story::new();
        for step in &track.steps {
            let fired = incident.clone().filter(|incident| step.trouble.is_none() && incident.is_firing());
            incident = step::advance(incident, step, ground);
            // That something which was over is still over is nothing new.
            story.extend(incident.clone().filter(|incident| fired.is_some() || incident.is_open()));
            ended.extend(fired.filter(|_| incident.as_ref().is_some_and(|incident| !incident.is_open())));
        }
        book.changed.insert(key.clone());
        if let Some(incident) = incident {
            book.incidents.insert(key.clone(), incident);
            stories.insert(key.clone(), story);
        }
    }
    ended
}

/// Who should have been heard by now.
fn expectations(book: &mut Book, stories: &mut HashMap<String, Story>, ground: &Ground<'_>) {
    let now = ground.now;
    let overdue = book.heard.overdue(ground.policy, now).into_iter();
    let mut overdue: HashMap<String, Finding> = overdue.map(|finding| (finding.incident.clone(), finding)).collect();
    let expected = |incident: &&Arc<Incident>| incident.subject.kind == absence::SOURCE && incident.is_firing();
    let open: Vec<String> = book.incidents.values().filter(expected).map(|incident| incident.key.clone()).collect();
    // One that is open and still overdue is told again by the clock alone.
    let heard = open.into_iter().filter(|key| overdue.remove(key).is_none()).map(|key| (key, None)).collect::<Vec<_>>();
    for (key, trouble) in heard.into_iter().chain(overdue.drain().map(|(key, finding)| (key, Some(finding)))) {
        let step = Step { trouble, from: now, to: now };
        if let Some(incident) = step::advance(book.incidents.remove(&key), &step, ground) {
            stories.entry(key.clone()).or_default().push(Arc::clone(&incident));
            book.incidents.insert(key.clone(), incident);
        }
        book.changed.insert(key);
    }
}

/// What time, and what was not said, do to all that is not settled. Returns those that fired and are over by it, as they were.
fn time(
    book: &mut Book,
    batch: &Batch,
    stories: &mut HashMap<String, Story>,
    ground: &Ground<'_>,
) -> Vec<Arc<Incident>> {
    let mut ended = Vec::new();
    let runs = absence::Runs::of(batch);
    let keys: Vec<String> = book.incidents.keys().cloned().collect();
    for key in keys {
        let Some(incident) = book.incidents.remove(&key) else { continue };
        let state = incident.state;
        let fired = incident.is_firing().then(|| Arc::clone(&incident));
        let (left, mut changed) = absence::act(incident, &runs, &book.heard, batch.tracks.contains_key(&key), ground);
        let Some(mut incident) = left else {
            stories.remove(&key);
            book.changed.insert(key);
            continue;
        };
        changed |= step::pass(&mut incident, ground);
        if changed {
            let story = stories.get_mut(&key).filter(|story| !story.is_empty());
            match story {
                // The same moment, with what time made of it.
                Some(story) if incident.state == state => {
                    story.pop();
                    story.push(Arc::clone(&incident));
                }
                // A pending one that comes to nothing is not worth a word.
                _ if incident.state == state || state == IncidentState::Pending => {}
                _ => stories.entry(key.clone()).or_default().push(Arc::clone(&incident)),
            }
            book.changed.insert(key.clone());
        }
        ended.extend(fired.filter(|_| !incident.is_open()));
        book.incidents.insert(key, incident);
    }
    ended
}

/// What of it people are told.
fn tell(
    book: &mut Book,
    mut stories: HashMap<String, Story>,
    ended: &[Arc<Incident>],
    ground: &Ground<'_>,
) -> Vec<Change> {
    let firing = book.incidents.values().map(AsRef::as_ref).filter(|incident| incident.is_firing());
    let following = inhibit::followers(firing, &ground.policy.inhibitions);
    let meanwhile = meanwhile_following(book, &stories, ended, ground);
    for key in meanwhile.difference(&following) {
        free(book, &mut stories, key, ground);
    }
    let keys: Vec<String> = book.incidents.keys().cloned().collect();
    let mut all = Vec::new();
    for key in keys {
        let Some(mut incident) = book.incidents.remove(&key) else { continue };
        let mut story = stories.remove(&key).unwrap_or_default();
        if story.is_empty() && incident.is_settled() {
            book.incidents.insert(key, incident);
            continue;
        }
        let spoken = story.last().is_some_and(|last| Arc::ptr_eq(last, &incident));
        if spoken {
            story.pop();
        }
        let believed = incident.told.clone();
        let mut told = believed.clone();
        let mut changes = Vec::new();
        let options = ground.policy.of(&incident.rule);
        let mut moment = |mut incident: Arc<Incident>, following: &HashSet<String>| {
            let held = held(&incident, following, ground);
            let it = Arc::make_mut(&mut incident);
            it.told = told.take();
            let (telling, because) = decide::tell(it, options, held, ground.now);
            told.clone_from(&it.told);
            Change { incident, telling, because }
        };
        changes.extend(story.into_iter().map(|incident| moment(incident, &meanwhile)));
        let last = moment(incident, &following);
        incident = Arc::clone(&last.incident);
        if spoken || last.because.is_some() {
            changes.push(last);
        }
        if incident.told != believed {
            book.changed.insert(key.clone());
        }
        book.incidents.insert(key, incident);
        all.push(changes);
    }
    in_reading_order(all)
}

/// What it followed from is over.
fn free(book: &mut Book, stories: &mut HashMap<String, Story>, key: &str, ground: &Ground<'_>) {
    let Some(incident) = book.incidents.get_mut(key).filter(|incident| incident.is_firing()) else { return };
    let last = stories.get_mut(key).and_then(|story| story.last_mut()).filter(|last| Arc::ptr_eq(last, incident));
    Arc::make_mut(incident).freed_at = Some(ground.now);
    if let Some(last) = last {
        *last = Arc::clone(incident);
    }
    book.changed.insert(key.to_owned());
}

/// The keys of those that followed from others at some moment of the batch: what fired at any moment of it counts as a cause.
fn meanwhile_following(
    book: &Book,
    stories: &HashMap<String, Story>,
    ended: &[Arc<Incident>],
    ground: &Ground<'_>,
) -> HashSet<String> {
    if ended.is_empty() && stories.values().all(|story| story.len() < 2) {
        return HashSet::new();
    }
    let moments = book.incidents.values().chain(stories.values().flatten()).chain(ended);
    let mut by_key: HashMap<&str, &Incident> = HashMap::new();
    for incident in moments.map(AsRef::as_ref).filter(|incident| incident.is_firing()) {
        by_key.entry(&incident.key).or_insert(incident);
    }
    inhibit::followers(by_key.into_values(), &ground.policy.inhibitions)
}

/// What keeps people from being told.
fn held(incident: &Incident, following: &HashSet<String>, ground: &Ground<'_>) -> Option<Telling> {
    if ground.silences.iter().any(|silence| silence.covers(incident, ground.now)) {
        return Some(Telling::Silenced);
    }
    // An end follows from nothing.
    let follows = following.contains(&incident.key) || inhibit::is_in_aftermath(incident, ground.now);
    (incident.is_firing() && follows).then_some(Telling::Inhibited)
}

/// Worst incidents first, and of those what people are told before what follows from it; the moments of one stay in their
/// order.
fn in_reading_order(mut stories: Vec<Vec<Change>>) -> Vec<Change> {
    stories.retain(|changes| !changes.is_empty());
    stories.sort_by_cached_key(|changes| {
        let worst = changes.iter().map(|change| rank(change.incident.severity)).max();
        let is_held = changes.iter().all(|change| matches!(change.telling, Telling::Inhibited | Telling::Silenced));
        let first = changes.first().map(|change| (change.incident.since, change.incident.key.clone()));
        (Reverse(worst), is_held, first)
    });
    stories.into_iter().flatten().collect()
}
