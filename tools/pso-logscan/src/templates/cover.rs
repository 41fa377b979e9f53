//! Templates that are known already, and whether one of them covers a key.

use std::collections::HashMap;

use crate::templates::parse::{is_cell, split};
use crate::templates::sketch::hash;

/// A parameter as a token.
const ANY_TEXT: &str = "\u{1}";

/// Templates by the marks that they have, each with what belongs to it.
#[derive(Clone, Debug)]
pub(super) struct Cover<T> {
    by_layout: HashMap<u64, Vec<Pattern<T>>>,
}

#[derive(Clone, Debug)]
struct Pattern<T> {
    /// The words and values of the template, without its marks.
    cells: Vec<Box<str>>,
    /// How many of them are nothing but a parameter.
    parameters: usize,
    of: T,
}

impl<T> Default for Cover<T> {
    fn default() -> Self {
        Self { by_layout: HashMap::new() }
    }
}

impl<T> Cover<T> {
    pub(super) fn is_empty(&self) -> bool {
        self.by_layout.is_empty()
    }

    /// Adds the template that has this key. One without a word of its own, or without a parameter, covers only itself,
    /// and is not taken.
    pub(super) fn insert(&mut self, key: &str, of: T) {
        let (layout, cells) = cells(key);
        let parameters = cells.iter().filter(|cell| **cell == ANY_TEXT).count();
        let has_words = cells.iter().any(|cell| cell.chars().all(|letter| letter > '\u{2}'));
        if !has_words || parameters == 0 {
            return;
        }
        let patterns = self.by_layout.entry(layout).or_default();
        let pattern = Pattern { cells: cells.into_iter().map(Box::from).collect(), parameters, of };
        // The most special first; of equals the one that sorts first, so that the order of insertion does not matter.
        let place = patterns.partition_point(|other| (other.parameters, &other.cells) <= (parameters, &pattern.cells));
        patterns.insert(place, pattern);
    }

    /// What belongs to the most special template that covers `key`: all its words are the key's, and where it has a
    /// parameter, the key has any word or value.
    pub(super) fn find(&self, key: &str) -> Option<&T> {
        let (layout, cells) = cells(key);
        let covers = |pattern: &&Pattern<T>| {
            pattern.cells.len() == cells.len()
                && pattern.cells.iter().zip(&cells).all(|(own, cell)| **own == **cell || **own == *ANY_TEXT)
        };
        self.by_layout.get(&layout)?.iter().find(covers).map(|pattern| &pattern.of)
    }
}

/// The hash of a key's marks and of the places of its words, and these words.
fn cells(key: &str) -> (u64, Vec<&str>) {
    let mut cells = Vec::new();
    let mut layout = 0_u64;
    for (token, _) in split(key) {
        let of_token = if is_cell(token) {
            cells.push(token);
            1
        } else {
            hash(token.as_bytes())
        };
        layout = layout.rotate_left(5).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ of_token;
    }
    (layout, cells)
}
