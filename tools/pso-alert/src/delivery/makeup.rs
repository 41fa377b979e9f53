//! What a message is made of.

use std::cmp::Reverse;
use std::collections::HashMap;

use crate::channel::Rest;
use crate::finding::rank;
use crate::notice::{Because, Notice};

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

/// A flood of notices, of which the worst are shown and the others are only counted.
#[derive(Debug, Default)]
pub(super) struct Flood(Vec<(bool, Reverse<u8>, i64)>);

impl Flood {
    /// One more.
    pub(super) fn add(&mut self, id: i64, notice: &Notice) {
        self.0.push((notice.is_end(), Reverse(rank(notice.severity)), id));
    }

    /// Which are shown, the worst of what goes on, then the worst of what is over; and the others.
    pub(super) fn shown_and_summed(mut self, capacity: usize) -> (Vec<i64>, Vec<i64>) {
        self.0.sort_unstable();
        let mut ids: Vec<i64> = self.0.into_iter().map(|(_, _, id)| id).collect();
        let summed = ids.split_off(capacity.min(ids.len()));
        (ids, summed)
    }
}

/// The notices of a message as people read them: the worst incident first, what is over last, and the order kept within one.
pub(super) fn arranged(notices: Vec<Notice>) -> Vec<Notice> {
    let mut first: HashMap<&str, (bool, Reverse<u8>, usize)> = HashMap::new();
    for (place, notice) in notices.iter().enumerate() {
        let (over, worst, _) = first.entry(&notice.incident).or_insert((true, Reverse(0), place));
        *over &= notice.is_end();
        worst.0 = worst.0.max(rank(notice.severity));
    }
    let ranks: Vec<_> = notices.iter().map(|notice| first.get(notice.incident.as_str()).copied()).collect();
    let mut ranked: Vec<_> = ranks.into_iter().zip(notices).collect();
    // A stable sort keeps the order within an incident.
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.into_iter().map(|(_, notice)| notice).collect()
}

/// What a summary says of the notices that it does not show.
pub(super) fn rest(summed: &[(i64, String)]) -> Option<Rest> {
    let mut rules: HashMap<&str, u64> = HashMap::new();
    for (_, rule) in summed {
        *rules.entry(rule).or_default() += 1;
    }
    let mut rules: Vec<(String, u64)> = rules.into_iter().map(|(rule, count)| (rule.to_owned(), count)).collect();
    rules.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    (!summed.is_empty()).then_some(Rest { notices: summed.len() as u64, rules })
}

#[cfg(test)]
mod tests {
    use pso_common::record::{IncidentState, Labels};
    use pso_common::{Severity, Timestamp};

    use super::*;

    fn notice(rule: &str, severity: Severity, because: Because) -> Notice {
        let by_hand = Notice::by_hand(severity, rule, Labels::new(), Timestamp::from_unix_millis(0));
        let state = if because == Because::Ended { IncidentState::Resolved } else { IncidentState::Firing };
        Notice { incident: rule.to_owned(), rule: rule.to_owned(), because, state, ..by_hand }
    }

    #[test]
    fn one_notice_says_what_two_said() {
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
        let mut sum = Flood::default();
        flood.iter().for_each(|(id, notice)| sum.add(*id, notice));
        assert_eq!(sum.shown_and_summed(2), (vec![3, 5], vec![1, 4, 2]));
        let summed = [1, 4, 2].map(|id| (id, flood[id as usize - 1].1.rule.clone()));
        let counted = rest(&summed).expect("some");
        assert_eq!(counted.notices, 3);
        assert_eq!(counted.rules, [("warm".to_owned(), 2), ("over".to_owned(), 1)]);
        assert_eq!(rest(&[]), None);
        let read = arranged(flood.into_iter().map(|(_, notice)| notice).collect());
        let rules: Vec<&str> = read.iter().map(|notice| notice.rule.as_str()).collect();
        assert_eq!(rules, ["down", "high", "warm", "warm", "over"]);
    }
}
