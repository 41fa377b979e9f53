//! The quick way to see that a line begins with a stamp: it looks like the one before it.

use wide::u8x16;

use crate::stamps::{Moment, SECOND, Stamp};

/// The bytes of a line that are compared.
const WIDTH: usize = 32;

/// A stamp's shape. A line that has the same date, hour and minute, the same marks and zone, digits where that one had
/// digits, and the same character after it, begins with a stamp too: the whole parser would say the same.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    /// Date, hour and minute: the first 16 bytes.
    head: u8x16,
    /// The next 16: `0` for digits that may differ, else what the stamp has.
    tail: u8x16,
    /// How far each byte may be from `tail`, by exclusive or: 9 for a digit, nothing for a mark, anything for what
    /// follows.
    slack: u8x16,
    /// Where a byte must not begin a zone: the one after the blank that follows a stamp without a zone.
    no_zone_at: Option<usize>,
    /// The first moment of the minute.
    pub(crate) minute: Moment,
    /// How many digits the fraction of a second has.
    fraction: usize,
    end: usize,
}

impl Layout {
    /// The shape of the stamp with which `line` begins; `None` where the stamp is too long, or the line too short.
    pub(crate) fn of(line: &[u8], stamp: &Stamp) -> Option<Self> {
        if !stamp.is_plain() {
            return None;
        }
        let (head, rest) = line.split_first_chunk::<16>()?;
        let mut tail = *rest.first_chunk::<16>()?;
        // One byte more than the stamp, because that byte decides whether it is one, and where it ends.
        if stamp.end >= WIDTH || (!stamp.zoned && matches!(line[stamp.end], b'.' | b',' | b'+' | b'-')) {
            return None;
        }
        // Seconds and fractions may differ; the digits of a zone, behind them, may not.
        let counting = line[19..stamp.end]
            .iter()
            .enumerate()
            .take_while(|&(at, byte)| byte.is_ascii_digit() || (at == 0 && matches!(byte, b'.' | b',')))
            .count();
        let mut slack = [u8::MAX; 16];
        for at in 0..=stamp.end - 16 {
            let may_differ = at < 3 + counting && tail[at].is_ascii_digit();
            slack[at] = if may_differ { 9 } else { 0 };
        }
        // Of the seconds 60 and up only a leap second is one.
        slack[1] = 5;
        let second = i64::from(tail[1] - b'0') * 10 + i64::from(tail[2] - b'0');
        for at in (0..16).filter(|&at| matches!(slack[at], 5 | 9)) {
            tail[at] = b'0';
        }
        Some(Self {
            head: u8x16::new(*head),
            tail: u8x16::new(tail),
            slack: u8x16::new(slack),
            no_zone_at: (!stamp.zoned && line[stamp.end] == b' ').then_some(stamp.end + 1),
            minute: Moment(stamp.at.0.div_euclid(SECOND) * SECOND - second * SECOND),
            fraction: counting.saturating_sub(1),
            end: stamp.end,
        })
    }

    /// Where such a stamp ends in its line.
    pub(crate) const fn end(&self) -> usize {
        self.end
    }

    /// The moment of a line that [fits](Self::fits).
    pub(crate) fn moment(&self, line: &[u8]) -> Moment {
        let digit = |at: usize| line.get(at).map_or(0, |digit| i64::from(digit & 0x0f));
        let digits = (20..20 + self.fraction.min(6)).map(digit).chain(std::iter::repeat(0)).take(6);
        let micros = digits.fold(0, |micros, digit| micros * 10 + digit);
        Moment(self.minute.0 + (digit(17) * 10 + digit(18)) * SECOND + micros)
    }

    /// Whether `rest`, a line and what follows it, certainly begins with such a stamp of the same minute.
    #[inline(always)]
    pub(crate) fn fits(&self, rest: &[u8]) -> bool {
        let Some(begin) = rest.first_chunk::<WIDTH>() else { return false };
        let [head, tail] = begin.as_chunks::<16>().0 else { return false };
        // A digit is 0x30 to 0x39: without 0x30 it is 0 to 9, and any other byte is more.
        let beyond = (u8x16::new(*tail) ^ self.tail).saturating_sub(self.slack);
        let differs = (u8x16::new(*head) ^ self.head) | beyond;
        differs.simd_eq(u8x16::ZERO).all()
            && self.no_zone_at.is_none_or(|at| !matches!(rest.get(at), Some(b'+' | b'-' | b'U' | b'G')))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stamps::parse;

    const LINES: [&str; 6] = [
        "2025-06-12T09:00:07.123Z ERROR SyncTimeout [sync-engine]",
        "2025-06-12T09:00:07+02:00 ERROR SyncTimeout [sync-engine]",
        "2025-06-12 09:00:07,123 ERROR SyncTimeout [sync-engine]",
        "2025-06-12 09:00:07 UTC [77] LOG: checkpoint complete",
        "2025/06/12 09:00:07 sync-engine: plan synced, nothing to do",
        "2025-06-12T09:00:07 x\nanother line that follows it",
    ];

    /// Whatever one or two bytes are changed: the quick way never says yes where the parser says no, or means
    /// another zone or minute.
    #[test]
    fn never_contradicts_the_parser() {
        for line in LINES {
            let stamp = parse(line.as_bytes(), 0).expect("a stamp");
            let layout = Layout::of(line.as_bytes(), &stamp).expect("a layout");
            assert!(layout.fits(line.as_bytes()));
            let bytes = b"0123456789:.,-/TZ+U x\n\xff";
            for at in 0..31 {
                for &byte in bytes {
                    for next in [None, Some(b'9'), Some(b'+'), Some(b'U'), Some(b' ')] {
                        let mut changed = line.as_bytes().to_vec();
                        changed[at] = byte;
                        if let Some(next) = next {
                            changed[at + 1] = next;
                        }
                        if !layout.fits(&changed) {
                            continue;
                        }
                        let end = changed.iter().position(|&byte| byte == b'\n').unwrap_or(changed.len());
                        let again = parse(&changed[..end], 0);
                        let again = again.unwrap_or_else(|| panic!("no stamp: {:?}", changed.escape_ascii()));
                        assert_eq!((again.zoned, again.format, again.end), (stamp.zoned, stamp.format, stamp.end));
                        assert!((0..61 * SECOND).contains(&(again.at.0 - layout.minute.0)));
                        assert_eq!(layout.moment(&changed), again.at, "{:?}", changed.escape_ascii());
                    }
                }
            }
        }
    }

    #[test]
    fn has_no_layout_where_the_next_line_could_be_read_otherwise() {
        for line in ["2025-06-12 09:00:07, then something else", "2025-06-12 09:00:07-sync of something else"] {
            assert!(Layout::of(line.as_bytes(), &parse(line.as_bytes(), 0).expect("a stamp")).is_none(), "{line}");
        }
    }

    #[test]
    fn takes_the_other_seconds_of_the_minute() {
        for line in LINES {
            let layout = Layout::of(line.as_bytes(), &parse(line.as_bytes(), 0).expect("a stamp")).expect("short");
            assert!(layout.fits(line.replacen(":07", ":59", 1).replace("123", "999").as_bytes()), "{line}");
            assert!(!layout.fits(line.replacen(":07", ":60", 1).as_bytes()), "{line}");
            assert!(!layout.fits(line.replacen("09:00", "09:01", 1).as_bytes()), "{line}");
        }
    }
}
