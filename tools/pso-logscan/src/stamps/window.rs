//! Which part of time is asked for.

use std::time::Duration;

use pso_common::Timestamp;
use pso_common::config::ConfigValue;

use crate::stamps::calendar::DAY;
use crate::stamps::formats::{Says, whole_iso};
use crate::stamps::zone::Zone;
use crate::stamps::{Moment, SECOND};

/// The value of `--since` and `--until`: a span back from now, or a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// So long ago.
    Ago(Duration),
    /// The beginning of the day that is so many days before today; what today is depends on `--tz`.
    Day(u8),
    /// A date, or a date and a time; what it means without a zone depends on `--tz`.
    At(String),
}

impl When {
    /// The moment, at `now`; days, and times without a zone, are of `zone`.
    pub(crate) fn moment(&self, now: Timestamp, zone: &Zone) -> Option<Moment> {
        match self {
            Self::Ago(span) => Some(now.minus(*span).into()),
            Self::Day(back) => {
                let now = Moment::from(now).0.div_euclid(SECOND);
                let today = (now + i64::from(zone.offset_at(now))).div_euclid(DAY);
                Some(Moment(zone.to_utc((today - i64::from(*back)) * DAY) * SECOND))
            }
            Self::At(text) => {
                let (says, micros) = whole_iso(text)?;
                let second = match says {
                    Says::Utc(second) => second,
                    Says::Local(local) => zone.to_utc(local),
                    Says::Yearless { .. } => return None,
                };
                Some(Moment(second * SECOND + micros))
            }
        }
    }
}

impl ConfigValue for When {
    const EXPECTED: &'static str =
        "a span such as 24h or 7d, a time such as 2025-06-12T09:00:00Z or 2025-06-12, today or yesterday";

    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        match text {
            "today" => return Some(Self::Day(0)),
            "yesterday" => return Some(Self::Day(1)),
            _ if whole_iso(text).is_some() => return Some(Self::At(text.to_owned())),
            _ => {}
        }
        // A bare number is refused: nobody could tell hours from seconds.
        humantime::parse_duration(text).ok().filter(|_| text != "0").map(Self::Ago)
    }

    fn show(&self) -> String {
        match self {
            Self::Ago(span) => humantime::format_duration(*span).to_string(),
            Self::Day(0) => "today".to_owned(),
            Self::Day(_) => "yesterday".to_owned(),
            Self::At(text) => text.clone(),
        }
    }
}

/// From `since` (inclusive) to `until` (exclusive); open where there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) since: Option<Moment>,
    pub(crate) until: Option<Moment>,
}

impl Window {
    /// Whether every moment is within.
    pub(crate) const fn is_open(&self) -> bool {
        self.since.is_none() && self.until.is_none()
    }

    pub(crate) fn contains(&self, at: Moment) -> bool {
        self.since.is_none_or(|since| since <= at) && self.until.is_none_or(|until| at < until)
    }

    /// Whether all moments from `first` to before `end` are within, or none; `None` where the window begins or ends
    /// among them.
    pub(crate) fn contains_all(&self, first: Moment, end: Moment) -> Option<bool> {
        let among = |edge: Option<Moment>| edge.is_some_and(|edge| first < edge && edge < end);
        (!among(self.since) && !among(self.until)).then(|| self.contains(first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_moments() {
        let now: Timestamp = "2025-06-12T23:30:00Z".parse().expect("a time");
        let shown = |text: &str, zone: &str| {
            let zone = Zone::parse(zone).expect("a zone");
            Some(When::parse(text)?.moment(now, &zone)?.timestamp()?.to_string())
        };
        for (text, zone, expected) in [
            ("24h", "UTC", "2025-06-11T23:30:00.000Z"),
            ("7d", "Europe/Paris", "2025-06-05T23:30:00.000Z"),
            ("2025-06-10T12:00:00+02:00", "UTC", "2025-06-10T10:00:00.000Z"),
            ("2025-06-10T12:00:00.250Z", "UTC", "2025-06-10T12:00:00.250Z"),
            ("2025-06-10 12:00:00", "+01:00", "2025-06-10T11:00:00.000Z"),
            ("2025-06-10 12:00", "+01:00", "2025-06-10T11:00:00.000Z"),
            ("2025-06-10", "+01:00", "2025-06-09T23:00:00.000Z"),
            ("2025-06-10", "Europe/Paris", "2025-06-09T22:00:00.000Z"),
            ("2025-01-10", "Europe/Paris", "2025-01-09T23:00:00.000Z"),
            ("today", "UTC", "2025-06-12T00:00:00.000Z"),
            ("today", "Europe/Paris", "2025-06-12T22:00:00.000Z"),
            ("yesterday", "Europe/Paris", "2025-06-11T22:00:00.000Z"),
            ("yesterday", "America/New_York", "2025-06-11T04:00:00.000Z"),
            ("2025-06-10T12:00:00Z ", "UTC", "2025-06-10T12:00:00.000Z"),
            ("9999-12-31", "-23:59", "9999-12-31T23:59:00.000Z"),
        ] {
            assert_eq!(shown(text, zone).as_deref(), Some(expected), "{text} {zone}");
        }
        for bad in ["24", "0", "tomorrow", "2025-06-31", "2025-06-10T12", "2025-06-10T12:00:00Zx", "12:00", "", "é"] {
            assert_eq!(When::parse(bad), None, "{bad}");
        }
        assert_eq!(When::parse("yesterday").map(|when| when.show()).as_deref(), Some("yesterday"));
    }

    #[test]
    fn begins_with_its_first_moment_and_ends_before_its_last() {
        let window = Window { since: Some(Moment(10)), until: Some(Moment(20)) };
        assert_eq!([9, 10, 19, 20].map(|at| window.contains(Moment(at))), [false, true, true, false]);
        let all = |first, end| window.contains_all(Moment(first), Moment(end));
        assert_eq!(
            [all(0, 10), all(0, 11), all(10, 20), all(10, 21), all(20, 30)],
            [Some(false), None, Some(true), None, Some(false)]
        );
        assert_eq!(Window::default().contains_all(Moment(0), Moment(9)), Some(true));
    }
}
