//! Keys as rows of numbers, so that columns can be compared.

use std::collections::HashMap;

use crate::templates::key::{EMPTY, GLUE, PARAMETER, SPACE};
use crate::templates::mask::{CLASS, Class};
use crate::templates::sketch::OTHER;
use crate::templates::tokens::is_qualified;

/// A token's text, as a number. Equal texts have equal numbers.
pub(super) type Word = u32;

/// The parameter that is nothing else.
pub(super) const ANY: Word = 0;

/// The tokens of a key, and which of them have a blank before them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) words: Vec<Word>,
    pub(super) spaced: Vec<bool>,
}

/// The texts behind the numbers.
#[derive(Debug)]
pub(super) struct Words<'a> {
    numbers: HashMap<&'a str, Word>,
    texts: Vec<&'a str>,
}

/// A parameter as a token.
pub(super) const ANY_TEXT: &str = "\u{1}";

impl<'a> Words<'a> {
    pub(super) fn new() -> Self {
        let mut words = Self { numbers: HashMap::new(), texts: Vec::new() };
        words.number(ANY_TEXT);
        words
    }

    fn number(&mut self, text: &'a str) -> Word {
        let next = Word::try_from(self.texts.len()).unwrap_or(Word::MAX);
        *self.numbers.entry(text).or_insert_with(|| {
            self.texts.push(text);
            next
        })
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.texts.len()
    }

    /// The number of a text, if some key has it.
    pub(super) fn find(&self, text: &str) -> Option<Word> {
        self.numbers.get(text).copied()
    }

    /// The row of a key.
    pub(super) fn row(&mut self, key: &'a str) -> Row {
        let mut row = Row { words: Vec::new(), spaced: Vec::new() };
        for (text, spaced) in split(key) {
            row.words.push(self.number(text));
            row.spaced.push(spaced);
        }
        row
    }

    pub(super) fn text(&self, word: Word) -> &'a str {
        self.texts[word as usize]
    }

    /// Whether it is a word or a value, and not a mark.
    pub(super) fn is_cell(&self, word: Word) -> bool {
        is_cell(self.text(word))
    }

    /// Whether it is the name of a file or a host, as far as such can be told from the name of a class: `plan.md`,
    /// `db.example.org`.
    pub(super) fn is_name(&self, word: Word) -> bool {
        let text = self.text(word);
        let last = text.rsplit('.').next().unwrap_or_default();
        is_qualified(text.as_bytes()) && last.starts_with(|letter: char| letter.is_ascii_lowercase())
    }

    /// Whether it is a word in capitals, as the constants of a program are written: `NEW`, `RETRY_LATER`.
    pub(super) fn is_constant(&self, word: Word) -> bool {
        let text = self.text(word).as_bytes();
        text.len() > 1 && text.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b'_')
    }

    /// Whether it is a parameter, has one, or is an empty value: where words stand in the same column, they are values.
    pub(super) fn is_value(&self, word: Word) -> bool {
        ends_in_value(self.text(word))
    }
}

/// Whether a token is a parameter, has one, or is an empty value.
fn ends_in_value(text: &str) -> bool {
    matches!(text.as_bytes().last(), Some(&PARAMETER | &EMPTY))
}

/// Whether a token is a word or a value, and not a mark.
pub(super) fn is_cell(text: &str) -> bool {
    if ends_in_value(text) {
        return true;
    }
    match text.as_bytes() {
        [] => false,
        [first, rest @ ..] => match CLASS[usize::from(*first)] {
            Class::Letter | Class::Digit => true,
            Class::Mark | Class::Blank => false,
            // Marks alone are none; a word may begin with one.
            Class::Inner => rest.iter().any(|byte| matches!(CLASS[usize::from(*byte)], Class::Letter | Class::Digit)),
        },
    }
}

/// The tokens of a key, each with whether a blank stands before it.
pub(super) fn split(key: &str) -> impl Iterator<Item = (&str, bool)> {
    let mut rest = Some(key);
    let mut spaced = false;
    std::iter::from_fn(move || {
        let text = rest?;
        let bytes = text.as_bytes();
        match bytes.iter().position(|byte| matches!(*byte, GLUE | SPACE)) {
            Some(end) => {
                let token = (&text[..end], spaced);
                spaced = bytes[end] == SPACE;
                rest = Some(&text[end + 1..]);
                Some(token)
            }
            None => {
                rest = None;
                Some((text, spaced))
            }
        }
    })
}

/// The key that has these tokens.
pub(super) fn join<'t>(tokens: impl Iterator<Item = (&'t str, bool)>) -> String {
    let mut key = String::new();
    for (number, (token, spaced)) in tokens.enumerate() {
        if number > 0 {
            key.push(char::from(if spaced { SPACE } else { GLUE }));
        }
        key.push_str(token);
    }
    key
}

/// The tokens of a key as people read it: values side by side, in a list, or joined by a mark are one, as they are where
/// their looks tell them (`tokens`). So a value of several words is one value, however many there are.
pub(super) fn folded(key: &str) -> Vec<(&str, bool)> {
    let mut tokens: Vec<(&str, bool)> = Vec::new();
    for (token, spaced) in split(key) {
        if token == ANY_TEXT {
            let follows = match tokens.as_slice() {
                [.., (ANY_TEXT, _)] => Some(0),
                [.., (ANY_TEXT, _), ("," | ";", _)] => Some(1),
                [.., (value, _), (":" | "," | ".", false)] if !spaced && value.ends_with(ANY_TEXT) => Some(1),
                _ => None,
            };
            if let Some(marks) = follows {
                tokens.truncate(tokens.len() - marks);
                continue;
            }
        }
        tokens.push((token, spaced));
    }
    tokens
}

/// A key as people read it: parameters as `<*>`.
pub(super) fn shown(key: &str) -> String {
    let mut text = String::with_capacity(key.len() + 16);
    for (number, (token, spaced)) in folded(key).into_iter().enumerate() {
        if spaced && number > 0 {
            text.push(' ');
        }
        for letter in token.chars() {
            match u8::try_from(letter) {
                Ok(EMPTY) => {}
                Ok(OTHER) => text.push_str("(other)"),
                Ok(PARAMETER) => text.push_str("<*>"),
                _ => text.push(letter),
            }
        }
    }
    text
}
