//! Time stamps at the beginning of a line.
//!
//! Recognised are RFC 3339 (`2025-06-12T09:00:00.123Z`), its relatives with a blank and with comma or dot fractions
//! (`2025-06-12 09:00:00,123 +0200`, `… UTC`), and Go's log (`2025/06/12 09:00:00`). The fields must be a date and a
//! time that exist; what follows must not be a letter or a digit.

pub(crate) mod layout;
pub(crate) mod reader;
pub(crate) mod window;

use pso_common::Timestamp;
use time::{Date, Month, OffsetDateTime};

/// A moment in microseconds since 1970-01-01 UTC: small, and quick to compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(pub(crate) i64);

pub(crate) const SECOND: i64 = 1_000_000;

impl Moment {
    /// The moment as records carry it; `None` beyond the calendar's years.
    pub(crate) fn timestamp(self) -> Option<Timestamp> {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1000).ok().map(Timestamp::new)
    }
}

impl From<Timestamp> for Moment {
    fn from(at: Timestamp) -> Self {
        // Years of four digits fit 60 times over.
        Self(i64::try_from(at.to_utc().unix_timestamp_nanos().div_euclid(1000)).unwrap_or(i64::MAX))
    }
}

/// How a stamp is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StampFormat {
    /// Date, `T`, time, zone.
    Rfc3339,
    /// The same with a blank, or without a zone.
    Iso,
    /// Go's log package: slashes.
    Go,
    /// A field of a JSON line.
    Json,
}

impl StampFormat {
    /// The name in `log.coverage`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Rfc3339 => "rfc3339",
            Self::Iso => "iso",
            Self::Go => "go",
            Self::Json => "json",
        }
    }
}

/// A stamp that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// The moment that it names.
    pub(crate) at: Moment,
    /// How it is written.
    pub(crate) format: StampFormat,
    /// Whether it names its zone itself.
    pub(crate) zoned: bool,
    /// Its length in bytes, zone included.
    pub(crate) end: usize,
}

/// Reads the stamp with which `line` begins; one without a zone is taken `zone` seconds east of UTC.
pub(crate) fn parse(line: &[u8], zone: i32) -> Option<Stamp> {
    let (&head, rest) = line.split_first_chunk::<19>()?;
    let date_mark = head[4];
    if !matches!(date_mark, b'-' | b'/') || head[7] != date_mark || head[13] != b':' || head[16] != b':' {
        return None;
    }
    match head[10] {
        b'T' | b't' if date_mark == b'-' => {}
        b' ' => {}
        _ => return None,
    }
    let number = |from: usize, to: usize| digits(&head[from..to]);
    let month = Month::try_from(u8::try_from(number(5, 7)?).ok()?).ok()?;
    let date = Date::from_calendar_date(i32::try_from(number(0, 4)?).ok()?, month, u8::try_from(number(8, 10)?).ok()?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    // A leap second is written as 60.
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let days = i64::from(date.ok()?.to_julian_day() - UNIX_EPOCH_JULIAN_DAY);
    let seconds = days * 86_400 + i64::from(hour * 3600 + minute * 60 + second);
    let (micros, fraction_end) = fraction(rest);
    let (offset, zone_end) = offset(&rest[fraction_end..]).map_or((None, 0), |(offset, end)| (Some(offset), end));
    let end = fraction_end + zone_end;
    if rest.get(end).is_some_and(u8::is_ascii_alphanumeric) {
        return None;
    }
    let format = match (date_mark, head[10], offset) {
        (b'/', ..) => StampFormat::Go,
        (_, b'T' | b't', Some(_)) => StampFormat::Rfc3339,
        _ => StampFormat::Iso,
    };
    let at = Moment((seconds - i64::from(offset.unwrap_or(zone))) * SECOND + micros);
    Some(Stamp { at, format, zoned: offset.is_some(), end: 19 + end })
}

/// The day number that the `time` crate gives to 1970-01-01.
const UNIX_EPOCH_JULIAN_DAY: i32 = 2_440_588;

fn digits(bytes: &[u8]) -> Option<u32> {
    bytes.iter().try_fold(0, |number, byte| byte.is_ascii_digit().then(|| number * 10 + u32::from(byte - b'0')))
}

/// Microseconds of `.123` or `,123` and the length of that; digits beyond the sixth are cut off.
fn fraction(rest: &[u8]) -> (i64, usize) {
    let [b'.' | b',', tail @ ..] = rest else { return (0, 0) };
    let count = tail.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if count == 0 {
        return (0, 0);
    }
    let micros = (0..6).fold(0, |micros, at| micros * 10 + if at < count { i64::from(tail[at] - b'0') } else { 0 });
    (micros, 1 + count)
}

/// Seconds east of UTC of `Z`, `+02:00`, `+0200`, `+02`, ` +02:00`, ` +0200`, ` UTC` or ` GMT`, and the length of that.
pub(crate) fn offset(rest: &[u8]) -> Option<(i32, usize)> {
    let ends = |at: usize| !rest.get(at).is_some_and(u8::is_ascii_alphanumeric);
    match rest {
        [b'Z' | b'z', ..] if ends(1) => Some((0, 1)),
        [b' ', b'U', b'T', b'C', ..] | [b' ', b'G', b'M', b'T', ..] if ends(4) => Some((0, 4)),
        [b' ', tail @ ..] => numeric_offset(tail).filter(|&(_, end)| end > 3).map(|(offset, end)| (offset, end + 1)),
        _ => numeric_offset(rest),
    }
}

fn numeric_offset(rest: &[u8]) -> Option<(i32, usize)> {
    let sign = match rest.first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let pair = |at: usize| digits(rest.get(at..at + 2)?);
    let hours = pair(1)?;
    let (minutes, end) = match rest.get(3) {
        Some(b':') => (pair(4)?, 6),
        Some(byte) if byte.is_ascii_digit() => (pair(3)?, 5),
        _ => (0, 3),
    };
    let fits = hours <= 23 && minutes <= 59 && !rest.get(end).is_some_and(u8::is_ascii_alphanumeric);
    fits.then(|| (sign * i32::try_from(hours * 3600 + minutes * 60).unwrap_or(0), end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Option<String> {
        let stamp = parse(text.as_bytes(), 7200)?;
        Some(format!("{} {} {}", stamp.at.timestamp().expect("in range"), stamp.format.name(), &text[stamp.end..]))
    }

    #[test]
    fn reads_every_form() {
        for (text, expected) in [
            ("2025-06-12T09:00:00.123Z ERROR", "2025-06-12T09:00:00.123Z rfc3339  ERROR"),
            ("2025-06-12T09:00:00Z", "2025-06-12T09:00:00.000Z rfc3339 "),
            ("2025-06-12T09:00:00.1239999+01:00 x", "2025-06-12T08:00:00.123Z rfc3339  x"),
            ("2025-06-12T09:00:00-0330 x", "2025-06-12T12:30:00.000Z rfc3339  x"),
            ("2025-06-12t09:00:00z", "2025-06-12T09:00:00.000Z rfc3339 "),
            ("2025-06-12T09:00:00 x", "2025-06-12T07:00:00.000Z iso  x"),
            ("2025-06-12 09:00:00,123 INFO", "2025-06-12T07:00:00.123Z iso  INFO"),
            ("2025-06-12 09:00:00.5 UTC [7]", "2025-06-12T09:00:00.500Z iso  [7]"),
            ("2025-06-12 09:00:00 +0200 x", "2025-06-12T07:00:00.000Z iso  x"),
            ("2025-06-12 09:00:00 -12 tasks", "2025-06-12T07:00:00.000Z iso  -12 tasks"),
            ("2025/06/12 09:00:00 sync", "2025-06-12T07:00:00.000Z go  sync"),
            ("2025/06/12 09:00:00.000123 x", "2025-06-12T07:00:00.000Z go  x"),
            ("2024-02-29T23:59:60Z", "2024-03-01T00:00:00.000Z rfc3339 "),
            ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59.000Z rfc3339 "),
            ("0000-01-01T00:00:00Z", "0000-01-01T00:00:00.000Z rfc3339 "),
            ("2025-06-12 09:00:00, then", "2025-06-12T07:00:00.000Z iso , then"),
        ] {
            assert_eq!(shown(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_stamp() {
        for text in [
            "",
            "2025-06-12",
            "2025-06-12T09:00",
            "2025-02-29T09:00:00Z",
            "2025-13-01T09:00:00Z",
            "2025-06-12T24:00:00Z",
            "2025-06-12T09:60:00Z",
            "2025-06-12T09:00:61Z",
            "2025-06/12 09:00:00",
            "2025/06/12T09:00:00",
            "2025-06-12T09:00:000",
            "2025-06-12T09:00:00x",
            " 2025-06-12T09:00:00Z",
            "2025-06-12T09:0\u{660}:00",
        ] {
            assert_eq!(shown(text), None, "{text}");
        }
    }

    #[test]
    fn agrees_with_the_time_crate() {
        use time::format_description::well_known::Rfc3339;
        for seconds in (-62_167_219_200_i64..253_402_300_800).step_by(86_399 * 1237) {
            let at = OffsetDateTime::from_unix_timestamp(seconds).expect("in range");
            let text = at.format(&Rfc3339).expect("RFC 3339");
            assert_eq!(parse(text.as_bytes(), 0).map(|stamp| stamp.at), Some(Moment(seconds * SECOND)), "{text}");
        }
    }
}
