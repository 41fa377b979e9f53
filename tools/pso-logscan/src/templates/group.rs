//! Keys into groups of which each is one template.

use std::collections::BTreeMap;

use crate::templates::parse::{Row, Word, Words, join};
use crate::templates::quotes::fold_quoted;
use crate::templates::split::Table;

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
