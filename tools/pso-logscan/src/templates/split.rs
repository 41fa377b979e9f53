//! From the top: a table of keys is split until each part is one template.

use std::collections::HashMap;

use crate::templates::parse::{ANY, Row, Word, Words};

/// So many different words in a column, between words that are the same, are the values of a parameter. Fewer may be
/// states, of which each matters (`opened`, `closed`).
const MIN_VALUES: usize = 5;
/// The same where they are names by their looks, stand alone between quotes, or the word before says that a name
/// follows.
const MIN_NAMES: usize = 3;
/// The same where the message begins: there stands what happened, or who says it. And the same where all are words in
/// capitals, which are constants of the program: states, verbs, kinds.
const MIN_CONSTANTS: usize = 24;
/// The same where at least one is a value by its looks, and so many other words are the same; and where there are only
/// parameters and empty values.
const MIN_AMONG_VALUES: usize = 2;
const MIN_WORDS: usize = 2;
/// Words behind which a name follows.
const BEFORE_NAMES: [&str; 5] = ["user", "username", "host", "hostname", "account"];

/// A template, and the keys that it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// The template's tokens; [`ANY`] where its keys differ.
    pub(super) words: Vec<Word>,
    /// Indexes of the keys.
    pub(super) keys: Vec<usize>,
}

/// Keys whose marks are the same at the same places.
pub(super) struct Table<'t> {
    pub(super) words: &'t Words<'t>,
    /// All keys there are.
    pub(super) rows: &'t [Row],
    /// The places of words and values.
    pub(super) columns: &'t [usize],
}

impl Table<'_> {
    /// How many different words a column must have to be a parameter. `template` has the words that are the same in
    /// all keys in question, and [`ANY`] in the column.
    pub(super) fn min_values(&self, template: &[Word], column: usize, values: Values) -> usize {
        let is_word = |&other: &&usize| *other != column && !self.words.is_value(template[*other]);
        let is_value = values.any_masked && self.columns.iter().filter(is_word).count() >= MIN_WORDS;
        if values.all_blank || is_value {
            return MIN_AMONG_VALUES;
        }
        let before = |places: usize| column.checked_sub(places).map(|at| self.words.text(template[at]));
        let is_cue = |word: &str| BEFORE_NAMES.iter().any(|name| word.eq_ignore_ascii_case(name));
        let is_quote = |word: &str| matches!(word, "\"" | "'");
        let after = template.get(column + 1).map(|&word| self.words.text(word));
        match before(1) {
            _ if values.all_names && !values.all_masked => MIN_NAMES,
            None => MIN_CONSTANTS,
            _ if values.all_capitals => MIN_CONSTANTS,
            Some(quote) if is_quote(quote) && after == Some(quote) => MIN_NAMES,
            // Where it begins the message, what the user or the host did may follow.
            Some(word) if is_cue(word) && column > 1 => MIN_NAMES,
            Some(_) => MIN_VALUES,
        }
    }

    /// The templates of the table's `keys`.
    pub(super) fn split(&self, keys: Vec<usize>) -> Vec<Part> {
        let mut parts = Vec::new();
        let mut tally = vec![0; self.words.len()];
        let mut open = vec![keys];
        while let Some(keys) = open.pop() {
            self.step(keys, &mut tally, &mut open, &mut parts);
        }
        parts
    }

    /// Makes one part of `keys`, or smaller tables. `tally` has a zero for each word.
    fn step(&self, keys: Vec<usize>, tally: &mut [usize], open: &mut Vec<Vec<usize>>, parts: &mut Vec<Part>) {
        let mut words = self.rows[keys[0]].words.clone();
        if keys.len() == 1 {
            parts.push(Part { words, keys });
            return;
        }
        let facts: Vec<Facts> = self.columns.iter().map(|&column| self.facts(&keys, column, tally)).collect();
        let of_words = facts.iter().filter(|facts| !facts.values.all_masked).count();
        let same = facts.iter().filter(|facts| facts.distinct == 1 && !facts.values.all_masked).count();
        let varying = || facts.iter().filter(|facts| facts.distinct > 1);
        varying().for_each(|facts| words[facts.column] = ANY);
        let by = if same > 0 && same * 2 >= of_words {
            // One template, if no column is a choice between a few words.
            let is_choice = |facts: &&Facts| facts.distinct < self.min_values(&words, facts.column, facts.values);
            match varying().filter(is_choice).min_by_key(|facts| facts.distinct) {
                Some(facts) => Some((facts.column, 0)),
                None => {
                    parts.push(Part { words, keys });
                    return;
                }
            }
        } else {
            // Templates of which each has words that many of its keys share: the most common word separates them. Of
            // equals the leftmost.
            let shared = varying().filter(|facts| facts.commonest > 1);
            let best = shared.reduce(|best, next| if next.commonest > best.commonest { next } else { best });
            best.map(|facts| (facts.column, 1))
        };
        let Some((column, alone)) = by else {
            let single = |key: usize| Part { words: self.rows[key].words.clone(), keys: vec![key] };
            parts.extend(keys.into_iter().map(single));
            return;
        };
        self.partition(keys, column, alone, tally, open);
    }

    fn facts(&self, keys: &[usize], column: usize, tally: &mut [usize]) -> Facts {
        let mut facts = Facts { column, distinct: 0, commonest: 0, values: Values::default() };
        for &key in keys {
            tally[self.rows[key].words[column] as usize] += 1;
        }
        for &key in keys {
            let word = self.rows[key].words[column];
            let count = std::mem::take(&mut tally[word as usize]);
            if count == 0 {
                continue;
            }
            facts.distinct += 1;
            facts.values = facts.values.with(word, self.words);
            if !self.words.is_value(word) {
                facts.commonest = facts.commonest.max(count);
            }
        }
        facts
    }

    /// Splits `keys` by their word in `column`; words of at most `alone` keys stay together.
    fn partition(
        &self,
        keys: Vec<usize>,
        column: usize,
        alone: usize,
        tally: &mut [usize],
        open: &mut Vec<Vec<usize>>,
    ) {
        for &key in &keys {
            tally[self.rows[key].words[column] as usize] += 1;
        }
        let mut places: HashMap<Option<Word>, usize> = HashMap::new();
        for &key in &keys {
            let word = self.rows[key].words[column];
            let group = (tally[word as usize] > alone).then_some(word);
            let place = *places.entry(group).or_insert_with(|| {
                open.push(Vec::new());
                open.len() - 1
            });
            open[place].push(key);
        }
        for &key in &keys {
            tally[self.rows[key].words[column] as usize] = 0;
        }
    }
}

/// What stands in a column.
struct Facts {
    column: usize,
    /// Different words.
    distinct: usize,
    /// Keys that have the most common word, values aside.
    commonest: usize,
    values: Values,
}

/// What the words of a column look like.
#[derive(Clone, Copy, Debug)]
pub(super) struct Values {
    /// Whether one is a parameter, has one, or is an empty value.
    any_masked: bool,
    /// Whether all are that.
    all_masked: bool,
    /// Whether all are nothing but a parameter, or an empty value.
    all_blank: bool,
    /// Whether all are names of files or hosts, or masked.
    all_names: bool,
    /// Whether all are words in capitals.
    all_capitals: bool,
}

impl Default for Values {
    fn default() -> Self {
        Self { any_masked: false, all_masked: true, all_blank: true, all_names: true, all_capitals: true }
    }
}

impl Values {
    /// The same with one more word.
    pub(super) fn with(self, word: Word, words: &Words<'_>) -> Self {
        let masked = words.is_value(word);
        Self {
            any_masked: self.any_masked || masked,
            all_masked: self.all_masked && masked,
            all_blank: self.all_blank && masked && words.text(word).len() == 1,
            all_names: self.all_names && (masked || words.is_name(word)),
            all_capitals: self.all_capitals && words.is_constant(word),
        }
    }
}
