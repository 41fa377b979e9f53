//! The ways in which stamps are written, one file a family; what is found does not depend on the lines before.
//!
//! The first bytes decide which family is tried, so that no line is tried against all. Where more than one fits, a
//! stamp at the line's beginning goes before one behind a host's name (Apache's access log), and the longer number
//! before the shorter. The fields must be a date and a time that exist, and what follows must not be a letter or a
//! digit.

mod apache;
mod compact;
mod day_first;
pub(crate) mod epoch;
mod iso;
mod klog;
mod log4j;
mod syslog;

pub(crate) use iso::whole as whole_iso;

use crate::stamps::StampFormat;
use crate::stamps::marks::count_digits;

/// A stamp as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    /// Where it begins.
    pub(crate) start: usize,
    /// Where it ends.
    pub(crate) end: usize,
    pub(crate) format: StampFormat,
    pub(crate) says: Says,
    /// The fraction of the second.
    pub(crate) micros: i64,
}

/// What a stamp says; seconds since 1970-01-01 where it is more than a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Says {
    /// A time in UTC, because it names its zone.
    Utc(i64),
    /// A time on the clocks where it was written.
    Local(i64),
    /// A time without a year, with seconds east of UTC where it names its zone; the day may exist in leap years only.
    Yearless { month: u32, day: u32, second_of_day: i64, offset: Option<i32> },
}

impl Written {
    /// The same stamp, found so many bytes into the line.
    fn behind(self, bytes: usize) -> Self {
        Self { start: self.start + bytes, end: self.end + bytes, ..self }
    }

    /// The same stamp as a part of another format.
    fn of(self, format: StampFormat) -> Self {
        Self { format, ..self }
    }
}

/// Finds the stamp of `line`.
#[inline]
pub(crate) fn find(line: &[u8]) -> Option<Written> {
    match line.first()? {
        b'0'..=b'9' => number_first(line),
        b'[' => bracket_first(&line[1..]).map(|found| found.behind(1)).or_else(|| apache::access(line)),
        b'<' => syslog::with_priority(line),
        b'A'..=b'Z' | b'a'..=b'z' => letter_first(line),
        0x1b => {
            let colours = colours(line);
            // Once: what follows is no escape.
            (colours > 0).then(|| find_plain(&line[colours..]))?.map(|found| found.behind(colours))
        }
        b' ' | b'\t' | b'{' => None,
        _ => apache::access(line),
    }
}

/// [`find`] behind escapes.
fn find_plain(line: &[u8]) -> Option<Written> {
    if line.first() == Some(&0x1b) { None } else { find(line) }
}

/// The length of the ANSI escapes for colours (`ESC [ 2 m`) with which `line` begins.
fn colours(line: &[u8]) -> usize {
    let mut at = 0;
    while let Some([0x1b, b'[', rest @ ..]) = line.get(at..) {
        let codes =
            rest.iter().take(32).take_while(|byte| byte.is_ascii_digit() || matches!(byte, b';' | b':')).count();
        if rest.get(codes) != Some(&b'm') {
            break;
        }
        at += 2 + codes + 1;
    }
    at
}

#[inline]
fn number_first(line: &[u8]) -> Option<Written> {
    if let Some(b'-' | b'/') = line.get(4) {
        return iso::parse(line).or_else(|| apache::access(line));
    }
    let digits = count_digits(line, 20);
    let found = match (digits, line.get(digits)) {
        (2, Some(b'/')) => compact::spark(line).or_else(|| day_first::parse(line)),
        (1 | 2, Some(b'/' | b'-' | b' ')) => day_first::parse(line),
        (6, Some(b' ')) => compact::hdfs(line),
        (8, Some(b'-' | b' ')) => compact::fields(line),
        (10.., _) => epoch::parse(line),
        _ => None,
    };
    found.or_else(|| apache::access(line))
}

/// What follows a bracket with which a line begins.
fn bracket_first(rest: &[u8]) -> Option<Written> {
    match rest.first()? {
        b'0'..=b'9' => match iso::parse(rest).map(|found| found.of(StampFormat::Log4j)) {
            None => day_first::parse(rest).or_else(|| epoch::parse(rest)),
            found => found,
        },
        b'A'..=b'Z' | b'a'..=b'z' => apache::error(rest).or_else(|| log4j::behind_level(rest)),
        _ => None,
    }
}

fn letter_first(line: &[u8]) -> Option<Written> {
    if matches!(line.get(1), Some(b'0'..=b'9')) {
        return klog::parse(line).or_else(|| apache::access(line));
    }
    if line.get(3) == Some(&b' ')
        && let Some(found) = syslog::parse(line)
    {
        return Some(found);
    }
    log4j::behind_level(line).or_else(|| apache::access(line))
}

#[cfg(test)]
mod tests;
