//! The stamp parser on any line.

use std::sync::LazyLock;

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, ToSpan as _};
use pso_common::config::ConfigValue as _;

use crate::scan::lines::without_return;
use crate::stamps::layout::Layout;
use crate::stamps::reader::Reader;
use crate::stamps::window::When;
use crate::stamps::zone::Zone;
use crate::stamps::{Moment, SECOND, Stamp, StampFormat, of_number};

/// UTC first. Lord Howe changes its clocks by half an hour, Apia has left out a day, Monrovia had seconds.
const ZONES: [&str; 8] = [
    "UTC",
    "+05:30",
    "-23:59",
    "Europe/Paris",
    "America/St_Johns",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Africa/Monrovia",
];

/// 2025-06-12T09:00:00Z, a New Year, a leap day, the epoch, and the ends of all numbers and of the calendar.
const REFERENCES: [i64; 7] = [
    1_749_718_800_000_000,
    1_735_689_630_000_000,
    1_709_197_200_000_000,
    0,
    253_402_300_799_999_999,
    i64::MIN,
    i64::MAX,
];

const DAY: i64 = 86_400;
/// The years 0 to 9999.
const CALENDAR: std::ops::Range<i64> = -62_167_219_200..253_402_300_800;
/// A number in JSON is a moment of September 2001 to 2099.
const EPOCHS: std::ops::RangeInclusive<i64> = 1_000_000_000 * SECOND..=4_102_444_800 * SECOND;

/// A zone, the same zone as jiff has it, and a reader for each of [`REFERENCES`].
struct Place {
    zone: Zone,
    rules: TimeZone,
    readers: Vec<Reader>,
}

static PLACES: LazyLock<Vec<Place>> = LazyLock::new(|| {
    let place = |name: &&str| {
        let zone = Zone::parse(name).expect("a zone");
        let rules = match zone {
            Zone::Fixed(seconds) => TimeZone::fixed(Offset::from_seconds(seconds).expect("less than a day")),
            Zone::Named(_) => jiff::tz::db().get(name).expect("a zone"),
        };
        let readers = REFERENCES.iter().map(|&at| Reader::new(zone.clone(), Moment(at))).collect();
        Place { zone, rules, readers }
    };
    ZONES.iter().map(place).collect()
});

/// `stamps`: reads the stamps of two lines, in several zones and years.
///
/// # Panics
/// When a stamp is not within its line or the calendar, does not name the moment that jiff makes of the same numbers, or
/// when a line that looks like the one before it does not have the stamp that its looks promise.
pub fn stamps(data: &[u8]) {
    for line in data.splitn(3, |&byte| byte == b'\n').take(2) {
        one_line(without_return(line));
    }
    same_layout(data);
    // What people write on the command line, and numbers in JSON, are read by the same code.
    if let Some(at) = of_number(data) {
        assert!(EPOCHS.contains(&at.0), "{at:?}");
    }
    if let Some(when) = std::str::from_utf8(data).ok().and_then(When::parse) {
        let now = Moment(REFERENCES[0]).timestamp().expect("of our time");
        assert_eq!(When::parse(&when.show()), Some(when.clone()));
        for place in PLACES.iter() {
            when.moment(now, &place.zone);
        }
    }
}

fn one_line(line: &[u8]) {
    let first = PLACES[0].readers[0].read(line);
    for place in PLACES.iter() {
        for (reader, reference) in place.readers.iter().zip(REFERENCES) {
            let stamp = reader.read(line);
            assert_eq!(stamp, reader.read(line), "read twice");
            let (Some(stamp), Some(first)) = (stamp, first) else {
                assert_eq!(stamp, first);
                continue;
            };
            assert!(stamp.start < stamp.end && stamp.end <= line.len(), "{stamp:?}");
            assert!(CALENDAR.contains(&stamp.at.0.div_euclid(SECOND)), "{stamp:?}");
            let look = |stamp: Stamp| (stamp.start, stamp.end, stamp.format, stamp.zoned);
            assert_eq!(look(stamp), look(first), "where it stands depends on zone or reference");
            if line.first() != Some(&b'{') {
                assert_eq!(reader.stamp_of_line(line), Some(stamp));
            }
            if has_no_year(line, stamp) {
                inferred(stamp, reference, line);
            } else {
                exact(stamp, place, line);
            }
        }
    }
}

/// Whether the year is inferred: only then does the stamp depend on when the file was last written.
fn has_no_year(line: &[u8], stamp: Stamp) -> bool {
    matches!(stamp.format, StampFormat::Syslog | StampFormat::Klog) && {
        let [early, late] = [3, 4].map(|reference| PLACES[0].readers[reference].read(line));
        early.map(|stamp| stamp.at) != late.map(|stamp| stamp.at)
    }
}

/// A year that was inferred is the last that is not later than a day after the file was written.
fn inferred(stamp: Stamp, reference: i64, line: &[u8]) {
    if !CALENDAR.contains(&reference.div_euclid(SECOND)) || reference > 253_370_764_800 * SECOND {
        return;
    }
    // A day, the file's own zone, the stamp's zone, and a leap second.
    let latest = reference + (DAY + 2 * DAY + 2) * SECOND;
    // A 29 February may be eight years ago.
    let earliest = reference - (8 * 366 + 3) * DAY * SECOND;
    assert!((earliest..=latest).contains(&stamp.at.0), "{stamp:?} {}", line.escape_ascii());
}

/// A stamp with a year is the moment that jiff makes of what the clocks showed, and these are the numbers in the line.
fn exact(stamp: Stamp, place: &Place, line: &[u8]) {
    let shown = PLACES[0].readers[0].read(line).expect("read before").at;
    // What is beyond the calendar's ends is taken for them.
    if !(CALENDAR.start + 1..CALENDAR.end - 1).contains(&shown.0.div_euclid(SECOND)) {
        return;
    }
    let micros = shown.0.rem_euclid(SECOND);
    if stamp.zoned {
        assert_eq!(stamp.at, shown, "it depends on the zone of others");
    } else if let Some(second) = utc(&place.rules, shown.0.div_euclid(SECOND)) {
        let expected = Moment(second * SECOND + micros).within_calendar();
        assert_eq!(stamp.at, expected, "{:?} {}", place.zone, line.escape_ascii());
    }
    if let Some((second, micros, offset)) = numbers(stamp, line) {
        assert_eq!(offset.is_some(), stamp.zoned);
        let second = second - offset.unwrap_or(0);
        assert_eq!(shown, Moment(second * SECOND + micros), "{}", line.escape_ascii());
    }
}

/// Seconds since 1970 of what the clocks of a place showed, in seconds since 1970 on them; `None` at the calendar's ends.
fn utc(rules: &TimeZone, shown: i64) -> Option<i64> {
    let shown = Offset::UTC.to_datetime(Timestamp::from_second(shown).ok()?);
    Some(rules.to_ambiguous_timestamp(shown).compatible().ok()?.as_second())
}

/// What stands in a stamp of the ISO family: seconds since 1970 on the clocks, microseconds, and the zone's offset.
fn numbers(stamp: Stamp, line: &[u8]) -> Option<(i64, i64, Option<i64>)> {
    use StampFormat::{Cbs, Go, Iso, Rfc3339, Rfc5424};
    if !matches!(stamp.format, Rfc3339 | Iso | Go | Cbs | Rfc5424) {
        return None;
    }
    let text = std::str::from_utf8(&line[stamp.start..stamp.end]).expect("ASCII");
    let (head, rest) = text.split_at(19);
    let fields: Vec<i8> = head.as_bytes()[4..]
        .split(|byte| !byte.is_ascii_digit())
        .filter_map(|digits| std::str::from_utf8(digits).ok()?.parse().ok())
        .collect();
    let &[month, day, hour, minute, second] = fields.as_slice() else { panic!("no five numbers in {text:?}") };
    let leap = i64::from(second == 60);
    let year = head[..4].parse().expect("a year");
    let shown = DateTime::new(year, month, day, hour, minute, second.min(59), 0).expect("a date and a time");
    let second = Offset::UTC.to_timestamp(shown.checked_add(leap.seconds()).ok()?).ok()?.as_second();
    let zone = rest.trim_start_matches(|mark: char| mark.is_ascii_digit() || mark == '.' || mark == ',');
    let fraction: String = rest[..rest.len() - zone.len()].chars().skip(1).take(6).collect();
    let micros = format!("{fraction:0<6}").parse().expect("digits");
    let offset = match zone.trim_start_matches(' ') {
        "" => None,
        "Z" | "z" | "UTC" | "GMT" => Some(0),
        zone => {
            let digits: String = zone[1..].chars().filter(|&mark| mark != ':').collect();
            let number: i64 = format!("{digits:0<4}").parse().expect("digits");
            let seconds = number / 100 * 3600 + number % 100 * 60;
            Some(if zone.starts_with('-') { -seconds } else { seconds })
        }
    };
    Some((second, micros, offset))
}

/// The quick way that the scanner takes says what the parser says.
fn same_layout(text: &[u8]) {
    let Some(end) = memchr::memchr(b'\n', text) else { return };
    let begin_of = |text: &[u8]| memchr::memchr(b'\n', text).unwrap_or(text.len());
    for place in PLACES.iter() {
        let reader = &place.readers[0];
        let Some(stamp) = reader.read(without_return(&text[..end])) else { continue };
        let Some(layout) = Layout::of(text, &stamp) else { continue };
        for next in [text, &text[end + 1..]] {
            if layout.fits(next) {
                let line = without_return(&next[..begin_of(next)]);
                let again = reader.read(line);
                let expected = Stamp { at: layout.moment(next), ..stamp };
                assert_eq!(again, Some(expected), "{:?} {}", place.zone, line.escape_ascii());
            }
        }
    }
}
