//! What tells texts apart that begin alike, without reading each against each: a thousand rotated files may all begin
//! with the same licence.

use std::hash::{DefaultHasher, Hasher as _};
use std::io::Read;

use crate::input::logfile::fill;

/// Bytes from one rung to the next.
const RUNG: usize = 512;
/// Bytes that are looked at, at most.
const MOST: usize = 64 << 10;

/// Hashes of ever longer beginnings of a text.
#[derive(Debug, Default)]
pub(crate) struct Ladder(Vec<u64>);

impl Ladder {
    /// Of the text that `input` gives. Where that breaks off, the ladder ends.
    pub(crate) fn of(input: impl Read) -> Self {
        let mut bytes = vec![0; MOST];
        let (filled, _) = fill(&mut input.take(MOST as u64), &mut bytes);
        let mut hasher = DefaultHasher::new();
        let whole = bytes[..filled].chunks_exact(RUNG);
        Self(whole.map(|piece| (hasher.write(piece), hasher.finish()).1).collect())
    }

    /// Whether one text may be the beginning of the other; if not, they differ for certain.
    pub(crate) fn may_agree(&self, other: &Self) -> bool {
        let Some(common) = self.0.len().min(other.0.len()).checked_sub(1) else { return true };
        self.0[common] == other.0[common]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_differ_on_a_common_rung_do_not_agree() {
        let text: Vec<u8> = (0..200_000_u32).map(|n| (n % 251) as u8).collect();
        let ladder = |text: &[u8]| Ladder::of(text);
        for length in [0, 1, 511, 512, 5000, MOST, 200_000] {
            assert!(ladder(&text).may_agree(&ladder(&text[..length])), "{length}");
            assert!(ladder(&text[..length]).may_agree(&ladder(&text)), "{length}");
        }
        for (at, seen) in [(0, true), (511, true), (4999, false), (4500, true), (MOST - 1, true), (MOST, false)] {
            let mut other = text.clone();
            other[at] ^= 1;
            let shorter = if at < 5000 { 5000 } else { other.len() };
            assert_eq!(ladder(&text).may_agree(&ladder(&other[..shorter])), !seen, "{at}");
        }
    }
}
