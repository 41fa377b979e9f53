//! What a line is, judged at the places where a word of some class may stand.

use std::borrow::Cow;

use crate::search::class::Class;
use crate::search::word;

/// What `line` is, judged at `at`, where `scan::marks` found letters of one of the words: each class, and the type if it
/// has one. An error without a type is one that the specification's pattern does not find: another place of the line may
/// give it a type.
pub(crate) fn judge<'a>(line: &'a [u8], at: usize, mut is: impl FnMut(Class, Option<Cow<'a, str>>)) {
    match line[at] | 0x20 {
        // The `rr.r` of error and of ValidationError.
        b'r' => {
            if let Some(start) = at.checked_sub(1)
                && let Some(rest) = line[start..].strip_prefix(b"ERROR")
            {
                let (before, rest) = (word::before_colours(&line[..start]), word::after_colours(rest));
                match word::after_blanks(rest) {
                    Some(word) => is(Class::Error, Some(type_of(&rest[word]))),
                    None if word::stands_alone(before, rest) => is(Class::Error, None),
                    None => {}
                }
            }
            if let Some(rest) = word_around(line, at, 11, "ValidationError") {
                let rest = rest.strip_prefix(b":").unwrap_or(rest);
                let word = word::after_blanks(rest);
                is(Class::Validation, word.map(|word| type_of(&rest[word])));
            }
        }
        // The first letter of unresolved, the second of authentication and authorization, the fourth of security.
        _ => {
            if word_around(line, at, 0, "unresolved").is_some() && contains(&line[..at], b"conflict") {
                is(Class::Conflict, Some(Cow::Borrowed("unresolved")));
            }
            for (word, offset) in [("authentication", 1), ("authorization", 1), ("security", 3)] {
                if word_around(line, at, offset, word).is_some() {
                    is(Class::Security, Some(Cow::Borrowed(word)));
                }
            }
        }
    }
}

/// What follows `word` in `line`, if it stands there in whatever case, its `offset`th letter at `at`.
fn word_around<'a>(line: &'a [u8], at: usize, offset: usize, word: &str) -> Option<&'a [u8]> {
    let start = at.checked_sub(offset)?;
    let (found, rest) = line[start..].split_at_checked(word.len())?;
    found.eq_ignore_ascii_case(word.as_bytes()).then_some(rest)
}

/// Whether `word` stands anywhere in `text`, in whatever case.
fn contains(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word))
}

/// The longest type that is kept, in bytes: longer ones are no names.
const MAX_TYPE_BYTES: usize = 96;

/// The type of an error that says nothing of itself.
pub(crate) const UNTYPED: &str = "(untyped)";

/// A word as the type of a class.
pub(crate) fn type_of(word: &[u8]) -> Cow<'_, str> {
    let word = &word[..word.len().min(MAX_TYPE_BYTES)];
    // Almost always it is, and then this is the quicker way.
    std::str::from_utf8(word).map_or_else(|_| String::from_utf8_lossy(word), Cow::Borrowed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::marks::tests::suspects;

    fn judged(line: &str) -> Vec<String> {
        let mut found = Vec::new();
        for at in suspects(line.as_bytes()) {
            judge(line.as_bytes(), at, |class, kind| {
                found.push(format!("{}.{}", class.built_in_name(), kind.as_deref().unwrap_or("-")));
            });
        }
        found
    }

    #[test]
    fn judges_as_the_specification_does() {
        for (line, expected) in [
            ("2025-06-12T09:00:00Z ERROR SyncTimeout [sync-engine]", vec!["error.SyncTimeout"]),
            ("ERROR  \tÉchec: x", vec!["error.Échec"]),
            ("MYERROR Foo", vec!["error.Foo"]),
            ("ERROR [sync] ERROR Foo", vec!["error.-", "error.Foo"]),
            ("ERROR: Foo", vec!["error.-"]),
            ("[ERROR] Foo", vec!["error.-"]),
            ("ERROR", vec!["error.-"]),
            ("ERRORS: 3, NO_ERROR, ERROR_COUNT=0, MYERROR: x", vec![]),
            ("Error: x, error: y", vec![]),
            ("\u{1b}[31mERROR\u{1b}[0m: disk full", vec!["error.-"]),
            ("\u{1b}[1;31mERROR\u{1b}[0m\u{1b}[2m SyncTimeout", vec!["error.SyncTimeout"]),
            ("\u{1b}[31mERROR\u{1b}[0m", vec!["error.-"]),
            ("\u{1b}[38:5:9mERROR\u{1b}[m disk\u{1b}[0m", vec!["error.disk"]),
            ("NO_\u{1b}[31mERROR\u{1b}[0m: x, [31mERROR: x, \u{1b}31mERROR: x", vec![]),
            ("error Foo", vec![]),
            ("RROR Foo", vec![]),
            ("ERRO Foo", vec![]),
            ("WARN ValidationError: progress out of range", vec!["validation.progress"]),
            ("validationERROR Foo", vec!["error.Foo", "validation.Foo"]),
            ("ValidationError", vec!["validation.-"]),
            ("xalidationError", vec![]),
            ("idationError", vec![]),
            ("Conflict plan-dev-v48.md UNRESOLVED", vec!["conflict.unresolved"]),
            ("unresolved conflict", vec![]),
            ("conflictunresolved", vec!["conflict.unresolved"]),
            ("nresolved", vec![]),
            ("unrelated: conflict resolved", vec![]),
            (
                "Authentication failed; SECURITY policy; AuthoriZation",
                vec!["security.authentication", "security.security", "security.authorization"],
            ),
            ("author of the uri during obscurity", vec![]),
            ("uth", vec![]),
            ("uri", vec![]),
            ("unr", vec![]),
        ] {
            assert_eq!(judged(line), expected, "{line}");
        }
    }
}
