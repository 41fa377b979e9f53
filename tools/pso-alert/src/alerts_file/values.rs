//! Types of values that only this file has.

use std::time::Duration;

use pso_common::Severity;
use pso_common::config::ConfigValue;

/// How bad something is that people are told of.
pub(super) struct Bad(pub(super) Severity);

impl ConfigValue for Bad {
    const EXPECTED: &'static str = "a severity: info, warning, high, critical or unknown";

    fn parse(text: &str) -> Option<Self> {
        text.trim().parse().ok().filter(|severity| *severity > Severity::Ok).map(Self)
    }

    fn show(&self) -> String {
        self.0.to_string()
    }
}

/// A limit of something of which there cannot be less than nothing.
pub(super) struct Limit(pub(super) f64);

impl ConfigValue for Limit {
    const EXPECTED: &'static str = "a number that is not below zero";

    fn parse(text: &str) -> Option<Self> {
        f64::parse(text).filter(|limit| *limit >= 0.0).map(Self)
    }

    fn show(&self) -> String {
        self.0.show()
    }
}

/// A span of time that is not nothing.
pub(super) struct Span(pub(super) Duration);

impl ConfigValue for Span {
    const EXPECTED: &'static str = "a span of time longer than nothing, such as 30s, 5m, 24h or 7d";

    fn parse(text: &str) -> Option<Self> {
        Duration::parse(text).filter(|span| !span.is_zero()).map(Self)
    }

    fn show(&self) -> String {
        self.0.show()
    }
}

/// Minutes after midnight; 24:00 is the midnight at the end of the day.
pub(super) struct TimeOfDay(pub(super) u16);

impl ConfigValue for TimeOfDay {
    const EXPECTED: &'static str = "a time of day in quotes, such as \"22:00\"";

    fn parse(text: &str) -> Option<Self> {
        let (hour, minute) = text.trim().split_once(':')?;
        let number = |text: &str| {
            (text.len() <= 2 && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse::<u16>().ok())?
        };
        let (hour, minute) = (number(hour)?, number(minute)?);
        let valid = hour < 24 && minute < 60 || hour == 24 && minute == 0;
        valid.then_some(Self((hour * 60 + minute) % (24 * 60)))
    }

    fn show(&self) -> String {
        format!("{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

/// A day of the week, 0 = Monday.
pub(super) struct Day(pub(super) u8);

const DAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

impl ConfigValue for Day {
    const EXPECTED: &'static str = "a day: mon, tue, wed, thu, fri, sat or sun";

    fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_lowercase();
        let day = DAYS.iter().position(|day| *day == text || day[..3] == *text)?;
        u8::try_from(day).ok().map(Self)
    }

    fn show(&self) -> String {
        DAYS[usize::from(self.0)][..3].to_owned()
    }
}

/// The name of a time zone.
pub(super) struct Zone(pub(super) String);

impl ConfigValue for Zone {
    const EXPECTED: &'static str = "the name of a time zone, such as Europe/Paris";

    fn parse(text: &str) -> Option<Self> {
        let name = text.trim();
        jiff::tz::TimeZone::get(name).ok().map(|_| Self(name.to_owned()))
    }

    fn show(&self) -> String {
        self.0.clone()
    }
}

/// An address that people can open.
pub(super) struct Link(pub(super) String);

impl ConfigValue for Link {
    const EXPECTED: &'static str = "a URL that begins with https:// or http://";

    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
        let valid = !rest.is_empty() && !text.chars().any(|c| c.is_whitespace() || c.is_control());
        valid.then(|| Self(text.to_owned()))
    }

    fn show(&self) -> String {
        self.0.clone()
    }
}

/// The name of a rule, which is part of keys and file names of others.
pub(super) struct RuleName(pub(super) String);

impl ConfigValue for RuleName {
    const EXPECTED: &'static str = "a name of at most 60 letters, digits, `.`, `-` and `_`";

    fn parse(text: &str) -> Option<Self> {
        let fits = (1..=60).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'));
        fits.then(|| Self(text.to_owned()))
    }

    fn show(&self) -> String {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_days_and_zones() {
        let times = ["00:00", "7:05", "22:30", "24:00", "24:01", "12:60", "noon", "+1:00", "1:2:3"];
        let minutes = times.map(|text| TimeOfDay::parse(text).map(|time| time.0));
        assert_eq!(minutes, [Some(0), Some(425), Some(1350), Some(0), None, None, None, None, None]);
        assert_eq!(
            ["mon", "Sunday", "m", "mont"].map(|text| Day::parse(text).map(|day| day.0)),
            [Some(0), Some(6), None, None]
        );
        assert!(Zone::parse("Europe/Paris").is_some() && Zone::parse("Europe/Pariss").is_none());
        assert!(Bad::parse("High").is_some() && Bad::parse("ok").is_none());
        assert!(Span::parse("0s").is_none() && Link::parse("javascript:x").is_none());
        assert!(RuleName::parse("slow-sync.2").is_some() && RuleName::parse("a/b").is_none());
    }
}
