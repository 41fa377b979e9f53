//! Where lines end.

use wide::u8x16;

/// Bytes whose line ends are found together: one bit each.
const BLOCK: usize = 64;

/// Bytes whose line ends are noted before any of their lines is looked at.
const STRETCH: usize = 64 * BLOCK;

/// Calls `each` with begin and end (before the line feed) of every line of `text`; the last one may lack its line feed.
///
/// Ends are found 64 bytes at a time and noted without a branch that depends on where they are: a processor cannot
/// guess that, and at some hundred bytes a line half of its time would be spent on wrong guesses.
#[inline(always)]
pub(crate) fn each_line(text: &[u8], mut each: impl FnMut(usize, usize)) {
    // Two more than there are bytes, because two are written at a time.
    let mut ends = [0_u32; STRETCH + 2];
    let mut start = 0;
    for (number, stretch) in text.chunks(STRETCH).enumerate() {
        let base = number * STRETCH;
        let mut count = note_ends(stretch, &mut ends);
        if base + stretch.len() == text.len() && stretch.last() != Some(&b'\n') {
            ends[count] = stretch.len() as u32;
            count += 1;
        }
        for &end in &ends[..count] {
            let end = base + end as usize;
            each(start, end);
            start = end + 1;
        }
    }
}

/// Writes the offsets of all line feeds of `stretch`, and says how many there are.
#[inline(always)]
fn note_ends(stretch: &[u8], ends: &mut [u32; STRETCH + 2]) -> usize {
    let (blocks, rest) = stretch.as_chunks::<BLOCK>();
    let mut last = [0; BLOCK];
    last[..rest.len()].copy_from_slice(rest);
    let mut count = 0;
    for (at, block) in (0..).step_by(BLOCK).zip(blocks.iter().chain((!rest.is_empty()).then_some(&last))) {
        let mut bits = line_feeds(block);
        let next = count + bits.count_ones() as usize;
        // Two are noted whether they are there or not: what is beyond the count is written over.
        loop {
            ends[count] = at + bits.trailing_zeros();
            bits &= bits.wrapping_sub(1);
            ends[count + 1] = at + bits.trailing_zeros();
            bits &= bits.wrapping_sub(1);
            if bits == 0 {
                break;
            }
            count += 2;
        }
        count = next;
    }
    count
}

/// A bit for each line feed.
#[inline(always)]
fn line_feeds(block: &[u8; BLOCK]) -> u64 {
    let line_feed = u8x16::splat(b'\n');
    let (parts, _) = block.as_chunks::<16>();
    parts.iter().rev().fold(0, |bits, part| {
        let equal = u8x16::new(*part).simd_eq(line_feed).to_bitmask();
        bits << 16 | u64::from(equal) & 0xffff
    })
}

/// A line without the carriage return that Windows puts before the line feed.
pub(crate) fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_those_of_split() {
        // Lengths around the block's, in many alignments.
        for length in (0..200).chain(STRETCH - 70..STRETCH + 70) {
            for every in [1, 2, 15, 16, 63, 64, 65, 100] {
                let text: Vec<u8> = (0..length).map(|at| if at % every == every - 1 { b'\n' } else { b'x' }).collect();
                let mut lines = Vec::new();
                each_line(&text, |start, end| lines.push(&text[start..end]));
                let mut expected: Vec<&[u8]> = text.split(|&byte| byte == b'\n').collect();
                if expected.last().is_some_and(|last| last.is_empty()) {
                    expected.pop();
                }
                assert_eq!(lines, expected, "{length} bytes, a line feed every {every}");
            }
        }
    }
}
