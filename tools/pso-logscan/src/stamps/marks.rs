//! What stamps are made of: numbers, names, fractions, zones.

/// The number of two digits.
#[inline]
pub(crate) fn pair(tens: u8, ones: u8) -> Option<u32> {
    let (tens, ones) = (tens ^ b'0', ones ^ b'0');
    (tens <= 9 && ones <= 9).then(|| u32::from(tens) * 10 + u32::from(ones))
}

/// How many digits `text` begins with, as far as `most`.
#[inline]
pub(crate) fn count_digits(text: &[u8], most: usize) -> usize {
    text.iter().take(most).take_while(|byte| byte.is_ascii_digit()).count()
}

/// The number of one to `most` digits with which `text` begins, and how many they are; `most` is at most 9.
#[inline]
pub(crate) fn number(text: &[u8], most: usize) -> Option<(u32, usize)> {
    let count = count_digits(text, most);
    let number = text[..count].iter().fold(0, |number, byte| number * 10 + u32::from(byte - b'0'));
    (count > 0).then_some((number, count))
}

/// The time `hh:mm:ss` with which `text` begins, as the second of the day; it is 8 bytes long.
#[inline]
pub(crate) fn clock(text: &[u8]) -> Option<i64> {
    let &[h, hh, b':', m, mm, b':', s, ss] = text.first_chunk()? else { return None };
    super::calendar::second_of_day(pair(h, hh)?, pair(m, mm)?, pair(s, ss)?)
}

/// The number of the month whose English name, cut to three letters, `text` begins with. Upper case as it is usual, or
/// all of it.
#[inline]
pub(crate) fn month(text: &[u8]) -> Option<u32> {
    let &[first, second, third] = text.first_chunk()?;
    let name = [first.to_ascii_uppercase(), second | 0x20, third | 0x20];
    Some(match &name {
        b"Jan" => 1,
        b"Feb" => 2,
        b"Mar" => 3,
        b"Apr" => 4,
        b"May" => 5,
        b"Jun" => 6,
        b"Jul" => 7,
        b"Aug" => 8,
        b"Sep" => 9,
        b"Oct" => 10,
        b"Nov" => 11,
        b"Dec" => 12,
        _ => return None,
    })
}

/// Microseconds of `.123` or `,123` and the length of that; digits beyond the sixth are cut off.
#[inline]
pub(crate) fn fraction(text: &[u8]) -> (i64, usize) {
    let [b'.' | b',', tail @ ..] = text else { return (0, 0) };
    let (mut micros, mut unit, mut count) = (0, 100_000, 0);
    while let Some(byte) = tail.get(count).filter(|byte| byte.is_ascii_digit()) {
        micros += i64::from(byte - b'0') * unit;
        unit /= 10;
        count += 1;
    }
    (micros, if count == 0 { 0 } else { 1 + count })
}

/// Whether a stamp may end before `at`: a letter or a digit there would make it a part of something else.
#[inline]
pub(crate) fn ends(text: &[u8], at: usize) -> bool {
    !text.get(at).is_some_and(u8::is_ascii_alphanumeric)
}

/// Seconds east of UTC of `Z`, `+02:00`, `+0200`, `+02`, ` +02:00`, ` +0200`, ` UTC` or ` GMT`, and the length of that.
#[inline]
pub(crate) fn offset(text: &[u8]) -> Option<(i32, usize)> {
    match text {
        [b'Z' | b'z', ..] if ends(text, 1) => Some((0, 1)),
        [b' ', b'U', b'T', b'C', ..] | [b' ', b'G', b'M', b'T', ..] if ends(text, 4) => Some((0, 4)),
        [b' ', tail @ ..] => numeric_offset(tail).filter(|&(_, end)| end > 3).map(|(offset, end)| (offset, end + 1)),
        _ => numeric_offset(text),
    }
}

/// [`offset`] in digits.
fn numeric_offset(text: &[u8]) -> Option<(i32, usize)> {
    let sign = match text.first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let pair_at = |at: usize| pair(*text.get(at)?, *text.get(at + 1)?);
    let hours = pair_at(1)?;
    let (minutes, end) = match text.get(3) {
        Some(b':') => (pair_at(4)?, 6),
        Some(byte) if byte.is_ascii_digit() => (pair_at(3)?, 5),
        _ => (0, 3),
    };
    let seconds = i32::try_from(hours * 3600 + minutes * 60).ok()?;
    (hours <= 23 && minutes <= 59 && ends(text, end)).then_some((sign * seconds, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_hours_and_minutes() {
        for (text, expected) in [
            ("Z", Some((0, 1))),
            ("z x", Some((0, 1))),
            ("+02:00", Some((7200, 6))),
            ("-0330 x", Some((-12_600, 5))),
            ("+02]", Some((7200, 3))),
            (" +0200", Some((7200, 6))),
            (" UTC", Some((0, 4))),
            (" GMT+", Some((0, 4))),
            ("+23:59", Some((86_340, 6))),
            ("+99:99", None),
            ("+24:00", None),
            ("+02:60", None),
            ("+02:0", None),
            ("+020", None),
            ("+2", None),
            ("+02000", None),
            (" -12 tasks", None),
            (" UTCx", None),
            ("Zulu", None),
            ("", None),
        ] {
            assert_eq!(offset(text.as_bytes()), expected, "{text:?}");
        }
    }

    #[test]
    fn fractions_are_cut_to_microseconds() {
        for (text, expected) in [
            (".5", (500_000, 2)),
            (",123 x", (123_000, 4)),
            (".1234567899999999999999", (123_456, 23)),
            (".000001", (1, 7)),
            (".", (0, 0)),
            (".x", (0, 0)),
            ("5", (0, 0)),
        ] {
            assert_eq!(fraction(text.as_bytes()), expected, "{text:?}");
        }
    }
}
