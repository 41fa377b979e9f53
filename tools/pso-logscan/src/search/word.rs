//! `\s` and `\w` over bytes that are mostly, but not certainly, UTF-8.

use std::ops::Range;

use regex_syntax::is_word_character;

/// The character with which `bytes` begin and its length; `None` where they do not begin with UTF-8.
fn next_char(bytes: &[u8]) -> Option<(char, usize)> {
    let &first = bytes.first()?;
    if first.is_ascii() {
        return Some((char::from(first), 1));
    }
    let length = match first {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return None,
    };
    let text = std::str::from_utf8(bytes.get(..length)?).ok()?;
    text.chars().next().map(|character| (character, length))
}

fn is_word(character: char) -> bool {
    if character.is_ascii() {
        character == '_' || character.is_ascii_alphanumeric()
    } else {
        is_word_character(character)
    }
}

/// How many bytes from the beginning are characters that `is` takes.
fn run(bytes: &[u8], is: fn(char) -> bool) -> usize {
    let mut at = bytes.iter().take_while(|byte| byte.is_ascii() && is(char::from(**byte))).count();
    while let Some((character, length)) = next_char(&bytes[at..])
        && is(character)
    {
        at += length;
    }
    at
}

/// The word after the blanks with which `bytes` begin, as `^\s+(\w+)` has it.
pub(crate) fn after_blanks(bytes: &[u8]) -> Option<Range<usize>> {
    let blanks = run(bytes, char::is_whitespace);
    let word = run(&bytes[blanks..], is_word);
    (blanks > 0 && word > 0).then(|| blanks..blanks + word)
}

/// The first word, as `\w+` has it.
pub(crate) fn first(bytes: &[u8]) -> Option<Range<usize>> {
    let mut at = 0;
    while at < bytes.len() {
        let word = run(&bytes[at..], is_word);
        if word > 0 {
            return Some(at..at + word);
        }
        at += next_char(&bytes[at..]).map_or(1, |(_, length)| length);
    }
    None
}

/// `text` without the colours that it ends in: the escapes `ESC [ … m` of a terminal.
pub(crate) fn before_colours(mut text: &[u8]) -> &[u8] {
    while let Some(rest) = text.strip_suffix(b"m") {
        let numbers = rest.iter().rev().take_while(|&&byte| is_colour(byte)).count();
        let Some(before) = rest[..rest.len() - numbers].strip_suffix(b"\x1b[") else { break };
        text = before;
    }
    text
}

/// `text` without the colours that it begins with.
pub(crate) fn after_colours(mut text: &[u8]) -> &[u8] {
    while let Some(rest) = text.strip_prefix(b"\x1b[") {
        let numbers = rest.iter().take_while(|&&byte| is_colour(byte)).count();
        let Some(after) = rest[numbers..].strip_prefix(b"m") else { break };
        text = after;
    }
    text
}

/// What stands between `ESC [` and `m`.
const fn is_colour(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b';' | b':')
}

/// Whether what stands between `before` and `after` is not part of a longer word, as `\b` has it.
pub(crate) fn stands_alone(before: &[u8], after: &[u8]) -> bool {
    // The last character is the end that is one as a whole; bytes that are no UTF-8 are no letters.
    let ends_in_word = (1..=before.len().min(4)).any(|length| {
        next_char(&before[before.len() - length..]).is_some_and(|(last, taken)| taken == length && is_word(last))
    });
    !ends_in_word && run(after, is_word) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_the_pattern() {
        let after = |text: &str| after_blanks(text.as_bytes()).map(|range| text[range].to_owned());
        assert_eq!(after(" \tSyncTimeout: x").as_deref(), Some("SyncTimeout"));
        assert_eq!(after("\u{a0}Échec_2 x").as_deref(), Some("Échec_2"));
        assert_eq!(after("SyncTimeout"), None);
        assert_eq!(after(" [sync]"), None);
        assert_eq!(after(" – dash"), None);
        // An accent of its own belongs to the word, and so do other marks that join; fractions are no digits.
        assert_eq!(after(" E\u{301}chec\u{203f}x½").as_deref(), Some("E\u{301}chec\u{203f}x"));
        assert_eq!(after(" ½"), None);
        assert_eq!(after_blanks(b" caf\xe9"), Some(1..4));
        assert_eq!(first(b"\xff\xe9 (plan) x"), Some(4..8));
        assert_eq!(first(b"--\xe2\x80"), None);
    }

    #[test]
    fn a_word_of_its_own_has_no_letters_around_it() {
        for (before, after) in [("", ""), ("[", "]"), ("… ", ": x"), ("-", "—"), ("\u{1b}[31m ", "")] {
            assert!(stands_alone(before.as_bytes(), after.as_bytes()), "{before:?} {after:?}");
        }
        for (before, after) in
            [("NO_", ""), ("x", ""), ("é", ""), ("中", ""), ("𝐀", ""), ("", "S"), ("", "é"), ("", "_")]
        {
            assert!(!stands_alone(before.as_bytes(), after.as_bytes()), "{before:?} {after:?}");
        }
        assert!(stands_alone(b"caf\xe9", b"\xe9"));
    }

    #[test]
    fn colours_are_no_text() {
        for (text, before, after) in [
            ("\u{1b}[31m", "", ""),
            ("x\u{1b}[0m\u{1b}[1;31m", "x", "x\u{1b}[0m\u{1b}[1;31m"),
            ("\u{1b}[0m\u{1b}[m: x", "\u{1b}[0m\u{1b}[m: x", ": x"),
            ("m", "m", "m"),
            ("[31m", "[31m", "[31m"),
            ("\u{1b}[2J", "\u{1b}[2J", "\u{1b}[2J"),
            ("\u{1b}[", "\u{1b}[", "\u{1b}["),
        ] {
            assert_eq!(before_colours(text.as_bytes()), before.as_bytes(), "{text:?}");
            assert_eq!(after_colours(text.as_bytes()), after.as_bytes(), "{text:?}");
        }
    }
}
