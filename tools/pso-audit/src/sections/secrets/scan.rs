//! Where secrets stand in one file.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::known::Known;
use super::patterns::{Hit, Language, Patterns};
use super::text::{Content, each_piece, open};
use crate::sections::Context;

/// A longer line is looked at around the words only.
const MAX_LINE_BYTES: usize = 16 << 10;

/// As far around a word of a longer line.
const AROUND_BYTES: usize = 1 << 10;

/// As many lines are remembered of each thing in a file.
const MAX_LINES: usize = 10;

/// The kind of a secret of the deployment's own.
pub(super) const KNOWN: &str = "known";

/// What was found of a file.
#[derive(Default)]
pub(super) struct Scanned {
    /// What stands where; the first lines, and how many there are.
    pub(super) hits: BTreeMap<Hit, Lines>,
    pub(super) bytes: u64,
    pub(super) is_text: bool,
    /// The time was up before its end.
    pub(super) is_cut: bool,
}

/// Lines of a file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Lines {
    pub(super) first: Vec<u64>,
    pub(super) count: u64,
}

impl Lines {
    fn add(&mut self, line: u64) {
        if self.first.last() == Some(&line) {
            return;
        }
        self.count += 1;
        if self.first.len() < MAX_LINES {
            self.first.push(line);
        }
    }
}

/// Looks through a file.
///
/// # Errors
/// When it cannot be read.
pub(super) fn file(
    path: &Path,
    language: Language,
    patterns: &Patterns,
    known: Option<&Known>,
    context: &Context,
    buffer: &mut Vec<u8>,
) -> io::Result<Scanned> {
    let mut scanned = Scanned::default();
    let Content::Text(text) = open(path)? else { return Ok(scanned) };
    scanned.is_text = true;
    let mut is_cut = false;
    let hits = &mut scanned.hits;
    let is_over = || context.left().is_zero() || context.cancel.is_cancelled();
    let bytes = each_piece(text, buffer, |piece, first_line| {
        let mut call = |hit, line| hits.entry(hit).or_default().add(line);
        self::piece(piece, first_line, &Search { language, patterns, known, is_over: &is_over }, &mut call);
        is_cut = is_over();
        !is_cut
    })?;
    (scanned.bytes, scanned.is_cut) = (bytes, is_cut);
    Ok(scanned)
}

/// How often the clock is looked at: after so many lines that have one of the words.
const STEP: u32 = 128;

/// What is searched for, and until when.
struct Search<'a> {
    language: Language,
    patterns: &'a Patterns,
    known: Option<&'a Known>,
    is_over: &'a dyn Fn() -> bool,
}

/// Looks through lines; `call` gets what was found, and the line's number.
fn piece(text: &[u8], first_line: u64, search: &Search<'_>, call: &mut dyn FnMut(Hit, u64)) {
    let mut lines = 0_u32;
    let mut counter = Counter { text, at: 0, line: first_line };
    let mut at = 0;
    while let Some(word) = search.patterns.trigger(text, at) {
        lines = lines.wrapping_add(1);
        if lines.is_multiple_of(STEP) && (search.is_over)() {
            return;
        }
        let start = memchr::memrchr(b'\n', &text[..word]).map_or(0, |before| before + 1);
        let end = memchr::memchr(b'\n', &text[word..]).map_or(text.len(), |length| word + length);
        let number = counter.number(start);
        let (line, next) = if end - start <= MAX_LINE_BYTES {
            (&text[start..end], end)
        } else {
            let until = end.min(word + AROUND_BYTES);
            (&text[start.max(word.saturating_sub(AROUND_BYTES))..until], until)
        };
        for hit in search.patterns.line(line, search.language) {
            call(hit, number);
        }
        // An empty rest would find the same place again.
        at = next.max(word + 1);
        if at >= text.len() {
            break;
        }
    }
    if let Some(known) = search.known {
        let mut places = Vec::new();
        known.find(text, |at, whose| places.push((at, whose)));
        places.sort_unstable();
        let mut counter = Counter { text, at: 0, line: first_line };
        for (at, whose) in places {
            call(Hit { kind: KNOWN, key: Some(whose.to_owned()), is_default: false }, counter.number(at));
        }
    }
}

/// Numbers of lines, of places that come in order.
struct Counter<'a> {
    text: &'a [u8],
    at: usize,
    line: u64,
}

impl Counter<'_> {
    fn number(&mut self, at: usize) -> u64 {
        let at = at.max(self.at);
        self.line += memchr::memchr_iter(b'\n', &self.text[self.at..at]).count() as u64;
        self.at = at;
        self.line
    }
}

#[cfg(test)]
mod tests {
    use pso_common::Secret;

    use super::*;

    fn found(text: &str) -> Vec<(String, u64)> {
        let (patterns, mut known) = (Patterns::new().expect("valid"), Known::default());
        known.add("PostgreSQL's password", &Secret::new("hunter2hunter2"), &[]);
        let mut all = Vec::new();
        let search = Search { language: Language::Log, patterns: &patterns, known: Some(&known), is_over: &|| false };
        piece(text.as_bytes(), 7, &search, &mut |hit, line| {
            all.push((hit.kind.to_owned(), line));
        });
        all
    }

    #[test]
    fn lines_are_counted_from_the_first() {
        let text = "nothing\npassword=correct-horse\n\nsaw hunter2hunter2 and password=x9y8z7\n";
        let expected = [("password", 8), ("password", 10), ("known", 10)].map(|(kind, line)| (kind.to_owned(), line));
        assert_eq!(found(text), expected);
        assert_eq!(found(""), []);
        assert_eq!(found("password"), []);
    }

    #[test]
    fn a_secret_in_a_very_long_line_is_found() {
        let text =
            format!("{} password=correct-horse {} password=other-horse\nend\n", "x".repeat(40_000), "y".repeat(40_000));
        assert_eq!(found(&text), [("password".to_owned(), 7), ("password".to_owned(), 7)]);
    }
}
