//! Numbers since 1970.

use super::{Says, Written};
use crate::stamps::marks::count_digits;
use crate::stamps::{Moment, SECOND, StampFormat};

/// 2100-01-01: later ones are other numbers.
const END: i64 = 4_102_444_800;

/// `1749718800`, `1749718800.123`, `1749718800123` and so on, followed by what does not go on with the number.
pub(super) fn parse(line: &[u8]) -> Option<Written> {
    let (second, micros, end) = read(line)?;
    let ends = matches!(line.get(end), None | Some(b' ' | b'\t' | b']' | b':' | b',' | b'|' | b';' | 0x1b));
    ends.then_some(Written { start: 0, end, format: StampFormat::Epoch, says: Says::Utc(second), micros })
}

/// The moment of a number in JSON, such as `1749718800.123`, `1749718800123` or `1.7497188e9`; `None` for one that is
/// not from September 2001 to 2099, because it is something else, such as how long something took.
pub(crate) fn of_number(raw: &[u8]) -> Option<Moment> {
    if let Some((second, micros, end)) = read(raw)
        && end == raw.len()
    {
        return Some(Moment(second * SECOND + micros));
    }
    // A float holds today's seconds to the microsecond.
    let seconds: f64 = std::str::from_utf8(raw).ok().filter(|text| text.contains(['e', 'E']))?.parse().ok()?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "below 2^53 after the check")]
    (1e9..END as f64).contains(&seconds).then(|| Moment((seconds * 1e6).round() as i64))
}

/// Seconds and microseconds of the number with which `text` begins, and its length. Its digits are ten for seconds, and
/// three more each for milli-, micro- and nanoseconds: so it is from 2001-09-09 on, and before 2100.
fn read(text: &[u8]) -> Option<(i64, i64, usize)> {
    let digits = count_digits(text, 20);
    if !matches!(digits, 10 | 13 | 16 | 19) || text[0] == b'0' {
        return None;
    }
    let (whole, below) = text[..digits].split_at(10);
    let second = whole.iter().fold(0, |number, byte| number * 10 + i64::from(byte - b'0'));
    let more = match &text[digits..] {
        [b'.', tail @ ..] => &tail[..tail.iter().take_while(|byte| byte.is_ascii_digit()).count()],
        _ => &[],
    };
    let mut following = below.iter().chain(more);
    let micros = (0..6).fold(0, |micros, _| micros * 10 + following.next().map_or(0, |byte| i64::from(byte - b'0')));
    let fraction_end = if more.is_empty() { 0 } else { 1 + more.len() };
    (second < END).then_some((second, micros, digits + fraction_end))
}
