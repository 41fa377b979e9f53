//! Many failures from one source within a short time, and a success after them.

use super::collect::Event;

/// What one source did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Burst {
    /// The failures that belong to a burst: all that have enough others around them.
    pub(super) failures: u64,
    /// Most failures within the span.
    pub(super) peak: u64,
    pub(super) first_s: u32,
    pub(super) last_s: u32,
    /// The first few of them.
    pub(super) examples: Vec<Event>,
    /// The first success within the span after a failure of a burst.
    pub(super) success: Option<Event>,
}

/// What one source's events come to; they are in the order of time and all have one.
pub(super) fn burst(events: &[Event], count: u32, span_s: u32) -> Option<Burst> {
    let failures: Vec<&Event> = events.iter().filter(|event| event.is_failure).collect();
    let mut is_in = vec![false; failures.len()];
    let (mut from, mut peak) = (0, 0);
    for to in 0..failures.len() {
        while failures[to].at_s - failures[from].at_s > span_s {
            from += 1;
        }
        let within = to - from + 1;
        if within >= count as usize {
            peak = peak.max(within);
            // Those before `from` of an earlier window are marked already.
            let begin = is_in[from..=to].iter().rposition(|marked| *marked).map_or(from, |at| from + at + 1);
            is_in[begin..=to].fill(true);
        }
    }
    let part: Vec<&Event> = failures.iter().zip(&is_in).filter(|(_, is_in)| **is_in).map(|(event, _)| *event).collect();
    let (first, last) = (part.first()?, part.last()?);
    let success = events.iter().filter(|event| !event.is_failure).find(|success| {
        // The last failure of a burst that is not later.
        let before = part.partition_point(|failure| failure.at_s <= success.at_s);
        // One that stands between two failures of the first few may be anybody's typing error: as many as make a burst came before.
        before >= count as usize && success.at_s - part[before - 1].at_s <= span_s
    });
    Some(Burst {
        failures: part.len() as u64,
        peak: peak as u64,
        first_s: first.at_s,
        last_s: last.at_s,
        examples: part.iter().take(3).map(|event| **event).collect(),
        success: success.copied(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(list: &[(u32, bool)]) -> Vec<Event> {
        let event = |(line, (at_s, is_failure)): (u32, &(u32, bool))| Event {
            source: 0,
            at_s: *at_s,
            line,
            path: 0,
            is_failure: *is_failure,
        };
        (1..).zip(list).map(event).collect()
    }

    #[test]
    fn a_burst_is_so_many_within_the_span() {
        let five = [(100, true), (160, true), (220, true), (280, true), (700, true)];
        let found = burst(&events(&five), 5, 600).expect("a burst");
        assert_eq!((found.failures, found.peak, found.first_s, found.last_s), (5, 5, 100, 700));
        assert_eq!(found.examples.iter().map(|event| event.line).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(burst(&events(&five), 5, 599), None);
        assert_eq!(burst(&events(&five[..4]), 5, 600), None);
    }

    #[test]
    fn two_bursts_are_counted_without_what_lies_between() {
        let mut list: Vec<(u32, bool)> = (0..10).map(|at| (at, true)).collect();
        list.push((5_000, true));
        list.extend((10_000..10_007).map(|at| (at, true)));
        let found = burst(&events(&list), 5, 600).expect("a burst");
        assert_eq!((found.failures, found.peak, found.first_s, found.last_s), (17, 10, 0, 10_006));
    }

    #[test]
    fn a_success_counts_when_it_follows_a_burst() {
        let failed: Vec<(u32, bool)> = (0..5).map(|at| (at, true)).collect();
        let success = |at| {
            let mut list = failed.clone();
            list.push((at, false));
            list.sort_by_key(|(at, _)| *at);
            burst(&events(&list), 5, 600).expect("a burst").success.map(|event| event.at_s)
        };
        assert_eq!(success(4), Some(4));
        assert_eq!(success(604), Some(604));
        assert_eq!(success(605), None);
        assert_eq!(success(2), None);
    }
}
