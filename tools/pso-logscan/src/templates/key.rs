//! The key of a line: its message with the parameters masked. Lines of one key differ in nothing but parameters.

use std::borrow::Cow;

use crate::search::json::{Value, fields};
use crate::templates::header::header;
use crate::templates::level::Level;
use crate::templates::tokens::{Kind, MAX_BYTES, Token, tokenise};

/// Stands between two tokens without a blank.
pub(super) const GLUE: u8 = 0x1f;
/// Stands between two tokens with a blank.
pub(super) const SPACE: u8 = b' ';
/// A parameter.
pub(super) const PARAMETER: u8 = 1;
/// An empty value.
pub(super) const EMPTY: u8 = 2;

/// Fields of a JSON line that are looked at.
const MAX_FIELDS: usize = 64;
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
    /// The key of `text`, and the level that it names. It is UTF-8 and
    /// never empty. The first `fields` words are known to be no part of the message.
    pub(super) fn key(&mut self, text: &[u8], fields: usize) -> (&[u8], Option<Level>) {
        self.key.clear();
        let text = text.trim_ascii_start();
        let level = if text.first() == Some(&b'{') { self.json(&text[..text.len().min(MAX_JSON)]) } else { None };
        let level = if self.key.is_empty() { self.message(text, fields) } else { level };
        if self.key.is_empty() {
            self.key.push(EMPTY);
        }
        (&self.key, level)
    }

    /// Appends the key of a message.
    fn message(&mut self, text: &[u8], fields: usize) -> Option<Level> {
        let text = beginning(text);
        let text = &*text;
        tokenise(text, &mut self.tokens);
        let header = header(text, &self.tokens, fields);
        for (number, token) in self.tokens[header.end..].iter().enumerate() {
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
            named = self.message(&text, 0);
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
        level.or(named)
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
