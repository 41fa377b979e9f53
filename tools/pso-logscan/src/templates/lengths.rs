//! Values of several words, of which some have more words than others.

use std::collections::{BTreeMap, HashMap};

use crate::templates::mine::Found;
use crate::templates::parse::{ANY_TEXT, folded, is_cell, split};

/// Words that a value has at most.
const MAX_WORDS: usize = 12;
/// Words that a template must have, to know its lines by them; where the value stands between quotes, one is enough.
const MIN_WORDS: usize = 2;

/// Joins to each template whose value is known to have several lengths those that differ from it in nothing but the
/// words that stand for that value. `found` has the templates by their texts.
pub(super) fn join_lengths(found: &mut BTreeMap<String, Found<'_>>) {
    let mut patterns: HashMap<String, Vec<Pattern>> = HashMap::new();
    for (text, found) in found.iter() {
        let lengths = found.keys.iter().map(|key| split(key).count());
        if lengths.clone().min() != lengths.max()
            && let Some(pattern) = Pattern::of(text, &found.keys[0])
        {
            patterns.entry(pattern.tokens[0].clone()).or_default().push(pattern);
        }
    }
    if patterns.is_empty() {
        return;
    }
    let mut joins = Vec::new();
    for (text, found) in found.iter() {
        let tokens = folded(&found.keys[0]);
        let fitting = patterns.get(tokens[0].0).into_iter().flatten();
        // Into one that is shorter, so that nothing goes round in circles; of these the one that says most.
        let fitting = fitting.filter(|pattern| pattern.rank() < (tokens.len(), text) && pattern.fits(&tokens));
        if let Some(pattern) = fitting.max_by_key(|pattern| pattern.rank()) {
            joins.push((tokens.len(), text.clone(), pattern.text.clone()));
        }
    }
    // The longest first: what joined it goes on with it.
    joins.sort_unstable();
    for (_, from, into) in joins.into_iter().rev() {
        if let Some(other) = found.remove(&from)
            && let Some(found) = found.get_mut(&into)
        {
            found.absorb(other);
        }
    }
}

/// A template with a value of several lengths.
struct Pattern {
    text: String,
    tokens: Vec<String>,
}

impl Pattern {
    fn of(text: &str, key: &str) -> Option<Self> {
        let tokens: Vec<String> = folded(key).into_iter().map(|(token, _)| token.to_owned()).collect();
        let words = tokens.iter().filter(|token| is_word(token)).count();
        let quoted = tokens
            .windows(3)
            .any(|three| three[1] == ANY_TEXT && three[0] == three[2] && matches!(three[0].as_str(), "\"" | "'"));
        // The first token is looked up.
        let is_enough = words >= MIN_WORDS || (quoted && words > 0);
        (is_enough && tokens[0] != ANY_TEXT).then(|| Self { text: text.to_owned(), tokens })
    }

    fn rank(&self) -> (usize, &String) {
        (self.tokens.len(), &self.text)
    }

    fn fits(&self, tokens: &[(&str, bool)]) -> bool {
        fits(&self.tokens, tokens)
    }
}

fn is_word(token: &str) -> bool {
    is_cell(token) && token.chars().all(|letter| letter > '\u{2}')
}

/// Whether `tokens` are those of `pattern`, with one or more words for each value.
fn fits(pattern: &[String], tokens: &[(&str, bool)]) -> bool {
    let is_part = |token: &str| is_cell(token) || matches!(token, "," | "-");
    let (mut at, mut place) = (0, 0);
    // Where to go on if what follows the last value does not fit: the value takes one word more.
    let mut back = None;
    while at < tokens.len() || place < pattern.len() {
        let token = tokens.get(at).map(|(token, _)| *token);
        let own = pattern.get(place).map(String::as_str);
        if own == Some(ANY_TEXT) && token.is_some_and(is_cell) {
            back = Some((at + 1, place + 1, 1));
            (at, place) = (at + 1, place + 1);
        } else if own.is_some() && own == token {
            (at, place) = (at + 1, place + 1);
        } else {
            match back {
                Some((next, behind, words))
                    if words < MAX_WORDS && tokens.get(next).is_some_and(|(token, _)| is_part(token)) =>
                {
                    back = Some((next + 1, behind, words + 1));
                    (at, place) = (next + 1, behind);
                }
                _ => return false,
            }
        }
    }
    true
}
