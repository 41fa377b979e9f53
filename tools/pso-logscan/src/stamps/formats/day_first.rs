//! Day, month's name, year, time.

use super::{Says, Written};
use crate::stamps::StampFormat;
use crate::stamps::calendar::{DAY, day_number};
use crate::stamps::marks::{clock, ends, fraction, month, number, offset};

/// `12/Jun/2025:09:00:00 +0200`, `12/Jun/2025 09:00:00`, `12-Jun-2025 09:00:00.123`, and `12 Jun 2025 09:00:00,123`,
/// which is Log4j's `%d{DATE}`.
pub(super) fn parse(line: &[u8]) -> Option<Written> {
    let (day, digits) = number(line, 2)?;
    let &[mark, ref rest @ ..] = line.get(digits..)? else { return None };
    let &[.., mark2, _, _, _, _, between] = rest.first_chunk::<9>()?;
    if mark != mark2 || !matches!((mark, between), (b'/', b':' | b' ') | (b'-' | b' ', b' ')) {
        return None;
    }
    let (year, 4) = number(&rest[4..8], 4)? else { return None };
    let date = day_number(i32::try_from(year).ok()?, month(rest)?, day)?;
    let local = date * DAY + clock(&rest[9..])?;
    let (micros, fraction_end) = fraction(&rest[17..]);
    let tail = &rest[17 + fraction_end..];
    let (says, zone_end) = match offset(tail) {
        Some((offset, end)) => (Says::Utc(local - i64::from(offset)), end),
        None => (Says::Local(local), 0),
    };
    let format = if mark == b' ' { StampFormat::Log4j } else { StampFormat::Dmy };
    let end = digits + 1 + 17 + fraction_end + zone_end;
    ends(tail, zone_end).then_some(Written { start: 0, end, format, says, micros })
}
