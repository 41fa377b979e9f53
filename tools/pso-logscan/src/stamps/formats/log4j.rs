//! A level before the stamp.

use super::{Written, day_first, iso};
use crate::stamps::StampFormat;

/// The words that stand for a level, in upper case.
const LEVELS: [&[u8]; 20] = [
    b"INFO",
    b"WARN",
    b"ERROR",
    b"DEBUG",
    b"TRACE",
    b"FATAL",
    b"WARNING",
    b"NOTICE",
    b"CRITICAL",
    b"SEVERE",
    b"ERR",
    b"CRIT",
    b"ALERT",
    b"EMERG",
    b"PANIC",
    b"CONFIG",
    b"FINE",
    b"FINER",
    b"FINEST",
    b"VERBOSE",
];

/// Marks and blanks between level and stamp, at most.
const MAX_GAP: usize = 8;

/// `INFO  2025-06-12 09:00:00,123`, `INFO ] 2025-…`, `ERROR [2025-…`, `WARN: 2025-…`, `INFO - 12 Jun 2025 …`.
pub(super) fn behind_level(line: &[u8]) -> Option<Written> {
    let letters = line.iter().take(9).take_while(|byte| byte.is_ascii_alphabetic()).count();
    let rest = &line[letters..];
    let gap = rest.iter().take(MAX_GAP).take_while(|byte| b" \t:|[]-".contains(byte)).count();
    let stamp = &rest[gap..];
    // The cheap questions first: most lines that begin with a word have no digit here.
    if gap == 0 || !stamp.first().is_some_and(u8::is_ascii_digit) {
        return None;
    }
    LEVELS.iter().any(|level| line[..letters].eq_ignore_ascii_case(level)).then_some(())?;
    let found = iso::parse(stamp).or_else(|| day_first::parse(stamp))?;
    Some(found.of(StampFormat::Log4j).behind(letters + gap))
}
