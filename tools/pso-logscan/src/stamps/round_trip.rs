//! Stamps that the `time` crate wrote, in zones as `jiff` has them, read back; and bytes that nobody wrote.

use fastrand::Rng;
use jiff::tz::TimeZone;
use pso_common::config::ConfigValue as _;
use time::format_description::parse_borrowed;
use time::{OffsetDateTime, UtcOffset};

use super::reader::Reader;
use super::zone::Zone;
use super::{Moment, SECOND, Stamp, StampFormat};

/// A way to write stamps: a line, in the notation of the `time` crate; digits of the second's fraction; whether it
/// names its zone, and its year.
struct Way {
    format: StampFormat,
    line: &'static str,
    digits: u32,
    zoned: bool,
    yearless: bool,
}

const fn local(format: StampFormat, digits: u32, line: &'static str) -> Way {
    Way { format, line, digits, zoned: false, yearless: false }
}

const fn zoned(format: StampFormat, digits: u32, line: &'static str) -> Way {
    Way { format, line, digits, zoned: true, yearless: false }
}

const fn yearless(format: StampFormat, digits: u32, line: &'static str) -> Way {
    Way { format, line, digits, zoned: false, yearless: true }
}

const WAYS: [Way; 36] = {
    use StampFormat::{
        ApacheAccess, ApacheError, Cbs, Compact, Dmy, Epoch, Go, Iso, Klog, Log4j, Rfc3339, Rfc5424, Syslog, YmdShort,
    };
    [
        zoned(
            Rfc3339,
            0,
            "[year]-[month]-[day]T[hour]:[minute]:[second][offset_hour sign:mandatory]:[offset_minute] x",
        ),
        zoned(
            Rfc3339,
            6,
            "[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6][offset_hour sign:mandatory]:[offset_minute]",
        ),
        zoned(
            Rfc3339,
            3,
            "[year]-[month]-[day]T[hour]:[minute]:[second],[subsecond digits:3][offset_hour sign:mandatory][offset_minute] x",
        ),
        zoned(
            Iso,
            3,
            "[year]-[month]-[day] [hour]:[minute]:[second].[subsecond digits:3] [offset_hour sign:mandatory][offset_minute] x",
        ),
        local(Iso, 0, "[year]-[month]-[day] [hour]:[minute]:[second] x"),
        local(Iso, 3, "[year]-[month]-[day] [hour]:[minute]:[second],[subsecond digits:3] x"),
        local(Iso, 6, "[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6] x"),
        local(Go, 0, "[year]/[month]/[day] [hour]:[minute]:[second] x"),
        local(Go, 6, "[year]/[month]/[day] [hour]:[minute]:[second].[subsecond digits:6] x"),
        local(Cbs, 0, "[year]-[month]-[day] [hour]:[minute]:[second], Info        CBS x"),
        local(Log4j, 3, "INFO  [year]-[month]-[day] [hour]:[minute]:[second],[subsecond digits:3] - x"),
        local(Log4j, 3, "\\[[year]-[month]-[day] [hour]:[minute]:[second],[subsecond digits:3]\\] x"),
        local(Log4j, 3, "ERROR \\[[year]-[month]-[day] [hour]:[minute]:[second],[subsecond digits:3]\\] x"),
        local(Log4j, 3, "[day] [month repr:short] [year] [hour]:[minute]:[second],[subsecond digits:3] x"),
        yearless(Syslog, 0, "[month repr:short] [day padding:space] [hour]:[minute]:[second] host x"),
        yearless(Syslog, 0, "<13>[month repr:short] [day] [hour]:[minute]:[second] host x"),
        yearless(
            Syslog,
            3,
            "[month repr:short] [day padding:none] [hour]:[minute]:[second].[subsecond digits:3] host x",
        ),
        local(Syslog, 0, "[month repr:short] [day] [year] [hour]:[minute]:[second]: x"),
        zoned(
            Rfc5424,
            6,
            "<165>1 [year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6][offset_hour sign:mandatory]:[offset_minute] x",
        ),
        yearless(Klog, 6, "I[month][day] [hour]:[minute]:[second].[subsecond digits:6]   12345 file.go:123\\] x"),
        local(Klog, 6, "W[year][month][day] [hour]:[minute]:[second].[subsecond digits:6] 12345 file.cc:123\\] x"),
        zoned(
            ApacheAccess,
            0,
            "192.0.2.1 - frank \\[[day]/[month repr:short]/[year]:[hour]:[minute]:[second] [offset_hour sign:mandatory][offset_minute]\\] \"GET /\" 200 1",
        ),
        local(
            ApacheError,
            0,
            "\\[[weekday repr:short] [month repr:short] [day] [hour]:[minute]:[second] [year]\\] \\[notice\\] x",
        ),
        local(
            ApacheError,
            6,
            "\\[[weekday repr:short] [month repr:short] [day padding:space] [hour]:[minute]:[second].[subsecond digits:6] [year]\\] \\[core:error\\] x",
        ),
        zoned(
            Dmy,
            0,
            "[day]/[month repr:short]/[year]:[hour]:[minute]:[second] [offset_hour sign:mandatory][offset_minute] x",
        ),
        local(Dmy, 0, "[day]/[month repr:short]/[year] [hour]:[minute]:[second] x"),
        local(Dmy, 3, "[day]-[month repr:short]-[year] [hour]:[minute]:[second].[subsecond digits:3] INFO x"),
        local(Dmy, 0, "\\[[day]/[month repr:short]/[year]:[hour]:[minute]:[second]\\] x"),
        local(YmdShort, 0, "[year repr:last_two]/[month]/[day] [hour]:[minute]:[second] INFO x"),
        local(Compact, 0, "[year repr:last_two][month][day] [hour][minute][second] 148 INFO x"),
        local(
            Compact,
            3,
            "[year][month][day]-[hour padding:none]:[minute padding:none]:[second padding:none]:[subsecond digits:3]|x",
        ),
        zoned(Epoch, 0, "[unix_timestamp] x"),
        zoned(Epoch, 6, "[unix_timestamp].[subsecond digits:6] x"),
        zoned(Epoch, 3, "\\[[unix_timestamp precision:millisecond]\\] x"),
        zoned(Epoch, 6, "[unix_timestamp precision:microsecond]: x"),
        zoned(Epoch, 9, "[unix_timestamp precision:nanosecond]|x"),
    ]
};

impl Way {
    fn write(&self, at: OffsetDateTime) -> String {
        let description = parse_borrowed::<2>(self.line).unwrap_or_else(|error| panic!("{}: {error}", self.line));
        at.format(&description).expect("formatted")
    }

    /// What of `at` is written.
    fn cut(&self, at: Moment) -> Moment {
        let unit = 10_i64.pow(6 - self.digits.min(6));
        Moment(at.0.div_euclid(unit) * unit)
    }
}

/// Zones with a change of an hour to the north and west, of half an hour in the south, and with none.
const ZONES: [&str; 4] = ["Europe/Paris", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"];

fn rounds() -> usize {
    if cfg!(debug_assertions) { 1_000 } else { 20_000 }
}

fn shown(at: Moment, offset: i32) -> OffsetDateTime {
    let offset = UtcOffset::from_whole_seconds(offset).expect("an offset");
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.0) * 1000).expect("in range").to_offset(offset)
}

/// A moment from 2001-09-10 to 2099-12-30, so that each has ten digits and its year two.
fn moment(random: &mut Rng) -> Moment {
    Moment(random.i64(1_000_080_000 * SECOND..4_102_300_800 * SECOND))
}

/// When a log that has `at` may have been written last: at any time, unless its year must be inferred. Then not a day
/// before it (less the hours that a change of the clocks takes away), and not a year behind it.
fn reference(random: &mut Rng, at: Moment, way: &Way) -> Moment {
    if !way.yearless {
        return Moment(random.i64(..));
    }
    Moment(at.0 + random.i64(-22 * 3600 * SECOND..363 * 86_400 * SECOND))
}

fn read(reader: &Reader, line: &str) -> Stamp {
    reader.read(line.as_bytes()).unwrap_or_else(|| panic!("no stamp: {line}"))
}

#[test]
fn every_way_is_read_back_at_every_offset() {
    let mut random = Rng::with_seed(4);
    for way in &WAYS {
        for _ in 0..rounds() {
            let at = moment(&mut random);
            let offset = random.i32(-56..=56) * 900;
            let line = way.write(shown(at, offset));
            let stamp = read(&Reader::new(Zone::Fixed(offset), reference(&mut random, at, way)), &line);
            assert_eq!((stamp.at, stamp.format, stamp.zoned), (way.cut(at), way.format, way.zoned), "{line}");
        }
    }
}

#[test]
fn local_times_are_those_of_the_zone_on_days_of_change_too() {
    let mut random = Rng::with_seed(5);
    for name in ZONES {
        let rules = TimeZone::get(name).expect("a zone");
        let zone = Zone::parse(name).expect("a zone");
        let from = jiff::Timestamp::from_second(1_000_080_000).expect("in range");
        let changes: Vec<i64> = rules
            .following(from)
            .map(|change| change.timestamp().as_second())
            .take_while(|at| *at < 4e9 as i64)
            .collect();
        assert!(changes.len() > 180 || name == "Asia/Kolkata", "{name}: {}", changes.len());
        let mut twice = 0;
        for way in &WAYS {
            for round in 0..rounds() {
                let mut at = moment(&mut random);
                if round % 2 == 0 && !changes.is_empty() {
                    let near = random.i64(-3 * 3600 * SECOND..3 * 3600 * SECOND);
                    at = Moment(changes[random.usize(..changes.len())] * SECOND + near);
                }
                let second = jiff::Timestamp::from_second(at.0.div_euclid(SECOND)).expect("in range");
                let line = way.write(shown(at, rules.to_offset(second).seconds()));
                let stamp = read(&Reader::new(zone.clone(), reference(&mut random, at, way)), &line);
                // Of a time that the clocks show twice, only a zone can tell that it is the second one.
                let first = rules.to_ambiguous_timestamp(rules.to_datetime(second)).compatible().expect("in range");
                let is_first = way.zoned || first == second;
                let expected = if is_first { at } else { Moment(at.0 - (second - first).get_seconds() * SECOND) };
                twice += usize::from(!is_first);
                assert_eq!(stamp.at, way.cut(expected), "{line} in {name}");
            }
        }
        assert!(twice > 100 || name == "Asia/Kolkata", "{name}: {twice}");
    }
}

#[test]
fn no_bytes_make_it_panic() {
    let mut random = Rng::with_seed(7);
    let rounds = if cfg!(debug_assertions) { 100_000 } else { 1_000_000 };
    let readers: Vec<Reader> =
        [("UTC", 0), ("Europe/Paris", i64::MAX), ("-23:59", i64::MIN), ("Asia/Kolkata", 1 << 50)]
            .map(|(zone, reference)| Reader::new(Zone::parse(zone).expect("a zone"), Moment(reference)))
            .into();
    let lines: Vec<Vec<u8>> = WAYS.iter().map(|way| way.write(shown(moment(&mut random), 7200)).into_bytes()).collect();
    let bytes = b"0123456789:.,-/TZ+U []<>|{}\x1b[m x\n\xff\x00JanFebIWE";
    let mut stamps = 0_usize;
    for round in 0..rounds {
        let mut line = lines[round % lines.len()].clone();
        match random.u8(..4) {
            0 => line = (0..random.usize(..80)).map(|_| random.u8(..)).collect(),
            1 => line = (0..random.usize(..80)).map(|_| *random.choice(bytes).expect("some")).collect(),
            2 => line.truncate(random.usize(..=line.len())),
            _ => {}
        }
        for _ in 0..random.usize(..4) {
            if !line.is_empty() {
                let at = random.usize(..line.len());
                line[at] = *random.choice(bytes).expect("some");
            }
        }
        for reader in &readers {
            if let Some(stamp) = reader.read(&line) {
                stamps += 1;
                assert!(stamp.start < stamp.end && stamp.end <= line.len(), "{}", line.escape_ascii());
                assert!(stamp.at.timestamp().is_some(), "{}", line.escape_ascii());
            }
        }
    }
    assert!(stamps > rounds / 4, "{stamps}");
}
