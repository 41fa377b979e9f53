//! The key of a line: its message with the parameters masked. Lines of one key differ in nothing but parameters.

use std::borrow::Cow;

use crate::search::json::fields;
use crate::templates::fields::{MAX_FIELDS, Said};
use crate::templates::header::header;
use crate::templates::level::Level;
use crate::templates::mask::{CLASS, Class};
use crate::templates::sketch::Line;
use crate::templates::tokens::{Kind, MAX_BYTES, Token, tokenise};

/// Stands between two tokens without a blank.
pub(super) const GLUE: u8 = 0x1f;
/// Stands between two tokens with a blank.
pub(super) const SPACE: u8 = b' ';
/// A parameter.
pub(super) const PARAMETER: u8 = 1;
/// An empty value.
pub(super) const EMPTY: u8 = 2;

/// Bytes of a field's name that are kept.
const MAX_NAME: usize = 100;
/// Bytes of a JSON line that are looked at: more than of others, since its message may stand behind long values.
const MAX_JSON: usize = 16 << 10;

/// Makes keys; keeps its buffers from line to line.
#[derive(Default)]
pub(super) struct Keys {
    tokens: Vec<Token>,
    key: Vec<u8>,
}

impl Keys {
    /// The key of a line, and the level that it names. The key is UTF-8 and never empty.
    pub(super) fn key(&mut self, line: Line<'_>) -> (&[u8], Option<Level>) {
        self.key.clear();
        let (before, text) = line.bytes.split_at(line.stamp_end.min(line.bytes.len()));
        let text = text.trim_ascii_start();
        let level = if text.first() == Some(&b'{') { self.json(&text[..text.len().min(MAX_JSON)]) } else { None };
        let level = if self.key.is_empty() {
            let fields = (line.stamp_end > 0).then_some(line.fields);
            self.message(text, fields)
        } else {
            level
        };
        if self.key.is_empty() {
            self.key.push(EMPTY);
        }
        (&self.key, Level::before_stamp(before).or(level))
    }

    /// Appends the key of a message, or of what the message of a line of `key=value` pairs says. The
    /// first `fields` words are known to be no part of it; `None` where no stamp was recognised.
    fn message(&mut self, text: &[u8], fields: Option<usize>) -> Option<Level> {
        let beginning = beginning(text);
        tokenise(&beginning, &mut self.tokens);
        let header = header(&beginning, &self.tokens, fields);
        if let [key, equals, ..] = &self.tokens[header.end..]
            && equals.kind == Kind::Mark
            && equals.literal(&beginning) == b"="
            // Up to there nothing that is not UTF-8 was replaced, if it is the same in both.
            && let Some(pairs) = text.get(key.start as usize..).filter(|pairs| pairs.starts_with(key.literal(&beginning)))
            && let Some(Said { level, message: Some(message), .. }) = Said::of_pairs(pairs)
        {
            let named = self.sentence(&message);
            return level.or(header.level).or(named);
        }
        self.append(&beginning, header.end);
        header.level
    }

    /// Appends the key of a message that is known to be no line of pairs.
    fn sentence(&mut self, text: &[u8]) -> Option<Level> {
        let text = beginning(text);
        tokenise(&text, &mut self.tokens);
        let header = header(&text, &self.tokens, Some(0));
        self.append(&text, header.end);
        header.level
    }

    /// Appends the tokens from `start` on.
    fn append(&mut self, text: &[u8], start: usize) {
        for (number, token) in self.tokens[start..].iter().enumerate() {
            if number > 0 {
                self.key.push(if token.spaced { SPACE } else { GLUE });
            }
            self.key.extend_from_slice(token.literal(text));
            match token.kind {
                Kind::Masked => self.key.push(PARAMETER),
                Kind::Empty => self.key.push(EMPTY),
                Kind::Word | Kind::Mark => {}
            }
        }
    }

    /// Appends the key of a JSON line: what its message says, or, where that says nothing, the names of its fields. All
    /// other values are parameters, and so is whether there are any.
    fn json(&mut self, line: &[u8]) -> Option<Level> {
        let said = Said::of(fields(line));
        let named = said.message.and_then(|text| self.message(&text, Some(0)));
        let level = said.level.or(named);
        if self.key.iter().any(|byte| CLASS[usize::from(*byte)] == Class::Letter) {
            return level;
        }
        if !self.key.is_empty() {
            self.key.push(SPACE);
        }
        // One token: the names are no text in which a column could be a parameter.
        self.key.push(b'{');
        for (number, (name, _)) in fields(line).take(MAX_FIELDS).enumerate() {
            if self.key.len() > MAX_BYTES * 2 {
                break;
            }
            if number > 0 {
                self.key.push(b',');
            }
            let name = String::from_utf8_lossy(&name[..name.len().min(MAX_NAME)]);
            self.key.extend(name.bytes().filter(|byte| !byte.is_ascii_control() && *byte != SPACE));
        }
        self.key.push(b'}');
        level
    }
}

/// The first [`MAX_BYTES`] of a text, as UTF-8: what is none becomes replacement characters. A longer text ends with a
/// whole word, where it has any.
fn beginning(text: &[u8]) -> Cow<'_, [u8]> {
    let text = match text.get(..MAX_BYTES) {
        Some(cut) if text.len() > MAX_BYTES => {
            let blank = cut.iter().rposition(u8::is_ascii_whitespace).filter(|&blank| blank > MAX_BYTES / 2);
            &cut[..blank.unwrap_or(MAX_BYTES)]
        }
        _ => text,
    };
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    match String::from_utf8_lossy(text) {
        Cow::Borrowed(_) => Cow::Borrowed(text),
        Cow::Owned(mut text) => {
            let end = (0..=MAX_BYTES.min(text.len())).rev().find(|&end| text.is_char_boundary(end));
            text.truncate(end.unwrap_or(0));
            Cow::Owned(text.into_bytes())
        }
    }
}
