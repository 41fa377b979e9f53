//! Keys into templates.

use std::collections::{BTreeMap, HashMap};

use crate::scan::tally::{Count, Excerpt};
use crate::templates::group::{Group, group};
use crate::templates::known::Known;
use crate::templates::lengths::join_lengths;
use crate::templates::level::Level;
use crate::templates::parse::shown;
use crate::templates::sketch::{Entry, Sketch, Slot, hash};

/// What lines have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template {
    /// The same for the same text, in each run: 16 hexadecimal digits.
    pub(crate) id: String,
    /// The message, with `<*>` where lines differ.
    pub(crate) text: String,
    /// How often and when it was seen.
    pub(crate) count: Count,
    /// The beginning of its first line.
    pub(crate) example: Excerpt,
    /// The most serious level of its lines.
    pub(crate) level: Option<Level>,
    /// Whether no earlier run knows it.
    pub(crate) new: bool,
    /// Its keys, by which a later run knows its lines again.
    pub(super) keys: Vec<String>,
}

/// The templates of all lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mined {
    /// The most frequent first.
    pub(crate) templates: Vec<Template>,
    slots: HashMap<Slot, usize>,
}

impl Mined {
    /// The template of a line that was counted as `slot`, as an index of `templates`; `None` for a slot of another
    /// sketch, or one that was forgotten because there were too many.
    pub(crate) fn template_of(&self, slot: Slot) -> Option<usize> {
        self.slots.get(&slot).copied()
    }
}

/// Groups what a sketch has counted, together with what earlier runs found: a name that comes alone in each run is one
/// of many all the same.
pub(crate) fn mine(sketch: &Sketch, known: &Known) -> Mined {
    let entries = sketch.entries();
    let mut keys: Vec<&str> = entries.iter().map(|entry| known.find(&entry.key).unwrap_or(&entry.key)).collect();
    let mut entries_of: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
    for (key, entry) in keys.iter().zip(&entries) {
        entries_of.entry(key).or_default().push(entry);
    }
    keys.extend(known.keys());
    keys.sort_unstable();
    keys.dedup();
    let mut found: BTreeMap<String, Found> = BTreeMap::new();
    for Group { key, members } in group(&keys) {
        let found = found.entry(shown(&key)).or_default();
        for member in members {
            found.new &= !known.has(keys[member]);
            entries_of.get(keys[member]).into_iter().flatten().for_each(|entry| found.add(entry));
        }
        found.keys.push(key);
    }
    join_lengths(&mut found);
    found.retain(|_, found| found.count.count > 0);
    let mut found: Vec<(String, Found)> = found.into_iter().collect();
    found.sort_by(|(one_text, one), (other_text, other)| {
        (other.count.count, one_text).cmp(&(one.count.count, other_text))
    });
    let mut mined = Mined::default();
    for (number, (text, Found { keys, new, count, level, first, slots })) in found.into_iter().enumerate() {
        mined.slots.extend(slots.into_iter().map(|slot| (slot, number)));
        let example = first.map(|entry| entry.example.clone()).unwrap_or_default();
        let id = format!("{:016x}", hash(text.as_bytes()));
        mined.templates.push(Template { id, text, count, example, level, new, keys });
    }
    for (from, to) in sketch.aliases() {
        if let Some(&template) = mined.slots.get(&to) {
            mined.slots.insert(from, template);
        }
    }
    mined
}

/// A template, as far as its entries were added.
pub(super) struct Found<'e> {
    /// What it was grouped into: more than one where it has values of several words.
    pub(super) keys: Vec<String>,
    new: bool,
    count: Count,
    level: Option<Level>,
    /// The entry with the first line of all.
    first: Option<&'e Entry>,
    slots: Vec<Slot>,
}

impl Default for Found<'_> {
    fn default() -> Self {
        Self { keys: Vec::new(), new: true, count: Count::default(), level: None, first: None, slots: Vec::new() }
    }
}

impl<'e> Found<'e> {
    fn add(&mut self, entry: &'e Entry) {
        self.count.add(entry.count);
        self.level = self.level.max(entry.level);
        self.slots.push(Sketch::slot_of(entry));
        self.come_first(entry);
    }

    fn come_first(&mut self, entry: &'e Entry) {
        if self.first.is_none_or(|first| entry.order < first.order) {
            self.first = Some(entry);
        }
    }

    /// Adds what turned out to be the same template.
    pub(super) fn absorb(&mut self, other: Self) {
        self.keys.extend(other.keys);
        self.new &= other.new;
        self.count.add(other.count);
        self.level = self.level.max(other.level);
        self.slots.extend(other.slots);
        other.first.into_iter().for_each(|entry| self.come_first(entry));
    }
}
