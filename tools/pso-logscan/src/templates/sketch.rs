//! Counts of the keys of many lines: what one thread gathers.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Mutex, PoisonError};

use crate::scan::tally::{Count, Excerpt, MAX_EXAMPLE_BYTES};
use crate::stamps::Moment;
use crate::templates::cover::Cover;
use crate::templates::group::{Group, group};
use crate::templates::key::{Keys, PARAMETER, SPACE};
use crate::templates::level::Level;

use crate::templates::parse::{is_cell, split};

/// Keys that are counted one by one before they are grouped for the first time.
const MAX_KEYS: usize = 8_000;
/// Bytes of keys and examples before that.
const MAX_KEY_BYTES: usize = 2 << 20;
/// Slots that are remembered after their keys were grouped.
const MAX_ALIASES: usize = 100_000;
/// How often grouping is left out after it did not help.
const PATIENCE: u32 = 30;
/// Only one thread groups at a time, since that takes several times the memory of the keys.
static GROUPING: Mutex<()> = Mutex::new(());
/// The key of what comes after all limits.
pub(super) const OTHER: u8 = 3;

/// What a line was counted as, the same in all sketches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Slot(u64);

/// Where a line stands among all that are read: the template's example is its first line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Order {
    /// Index of the file.
    pub(crate) file: usize,
    /// Index of the chunk within the file.
    pub(crate) chunk: usize,
    /// Index of the line within the chunk.
    pub(crate) line: u64,
}

/// The first line of a record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line<'a> {
    /// All of it, without its end.
    pub(crate) bytes: &'a [u8],
    /// Where its stamp ends: 0 where none was recognised, and for a JSON line.
    pub(crate) stamp_end: usize,
    /// How many words behind the stamp belong to its format and not to the message: in RFC 3164 one, the host; in RFC
    /// 5424 four.
    pub(crate) fields: usize,
    /// The record's stamp.
    pub(crate) at: Option<Moment>,
    /// Its place.
    pub(crate) order: Order,
}

/// Keys, how often and when each was seen, and a line of each.
#[derive(Default)]
pub(crate) struct Sketch {
    keys: Keys,
    entries: HashMap<u64, Entry, Same>,
    /// Bytes of the entries' keys and examples.
    bytes: usize,
    /// What keys were grouped into when there were too many of them.
    cover: Cover<u64>,
    /// Slots of keys that were grouped, and the slots of their groups.
    aliases: HashMap<u64, u64, Same>,
    /// How often the keys will be too many before they are grouped again.
    patience: u32,
}

/// What is known of one key.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: Box<str>,
    pub(super) count: Count,
    pub(super) example: Excerpt,
    pub(super) order: Order,
    pub(super) level: Option<Level>,
}

impl Entry {
    /// Adds what another entry counted.
    pub(super) fn add(&mut self, other: &Self) {
        self.count.add(other.count);
        self.level = self.level.max(other.level);
        if other.order < self.order {
            self.order = other.order;
            self.example = other.example.clone();
        }
    }

    fn seen(&mut self, line: Line<'_>, level: Option<Level>) {
        self.count.add(Count { count: 1, first: line.at, last: line.at });
        self.level = self.level.max(level);
        if line.order < self.order {
            self.order = line.order;
            self.example = Excerpt::of(line.bytes, MAX_EXAMPLE_BYTES);
        }
    }

    fn bytes(&self) -> usize {
        self.key.len() + self.example.bytes.len()
    }
}

impl Sketch {
    /// Counts a line.
    #[inline]
    pub(crate) fn add(&mut self, line: Line<'_>) -> Slot {
        let (key, level) = self.keys.key(line);
        let slot = hash(key);
        if let Some(entry) = self.entries.get_mut(&slot) {
            entry.seen(line, level);
            return Slot(slot);
        }
        // Bytes that are no UTF-8 look the same in all keys; `insert` joins those that do.
        let key = String::from_utf8_lossy(key);
        let slot = hash(key.as_bytes());
        let grouped = if self.cover.is_empty() && self.aliases.is_empty() {
            None
        } else {
            let alias = self.aliases.contains_key(&slot).then(|| resolve(&self.aliases, slot));
            alias.or_else(|| self.cover.find(&key).copied())
        };
        if let Some(entry) = grouped.and_then(|slot| self.entries.get_mut(&slot)) {
            entry.seen(line, level);
            return Slot(grouped.unwrap_or(slot));
        }
        let entry = Entry {
            key: key.into(),
            count: Count { count: 1, first: line.at, last: line.at },
            example: Excerpt::of(line.bytes, MAX_EXAMPLE_BYTES),
            order: line.order,
            level,
        };
        self.insert(slot, entry);
        self.keep_within();
        Slot(slot)
    }

    /// Adds what another sketch counted. The order in which sketches are joined does not matter, as long as there are
    /// no more keys than are counted one by one.
    pub(crate) fn absorb(&mut self, other: Self) {
        for (slot, entry) in other.entries {
            self.insert(slot, entry);
        }
        for (from, to) in other.aliases {
            self.remember(from, to);
        }
        if self.cover.is_empty() {
            self.cover = other.cover;
        }
        self.keep_within();
    }

    /// Keys, and bytes of keys and examples.
    #[cfg(test)]
    pub(super) fn kept(&self) -> (usize, usize) {
        (self.entries.len(), self.bytes)
    }

    /// The entries, sorted by their keys.
    pub(super) fn entries(&self) -> Vec<&Entry> {
        let mut entries: Vec<&Entry> = self.entries.values().collect();
        entries.sort_unstable_by(|one, other| one.key.cmp(&other.key));
        entries
    }

    /// The slot of an entry's key.
    pub(super) fn slot_of(entry: &Entry) -> Slot {
        Slot(hash(entry.key.as_bytes()))
    }

    /// The slots that are no longer an entry's own, with the slots that they became.
    pub(super) fn aliases(&self) -> impl Iterator<Item = (Slot, Slot)> {
        self.aliases.keys().map(|&slot| (Slot(slot), Slot(resolve(&self.aliases, slot))))
    }

    fn insert(&mut self, slot: u64, entry: Entry) {
        match self.entries.get_mut(&slot) {
            Some(own) => own.add(&entry),
            None => {
                self.bytes += entry.bytes();
                self.entries.insert(slot, entry);
            }
        }
    }

    fn remember(&mut self, from: u64, to: u64) {
        if from != to && self.aliases.len() < MAX_ALIASES && resolve(&self.aliases, to) != from {
            self.aliases.insert(from, to);
        }
    }

    /// Groups the keys when there are too many of them, and if that is not enough, counts the rarest together: first by
    /// their first word, then all of them. Where grouping did not help, as in a text that is no log, it is left out for
    /// a while.
    fn keep_within(&mut self) {
        if self.entries.len() <= MAX_KEYS && self.bytes <= MAX_KEY_BYTES {
            return;
        }
        if self.patience == 0 {
            self.group();
            if self.entries.len() <= MAX_KEYS / 2 && self.bytes <= MAX_KEY_BYTES / 2 {
                return;
            }
            self.patience = PATIENCE;
        }
        self.patience -= 1;
        self.fold_rarest();
    }

    /// Keeps the most frequent keys, about a quarter of what there may be.
    fn fold_rarest(&mut self) {
        let mut entries: Vec<Entry> = std::mem::take(&mut self.entries).into_values().collect();
        entries.sort_unstable_by(|one, other| (other.count.count, &one.key).cmp(&(one.count.count, &other.key)));
        self.bytes = 0;
        let mut first_words = 0;
        for mut entry in entries {
            let own = hash(entry.key.as_bytes());
            if self.entries.len() >= MAX_KEYS / 4 || self.bytes + entry.bytes() > MAX_KEY_BYTES / 4 {
                let mut key = first_word(&entry.key);
                if !self.entries.contains_key(&hash(key.as_bytes())) {
                    first_words += 1;
                    if first_words > MAX_KEYS / 8 {
                        key = char::from(OTHER).to_string();
                    }
                }
                entry.key = key.into();
            }
            let slot = hash(entry.key.as_bytes());
            self.remember(own, slot);
            self.insert(slot, entry);
        }
    }

    /// Replaces the keys by the templates that they are grouped into.
    fn group(&mut self) {
        // It guards no data that a panic could have left half done.
        let _alone = GROUPING.lock().unwrap_or_else(PoisonError::into_inner);
        let mut entries: Vec<Entry> = std::mem::take(&mut self.entries).into_values().collect();
        entries.sort_unstable_by(|one, other| one.key.cmp(&other.key));
        let keys: Vec<&str> = entries.iter().map(|entry| &*entry.key).collect();
        let groups = group(&keys);
        self.bytes = 0;
        self.cover = Cover::default();
        for Group { key, members } in groups {
            let slot = hash(key.as_bytes());
            if members.len() > 1 {
                self.cover.insert(&key, slot);
            }
            let mut all = Entry { key: key.into(), ..entries[members[0]].clone() };
            for (number, &member) in members.iter().enumerate() {
                if number > 0 {
                    all.add(&entries[member]);
                }
                self.remember(hash(entries[member].key.as_bytes()), slot);
            }
            self.insert(slot, all);
        }
    }
}

/// The slot that a slot became.
fn resolve(aliases: &HashMap<u64, u64, Same>, mut slot: u64) -> u64 {
    // Each alias was made of one that is still there, so that the way is as long as the keys were grouped often.
    for _ in 0..64 {
        match aliases.get(&slot) {
            Some(&next) => slot = next,
            None => break,
        }
    }
    slot
}

/// A key's first word, and a parameter for the rest.
fn first_word(key: &str) -> String {
    let first = split(key).map(|(token, _)| token).find(|token| is_cell(token)).unwrap_or_default();
    format!("{first}{}{}", char::from(SPACE), char::from(PARAMETER))
}

/// Hashes what is a hash already.
#[derive(Default)]
pub(super) struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = hash(bytes);
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

type Same = BuildHasherDefault<AsIs>;

/// A hash that is the same in each run and on each machine, since the names of templates are made of it.
#[inline]
pub(super) fn hash(bytes: &[u8]) -> u64 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    fn mix(state: u64, word: u64) -> u64 {
        let product = u128::from(state ^ word) * u128::from(FACTOR);
        #[expect(clippy::cast_possible_truncation, reason = "both halves are taken")]
        let folded = product as u64 ^ (product >> 64) as u64;
        folded.rotate_left(23) ^ FACTOR
    }
    let (words, rest) = bytes.as_chunks::<8>();
    let mut state = words
        .iter()
        .fold(bytes.len() as u64 ^ 0x2545_f491_4f6c_dd1d, |state, word| mix(state, u64::from_le_bytes(*word)));
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    state = mix(state, u64::from_le_bytes(last));
    mix(state, 0)
}
