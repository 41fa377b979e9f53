//! Kubernetes' log, which is glog's.

use super::{Says, Written};
use crate::stamps::StampFormat;
use crate::stamps::calendar::{DAY, day_number};
use crate::stamps::marks::{clock, count_digits, fraction, pair};

/// `I0612 09:00:00.123456   12345 file.go:123]`, and with a year `I20250612 09:00:00.123456`.
pub(super) fn parse(line: &[u8]) -> Option<Written> {
    let &[b'I' | b'W' | b'E' | b'F', ref rest @ ..] = line else { return None };
    let digits = count_digits(rest, 9);
    let (date, time) = (&rest[..digits], rest[digits..].strip_prefix(b" ")?);
    let second_of_day = clock(time)?;
    let (micros, fraction_end) = fraction(&time[8..]);
    let says = match *date {
        [m1, m2, d1, d2] => {
            let (month, day) = (pair(m1, m2)?, pair(d1, d2)?);
            // In a leap year every day exists that exists in any.
            day_number(2000, month, day)?;
            Says::Yearless { month, day, second_of_day, offset: None }
        }
        [y1, y2, y3, y4, m1, m2, d1, d2] => {
            let year = i32::try_from(pair(y1, y2)? * 100 + pair(y3, y4)?).ok()?;
            Says::Local(day_number(year, pair(m1, m2)?, pair(d1, d2)?)? * DAY + second_of_day)
        }
        _ => return None,
    };
    let end = 1 + digits + 1 + 8 + fraction_end;
    let whole = fraction_end > 1 && line.get(end) == Some(&b' ');
    whole.then_some(Written { start: 0, end, format: StampFormat::Klog, says, micros })
}
