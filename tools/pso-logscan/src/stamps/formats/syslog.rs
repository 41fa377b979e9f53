//! Syslog: RFC 3164, which has no year, and RFC 5424.

use super::{Says, Written, iso};
use crate::stamps::StampFormat;
use crate::stamps::calendar::{DAY, day_number};
use crate::stamps::marks::{clock, ends, fraction, month, number, offset};

/// The highest priority: facility 23, severity 7.
const MAX_PRIORITY: u32 = 191;

/// `<34>Jun 12 09:00:00`, `<34>1 2025-06-12T09:00:00Z`, and `<34>2025-06-12T09:00:00Z`.
pub(super) fn with_priority(line: &[u8]) -> Option<Written> {
    let (priority, digits) = number(line.get(1..)?, 3)?;
    let rest = line[1 + digits..].strip_prefix(b">")?;
    let behind = digits + 2;
    if priority > MAX_PRIORITY {
        return None;
    }
    if rest.first()?.is_ascii_alphabetic() {
        return parse(rest).map(|found| found.behind(behind));
    }
    let (_, version) = number(rest, 3)?;
    match rest.get(version) {
        Some(b' ') => {
            let found = iso::parse(&rest[version + 1..]).filter(|found| found.format == StampFormat::Rfc3339)?;
            Some(found.of(StampFormat::Rfc5424).behind(behind + version + 1))
        }
        _ => iso::parse(rest).map(|found| found.behind(behind)),
    }
}

/// `Jun 12 09:00:00`, `Jun  2 09:00:00`, `Jun 2 09:00:00.123`, and with a year `Jun 12 2025 09:00:00`.
#[inline]
pub(super) fn parse(line: &[u8]) -> Option<Written> {
    let month = month(line)?;
    let rest = line[3..].strip_prefix(b" ")?;
    let padding = usize::from(rest.first() == Some(&b' '));
    let (day, digits) = number(&rest[padding..], 2 - padding)?;
    let mut at = 4 + padding + digits;
    let mut year = None;
    if let Some(&[b' ', y1, y2, y3, y4, b' ']) = line[at..].first_chunk()
        && let (found, 4) = number(&[y1, y2, y3, y4], 4)?
    {
        year = Some(i32::try_from(found).ok()?);
        at += 5;
    }
    let time = line[at..].strip_prefix(b" ")?;
    let second_of_day = clock(time)?;
    // In a leap year every day exists that exists in any.
    let date = day_number(year.unwrap_or(2000), month, day)?;
    let (micros, fraction_end) = fraction(&time[8..]);
    let tail = &time[8 + fraction_end..];
    let (offset, zone_end) = offset(tail).map_or((None, 0), |(offset, end)| (Some(offset), end));
    let local = date * DAY + second_of_day;
    let says = match (year, offset) {
        (Some(_), Some(offset)) => Says::Utc(local - i64::from(offset)),
        (Some(_), None) => Says::Local(local),
        (None, offset) => Says::Yearless { month, day, second_of_day, offset },
    };
    let end = at + 1 + 8 + fraction_end + zone_end;
    ends(tail, zone_end).then_some(Written { start: 0, end, format: StampFormat::Syslog, says, micros })
}
