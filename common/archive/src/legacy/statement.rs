//! Where a statement of SQL ends: psql's rules, without its commands.

use anyhow::{bail, ensure};

/// A statement longer than this is not one of pg_dump's (bytes).
const MAX_BYTES: usize = 64 << 20;

/// A statement, as far as it has come.
#[derive(Default)]
pub(super) struct Statement {
    bytes: Vec<u8>,
    within: Within,
    parentheses: u32,
    /// Open BEGIN and CASE of a function's body that is written in SQL.
    blocks: u32,
}

#[derive(Default, PartialEq, Eq)]
enum Within {
    #[default]
    Nothing,
    /// `'…'`; whether a backslash quotes.
    Text(bool),
    Name,
    /// `$tag$…$tag$`, by the tag with its dollars.
    Dollars(Vec<u8>),
    /// `/* … */`, which nest.
    Comment(u32),
}

/// What became of some bytes.
pub(super) struct Used {
    /// How many were read.
    pub(super) read: usize,
    /// The statement, if it is whole now, with its semicolon.
    pub(super) whole: Option<Vec<u8>>,
}

impl Statement {
    /// Whether nothing of a statement has come yet.
    pub(super) fn is_blank(&self) -> bool {
        self.within == Within::Nothing && self.bytes.trim_ascii().is_empty()
    }

    /// Takes bytes up to the end of the statement, or all.
    pub(super) fn take(&mut self, line: &[u8]) -> anyhow::Result<Used> {
        let mut at = 0;
        while let Some(&byte) = line.get(at) {
            let rest = &line[at..];
            let mut step = 1;
            match &mut self.within {
                Within::Text(escapes) if byte == b'\\' && *escapes => step = 2.min(rest.len()),
                // Two are one, and do not end it.
                Within::Text(_) if rest.starts_with(b"''") => step = 2,
                Within::Text(_) if byte == b'\'' => self.within = Within::Nothing,
                Within::Name if byte == b'"' => self.within = Within::Nothing,
                Within::Dollars(tag) if rest.starts_with(tag) => {
                    step = tag.len();
                    self.within = Within::Nothing;
                }
                Within::Comment(depth) if rest.starts_with(b"*/") => {
                    step = 2;
                    *depth -= 1;
                    if *depth == 0 {
                        self.within = Within::Nothing;
                    }
                }
                Within::Comment(depth) if rest.starts_with(b"/*") => {
                    step = 2;
                    *depth += 1;
                }
                Within::Text(_) | Within::Name | Within::Dollars(_) | Within::Comment(_) => {}
                Within::Nothing => match self.outside(rest)? {
                    Outside::End => {
                        self.bytes.push(byte);
                        self.blocks = 0;
                        let whole = std::mem::take(&mut self.bytes).trim_ascii().to_vec();
                        return Ok(Used { read: at + 1, whole: Some(whole) });
                    }
                    Outside::Skip(bytes) => {
                        at += bytes;
                        continue;
                    }
                    Outside::Keep(bytes) => step = bytes,
                },
            }
            self.bytes.extend_from_slice(&rest[..step]);
            at += step;
        }
        ensure!(self.bytes.len() <= MAX_BYTES, "a statement of the dump is longer than {} MiB", MAX_BYTES >> 20);
        Ok(Used { read: line.len(), whole: None })
    }

    fn outside(&mut self, rest: &[u8]) -> anyhow::Result<Outside> {
        let follows_word = self.bytes.last().is_some_and(|byte| is_word(*byte));
        Ok(match rest {
            [b'\'', ..] => {
                // E'…', where E is no end of another word.
                let escapes = match self.bytes.as_slice() {
                    [.., before, b'e' | b'E'] => !is_word(*before),
                    [b'e' | b'E'] => true,
                    _ => false,
                };
                self.within = Within::Text(escapes);
                Outside::Keep(1)
            }
            [b'"', ..] => {
                self.within = Within::Name;
                Outside::Keep(1)
            }
            [b'-', b'-', ..] => Outside::Skip(rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len())),
            [b'/', b'*', ..] => {
                self.within = Within::Comment(1);
                Outside::Keep(2)
            }
            [b'$', ..] if !follows_word => match tag(rest) {
                Some(tag) => {
                    let length = tag.len();
                    self.within = Within::Dollars(tag.to_vec());
                    Outside::Keep(length)
                }
                None => Outside::Keep(1),
            },
            [b'(', ..] => {
                self.parentheses += 1;
                Outside::Keep(1)
            }
            [b')', ..] => {
                self.parentheses = self.parentheses.saturating_sub(1);
                Outside::Keep(1)
            }
            [b';', ..] if self.parentheses == 0 && self.blocks == 0 => Outside::End,
            [b'\\', ..] => bail!("there is a backslash outside of a text in the dump, as commands for psql have"),
            [first, ..] if is_word(*first) && !follows_word => {
                let length = rest.iter().position(|byte| !is_word(*byte)).unwrap_or(rest.len());
                self.word(&rest[..length]);
                Outside::Keep(length)
            }
            _ => Outside::Keep(1),
        })
    }

    /// In the body of a function a semicolon ends no statement.
    fn word(&mut self, word: &[u8]) {
        let is = |wanted: &str| word.eq_ignore_ascii_case(wanted.as_bytes());
        if is("begin") && self.makes_routine() || is("case") && self.blocks > 0 {
            self.blocks += 1;
        } else if is("end") {
            self.blocks = self.blocks.saturating_sub(1);
        }
    }

    fn makes_routine(&self) -> bool {
        let head = String::from_utf8_lossy(&self.bytes[..self.bytes.len().min(200)]).to_ascii_lowercase();
        let mut words = head.split_ascii_whitespace();
        words.next() == Some("create")
            && words
                .find(|word| !matches!(*word, "or" | "replace"))
                .is_some_and(|word| matches!(word, "function" | "procedure"))
    }
}

enum Outside {
    /// The semicolon.
    End,
    /// A comment.
    Skip(usize),
    Keep(usize),
}

const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// `$$` or `$name$`, with both dollars.
fn tag(rest: &[u8]) -> Option<&[u8]> {
    let length = rest.iter().skip(1).position(|byte| !is_word(*byte))? + 1;
    (rest.get(length) == Some(&b'$') && !rest.get(1)?.is_ascii_digit()).then(|| &rest[..=length])
}
