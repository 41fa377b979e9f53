//! Dates and times that exist, as seconds.

/// Seconds of a day.
pub(crate) const DAY: i64 = 86_400;

/// The days from 1970-01-01 to a date of the Gregorian calendar; `None` where there is no such date. Every year is one,
/// before 1583 and below 1 too.
pub(crate) fn day_number(year: i32, month: u32, day: u32) -> Option<i64> {
    if day == 0 || day > days_of(year, month)? {
        return None;
    }
    // Years are taken to begin in March, so that the leap day is the last of its year; the era is one of 400 years.
    let shifted = i64::from(year) - i64::from(month <= 2);
    let (era, of_era) = (shifted.div_euclid(400), shifted.rem_euclid(400));
    let day_of_year = i64::from((153 * ((month + 9) % 12) + 2) / 5 + day - 1);
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + day_of_year - 719_468)
}

/// The days of a month; `None` where there is no such month.
const fn days_of(year: i32, month: u32) -> Option<u32> {
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => Some(31),
        4 | 6 | 9 | 11 => Some(30),
        2 if is_leap(year) => Some(29),
        2 => Some(28),
        _ => None,
    }
}

/// Whether the year has a 29 February.
pub(crate) const fn is_leap(year: i32) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// The second of the day, from 0; `None` where there is no such time. A leap second is written as 60.
#[inline]
pub(crate) fn second_of_day(hour: u32, minute: u32, second: u32) -> Option<i64> {
    (hour <= 23 && minute <= 59 && second <= 60).then(|| i64::from(hour * 3600 + minute * 60 + second))
}

#[cfg(test)]
mod tests {
    use time::{Date, Month};

    use super::*;

    #[test]
    fn agrees_with_the_time_crate_on_which_dates_exist_and_when() {
        let epoch = Date::from_calendar_date(1970, Month::January, 1).expect("a date").to_julian_day();
        for year in (-50..2900).chain([9996, 9999]) {
            for month in 0..15_u8 {
                for day in 0..33_u8 {
                    let expected = Month::try_from(month).and_then(|month| Date::from_calendar_date(year, month, day));
                    let expected = expected.ok().map(|date| i64::from(date.to_julian_day() - epoch));
                    assert_eq!(day_number(year, month.into(), day.into()), expected, "{year}-{month}-{day}");
                }
            }
        }
    }
}
