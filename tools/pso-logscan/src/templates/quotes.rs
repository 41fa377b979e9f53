//! Quoted texts that are one value, though they are made of many words: referrers, user agents, reasons.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::templates::parse::{ANY, Row, Word, Words};

/// A quoted text is a value if it has so many forms, where a form is its marks and how many words are between them.
const MIN_FORMS: usize = 3;

/// What rows have outside of their quotes, and how many quoted texts.
type Frame = (Vec<Word>, usize);

/// Makes a parameter of each quoted text that has many forms while all around the quotes is the same. The first one of
/// a line is left as it is: it may be the message itself (`msg="…"`), or a request.
pub(super) fn fold_quoted(rows: &mut [Row], words: &Words<'_>) {
    let Some(quote) = words.find("\"") else { return };
    let mut frames: BTreeMap<Frame, Vec<usize>> = BTreeMap::new();
    for (number, row) in rows.iter().enumerate() {
        let quoted = quoted(row, quote);
        if quoted.len() > 1 {
            frames.entry(frame(row, &quoted)).or_default().push(number);
        }
    }
    for ((_, count), members) in frames {
        // From the last, so that the places of those before it stay.
        for place in (1..count).rev() {
            let forms: BTreeSet<Vec<Option<Word>>> = members
                .iter()
                .map(|&member| {
                    let range = quoted(&rows[member], quote)[place].clone();
                    rows[member].words[range].iter().map(|&word| (!words.is_cell(word)).then_some(word)).collect()
                })
                .collect();
            if forms.len() >= MIN_FORMS {
                for &member in &members {
                    let range = quoted(&rows[member], quote)[place].clone();
                    rows[member].words.splice(range.clone(), [ANY]);
                    rows[member].spaced.splice(range, [false]);
                }
            }
        }
    }
}

/// What stands between the quotes of a row, each of at least one token.
fn quoted(row: &Row, quote: Word) -> Vec<Range<usize>> {
    let places: Vec<usize> = (0..row.words.len()).filter(|&at| row.words[at] == quote).collect();
    let pairs = places.chunks_exact(2).map(|pair| pair[0] + 1..pair[1]);
    pairs.filter(|range| !range.is_empty()).collect()
}

/// What of a row is outside of its quotes; the first quoted text counts as outside.
fn frame(row: &Row, quoted: &[Range<usize>]) -> Frame {
    let is_inside = |at: usize| quoted[1..].iter().any(|range| range.contains(&at));
    let words = (0..row.words.len()).filter(|&at| !is_inside(at)).map(|at| row.words[at]).collect();
    (words, quoted.len())
}
