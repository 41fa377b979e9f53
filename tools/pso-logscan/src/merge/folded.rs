//! What is folded by its key, in bounded memory.

use std::collections::BTreeMap;

/// Keys of one kind that are kept apart. A scan writes at most 10,000 types of a class, and 100,000 cells of histograms.
const MAX_KEYS: usize = 150_000;

/// Bytes of one kind's keys and examples that are kept.
const MAX_BYTES: usize = 32 << 20;

/// Values that are folded where their keys are the same.
#[derive(Debug)]
pub(super) struct Folded<K, V> {
    values: BTreeMap<K, V>,
    room: usize,
    bytes: usize,
    lost: u64,
}

impl<K, V> Default for Folded<K, V> {
    fn default() -> Self {
        Self { values: BTreeMap::new(), room: MAX_KEYS, bytes: MAX_BYTES, lost: 0 }
    }
}

impl<K: Ord, V> Folded<K, V> {
    /// Folds `value` into that of the same key, or keeps it if it is the first. `size` is about how many bytes it takes.
    /// Where there is no room for one more, `other` says the key that stands for all such, and `None` that it is left out.
    pub(super) fn add(
        &mut self,
        key: K,
        value: V,
        size: usize,
        other: impl FnOnce(&K) -> Option<K>,
        fold: impl FnOnce(&mut V, V),
    ) {
        if let Some(old) = self.values.get_mut(&key) {
            fold(old, value);
        } else if self.room > 0 && self.bytes >= size {
            self.room -= 1;
            self.bytes -= size;
            self.values.insert(key, value);
        } else {
            self.lost += 1;
            let Some(key) = other(&key) else { return };
            match self.values.get_mut(&key) {
                Some(old) => fold(old, value),
                None => drop(self.values.insert(key, value)),
            }
        }
    }

    /// How many values were folded into that of another key, or left out.
    pub(super) const fn lost(&self) -> u64 {
        self.lost
    }

    /// The values in the order of their keys.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.values.iter()
    }

    /// The values, taken out, in the order of their keys.
    pub(super) fn into_values(self) -> BTreeMap<K, V> {
        self.values
    }
}

/// `text`, cut to `max` bytes at the most; twice cut is as once.
pub(super) fn cut(mut text: String, max: usize) -> String {
    if text.len() > max {
        let end = (0..=max).rev().find(|&at| text.is_char_boundary(at));
        text.truncate(end.unwrap_or(0));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_room_goes_to_another_key() {
        let mut folded = Folded { room: 2, bytes: 10, ..Folded::default() };
        for (key, size) in [(1, 4), (2, 4), (1, 4), (3, 1), (4, 1)] {
            folded.add(key, 1, size, |_| Some(0), |old, new| *old += new);
        }
        assert_eq!(folded.lost(), 2);
        assert_eq!(folded.into_values(), BTreeMap::from([(0, 2), (1, 2), (2, 1)]));
        let mut folded = Folded { room: 9, bytes: 10, ..Folded::default() };
        folded.add("a", 1, 8, |_| None, |_, _| ());
        folded.add("b", 1, 8, |_| None, |_, _| ());
        assert_eq!((folded.lost(), folded.iter().count()), (1, 1));
    }

    #[test]
    fn a_cut_is_between_characters() {
        assert_eq!(cut("né".to_owned(), 2), "n");
        assert_eq!(cut("né".to_owned(), 3), "né");
    }
}
