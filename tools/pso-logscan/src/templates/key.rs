//! The key of a line: its message with the parameters masked. Lines of one key differ in nothing but parameters.

use std::borrow::Cow;

use crate::search::json::{Value, fields};
use crate::templates::header::header;
use crate::templates::level::Level;
use crate::templates::tokens::{Kind, MAX_BYTES, Token, tokenise};

/// Stands between two tokens without a blank.
pub(super) const GLUE: char = '\u{1f}';
/// Stands between two tokens with a blank.
pub(super) const SPACE: char = ' ';
/// A parameter.
pub(super) const PARAMETER: char = '\u{1}';
/// An empty value.
pub(super) const EMPTY: char = '\u{2}';

/// Fields of a JSON line that are looked at.
const MAX_FIELDS: usize = 64;

/// Makes keys; keeps its buffers from line to line.
#[derive(Default)]
pub(super) struct Keys {
    tokens: Vec<Token>,
    key: String,
}

impl Keys {
    /// The key of `text`, and the level that it names. The key is never empty. The first `fields` words are known to
    /// be no part of the message.
    pub(super) fn key(&mut self, text: &[u8], fields: usize) -> (&str, Option<Level>) {
        self.key.clear();
        let text = &text[..text.len().min(MAX_BYTES)];
        let text = text_of(text);
        let trimmed = text.trim_ascii_start();
        let level = if trimmed.first() == Some(&b'{') { self.json(trimmed) } else { None };
        let level = if self.key.is_empty() { self.message(&text, fields) } else { level };
        if self.key.is_empty() {
            self.key.push(EMPTY);
        }
        (&self.key, level)
    }

    /// Appends the key of a message. `text` is UTF-8.
    fn message(&mut self, text: &[u8], fields: usize) -> Option<Level> {
        tokenise(text, &mut self.tokens);
        let header = header(text, &self.tokens, fields);
        for (number, token) in self.tokens[header.end..].iter().enumerate() {
            if number > 0 {
                self.key.push(if token.spaced { SPACE } else { GLUE });
            }
            // Tokens end at ASCII bytes, so that what is between is UTF-8 as well; a line may be cut within a character.
            match std::str::from_utf8(token.literal(text)) {
                Ok(literal) => self.key.push_str(literal),
                Err(error) => {
                    let valid = &token.literal(text)[..error.valid_up_to()];
                    self.key.push_str(std::str::from_utf8(valid).unwrap_or_default());
                }
            }
            match token.kind {
                Kind::Masked => self.key.push(PARAMETER),
                Kind::Empty => self.key.push(EMPTY),
                Kind::Word | Kind::Mark => {}
            }
        }
        header.level
    }

    /// Appends the key of a JSON line: what its message says, then the names of its fields. The values are parameters.
    fn json(&mut self, line: &[u8]) -> Option<Level> {
        let (mut level, mut message) = (None, None);
        for (name, value) in fields(line).take(MAX_FIELDS) {
            match name {
                b"level" | b"severity" | b"lvl" | b"levelname" | b"log.level" if level.is_none() => {
                    level = match value {
                        Value::Bare(number) => Level::of_number(number),
                        _ => value.text().and_then(|text| Level::of(&text)),
                    };
                }
                b"msg" | b"message" | b"error" | b"err" | b"event" | b"log" | b"text" => {
                    let rank = u8::from(!matches!(name, b"msg" | b"message"));
                    if let Some(text) = value.text()
                        && message.as_ref().is_none_or(|(other, _)| rank < *other)
                    {
                        message = Some((rank, text));
                    }
                }
                _ => {}
            }
        }
        let mut named = None;
        if let Some((_, text)) = message {
            named = self.message(&text_of(&text), 0);
        }
        if !self.key.is_empty() {
            self.key.push(SPACE);
        }
        // One token: the names are no text in which a column could be a parameter.
        self.key.push('{');
        for (number, (name, _)) in fields(line).take(MAX_FIELDS).enumerate() {
            if self.key.len() > MAX_BYTES * 2 {
                break;
            }
            if number > 0 {
                self.key.push(',');
            }
            let name = String::from_utf8_lossy(name);
            self.key.extend(name.chars().filter(|letter| !letter.is_control() && *letter != SPACE));
        }
        self.key.push('}');
        level.or(named)
    }
}

/// The text without what is not UTF-8.
fn text_of(bytes: &[u8]) -> Cow<'_, [u8]> {
    if bytes.is_ascii() {
        return Cow::Borrowed(bytes);
    }
    match String::from_utf8_lossy(bytes) {
        Cow::Borrowed(_) => Cow::Borrowed(bytes),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}
