//! RFC 3339 and its relatives: year, month, day, hour, minute, second, each with all its digits.

use super::{Says, Written};
use crate::stamps::StampFormat;
use crate::stamps::calendar::{DAY, day_number, second_of_day};
use crate::stamps::marks::{ends, fraction, offset, pair};

/// `2025-06-12T09:00:00.123Z`, `2025-06-12 09:00:00,123 +0200`, `2025/06/12 09:00:00`.
#[inline]
pub(super) fn parse(line: &[u8]) -> Option<Written> {
    let (head, rest) = line.split_first_chunk::<19>()?;
    let &[y1, y2, y3, y4, mark, m1, m2, mark2, d1, d2, between, h1, h2, b':', n1, n2, b':', s1, s2] = head else {
        return None;
    };
    let slashes = mark == b'/';
    if mark != mark2 || !(slashes || mark == b'-') || !(between == b' ' || matches!(between, b'T' | b't') && !slashes) {
        return None;
    }
    let year = i32::try_from(pair(y1, y2)? * 100 + pair(y3, y4)?).ok()?;
    let second = second_of_day(pair(h1, h2)?, pair(n1, n2)?, pair(s1, s2)?)?;
    let local = day_number(year, pair(m1, m2)?, pair(d1, d2)?)? * DAY + second;
    let (micros, fraction_end) = fraction(rest);
    let tail = &rest[fraction_end..];
    let (says, zone_end) = match offset(tail) {
        Some((offset, end)) => (Says::Utc(local - i64::from(offset)), end),
        None => (Says::Local(local), 0),
    };
    if !ends(tail, zone_end) {
        return None;
    }
    let format = match (slashes, between, says) {
        (true, ..) => StampFormat::Go,
        (_, b'T' | b't', Says::Utc(_)) => StampFormat::Rfc3339,
        (_, b' ', Says::Local(_)) if fraction_end == 0 && is_cbs(tail) => StampFormat::Cbs,
        _ => StampFormat::Iso,
    };
    Some(Written { start: 0, end: 19 + fraction_end + zone_end, format, says, micros })
}

/// Whether `, Info` and blanks follow, as in the logs of Windows' servicing.
fn is_cbs(tail: &[u8]) -> bool {
    let Some(tail) = tail.strip_prefix(b", ") else { return false };
    [&b"Info "[..], b"Error ", b"Warning ", b"Perf "].iter().any(|level| tail.starts_with(level))
}

/// The date and time that all of `text` is, and its microseconds; a date alone is its first moment, and seconds may be
/// left out.
pub(crate) fn whole(text: &str) -> Option<(Says, i64)> {
    let full = match text.len() {
        10 => format!("{text}T00:00:00"),
        16 => format!("{text}:00"),
        _ => text.to_owned(),
    };
    parse(full.as_bytes()).filter(|found| found.end == full.len()).map(|found| (found.says, found.micros))
}
