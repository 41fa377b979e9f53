//! Where lines of a class are: a quick search for a few letters, and a close look at what it finds.

use std::borrow::Cow;

use aho_corasick::{AhoCorasick, Input, packed};

use crate::search::class::Class;
use crate::search::word;

/// Three letters, in whatever case, that each word looked for contains. All their spellings are 32: up to that number
/// the vectorised search takes 32 bytes a step, beyond it 16. Of the letters that there were to choose from, these
/// stop it least on the logs of a sync engine and on those of loghub; others cost twice the time.
const FRAGMENTS: [(&str, Fragment); 4] =
    [("ror", Fragment::Error), ("unr", Fragment::Unresolved), ("uth", Fragment::Auth), ("uri", Fragment::Security)];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fragment {
    /// Of `ERROR` and of `ValidationError`.
    Error,
    /// Of `unresolved`.
    Unresolved,
    /// Of `authentication` and of `authorization`.
    Auth,
    /// Of `security`.
    Security,
}

/// A place where a line of some class may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// Offset of the fragment.
    pub(crate) at: usize,
    fragment: Fragment,
}

enum Search {
    Packed(packed::Searcher),
    /// On machines without the vector instructions.
    Automaton(AhoCorasick),
}

/// Finds candidates.
pub(crate) struct Finder {
    search: Search,
}

/// All spellings of the fragments; the `n`th belongs to fragment `n / 8`.
fn spellings() -> Vec<Vec<u8>> {
    let spell = |text: &str, upper: usize| {
        let letter = |(at, byte): (usize, u8)| if upper >> at & 1 == 1 { byte.to_ascii_uppercase() } else { byte };
        text.bytes().enumerate().map(letter).collect()
    };
    FRAGMENTS.iter().flat_map(|(text, _)| (0..8).map(move |upper| spell(text, upper))).collect()
}

impl Finder {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let mut builder = packed::Config::new().match_kind(packed::MatchKind::LeftmostFirst).builder();
        let search = match builder.extend(spellings()).build() {
            Some(searcher) => Search::Packed(searcher),
            None => Search::Automaton(AhoCorasick::new(spellings())?),
        };
        Ok(Self { search })
    }

    /// The first candidate at or after `from`.
    #[inline]
    pub(crate) fn next(&self, text: &[u8], from: usize) -> Option<Candidate> {
        let (pattern, at) = match &self.search {
            Search::Packed(searcher) => {
                let found = searcher.find_in(text, (from..text.len()).into())?;
                (found.pattern(), found.start())
            }
            Search::Automaton(automaton) => {
                let found = automaton.find(Input::new(text).range(from..))?;
                (found.pattern(), found.start())
            }
        };
        Some(Candidate { at, fragment: FRAGMENTS[pattern.as_usize() / 8].1 })
    }
}

/// What `line` is, judged by the fragment at `at` in it: each class, and the type if it has one. An error without a type
/// is one that the specification's pattern does not find: another place of the line may give it a type.
pub(crate) fn judge<'a>(
    line: &'a [u8],
    at: usize,
    candidate: Candidate,
    mut is: impl FnMut(Class, Option<Cow<'a, str>>),
) {
    match candidate.fragment {
        Fragment::Error => {
            if let Some(start) = at.checked_sub(2)
                && let Some(rest) = line[start..].strip_prefix(b"ERROR")
            {
                match word::after_blanks(rest) {
                    Some(word) => is(Class::Error, Some(type_of(&rest[word]))),
                    None if word::stands_alone(&line[..start], rest) => is(Class::Error, None),
                    None => {}
                }
            }
            if let Some(rest) = word_around(line, at, 12, "ValidationError") {
                let rest = rest.strip_prefix(b":").unwrap_or(rest);
                let word = word::after_blanks(rest);
                is(Class::Validation, word.map(|word| type_of(&rest[word])));
            }
        }
        Fragment::Unresolved => {
            if word_around(line, at, 0, "unresolved").is_some() && contains(&line[..at], b"conflict") {
                is(Class::Conflict, Some(Cow::Borrowed("unresolved")));
            }
        }
        Fragment::Auth => {
            for word in ["authentication", "authorization"] {
                if word_around(line, at, 1, word).is_some() {
                    is(Class::Security, Some(Cow::Borrowed(word)));
                }
            }
        }
        Fragment::Security => {
            if word_around(line, at, 3, "security").is_some() {
                is(Class::Security, Some(Cow::Borrowed("security")));
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
    String::from_utf8_lossy(&word[..word.len().min(MAX_TYPE_BYTES)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(line: &str) -> Vec<String> {
        let finder = Finder::new().expect("a finder");
        let (mut from, mut found) = (0, Vec::new());
        while let Some(candidate) = finder.next(line.as_bytes(), from) {
            judge(line.as_bytes(), candidate.at, candidate, |class, kind| {
                found.push(format!("{}.{}", class.name(), kind.as_deref().unwrap_or("-")));
            });
            from = candidate.at + 1;
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

    #[test]
    fn both_searches_find_the_same() {
        let text = b"ERROR x unresolved AUTHorization sECuRity uri then nothing".repeat(9);
        let quick = Finder::new().expect("a finder");
        let slow = Finder { search: Search::Automaton(AhoCorasick::new(spellings()).expect("an automaton")) };
        for from in 0..text.len() {
            assert_eq!(quick.next(&text, from), slow.next(&text, from));
        }
        assert_eq!(spellings().len(), 32);
    }
}
