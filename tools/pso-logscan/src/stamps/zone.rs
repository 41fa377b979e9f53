//! The zone of stamps that name none.

use std::ops::Range;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};
use pso_common::config::ConfigValue;

use crate::stamps::calendar::DAY;
use crate::stamps::marks;

/// How far the clocks of a place are from UTC, and when.
#[derive(Clone, Debug)]
pub(crate) enum Zone {
    /// Always so many seconds east of UTC.
    Fixed(i32),
    /// As a government has it.
    Named(Arc<Named>),
}

/// A zone of the IANA database, or the system's.
#[derive(Debug)]
pub(crate) struct Named {
    name: String,
    rules: TimeZone,
    /// The offset before the first of `changes`, seconds east of UTC.
    first: i32,
    /// What the clocks show when another offset begins to hold, ascending, and that offset.
    changes: Vec<(i64, i32)>,
    /// For each [`STRETCH`] of [`TABLE`], how many of `changes` are before it.
    before: Vec<usize>,
}

/// 1973-01-01 and 2100-01-01: between them a conversion is a search in a table; the rules are asked for all others.
const TABLE: Range<i64> = 94_694_400..4_102_444_800;

/// About half a year, as a number of bits: few zones have more than one change in it.
const STRETCH: u32 = 24;

impl Zone {
    /// UTC.
    pub(crate) const UTC: Self = Self::Fixed(0);

    /// Seconds since 1970 UTC of a time on the clocks here, in seconds since 1970 on them. A time that they show twice is
    /// the first of the two; one that they leave out is as far behind the change as it says (RFC 5545 has it so).
    #[inline]
    pub(crate) fn to_utc(&self, local: i64) -> i64 {
        match self {
            Self::Fixed(offset) => local - i64::from(*offset),
            Self::Named(named) => local - i64::from(named.offset_of(local)),
        }
    }

    /// Seconds east of UTC at a moment, in seconds since 1970.
    pub(crate) fn offset_at(&self, second: i64) -> i32 {
        match self {
            Self::Fixed(offset) => *offset,
            Self::Named(named) => offset_at(&named.rules, second),
        }
    }

    /// The span of moments that the clocks here show again when they are put back, if `second` is in it.
    pub(crate) fn shown_twice(&self, second: i64) -> Option<Range<i64>> {
        let Self::Named(named) = self else { return None };
        let mut before = named.first;
        named.changes.iter().find_map(|&(shown, offset)| {
            let (from, back) = (shown - i64::from(before.max(offset)), i64::from(before - offset));
            before = offset;
            Some(from - back..from).filter(|twice| twice.contains(&second))
        })
    }

    fn named(name: String, rules: TimeZone) -> Self {
        let (from, until) = (TABLE.start, TABLE.end);
        let first = offset_at(&rules, from);
        let mut last = first;
        let mut changes = Vec::new();
        let start = Timestamp::from_second(from).unwrap_or(Timestamp::UNIX_EPOCH);
        for change in rules.following(start) {
            let (second, offset) = (change.timestamp().as_second(), change.offset().seconds());
            if second > until {
                break;
            }
            // Some changes are of the zone's name only, or of nothing. Where the clocks go back, the time before the change ends them; where they go forward, the time that is left
            // out is still counted by the old offset. Both are the later of what they show before and after.
            if offset != last {
                changes.push((second + i64::from(last.max(offset)), offset));
                last = offset;
            }
        }
        let before = (from..until).step_by(1 << STRETCH);
        let before = before.map(|start| changes.partition_point(|&(change, _)| change <= start)).collect();
        Self::Named(Arc::new(Named { name, rules, first, changes, before }))
    }
}

fn offset_at(rules: &TimeZone, second: i64) -> i32 {
    let (earliest, latest) = (Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
    Timestamp::from_second(second.clamp(earliest, latest)).map_or(0, |at| rules.to_offset(at).seconds())
}

impl Named {
    #[inline]
    fn offset_of(&self, local: i64) -> i32 {
        // Two days less at both ends, because the table's ends are in UTC.
        if (TABLE.start + 2 * DAY..TABLE.end - 2 * DAY).contains(&local) {
            let mut after = self.before[((local - TABLE.start) >> STRETCH) as usize];
            while self.changes.get(after).is_some_and(|&(from, _)| from <= local) {
                after += 1;
            }
            after.checked_sub(1).map_or(self.first, |last| self.changes[last].1)
        } else {
            self.offset_by_rules(local)
        }
    }

    #[cold]
    fn offset_by_rules(&self, local: i64) -> i32 {
        let utc = Timestamp::from_second(local)
            .ok()
            .and_then(|shown| self.rules.to_ambiguous_timestamp(Offset::UTC.to_datetime(shown)).compatible().ok());
        match utc.map(|utc| i32::try_from(local - utc.as_second())) {
            Some(Ok(offset)) => offset,
            // At the ends of the calendar.
            _ => offset_at(&self.rules, local),
        }
    }
}

impl ConfigValue for Zone {
    const EXPECTED: &'static str =
        "UTC, an offset such as +02:00, a zone's IANA name such as Europe/Paris, or local for this machine's zone";

    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        match text.to_ascii_lowercase().as_str() {
            "utc" | "gmt" => return Some(Self::UTC),
            "local" => return Some(local()),
            _ => {}
        }
        if let Some((seconds, end)) = marks::offset(text.as_bytes()) {
            return (end == text.len()).then_some(Self::Fixed(seconds));
        }
        let rules = jiff::tz::db().get(text).ok().filter(|rules| !rules.is_unknown())?;
        Some(Self::named(rules.iana_name().unwrap_or(text).to_owned(), rules))
    }

    fn show(&self) -> String {
        match self {
            Self::Fixed(0) => "UTC".to_owned(),
            Self::Fixed(offset) => {
                let minutes = offset.abs() / 60;
                format!("{}{:02}:{:02}", if *offset < 0 { '-' } else { '+' }, minutes / 60, minutes % 60)
            }
            Self::Named(named) => named.name.clone(),
        }
    }
}

/// This machine's zone: that of the variable TZ or of the system. A system that has none set is on UTC.
fn local() -> Zone {
    let rules = TimeZone::system();
    if rules.is_unknown() {
        return Zone::UTC;
    }
    Zone::named(rules.iana_name().unwrap_or("local").to_owned(), rules)
}

#[cfg(test)]
mod tests {
    use jiff::civil::DateTime;

    use super::*;

    fn zone(text: &str) -> Zone {
        Zone::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    fn utc(zone: &Zone, local: &str) -> String {
        let local: DateTime = local.parse().expect("a time");
        let local = Offset::UTC.to_timestamp(local).expect("in range").as_second();
        Timestamp::from_second(zone.to_utc(local)).expect("in range").to_string()
    }

    #[test]
    fn is_named_by_offset_or_place() {
        for (text, shown) in [
            ("utc", "UTC"),
            ("GMT", "UTC"),
            ("Z", "UTC"),
            ("+02:00", "+02:00"),
            ("-0330", "-03:30"),
            ("+00:00", "UTC"),
            ("+5", ""),
            ("+25:00", ""),
            ("+99:99", ""),
            (" europe/paris ", "Europe/Paris"),
            ("America/New_York", "America/New_York"),
            ("Paris", ""),
            ("Europe/Nowhere", ""),
            ("../../etc/passwd", ""),
            ("Etc/Unknown", ""),
            ("", ""),
        ] {
            assert_eq!(Zone::parse(text).map(|zone| zone.show()).unwrap_or_default(), shown, "{text:?}");
        }
        assert!(!zone("local").show().is_empty());
    }

    #[test]
    fn clocks_go_forward_and_back() {
        for (name, local, expected) in [
            ("Europe/Paris", "2025-03-30T01:59:59", "2025-03-30T00:59:59Z"),
            // There is no 02:30: it is as if the clocks had not been changed yet.
            ("Europe/Paris", "2025-03-30T02:30:00", "2025-03-30T01:30:00Z"),
            ("Europe/Paris", "2025-03-30T03:00:00", "2025-03-30T01:00:00Z"),
            ("Europe/Paris", "2025-03-30T03:30:00", "2025-03-30T01:30:00Z"),
            // 02:30 twice, of which it is the first.
            ("Europe/Paris", "2025-10-26T02:30:00", "2025-10-26T00:30:00Z"),
            ("Europe/Paris", "2025-10-26T03:00:00", "2025-10-26T02:00:00Z"),
            ("America/New_York", "2025-11-02T01:30:00", "2025-11-02T05:30:00Z"),
            ("America/New_York", "2025-11-02T02:00:00", "2025-11-02T07:00:00Z"),
            ("Australia/Lord_Howe", "2025-10-05T02:15:00", "2025-10-04T15:45:00Z"),
            ("Australia/Lord_Howe", "2025-10-05T02:30:00", "2025-10-04T15:30:00Z"),
            ("Australia/Lord_Howe", "2025-04-06T01:45:00", "2025-04-05T14:45:00Z"),
            ("Australia/Lord_Howe", "2025-04-06T02:00:00", "2025-04-05T15:30:00Z"),
            ("Asia/Kolkata", "2025-06-12T09:00:00", "2025-06-12T03:30:00Z"),
            ("Europe/Paris", "2150-07-01T12:00:00", "2150-07-01T10:00:00Z"),
            ("Europe/Paris", "1900-01-01T00:00:00", "1899-12-31T23:50:39Z"),
        ] {
            assert_eq!(utc(&zone(name), local), expected, "{local} {name}");
        }
    }

    #[test]
    fn an_hour_is_shown_twice_when_clocks_are_put_back() {
        let second = |text: &str| text.parse::<Timestamp>().expect("a time").as_second();
        let (from, until) = (second("2025-10-26T00:00:00Z"), second("2025-10-26T01:00:00Z"));
        let paris = zone("Europe/Paris");
        assert_eq!(paris.shown_twice(from), Some(from..until));
        assert_eq!(paris.shown_twice(until - 1), Some(from..until));
        for none in
            [from - 1, until, second("2025-03-30T00:30:00Z"), second("2025-03-30T01:30:00Z"), i64::MIN, i64::MAX]
        {
            assert_eq!(paris.shown_twice(none), None, "{none}");
        }
        let half = second("2025-04-05T14:40:00Z");
        assert_eq!(zone("Australia/Lord_Howe").shown_twice(half).map(|twice| twice.end - twice.start), Some(1800));
        assert_eq!(zone("+01:00").shown_twice(from), None);
    }

    /// Every change of every zone, and the times around it: the table says what the rules say, and changes at whole
    /// minutes, which `Stamp::is_plain` relies on.
    #[test]
    fn the_table_agrees_with_the_rules_everywhere() {
        let mut zones = 0;
        for name in jiff::tz::db().available() {
            let Some(zone @ Zone::Named(_)) = Zone::parse(name.as_str()) else { continue };
            let Zone::Named(named) = &zone else { continue };
            zones += 1;
            let mut last = i64::MIN;
            for &(from, offset) in &named.changes {
                assert!(from > last && from % 60 == 0 && offset % 60 == 0, "{name}: {from} {offset}");
                last = from;
                for local in
                    [-86_400, -7200, -3601, -3600, -1800, -1, 0, 1, 1799, 3600, 7199, 86_400].map(|by| from + by)
                {
                    if TABLE.contains(&(local - 3 * DAY)) && TABLE.contains(&(local + 3 * DAY)) {
                        assert_eq!(named.offset_of(local), named.offset_by_rules(local), "{name}: {local}");
                    }
                }
            }
        }
        assert!(zones > 300, "{zones} zones");
    }

    #[test]
    fn wild_times_are_taken_too() {
        for name in ["Europe/Paris", "+23:59", "-23:59", "Pacific/Kiritimati"] {
            let zone = zone(name);
            for local in [-62_167_219_200, -62_135_596_800, 0, 253_402_300_799] {
                assert!((zone.to_utc(local) - local).abs() < 2 * DAY, "{name} {local}");
                assert!(zone.offset_at(local).abs() < 86_400);
            }
            assert!(zone.offset_at(i64::MIN).abs() < 86_400 && zone.offset_at(i64::MAX).abs() < 86_400);
        }
    }
}
