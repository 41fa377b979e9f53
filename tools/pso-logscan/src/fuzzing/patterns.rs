//! Patterns of added classes: one search over many lines against one match after another.

use crate::fuzzing::choices::Choices;
use crate::scan::lines::without_return;
use crate::search::class::Added;
use crate::search::pattern::Pattern;
use crate::search::places::Places;

/// Longer ones take longer to compile than to match.
const MAX_PATTERN_BYTES: usize = 64;

/// `patterns`: the first line is a regular expression, and the rest a text.
///
/// # Panics
/// When the search over all lines passes over one that the expression matches.
pub fn patterns(data: &[u8]) {
    let end = memchr::memchr(b'\n', data).unwrap_or(data.len());
    let Ok(text) = std::str::from_utf8(&data[..end]) else { return };
    if text.len() > MAX_PATTERN_BYTES {
        return;
    }
    match Pattern::new(text) {
        Ok(pattern) => search(pattern, data.get(end + 1..).unwrap_or_default()),
        Err(reason) => assert!(!reason.is_empty() && !reason.contains('\n'), "{reason:?}"),
    }
}

fn search(pattern: Pattern, text: &[u8]) {
    let shown = String::from_utf8_lossy(text);
    let alone = pattern.clone();
    let added = [Added { name: "x".to_owned(), pattern, severity: pso_common::Severity::Info, threshold: 0 }];
    let mut places = Places::new(&added, text);
    let mut choices = Choices::of(text);
    let (mut start, mut number) = (0, 0);
    while start < text.len() {
        number += 1;
        let end = memchr::memchr(b'\n', &text[start..]).map_or(text.len(), |length| start + length);
        let line = without_return(&text[start..end]);
        let expected = alone.matches(line);
        if choices.below(8) == 0 {
            // As lines outside a window are.
            places.pass(text, end);
        } else {
            let mut found = None;
            if places.are_in(end) {
                places.judge(text, line, end, |_, kind| found = Some(kind));
            }
            assert_eq!(found, expected, "line {number} of {shown:?}");
        }
        start = end + 1;
    }
}
