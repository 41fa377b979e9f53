//! Quiet hours: what is not bad enough waits until they are over.

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp as Instant, ToSpan as _, Zoned};
use pso_common::{Severity, Timestamp};

use crate::finding::rank;
use crate::policy::QuietHours;

/// Hours that follow one another are waited for one after the other, no more than so many.
const MAX_HOPS: usize = 16;

/// From when a channel may be told of something this bad: now, or when its quiet hours are over.
pub(crate) fn told_from(hours: &[QuietHours], channel: &str, severity: Severity, now: Timestamp) -> Timestamp {
    let mut at = now;
    for _ in 0..MAX_HOPS {
        let kept = hours.iter().filter(|hours| {
            rank(severity) < rank(hours.below)
                && hours.channels.as_ref().is_none_or(|names| names.iter().any(|name| name == channel))
        });
        match kept.filter_map(|hours| end(hours, at)).max() {
            Some(end) if end > at => at = end,
            _ => break,
        }
    }
    at
}

/// When the quiet hours that hold at that moment are over.
fn end(hours: &QuietHours, at: Timestamp) -> Option<Timestamp> {
    let zone = match &hours.time_zone {
        // A name that is not known was refused when the file was read.
        Some(name) => TimeZone::get(name).ok()?,
        None => TimeZone::system(),
    };
    let at = Instant::from_millisecond(at.unix_millis()).ok()?;
    let today = at.to_zoned(zone.clone()).date();
    // Those that began today, and those of yesterday that last until today.
    [today, today.yesterday().ok()?].into_iter().find_map(|day| {
        let weekday = u8::try_from(day.weekday().to_monday_zero_offset()).ok()?;
        if !hours.days.is_empty() && !hours.days.contains(&weekday) {
            return None;
        }
        let next = if hours.to <= hours.from { day.checked_add(1.day()).ok()? } else { day };
        let (from, to) = (moment(day, hours.from, &zone)?, moment(next, hours.to, &zone)?);
        let holds = from.timestamp() <= at && at < to.timestamp();
        holds.then(|| Timestamp::from_unix_millis(to.timestamp().as_millisecond()))
    })
}

/// That minute of a day. Where the clocks are put forward over it, the moment when they are; where it comes twice, the first.
fn moment(day: Date, minute: u16, zone: &TimeZone) -> Option<Zoned> {
    let (day, minute) = if minute >= 1_440 { (day.checked_add(1.day()).ok()?, 0) } else { (day, minute) };
    let time = Time::new(i8::try_from(minute / 60).ok()?, i8::try_from(minute % 60).ok()?, 0, 0).ok()?;
    zone.to_zoned(day.to_datetime(time)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paris(from: u16, to: u16) -> QuietHours {
        let time_zone = Some("Europe/Paris".to_owned());
        QuietHours { from, to, days: Vec::new(), time_zone, below: Severity::Critical, channels: None }
    }

    fn from(hours: &[QuietHours], severity: Severity, now: &str) -> String {
        told_from(hours, "slack", severity, now.parse().expect("a time")).to_string()
    }

    #[test]
    fn they_last_over_midnight_and_what_is_bad_enough_does_not_wait() {
        let night = [paris(22 * 60, 7 * 60)];
        // 22:00 and 07:00 in Paris are 21:00 and 06:00 UTC in winter.
        for (now, expected) in [
            ("2026-01-10T20:59:59Z", "2026-01-10T20:59:59.000Z"),
            ("2026-01-10T21:00:00Z", "2026-01-11T06:00:00.000Z"),
            ("2026-01-11T05:59:59.999Z", "2026-01-11T06:00:00.000Z"),
            ("2026-01-11T06:00:00Z", "2026-01-11T06:00:00.000Z"),
            ("2026-01-11T12:00:00Z", "2026-01-11T12:00:00.000Z"),
        ] {
            assert_eq!(from(&night, Severity::High, now), expected, "{now}");
        }
        assert_eq!(from(&night, Severity::Critical, "2026-01-10T23:00:00Z"), "2026-01-10T23:00:00.000Z");
        assert_eq!(from(&night, Severity::Unknown, "2026-01-10T23:00:00Z"), "2026-01-11T06:00:00.000Z");
    }

    #[test]
    fn the_days_on_which_the_clocks_change_are_right() {
        // 2026-03-29: 02:00 becomes 03:00; 2026-10-25: 03:00 becomes 02:00.
        let night = [paris(22 * 60, 7 * 60)];
        assert_eq!(from(&night, Severity::High, "2026-03-28T22:00:00Z"), "2026-03-29T05:00:00.000Z");
        assert_eq!(from(&night, Severity::High, "2026-10-24T22:00:00Z"), "2026-10-25T06:00:00.000Z");
        // 02:30 is skipped in March: they end when it would have been.
        let skipped = [paris(60, 150)];
        assert_eq!(from(&skipped, Severity::High, "2026-03-29T00:30:00Z"), "2026-03-29T01:30:00.000Z");
        // 02:30 comes twice in October: the first time ends them.
        assert_eq!(from(&skipped, Severity::High, "2026-10-24T23:30:00Z"), "2026-10-25T00:30:00.000Z");
        assert_eq!(from(&skipped, Severity::High, "2026-10-25T00:45:00Z"), "2026-10-25T00:45:00.000Z");
    }

    #[test]
    fn they_hold_on_their_days_for_their_channels_and_one_after_the_other() {
        // Saturday evening to Sunday morning.
        let saturday = QuietHours { days: vec![5], ..paris(22 * 60, 7 * 60) };
        let hours = std::slice::from_ref(&saturday);
        assert_eq!(from(hours, Severity::High, "2026-01-10T22:00:00Z"), "2026-01-11T06:00:00.000Z");
        assert_eq!(from(hours, Severity::High, "2026-01-11T03:00:00Z"), "2026-01-11T06:00:00.000Z");
        assert_eq!(from(hours, Severity::High, "2026-01-11T22:00:00Z"), "2026-01-11T22:00:00.000Z");
        let email = QuietHours { channels: Some(vec!["email".to_owned()]), ..paris(22 * 60, 7 * 60) };
        assert_eq!(
            from(std::slice::from_ref(&email), Severity::High, "2026-01-11T22:00:00Z"),
            "2026-01-11T22:00:00.000Z"
        );
        let now = "2026-01-11T22:00:00Z".parse().expect("a time");
        assert_eq!(told_from(&[email], "email", Severity::High, now).to_string(), "2026-01-12T06:00:00.000Z");
        let chain = [paris(22 * 60, 7 * 60), paris(7 * 60, 9 * 60)];
        assert_eq!(from(&chain, Severity::High, "2026-01-11T22:00:00Z"), "2026-01-12T08:00:00.000Z");
        // Always quiet: it waits, and does not hang.
        let always = [paris(0, 0)];
        assert!(from(&always, Severity::High, "2026-01-11T22:00:00Z").as_str() > "2026-01-12");
    }
}
