//! The scan as its documentation has it: one line after the other, with regular expressions.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

use regex::bytes::Regex;

use crate::scan::lines::without_return;
use crate::scan::tally::{Carried, Count, FileTally, Position};
use crate::scan::{MAX_RECORD_BYTES, MAX_RECORD_LINES, Rules};
use crate::search::class::Class;
use crate::search::jsonline::{JsonLine, error_type};
use crate::search::judge::{UNTYPED, type_of};
use crate::stamps::reader::Reader;

/// What was found.
pub(super) struct Naive {
    pub(super) tally: FileTally,
    pub(super) classes: HashMap<usize, Lines>,
}

/// The lines of a class.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Lines {
    pub(super) sum: Count,
    pub(super) types: HashMap<String, Count>,
    /// All of them, in order.
    pub(super) events: Vec<(Position, Option<String>)>,
}

/// Counts the lines of `text`.
pub(super) fn scan(text: &[u8], rules: &Rules, reader: &Reader) -> Naive {
    let mut naive = Naive { tally: FileTally::default(), classes: HashMap::new() };
    let mut offset = 0;
    let mut lines: Vec<&[u8]> = text.split(|&byte| byte == b'\n').collect();
    // What follows the last line feed is no line.
    lines.pop_if(|last| last.is_empty());
    for whole in lines {
        naive.line(whole, offset, rules, reader);
        offset += whole.len() as u64 + 1;
    }
    for lines in naive.classes.values_mut() {
        lines.events.sort_by_key(|(position, _)| *position);
    }
    naive
}

impl Naive {
    fn line(&mut self, whole: &[u8], offset: u64, rules: &Rules, reader: &Reader) {
        let Self { tally, classes } = self;
        let line = without_return(whole);
        tally.lines += 1;
        let is_error = line.starts_with(b"{").then(|| JsonLine::read(line, reader).is_error).flatten();
        if let Some(stamp) = reader.stamp_of_line(line) {
            let inside = rules.window.contains(stamp.at);
            tally.record = Some(Carried { at: Some(stamp.at), inside, lines: 0, bytes: 0 });
            tally.format = tally.format.or(Some(stamp.format));
            tally.zoneless |= !stamp.zoned;
        } else {
            tally.unparsed += 1;
            if let Some(record) = &mut tally.record {
                record.lines += 1;
                record.bytes += whole.len() as u64 + 1;
                if record.lines > MAX_RECORD_LINES || record.bytes > MAX_RECORD_BYTES {
                    (record.at, record.inside) = (None, true);
                }
            }
        }
        if tally.record.is_some_and(|record| !record.inside) {
            tally.outside += 1;
            return;
        }
        let at = tally.record.and_then(|record| record.at);
        let position = Position { at, file: 0, line: tally.lines, offset };
        let mut hit = |class: usize, word: Option<String>| {
            let lines = classes.entry(class).or_default();
            let one = Count { count: 1, first: at, last: at };
            lines.sum.add(one);
            if let Some(word) = &word {
                lines.types.entry(word.clone()).or_default().add(one);
            }
            lines.events.push((position, word));
        };
        for (class, kind) in classes_of(line, is_error) {
            hit(class, kind);
        }
        for (number, added) in rules.classes.added.iter().enumerate() {
            if let Some(word) = added.pattern.matches(line) {
                hit(Class::BUILT_IN.len() + number, word.map(Cow::into_owned));
            }
        }
    }
}

/// The specification's expressions; `ERROR` and its word may have colours between them.
static TYPED: LazyLock<Regex> = LazyLock::new(|| pattern(r"ERROR(?:\x1b\[[0-9;:]*m)*\s+(\w+)"));
static CONFLICT: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?is-u)conflict.*unresolved"));
static VALIDATION: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?i-u:ValidationError)(?::?\s+(\w+))?"));
static SECURITY: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?i-u)authentication|authorization|security"));

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a pattern")
}

/// The classes of the specification that a line is of, by their numbers, with its types.
fn classes_of(line: &[u8], is_error: Option<bool>) -> Vec<(usize, Option<String>)> {
    let owned = |word: &[u8]| Some(type_of(word).into_owned());
    let mut classes = Vec::new();
    if let Some(found) = TYPED.captures(line) {
        classes.push((0, owned(&found[1])));
    } else if is_error == Some(true) {
        classes.push((0, owned(&error_type(line))));
    } else if is_error.is_none() && memchr::memmem::find_iter(line, "ERROR").any(|at| is_word(line, at)) {
        classes.push((0, Some(UNTYPED.to_owned())));
    }
    if CONFLICT.is_match(line) {
        classes.push((1, Some("unresolved".to_owned())));
    }
    if let Some(found) = VALIDATION.captures(line) {
        classes.push((2, found.get(1).and_then(|word| owned(word.as_bytes()))));
    }
    if let Some(found) = SECURITY.find(line) {
        classes.push((3, owned(&found.as_bytes().to_ascii_lowercase())));
    }
    classes
}

/// Whether the `ERROR` at `at` is a word of its own, whatever its colours.
fn is_word(line: &[u8], at: usize) -> bool {
    static COLOURS: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?:\x1b\[[0-9;:]*m)+$"));
    static BEFORE: LazyLock<Regex> = LazyLock::new(|| pattern(r"\w$"));
    static AFTER: LazyLock<Regex> = LazyLock::new(|| pattern(r"^(?:\x1b\[[0-9;:]*m)*\w"));
    let before = &line[..COLOURS.find(&line[..at]).map_or(at, |colours| colours.start())];
    !BEFORE.is_match(before) && !AFTER.is_match(&line[at + b"ERROR".len()..])
}
