//! Which of the waiting notices make the next message.
//!
//! Within an incident the order in which notices were made is kept, whatever their groups and moments: what comes later waits
//! for what came before, and what is urgent takes with it what held it up.

use std::collections::{HashMap, HashSet};

use pso_common::Timestamp;

use crate::channel::Rest;
use crate::finding::rank;
use crate::notice::{Because, Notice};
use crate::store::Waiting;

/// A notice that was made so long after now was made by a clock that has gone back since; what it says of its moment means nothing.
const FUTURE: std::time::Duration = std::time::Duration::from_secs(60);

/// The waiting notices that may be told now, in their order, and when the next of the others may.
pub(super) fn due(waiting: &[Waiting], now: Timestamp) -> (Vec<&Waiting>, Option<Timestamp>) {
    let is_due = |row: &Waiting| row.due_at <= now || row.made_at > now.plus(FUTURE);
    let mut urgent = HashMap::new();
    for (index, row) in waiting.iter().enumerate() {
        if !row.ends && is_due(row) {
            urgent.insert(row.incident.as_str(), index);
        }
    }
    let (mut told, mut next, mut held) = (Vec::new(), None::<Timestamp>, HashSet::new());
    for (index, row) in waiting.iter().enumerate() {
        let incident = row.incident.as_str();
        let pulled = urgent.get(incident).is_some_and(|urgent| index <= *urgent);
        if !held.contains(incident) && (pulled || is_due(row)) {
            told.push(row);
        } else if held.insert(incident) {
            next = Some(next.map_or(row.due_at, |next| next.min(row.due_at)));
        }
    }
    (told, next)
}

/// The first group among what is due: `capacity` of it at most.
pub(super) fn first_group(due: &[&Waiting], capacity: usize) -> Vec<i64> {
    let Some(first) = due.first() else { return Vec::new() };
    let (mut taken, mut waits) = (Vec::new(), HashSet::new());
    for row in due {
        if row.group == first.group && taken.len() < capacity && !waits.contains(row.incident.as_str()) {
            taken.push(row.id);
        } else {
            waits.insert(row.incident.as_str());
        }
    }
    taken
}

/// What says nothing that a later notice of the same episode does not say: the earlier ones, each with the later one.
pub(super) fn superseded(due: &[&Waiting]) -> Vec<(i64, i64)> {
    let mut last: HashMap<(&str, u32), i64> = HashMap::new();
    let mut pairs = Vec::new();
    for row in due.iter().filter(|row| !row.ends) {
        if let Some(earlier) = last.insert((&row.incident, row.episode), row.id) {
            pairs.push((earlier, row.id));
        }
    }
    pairs
}

/// The later of two notices of one episode, saying also why people were to be told before; `None` when both must be told.
pub(super) fn merged(earlier: &Notice, later: &Notice) -> Option<Notice> {
    let weight = |because: Because| match because {
        Because::Fired => Some(3),
        Because::Worse => Some(2),
        Because::Again => Some(1),
        _ => None,
    };
    let (before, after) = (weight(earlier.because)?, weight(later.because)?);
    let because = if before > after { earlier.because } else { later.because };
    Some(Notice { because, ..later.clone() })
}

/// Which of a flood are shown: the worst of what goes on, then the worst of what is over. The others are only counted.
pub(super) fn shown_and_summed(mut flood: Vec<(i64, Notice)>, capacity: usize) -> (Vec<i64>, Vec<i64>) {
    flood.sort_by_key(|(id, notice)| (notice.is_end(), std::cmp::Reverse(rank(notice.severity)), *id));
    let mut ids: Vec<i64> = flood.into_iter().map(|(id, _)| id).collect();
    let summed = ids.split_off(capacity.max(1).min(ids.len()));
    (ids, summed)
}

/// The notices of a message as people read them: the worst incident first, what is over last, and the order kept within one.
pub(super) fn arranged(notices: &[(i64, Notice)]) -> Vec<Notice> {
    let mut first: HashMap<&str, (bool, u8, i64)> = HashMap::new();
    for (id, notice) in notices {
        let (over, worst, _) = first.entry(&notice.incident).or_insert((true, 0, *id));
        *over &= notice.is_end();
        *worst = (*worst).max(rank(notice.severity));
    }
    let mut order: Vec<&(i64, Notice)> = notices.iter().collect();
    order.sort_by_key(|(id, notice)| {
        let (over, worst, began) = first.get(notice.incident.as_str()).copied().unwrap_or_default();
        (over, std::cmp::Reverse(worst), began, *id)
    });
    order.into_iter().map(|(_, notice)| notice.clone()).collect()
}

/// What a summary says of the notices that it does not show.
pub(super) fn rest(summed: &[(i64, Notice)]) -> Option<Rest> {
    let mut rules: HashMap<&str, u64> = HashMap::new();
    for (_, notice) in summed {
        *rules.entry(&notice.rule).or_default() += 1;
    }
    let mut rules: Vec<(String, u64)> = rules.into_iter().map(|(rule, count)| (rule.to_owned(), count)).collect();
    rules.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    (!summed.is_empty()).then_some(Rest { notices: summed.len() as u64, rules })
}

#[cfg(test)]
mod tests {
    use pso_common::Severity;
    use pso_common::record::{IncidentState, Labels};

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_unix_millis(1_800_000_000_000 + second * 1_000)
    }

    fn row(id: i64, incident: &str, group: &str, ends: bool, due: i64) -> Waiting {
        let (group, incident) = (group.to_owned(), incident.to_owned());
        Waiting { id, group, incident, episode: 1, ends, made_at: at(0), due_at: at(due) }
    }

    fn ids(rows: &[&Waiting]) -> Vec<i64> {
        rows.iter().map(|row| row.id).collect()
    }

    fn notice(rule: &str, severity: Severity, because: Because) -> Notice {
        let by_hand = Notice::by_hand(severity, rule, Labels::new(), at(0));
        let state = if because == Because::Ended { IncidentState::Resolved } else { IncidentState::Firing };
        Notice { incident: rule.to_owned(), rule: rule.to_owned(), because, state, ..by_hand }
    }

    #[test]
    fn what_is_not_due_holds_up_what_follows_unless_that_is_urgent() {
        let waiting = [
            row(1, "a", "", false, 30),
            row(2, "b", "", false, 0),
            row(3, "a", "", true, 0),
            row(4, "c", "", false, 30),
            row(5, "c", "", false, 0),
            row(6, "c", "", true, 40),
        ];
        let (told, next) = due(&waiting, at(1));
        // The end of a waits for its beginning; that c became worse takes its beginning along.
        assert_eq!((ids(&told), next), (vec![2, 4, 5], Some(at(30))));
        let (told, next) = due(&waiting, at(40));
        assert_eq!((ids(&told), next), (vec![1, 2, 3, 4, 5, 6], None));
        // A clock that was a day ahead when they were made.
        let ahead = Waiting { made_at: at(86_400), due_at: at(86_430), ..row(1, "a", "", false, 0) };
        assert_eq!(due(&[ahead], at(0)).0.len(), 1);
    }

    #[test]
    fn a_message_is_of_one_group_and_keeps_the_order_of_an_incident() {
        let waiting = [
            row(1, "a", "x", false, 0),
            row(2, "b", "y", false, 0),
            row(3, "c", "x", false, 0),
            row(4, "b", "x", true, 0),
            row(5, "d", "x", false, 0),
        ];
        let (told, _) = due(&waiting, at(1));
        // The end of b is in x, its beginning in y.
        assert_eq!(first_group(&told, 20), [1, 3, 5]);
        assert_eq!(first_group(&told, 2), [1, 3]);
        assert_eq!(first_group(&told[1..], 20), [2]);
        assert_eq!(first_group(&[], 20), [0; 0]);
    }

    #[test]
    fn a_repeat_takes_the_place_of_what_was_not_told_yet() {
        let again = Waiting { id: 3, ..row(0, "a", "", false, 0) };
        let next = Waiting { episode: 2, ..row(5, "a", "", false, 0) };
        let rows = [row(1, "a", "", false, 0), row(2, "b", "", false, 0), again, row(4, "a", "", true, 0), next];
        assert_eq!(superseded(&rows.iter().collect::<Vec<_>>()), [(1, 3)]);
        let fired = notice("a", Severity::Warning, Because::Fired);
        let worse = notice("a", Severity::Critical, Because::Worse);
        let told = merged(&fired, &worse).expect("one is enough");
        assert_eq!((told.because, told.severity), (Because::Fired, Severity::Critical));
        let again = notice("a", Severity::Critical, Because::Again);
        assert_eq!(merged(&worse, &again).map(|told| told.because), Some(Because::Worse));
        assert_eq!(merged(&notice("a", Severity::High, Because::ByHand), &again), None);
    }

    #[test]
    fn of_a_flood_the_worst_is_shown_and_the_rest_is_counted() {
        let flood = vec![
            (1, notice("warm", Severity::Warning, Because::Fired)),
            (2, notice("over", Severity::Critical, Because::Ended)),
            (3, notice("down", Severity::Critical, Because::Fired)),
            (4, notice("warm", Severity::Warning, Because::Fired)),
            (5, notice("high", Severity::High, Because::Fired)),
        ];
        let (shown, summed) = shown_and_summed(flood.clone(), 2);
        assert_eq!((shown, summed), (vec![3, 5], vec![1, 4, 2]));
        let counted = rest(&[flood[0].clone(), flood[3].clone(), flood[1].clone()]).expect("some");
        assert_eq!(counted.notices, 3);
        assert_eq!(counted.rules, [("warm".to_owned(), 2), ("over".to_owned(), 1)]);
        assert_eq!(rest(&[]), None);
        let read: Vec<String> = arranged(&flood).into_iter().map(|notice| notice.rule).collect();
        assert_eq!(read, ["down", "high", "warm", "warm", "over"]);
    }
}
