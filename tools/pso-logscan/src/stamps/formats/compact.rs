//! Numbers in a row, and years of two digits.

use super::{Says, Written};
use crate::stamps::StampFormat;
use crate::stamps::calendar::{DAY, day_number, second_of_day};
use crate::stamps::marks::{clock, ends, fraction, number, pair};

/// The date of a year of two digits, which is one of 2000 to 2099.
fn short_date(digits: [u8; 6]) -> Option<i64> {
    let [y1, y2, m1, m2, d1, d2] = digits;
    day_number(2000 + i32::try_from(pair(y1, y2)?).ok()?, pair(m1, m2)?, pair(d1, d2)?)
}

/// `25/06/12 09:00:00`.
pub(super) fn spark(line: &[u8]) -> Option<Written> {
    let &[y1, y2, b'/', m1, m2, b'/', d1, d2, b' ', ref rest @ ..] = line else { return None };
    let says = Says::Local(short_date([y1, y2, m1, m2, d1, d2])? * DAY + clock(rest)?);
    let (micros, fraction_end) = fraction(&rest[8..]);
    let end = 17 + fraction_end;
    ends(line, end).then_some(Written { start: 0, end, format: StampFormat::YmdShort, says, micros })
}

/// `250612 090000 148 INFO`, and nothing but a blank behind it: two numbers are soon taken for a stamp.
pub(super) fn hdfs(line: &[u8]) -> Option<Written> {
    let (&[y1, y2, m1, m2, d1, d2, b' ', h1, h2, n1, n2, s1, s2], rest) = line.split_first_chunk::<13>()? else {
        return None;
    };
    let second = second_of_day(pair(h1, h2)?, pair(n1, n2)?, pair(s1, s2)?)?;
    let says = Says::Local(short_date([y1, y2, m1, m2, d1, d2])? * DAY + second);
    let found = Written { start: 0, end: 13, format: StampFormat::Compact, says, micros: 0 };
    matches!(rest.first(), None | Some(b' ' | b'\t')).then_some(found)
}

/// `20250612-9:0:0:123`: the fields of the time without leading zeros, the last of them milliseconds.
pub(super) fn fields(line: &[u8]) -> Option<Written> {
    let &[y1, y2, y3, y4, m1, m2, d1, d2, b'-' | b' ', ref rest @ ..] = line else { return None };
    let year = i32::try_from(pair(y1, y2)? * 100 + pair(y3, y4)?).ok()?;
    let date = day_number(year, pair(m1, m2)?, pair(d1, d2)?)?;
    let mut at = 0;
    let mut field = |most, last: bool| {
        let (number, digits) = number(&rest[at..], most)?;
        at += digits;
        if !last {
            (rest.get(at) == Some(&b':')).then(|| at += 1)?;
        }
        Some(number)
    };
    let second = second_of_day(field(2, false)?, field(2, false)?, field(2, true)?)?;
    let (micros, fraction_end) = match &rest[at..] {
        [b':', tail @ ..] => number(tail, 3).map_or((0, 0), |(millis, digits)| (i64::from(millis) * 1000, 1 + digits)),
        tail => fraction(tail),
    };
    let end = 9 + at + fraction_end;
    let says = Says::Local(date * DAY + second);
    ends(line, end).then_some(Written { start: 0, end, format: StampFormat::Compact, says, micros })
}
