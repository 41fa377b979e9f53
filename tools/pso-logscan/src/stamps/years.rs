//! The year of a stamp that leaves it out.

use time::OffsetDateTime;

use crate::stamps::calendar::{DAY, day_number, is_leap};

/// What is known of an input's years: it was last written at some moment, and its stamps are not later than a day after
/// that (clocks differ). So a stamp is of the latest year in which it is not, and a 29 February of the latest leap year.
///
/// That is right across New Year, for a log of not more than a year, and does not depend on the order of its lines.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Years {
    year: i32,
    /// Month, day and second of the day that no stamp of `year` is behind.
    limit: (u32, u32, i64),
}

impl Years {
    /// For an input that was last written at `local`, seconds since 1970 on the clocks where it was written.
    pub(crate) fn until(local: i64) -> Self {
        // The years 1 to 9998, so that neither a day later nor a leap year earlier is beyond the calendar.
        let local = local.clamp(-62_135_596_800, 253_370_764_800) + DAY;
        let at = OffsetDateTime::from_unix_timestamp(local).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let limit = (u8::from(at.month()).into(), at.day().into(), local.rem_euclid(DAY));
        Self { year: at.year(), limit }
    }

    /// Seconds since 1970, on the same clocks, of a time without a year; `None` where no year has the day.
    #[inline]
    pub(crate) fn date(&self, month: u32, day: u32, second_of_day: i64) -> Option<i64> {
        let mut year = self.year - i32::from((month, day, second_of_day) > self.limit);
        if (month, day) == (2, 29) {
            while !is_leap(year) {
                year -= 1;
            }
        }
        Some(day_number(year, month, day)? * DAY + second_of_day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stamps::Moment;

    /// The year that a stamp gets in an input that was last written at `reference`.
    fn year(reference: &str, month: u32, day: u32, hour: i64) -> i32 {
        let local = Moment::from(reference.parse::<pso_common::Timestamp>().expect("a time")).0.div_euclid(1_000_000);
        let at = Years::until(local).date(month, day, hour * 3600).expect("a day");
        OffsetDateTime::from_unix_timestamp(at).expect("in range").year()
    }

    #[test]
    fn is_the_latest_that_is_not_in_the_future() {
        for (reference, month, day, hour, expected) in [
            ("2025-06-12T09:00:00Z", 6, 12, 9, 2025),
            ("2025-06-12T09:00:00Z", 6, 13, 9, 2025),
            ("2025-06-12T09:00:00Z", 6, 13, 10, 2024),
            ("2025-06-12T09:00:00Z", 1, 1, 0, 2025),
            ("2025-06-12T09:00:00Z", 12, 31, 23, 2024),
            ("2025-01-01T00:10:00Z", 12, 31, 23, 2024),
            ("2025-01-01T00:10:00Z", 1, 1, 0, 2025),
            ("2024-12-31T23:59:00Z", 1, 1, 0, 2025),
            ("2024-12-31T23:59:00Z", 12, 31, 23, 2024),
            ("2025-06-12T09:00:00Z", 2, 29, 0, 2024),
            ("2024-02-28T09:00:00Z", 2, 29, 8, 2024),
            ("2024-02-28T09:00:00Z", 2, 29, 10, 2020),
            ("2103-06-12T09:00:00Z", 2, 29, 0, 2096),
        ] {
            assert_eq!(year(reference, month, day, hour), expected, "{month}-{day} {hour}:00 until {reference}");
        }
        assert_eq!(Years::until(0).date(2, 30, 0), None);
        for wild in [i64::MIN, i64::MAX] {
            assert!(Years::until(wild).date(2, 29, 0).is_some());
        }
    }
}
