//! Keys into templates.

use std::collections::{BTreeMap, HashMap};

use crate::scan::tally::{Count, Excerpt};
use crate::templates::known::Known;
use crate::templates::level::Level;
use crate::templates::parse::{Row, Word, Words, join, shown};
use crate::templates::quotes::fold_quoted;
use crate::templates::sketch::{Entry, Sketch, Slot, hash};
use crate::templates::split::Table;

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
    /// Its key, by which a later run knows its lines again.
    pub(super) key: String,
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

/// Groups what a sketch has counted. Lines that a template of `known` covers belong to that one.
pub(crate) fn mine(sketch: &Sketch, known: &Known) -> Mined {
    let mut found: BTreeMap<String, Found> = BTreeMap::new();
    let mut open = Vec::new();
    for entry in sketch.entries() {
        match known.find(&entry.key) {
            Some(key) => found.entry(id(key)).or_insert_with(|| Found::of(key, false)).add(entry),
            None => open.push(entry),
        }
    }
    let keys: Vec<&str> = open.iter().map(|entry| &*entry.key).collect();
    for Group { key, members } in group(&keys) {
        let new = known.find(&key).is_none();
        let found = found.entry(id(&key)).or_insert_with(|| Found::of(&key, new));
        members.into_iter().for_each(|member| found.add(open[member]));
    }
    let mut found: Vec<(String, Found)> = found.into_iter().collect();
    found.sort_by(|(one_id, one), (other_id, other)| (other.count.count, one_id).cmp(&(one.count.count, other_id)));
    let mut mined = Mined::default();
    for (number, (id, Found { key, new, count, level, first, slots })) in found.into_iter().enumerate() {
        mined.slots.extend(slots.into_iter().map(|slot| (slot, number)));
        let example = first.map(|entry| entry.example.clone()).unwrap_or_default();
        mined.templates.push(Template { id, text: shown(&key), count, example, level, new, key });
    }
    for (from, to) in sketch.aliases() {
        if let Some(&template) = mined.slots.get(&to) {
            mined.slots.insert(from, template);
        }
    }
    mined
}

/// The name of the template that has this key. Keys that look the same to people are one template.
fn id(key: &str) -> String {
    format!("{:016x}", hash(shown(key).as_bytes()))
}

/// A template, as far as its entries were added.
struct Found<'e> {
    key: String,
    new: bool,
    count: Count,
    level: Option<Level>,
    /// The entry with the first line of all.
    first: Option<&'e Entry>,
    slots: Vec<Slot>,
}

impl<'e> Found<'e> {
    fn of(key: &str, new: bool) -> Self {
        Self { key: key.to_owned(), new, count: Count::default(), level: None, first: None, slots: Vec::new() }
    }

    fn add(&mut self, entry: &'e Entry) {
        self.count.add(entry.count);
        self.level = self.level.max(entry.level);
        self.slots.push(Sketch::slot_of(entry));
        if self.first.is_none_or(|first| entry.order < first.order) {
            self.first = Some(entry);
        }
    }
}

/// Keys that are one template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    /// The template's key.
    pub(super) key: String,
    /// Indexes of its keys.
    pub(super) members: Vec<usize>,
}

/// Groups keys, which are sorted and different.
pub(super) fn group(keys: &[&str]) -> Vec<Group> {
    let mut words = Words::new();
    let mut rows: Vec<Row> = keys.iter().map(|key| words.row(key)).collect();
    fold_quoted(&mut rows, &words);
    let mut tables: BTreeMap<Vec<Option<Word>>, Vec<usize>> = BTreeMap::new();
    for (number, row) in rows.iter().enumerate() {
        let layout = row.words.iter().map(|&word| (!words.is_cell(word)).then_some(word)).collect();
        tables.entry(layout).or_default().push(number);
    }
    let mut groups = Vec::new();
    for (layout, keys) in tables {
        let columns: Vec<usize> = (0..layout.len()).filter(|&column| layout[column].is_none()).collect();
        let table = Table { words: &words, rows: &rows, columns: &columns };
        for mut part in table.merge(table.split(keys)) {
            part.keys.sort_unstable();
            // Blanks are those of the key that sorts first.
            let spaced = &rows[part.keys[0]].spaced;
            let key = join(part.words.iter().map(|&word| words.text(word)).zip(spaced.iter().copied()));
            groups.push(Group { key, members: part.keys });
        }
    }
    groups
}
