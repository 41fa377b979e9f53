//! Counting by spans of time.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use pso_common::config::ConfigValue;

use crate::stamps::{Moment, SECOND};

const DAY: u64 = 86_400;

/// Counts of one bucket, type and class that are kept in all: more would be no histogram, and fill the memory.
pub(crate) const MAX_CELLS: usize = 100_000;

/// Spans of time of equal length, one after another from 1970-01-01 UTC on: each day begins with one, or each whole
/// number of days does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Buckets {
    seconds: u64,
}

impl Buckets {
    /// Length of one in seconds.
    pub(crate) const fn seconds(self) -> u64 {
        self.seconds
    }

    /// The number of the one that `at` is in.
    pub(crate) fn of(self, at: Moment) -> i64 {
        at.0.div_euclid(self.micros())
    }

    /// When the one with that number begins; the first one with the calendar.
    pub(crate) fn start(self, number: i64) -> Moment {
        Moment(number.saturating_mul(self.micros())).within_calendar()
    }

    fn micros(self) -> i64 {
        i64::try_from(self.seconds).map_or(i64::MAX, |seconds| seconds.saturating_mul(SECOND))
    }
}

impl ConfigValue for Buckets {
    const EXPECTED: &'static str =
        "minute, hour, day, or a span such as 15m, 6h or 7d that divides a day or is whole days";

    fn parse(text: &str) -> Option<Self> {
        let span = match text.trim() {
            "minute" => Duration::from_secs(60),
            "hour" => Duration::from_secs(3600),
            "day" => Duration::from_secs(DAY),
            // A bare number is refused: nobody could tell minutes from hours.
            text => humantime::parse_duration(text).ok()?,
        };
        let seconds = Some(span.as_secs()).filter(|&seconds| seconds > 0 && span.subsec_nanos() == 0)?;
        let fits = DAY.is_multiple_of(seconds) || (seconds.is_multiple_of(DAY) && seconds <= 36_525 * DAY);
        fits.then_some(Self { seconds })
    }

    fn show(&self) -> String {
        humantime::format_duration(Duration::from_secs(self.seconds)).to_string()
    }
}

/// The lines of one class by bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Histogram {
    /// All of them.
    pub(crate) sums: BTreeMap<i64, u64>,
    /// Those of each type.
    pub(crate) types: HashMap<String, BTreeMap<i64, u64>>,
    /// Lines that are in no bucket, because nothing dates them or there was no more room.
    pub(crate) missing: u64,
}

impl Histogram {
    /// Adds `count` lines of one type; `room` is how many more cells there may be.
    pub(crate) fn add(&mut self, r#type: Option<&str>, bucket: Option<i64>, count: u64, room: &mut usize) {
        let Some(bucket) = bucket else {
            self.missing += count;
            return;
        };
        if !add_to(&mut self.sums, bucket, count, room) {
            self.missing += count;
            return;
        }
        if let Some(name) = r#type {
            self.add_to_type(name, bucket, count, room);
        }
    }

    /// Adds lines of one type that are in the sums already.
    pub(crate) fn add_to_type(&mut self, name: &str, bucket: i64, count: u64, room: &mut usize) {
        if let Some(cells) = self.types.get_mut(name) {
            add_to(cells, bucket, count, room);
        } else if *room > 0 {
            add_to(self.types.entry(name.to_owned()).or_default(), bucket, count, room);
        }
    }
}

fn add_to(cells: &mut BTreeMap<i64, u64>, bucket: i64, count: u64, room: &mut usize) -> bool {
    if let Some(cell) = cells.get_mut(&bucket) {
        *cell += count;
        return true;
    }
    if *room == 0 {
        return false;
    }
    *room -= 1;
    cells.insert(bucket, count);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_divide_a_day_or_are_days() {
        for (text, seconds) in
            [("hour", 3600), ("day", 86_400), ("15m", 900), (" 6h", 21_600), ("7d", 604_800), ("1s", 1), ("90m", 5400)]
        {
            assert_eq!(Buckets::parse(text).map(Buckets::seconds), Some(seconds), "{text}");
        }
        for text in ["", "0s", "7m", "36h", "1M", "500ms", "60", "week", "200y"] {
            assert_eq!(Buckets::parse(text), None, "{text}");
        }
        assert_eq!(Buckets::parse("15m").map(|by| by.show()).as_deref(), Some("15m"));
    }

    #[test]
    fn a_bucket_begins_with_its_first_moment() {
        let by = Buckets::parse("hour").expect("a span");
        for (seconds, number) in [(0, 0), (3599, 0), (3600, 1), (-1, -1), (-3600, -1), (-3601, -2)] {
            assert_eq!(by.of(Moment(seconds * SECOND)), number, "{seconds}");
        }
        assert_eq!(by.start(-2), Moment(-7200 * SECOND));
        assert_eq!(by.of(by.start(1_000_000)), 1_000_000);
        // The calendar's beginning is within a week.
        let week = Buckets::parse("7d").expect("a span");
        let first = Moment(i64::MIN).within_calendar();
        assert_eq!(week.start(week.of(first)), first);
    }

    #[test]
    fn what_has_no_room_is_counted_as_missing() {
        let (mut histogram, mut room) = (Histogram::default(), 3);
        for (name, bucket, count) in [
            (Some("A"), Some(1), 2),
            (None, None, 5),
            (Some("A"), Some(1), 1),
            (Some("B"), Some(1), 4),
            (None, Some(2), 7),
        ] {
            histogram.add(name, bucket, count, &mut room);
        }
        assert_eq!(room, 0);
        assert_eq!(histogram.sums, BTreeMap::from([(1, 7)]));
        assert_eq!(histogram.types["A"], BTreeMap::from([(1, 3)]));
        assert_eq!(histogram.missing, 12);
    }
}
