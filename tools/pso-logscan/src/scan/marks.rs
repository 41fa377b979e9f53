//! Where lines end, and where a word that makes a line belong to a class may stand: one pass over the bytes for both.
//!
//! 64 bytes are compared with each of five letters at once, which gives a word of 64 bits for each letter; shifting these
//! against each other finds places where several letters stand at the right distances. All is done without a branch that
//! depends on where lines end: a processor cannot guess that, and at some hundred bytes a line half of its time would be
//! spent on wrong guesses.

use wide::u8x16;

/// Bytes that are compared at a time.
const BLOCK: usize = 64;

/// How far one block is ahead of the one before: what begins in its last bytes is found with the next one.
const STEP: usize = BLOCK - 8;

/// The bytes of a block that are not looked at again with the next one.
const OWN: u64 = (1 << STEP) - 1;

/// Bytes whose marks are noted before any of their lines is looked at.
pub(crate) const STRETCH: usize = 72 * STEP;

/// Where things are in a stretch of text.
pub(crate) struct Marks {
    /// Offsets of line feeds; two more than there can be, because two are written at a time.
    ends: [u32; STRETCH + 2],
    count: usize,
    /// Offsets at which one of the words looked for may stand (`search::judge` looks closer), in order.
    pub(crate) suspects: Vec<usize>,
}

impl Default for Marks {
    fn default() -> Self {
        Self { ends: [0; STRETCH + 2], count: 0, suspects: Vec::new() }
    }
}

impl Marks {
    /// Offsets of the line feeds, from the stretch's beginning.
    #[inline(always)]
    pub(crate) fn ends(&self) -> &[u32] {
        &self.ends[..self.count]
    }

    /// Notes what is in the stretch of `text` that begins at `from`. A word that only ends behind the stretch is found.
    #[inline(always)]
    pub(crate) fn note<L: Lanes>(&mut self, lanes: L, text: &[u8], from: usize) {
        let rest = &text[from..];
        let mut count = 0;
        if let Some(stretch) = rest.first_chunk::<{ STRETCH + BLOCK - STEP }>() {
            for at in (0..STRETCH).step_by(STEP) {
                let block = stretch[at..].first_chunk().unwrap_or(&[0; BLOCK]);
                count = self.note_block(lanes.compare(block), from, at, count);
            }
        } else {
            // The end of the text, as if nothing followed it.
            for at in (0..rest.len().min(STRETCH)).step_by(STEP) {
                let mut block = [0; BLOCK];
                let length = (rest.len() - at).min(BLOCK);
                block[..length].copy_from_slice(&rest[at..at + length]);
                count = self.note_block(lanes.compare(&block), from, at, count);
            }
        }
        self.count = count;
    }

    /// Notes what is in the block `at` bytes behind the stretch's beginning, which is `from`; gives how many line feeds
    /// there are now.
    #[inline(always)]
    fn note_block(&mut self, letters: Letters, from: usize, at: usize, count: usize) -> usize {
        let Letters { line_feed, r, u, t, o } = letters;
        // What turns up at the other end is among the last bytes, which are another block's.
        let second_r = r.rotate_right(1);
        let found = (r & second_r & r.rotate_right(3))
            | (u & ((r.rotate_right(2) & o.rotate_right(5))
                | (t.rotate_right(1) & (t.rotate_right(5) | r.rotate_right(4)))
                | (second_r & t.rotate_right(3))));
        if found << (BLOCK - STEP) != 0 {
            self.suspect(from + at, found & OWN);
        }
        let feeds = line_feed & OWN;
        // Two are noted whether they are there or not: what is beyond the count is written over.
        if let Some(ends) = self.ends.get_mut(count..).and_then(|ends| ends.first_chunk_mut::<2>()) {
            let others = feeds & feeds.wrapping_sub(1);
            *ends = [feeds, others].map(|feeds| at as u32 + feeds.trailing_zeros());
            let others = others & others.wrapping_sub(1);
            if others != 0 {
                self.note_others(others, at, count + 2);
            }
        }
        count + feeds.count_ones() as usize
    }

    /// Notes the line feeds of a block that has more than two.
    #[inline(never)]
    fn note_others(&mut self, mut feeds: u64, at: usize, count: usize) {
        for end in &mut self.ends[count..count + feeds.count_ones() as usize] {
            *end = at as u32 + feeds.trailing_zeros();
            feeds &= feeds.wrapping_sub(1);
        }
    }

    #[cold]
    fn suspect(&mut self, base: usize, mut found: u64) {
        while found != 0 {
            self.suspects.push(base + found.trailing_zeros() as usize);
            found &= found - 1;
        }
    }
}

/// A bit for each byte of a block that is the letter, in whatever case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Letters {
    line_feed: u64,
    r: u64,
    u: u64,
    t: u64,
    o: u64,
}

/// Vector instructions.
pub(crate) trait Lanes: Copy {
    /// Compares each byte of a block.
    fn compare(self, block: &[u8; BLOCK]) -> Letters;
}

/// What every processor of the target can do.
#[derive(Clone, Copy)]
pub(crate) struct Portable;

impl Lanes for Portable {
    #[inline(always)]
    fn compare(self, block: &[u8; BLOCK]) -> Letters {
        let parts = block.as_chunks::<16>().0;
        let equal = |letter: u8, fold: u8| {
            let letter = u8x16::splat(letter);
            parts.iter().rev().fold(0, |bits, part| {
                let equal = (u8x16::new(*part) | u8x16::splat(fold)).simd_eq(letter).to_bitmask();
                bits << 16 | u64::from(equal) & 0xffff
            })
        };
        Letters {
            line_feed: equal(b'\n', 0),
            r: equal(b'r', LOWER),
            u: equal(b'u', LOWER),
            t: equal(b't', LOWER),
            o: equal(b'o', LOWER),
        }
    }
}

/// The bit that makes a letter a small one.
const LOWER: u8 = 0x20;

#[cfg(target_arch = "x86_64")]
mod x86 {
    use pulp::x86::{V3, V4};

    use super::{BLOCK, LOWER, Lanes, Letters};

    impl Lanes for V4 {
        #[inline(always)]
        fn compare(self, block: &[u8; BLOCK]) -> Letters {
            let splat = |byte: u8| self.avx512f._mm512_set1_epi8(byte.cast_signed());
            let bytes = pulp::cast(*block);
            let lower = self.avx512f._mm512_or_si512(bytes, splat(LOWER));
            let equal = |letter: u8| self.avx512bw._mm512_cmpeq_epi8_mask(lower, splat(letter));
            Letters {
                line_feed: self.avx512bw._mm512_cmpeq_epi8_mask(bytes, splat(b'\n')),
                r: equal(b'r'),
                u: equal(b'u'),
                t: equal(b't'),
                o: equal(b'o'),
            }
        }
    }

    impl Lanes for V3 {
        #[inline(always)]
        fn compare(self, block: &[u8; BLOCK]) -> Letters {
            let splat = |byte: u8| self.avx._mm256_set1_epi8(byte.cast_signed());
            let bytes: [_; 2] = pulp::cast(*block);
            let lower = bytes.map(|half| self.avx2._mm256_or_si256(half, splat(LOWER)));
            let equal = |[first, second]: [_; 2], letter: u8| {
                let bits = |half| {
                    let equal = self.avx2._mm256_cmpeq_epi8(half, splat(letter));
                    u64::from(self.avx2._mm256_movemask_epi8(equal).cast_unsigned())
                };
                bits(first) | bits(second) << 32
            };
            Letters {
                line_feed: equal(bytes, b'\n'),
                r: equal(lower, b'r'),
                u: equal(lower, b'u'),
                t: equal(lower, b't'),
                o: equal(lower, b'o'),
            }
        }
    }
}

/// The best that this processor can do.
#[derive(Clone, Copy)]
pub(crate) enum Machine {
    /// AVX-512: 64 bytes an instruction.
    #[cfg(target_arch = "x86_64")]
    V4(pulp::x86::V4),
    /// AVX2: 32 bytes an instruction.
    #[cfg(target_arch = "x86_64")]
    V3(pulp::x86::V3),
    Portable,
}

/// Something that is done with vector instructions.
pub(crate) trait WithLanes {
    /// Does it; to be inlined, so that all of it is compiled for these instructions.
    fn run<L: Lanes>(self, lanes: L);
}

impl Machine {
    pub(crate) fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        if let Some(v4) = pulp::x86::V4::try_new() {
            return Self::V4(v4);
        } else if let Some(v3) = pulp::x86::V3::try_new() {
            return Self::V3(v3);
        }
        Self::Portable
    }

    /// Does `work` with the best instructions.
    pub(crate) fn run(self, work: impl WithLanes) {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::V4(v4) => v4.vectorize(
                #[inline(always)]
                || work.run(v4),
            ),
            #[cfg(target_arch = "x86_64")]
            Self::V3(v3) => v3.vectorize(
                #[inline(always)]
                || work.run(v3),
            ),
            Self::Portable => work.run(Portable),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Places of a line that are looked at more closely.
    pub(crate) fn suspects(line: &[u8]) -> Vec<usize> {
        let mut marks = Marks::default();
        for from in (0..line.len()).step_by(STRETCH) {
            marks.note(Portable, line, from);
        }
        marks.suspects
    }

    struct Note<'a>(&'a [u8], &'a mut (Vec<usize>, Vec<usize>));

    impl WithLanes for Note<'_> {
        fn run<L: Lanes>(self, lanes: L) {
            let mut marks = Marks::default();
            for from in (0..self.0.len()).step_by(STRETCH) {
                marks.note(lanes, self.0, from);
                self.1.0.extend(marks.ends().iter().map(|&end| from + end as usize));
            }
            self.1.1 = marks.suspects;
        }
    }

    fn machines() -> Vec<Machine> {
        let mut machines = vec![Machine::Portable, Machine::detect()];
        #[cfg(target_arch = "x86_64")]
        machines.extend(pulp::x86::V3::try_new().map(Machine::V3));
        machines
    }

    #[test]
    fn every_machine_finds_every_line_feed_and_every_word() {
        let words =
            ["ERROR", "ValidationError", "unresolved", "AUTHENTICATION", "authoriZation", "Security", "x\n", "\n"];
        let mut random = fastrand::Rng::with_seed(7);
        for length in (0..200).chain(STRETCH - 70..STRETCH + 70) {
            let mut text: Vec<u8> = (0..length).map(|_| random.u8(..)).collect();
            for _ in 0..random.usize(..20) {
                let word = words[random.usize(..words.len())].as_bytes();
                if let Some(at) = length.checked_sub(word.len()) {
                    let at = random.usize(..=at);
                    text[at..at + word.len()].copy_from_slice(word);
                }
            }
            let feeds: Vec<usize> = (0..length).filter(|&at| text[at] == b'\n').collect();
            let lower = text.to_ascii_lowercase();
            let begins = |at: usize, word: &str| lower[at..].starts_with(word.as_bytes());
            // Where the letters of each word that are compared begin.
            let offsets =
                [("error", 1), ("unresolved", 0), ("authentication", 1), ("authorization", 1), ("security", 3)];
            let mut places: Vec<usize> = Vec::new();
            for at in 0..length {
                places.extend(offsets.iter().filter(|(word, _)| begins(at, word)).map(|(_, offset)| at + offset));
            }
            for machine in machines() {
                let mut found = (Vec::new(), Vec::new());
                machine.run(Note(&text, &mut found));
                assert_eq!(found.0, feeds, "{length} bytes");
                for place in &places {
                    assert!(found.1.contains(place), "{place} of {length} bytes");
                }
                assert!(found.1.is_sorted());
            }
        }
    }
}
