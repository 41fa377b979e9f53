//! From the bottom: templates that differ in one column, with many different words in it, are one.

use std::collections::HashMap;

use crate::templates::parse::{ANY, Word};
use crate::templates::split::{Part, Table, Values};

impl Table<'_> {
    /// Joins parts until nothing more can be joined. Splitting may have separated by a parameter that has a few common
    /// values and stands beside another parameter.
    pub(super) fn merge(&self, mut parts: Vec<Part>) -> Vec<Part> {
        loop {
            let before = parts.len();
            for &column in self.columns {
                parts = self.merge_column(parts, column);
            }
            if parts.len() == before {
                return parts;
            }
        }
    }

    fn merge_column(&self, mut parts: Vec<Part>, column: usize) -> Vec<Part> {
        if parts.len() < 2 {
            return parts;
        }
        // Parts by all that is outside of the column.
        let mut groups: HashMap<Vec<Word>, Vec<usize>> = HashMap::new();
        for (number, part) in parts.iter_mut().enumerate() {
            let word = std::mem::replace(&mut part.words[column], ANY);
            groups.entry(part.words.clone()).or_default().push(number);
            part.words[column] = word;
        }
        let mut into: Vec<usize> = (0..parts.len()).collect();
        for (words, group) in &groups {
            let words_of = group.iter().map(|&number| parts[number].words[column]);
            let values = words_of.fold(Values::default(), |values, word| values.with(word, self.words));
            let has_words = self.columns.iter().any(|&other| other != column && !self.words.is_value(words[other]));
            if group.len() > 1 && has_words && group.len() >= self.min_values(words, column, values) {
                for &number in group {
                    into[number] = group[0];
                }
            }
        }
        for number in 0..parts.len() {
            let target = into[number];
            if target != number {
                let keys = std::mem::take(&mut parts[number].keys);
                parts[target].keys.extend(keys);
                parts[target].words[column] = ANY;
            }
        }
        parts.retain(|part| !part.keys.is_empty());
        parts
    }
}
