//! When the next round begins.

use std::time::{Duration, Instant};

/// Rounds at whole multiples of a span since the first: one that takes long delays none after it, and those whose time has
/// passed are left out instead of piling up. The clock is the monotonic one, so setting the time changes nothing.
#[derive(Debug)]
pub(super) struct Schedule {
    next: Instant,
    every: Duration,
}

impl Schedule {
    /// The first round begins at `first`.
    pub(super) const fn new(first: Instant, every: Duration) -> Self {
        Self { next: first, every }
    }

    /// The beginning of the round after the one that has ended at `now`, and how many were left out before it.
    pub(super) fn next(&mut self, now: Instant) -> (Instant, u64) {
        self.next += self.every;
        let late = now.saturating_duration_since(self.next);
        let missed = u64::try_from(late.as_nanos().div_ceil(self.every.as_nanos().max(1))).unwrap_or(u64::MAX);
        self.next += self.every.saturating_mul(u32::try_from(missed).unwrap_or(u32::MAX));
        (self.next, missed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_do_not_drift_and_do_not_pile_up() {
        let begun = Instant::now();
        let at = |seconds: f64| begun + Duration::from_secs_f64(seconds);
        let mut schedule = Schedule::new(begun, Duration::from_secs(10));
        for (ended, next, missed) in [
            (0.3, 10.0, 0),
            (19.9, 20.0, 0),
            // Ended on the dot: that round is not late.
            (30.0, 30.0, 0),
            // Took 10.1 seconds: the next one's time has passed.
            (40.1, 50.0, 1),
            (95.0, 100.0, 4),
            (100.0, 110.0, 0),
        ] {
            assert_eq!(schedule.next(at(ended)), (at(next), missed), "after {ended}");
        }
    }
}
