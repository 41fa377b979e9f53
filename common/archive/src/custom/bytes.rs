//! Integers and strings as `WriteInt` and `WriteStr` write them.

use std::io::Read;

use anyhow::{Context as _, ensure};

/// How integers and offsets are written: their bytes, without the sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Widths {
    pub(super) int: usize,
    pub(super) offset: usize,
}

/// Reads one byte.
pub(super) fn byte(from: &mut dyn Read) -> anyhow::Result<u8> {
    let mut byte = [0];
    from.read_exact(&mut byte)?;
    Ok(byte[0])
}

/// Reads one integer.
pub(super) fn int(from: &mut impl Read, widths: Widths) -> anyhow::Result<i64> {
    // The sign and at most eight bytes, in one read: there is an integer before every row.
    let mut bytes = [0; 9];
    let read = bytes.get_mut(..=widths.int).context("the integers of the dump are too wide")?;
    from.read_exact(read)?;
    let (sign, digits) = (bytes[0], &bytes[1..=widths.int]);
    let value = digits.iter().rev().fold(0_u64, |value, digit| value << 8 | u64::from(*digit));
    let value = i64::try_from(value).context("an integer of the dump is too large")?;
    Ok(if sign == 0 { value } else { -value })
}

/// Reads a string of at most `most` bytes; `None` is the absent one, which is written with the length -1.
pub(super) fn string(from: &mut impl Read, widths: Widths, most: u64) -> anyhow::Result<Option<Vec<u8>>> {
    let Ok(length) = u64::try_from(int(from, widths)?) else { return Ok(None) };
    ensure!(length <= most, "a string of {length} bytes in the table of contents is too long");
    let mut bytes = Vec::new();
    from.by_ref().take(length).read_to_end(&mut bytes)?;
    ensure!(bytes.len() as u64 == length, "the dump ends in the middle of a string");
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDTHS: Widths = Widths { int: 4, offset: 8 };

    #[test]
    fn integers_have_a_sign_of_their_own() {
        for (bytes, value) in [([0, 1, 0, 0, 0], 1), ([1, 1, 0, 0, 0], -1), ([0, 0, 1, 0, 0], 256)] {
            assert_eq!(int(&mut bytes.as_slice(), WIDTHS).ok(), Some(value));
        }
        assert!(int(&mut [0_u8, 1].as_slice(), WIDTHS).is_err(), "cut off");
        assert!(int(&mut [0_u8; 20].as_slice(), Widths { int: 9, offset: 8 }).is_err(), "too wide");
        assert!(
            int(&mut [0_u8, 255, 255, 255, 255, 255, 255, 255, 255].as_slice(), Widths { int: 8, offset: 8 }).is_err()
        );
    }

    #[test]
    fn strings_may_be_absent_and_are_bounded() {
        assert_eq!(string(&mut [1_u8, 1, 0, 0, 0].as_slice(), WIDTHS, 9).expect("read"), None);
        assert_eq!(
            string(&mut [0_u8, 2, 0, 0, 0, b'a', b'b'].as_slice(), WIDTHS, 9).expect("read"),
            Some(b"ab".to_vec())
        );
        assert!(string(&mut [0_u8, 2, 0, 0, 0, b'a'].as_slice(), WIDTHS, 9).is_err(), "cut off");
        assert!(string(&mut [0_u8, 10, 0, 0, 0].as_slice(), WIDTHS, 9).is_err(), "too long");
    }
}
