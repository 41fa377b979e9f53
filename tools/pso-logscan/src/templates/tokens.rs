//! A line as words, marks and parameters.

use crate::templates::address::{address, begins_with_colons, digest, padding};
use crate::templates::joining::Joining;
use crate::templates::mask::{CLASS, Class};

/// Bytes of a line that are looked at.
pub(super) const MAX_BYTES: usize = 1024;
/// Words and marks of a line that are looked at.
pub(super) const MAX_TOKENS: usize = 100;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A word without parameters.
    Word,
    /// A parameter, and what of its word stands before it.
    Masked,
    /// The place of a value that is empty.
    Empty,
    /// Punctuation.
    Mark,
}

/// A word, a mark or a parameter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    pub(super) kind: Kind,
    /// Whether a blank stands before it.
    pub(super) spaced: bool,
    /// Where its literal part begins in the line.
    pub(super) start: u32,
    /// Where that ends.
    pub(super) end: u32,
}

impl Token {
    /// What is written of it.
    pub(super) fn literal<'a>(&self, line: &'a [u8]) -> &'a [u8] {
        &line[self.start as usize..self.end as usize]
    }

    /// Whether nothing but a parameter.
    pub(super) const fn is_parameter(&self) -> bool {
        matches!(self.kind, Kind::Masked) && self.start == self.end
    }
}

/// The tokens of `line` into `tokens`. Only its first [`MAX_BYTES`] and [`MAX_TOKENS`] count.
pub(super) fn tokenise(line: &[u8], tokens: &mut Vec<Token>) {
    tokens.clear();
    let line = &line[..line.len().min(MAX_BYTES)];
    let mut joining = Joining { line, tokens };
    let mut at = 0;
    let mut spaced = false;
    while at < line.len() && joining.tokens.len() < MAX_TOKENS {
        let rest = &line[at..];
        match CLASS[usize::from(rest[0])] {
            Class::Blank => {
                at += if rest[0] == 0x1b { escape(rest) } else { 1 };
                spaced = true;
                continue;
            }
            Class::Mark if compares(rest) && (spaced || at == 0) => {
                at += 1;
                continue;
            }
            Class::Mark => {
                at += match rest[0] {
                    b'=' if !spaced && joining.pad(padding(rest)) => padding(rest),
                    b':' if !spaced && joining.ends_in_value() && digest(rest) > 0 => digest(rest),
                    b':' if (spaced || !joining.ends_in_word()) && begins_with_colons(rest).is_some() => {
                        joining.push(Kind::Masked, spaced, at, at);
                        begins_with_colons(rest).unwrap_or(1)
                    }
                    _ => {
                        joining.push(Kind::Mark, spaced, at, at + 1);
                        1
                    }
                };
            }
            _ => {
                let (length, plain) = word(rest);
                let next = rest.get(length);
                let address =
                    if next == Some(&b':') || rest[0] == b'/' { address(rest, &rest[..length]) } else { None };
                match address {
                    Some(_) => joining.push(Kind::Masked, spaced, at, at),
                    None if plain => joining.push(Kind::Word, spaced, at, at + length),
                    None => joining.word(&rest[..length], spaced, at),
                }
                at += address.unwrap_or(length);
            }
        }
        spaced = false;
    }
    joining.empty_value();
}

/// Length of the terminal's escape sequence with which `bytes` begin: colours are no text.
fn escape(bytes: &[u8]) -> usize {
    let Some(rest) = bytes.strip_prefix(b"\x1b[") else { return 1 };
    rest.iter().position(|byte| !matches!(byte, b'0'..=b'9' | b';' | b'?')).map_or(bytes.len(), |end| end + 3)
}

/// Length of the word with which `bytes` begin, and whether it has nothing but letters.
#[inline]
fn word(bytes: &[u8]) -> (usize, bool) {
    let mut plain = true;
    for (at, byte) in bytes.iter().enumerate() {
        match CLASS[usize::from(*byte)] {
            Class::Letter => {}
            Class::Digit | Class::Inner => plain = false,
            Class::Blank | Class::Mark => return (at, plain),
        }
    }
    (bytes.len(), plain)
}

/// Whether `bytes` begin with a comparison that belongs to a number: `<1 sec`, but not `<1>`.
fn compares(bytes: &[u8]) -> bool {
    let Some(rest) = bytes.strip_prefix(b"<").or_else(|| bytes.strip_prefix(b">")) else { return false };
    let number = rest.iter().position(|byte| !byte.is_ascii_digit() && *byte != b'.').unwrap_or(rest.len());
    number > 0 && rest.get(number) != Some(&b'>')
}

/// Whether a word is a name within a name, as those of hosts, classes and packages are: `a.b.C`, `Outer$Inner`.
pub(super) fn is_qualified(word: &[u8]) -> bool {
    word.windows(3).any(|three| {
        matches!(three[1], b'.' | b'$') && three[0].is_ascii_alphanumeric() && three[2].is_ascii_alphabetic()
    })
}
