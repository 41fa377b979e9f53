//! Apache's logs; nginx writes its access log alike.

use memchr::{memchr_iter, memrchr};

use super::{Says, Written, day_first};
use crate::stamps::StampFormat;
use crate::stamps::calendar::{DAY, day_number};
use crate::stamps::marks::{clock, ends, fraction, month, number};

/// How far from the line's beginning an access log's stamp may begin: host, identity and user stand before it.
const MAX_LEAD: usize = 512;

/// Brackets that are tried: a user's name may have some.
const MAX_BRACKETS: usize = 4;

/// `192.0.2.1 - - [12/Jun/2025:09:00:00 +0200] "GET`: at least three words, then date, time and zone in brackets.
pub(super) fn access(line: &[u8]) -> Option<Written> {
    let lead = &line[..line.len().min(MAX_LEAD)];
    for bracket in memchr_iter(b'[', lead).take(MAX_BRACKETS) {
        let is_stamp = |found: &Written| {
            let behind = bracket + 1 + found.end;
            matches!(found.says, Says::Utc(_)) && line.get(behind) == Some(&b']') && ends(line, behind + 1)
        };
        // Only the one mark that an access log has, so that other texts are passed over quickly.
        if line.get(bracket + 3) == Some(&b'/')
            && has_three_words(&line[..bracket])
            && let Some(found) = day_first::parse(&line[bracket + 1..]).filter(is_stamp)
        {
            return Some(found.of(StampFormat::ApacheAccess).behind(bracket + 1));
        }
    }
    None
}

fn has_three_words(lead: &[u8]) -> bool {
    lead.last() == Some(&b' ')
        && memrchr(b' ', &lead[..lead.len() - 1]).is_some_and(|at| at > 0 && memrchr(b' ', &lead[..at]).is_some())
}

/// `Thu Jun 12 09:00:00.123456 2025]`, behind its bracket.
pub(super) fn error(rest: &[u8]) -> Option<Written> {
    let &[w1, w2, w3, b' ', _, _, _, b' ', tens, ones, b' ', ref tail @ ..] = rest else { return None };
    if ![b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun"].contains(&&[w1, w2, w3]) {
        return None;
    }
    let (day, _) =
        if tens == b' ' { number(&[ones], 1)? } else { number(&[tens, ones], 2).filter(|&(_, n)| n == 2)? };
    let second = clock(tail)?;
    let (micros, fraction_end) = fraction(&tail[8..]);
    let tail = tail[8 + fraction_end..].strip_prefix(b" ")?;
    let (year, 4) = number(tail, 4)? else { return None };
    let date = day_number(i32::try_from(year).ok()?, month(&rest[4..])?, day)?;
    let end = 11 + 8 + fraction_end + 1 + 4;
    let says = Says::Local(date * DAY + second);
    (rest.get(end) == Some(&b']')).then_some(Written { start: 0, end, format: StampFormat::ApacheError, says, micros })
}
