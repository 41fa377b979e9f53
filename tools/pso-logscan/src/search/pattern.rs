//! A regular expression whose lines are looked for: found with one search over many lines, then matched on one alone.

use std::borrow::Cow;

use regex::bytes::{Regex, RegexBuilder};
use regex_syntax::hir::{
    Capture, Class, ClassBytes, ClassBytesRange, ClassUnicode, ClassUnicodeRange, Hir, HirKind, Look, Repetition,
};

use crate::search::judge::type_of;

/// Memory of one pattern's automaton, in bytes for each thread and each direction.
const MAX_AUTOMATON_BYTES: usize = 1 << 20;

/// A regular expression that is matched on single lines.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    /// Matches a line alone.
    line: Regex,
    /// Finds in many lines each line that `line` matches, and hardly any other: it never matches a line feed, and its `$`
    /// is before a carriage return too.
    lines: Regex,
    /// The group that names the type.
    group: Option<usize>,
}

impl Pattern {
    /// Understands a regular expression in the syntax of the crate `regex`; `^` and `$` are the line's ends.
    ///
    /// # Errors
    /// What is wrong with it, in one line.
    pub(crate) fn new(text: &str) -> Result<Self, String> {
        let hir = regex_syntax::ParserBuilder::new()
            .utf8(false)
            .multi_line(true)
            .build()
            .parse(text)
            .map_err(|error| reason(&error))?;
        let looks = hir.properties().look_set();
        if looks.contains(Look::Start) || looks.contains(Look::End) {
            return Err(
                r"\A and \z are the ends of the whole log, and lines are matched one by one; write ^ and $".into()
            );
        }
        let lines = within_a_line(&hir).ok_or("it has a line feed, and lines are matched one by one")?;
        let build = |text: &str| {
            let mut builder = RegexBuilder::new(text);
            builder.multi_line(true).dfa_size_limit(MAX_AUTOMATON_BYTES).build().map_err(|error| one_line(&error))
        };
        let (line, lines) = (build(text)?, build(&lines.to_string())?);
        let named = line.capture_names().position(|name| name == Some("type"));
        let group = named.or((line.captures_len() > 1).then_some(1));
        Ok(Self { line, lines, group })
    }

    /// The regular expression as it was written.
    #[cfg(test)]
    pub(crate) fn as_str(&self) -> &str {
        self.line.as_str()
    }

    /// Where at or after `from` of many lines a match may begin.
    pub(crate) fn next(&self, text: &[u8], from: usize) -> Option<usize> {
        self.lines.find_at(text, from).map(|found| found.start())
    }

    /// Whether a line matches (`None` if not), and its type: what the group named `type` has matched, else the first
    /// group; none where there is no group, or where it has no part in the match.
    pub(crate) fn matches<'l>(&self, line: &'l [u8]) -> Option<Option<Cow<'l, str>>> {
        let Some(group) = self.group else { return self.line.is_match(line).then_some(None) };
        let captures = self.line.captures(line)?;
        Some(captures.get(group).map(|group| type_of(group.as_bytes())).filter(|word| !word.is_empty()))
    }
}

/// An expression that in many lines matches within one, in each that `hir` matches: classes lose the line feed, and `$` is
/// before a carriage return too. `None` where it asks for a line feed, and can match no line.
fn within_a_line(hir: &Hir) -> Option<Hir> {
    Some(match hir.kind() {
        HirKind::Empty => Hir::empty(),
        HirKind::Literal(literal) if literal.0.contains(&b'\n') => return None,
        HirKind::Literal(literal) => Hir::literal(literal.0.clone()),
        HirKind::Class(Class::Unicode(class)) => {
            let mut class = class.clone();
            class.difference(&ClassUnicode::new([ClassUnicodeRange::new('\n', '\n')]));
            Hir::class(Class::Unicode(class))
        }
        HirKind::Class(Class::Bytes(class)) => {
            let mut class = class.clone();
            class.difference(&ClassBytes::new([ClassBytesRange::new(b'\n', b'\n')]));
            Hir::class(Class::Bytes(class))
        }
        HirKind::Look(Look::EndLF) => Hir::look(Look::EndCRLF),
        // On text that is not ASCII these would have the search done by the slowest of the automata. Without them it finds
        // some lines more, and those are looked at alone.
        HirKind::Look(
            Look::WordUnicode
            | Look::WordUnicodeNegate
            | Look::WordStartUnicode
            | Look::WordEndUnicode
            | Look::WordStartHalfUnicode
            | Look::WordEndHalfUnicode,
        ) => Hir::empty(),
        HirKind::Look(look) => Hir::look(*look),
        HirKind::Repetition(repetition) => {
            let sub = Box::new(within_a_line(&repetition.sub)?);
            Hir::repetition(Repetition { sub, ..repetition.clone() })
        }
        HirKind::Capture(capture) => {
            let sub = Box::new(within_a_line(&capture.sub)?);
            Hir::capture(Capture { sub, ..capture.clone() })
        }
        HirKind::Concat(subs) => Hir::concat(subs.iter().map(within_a_line).collect::<Option<_>>()?),
        HirKind::Alternation(subs) => Hir::alternation(subs.iter().map(within_a_line).collect::<Option<_>>()?),
    })
}

/// What the parser says, without the picture that it draws over several lines.
fn reason(error: &regex_syntax::Error) -> String {
    match error {
        regex_syntax::Error::Parse(error) => {
            format!("{} at character {}", error.kind(), error.span().start.column)
        }
        regex_syntax::Error::Translate(error) => {
            format!("{} at character {}", error.kind(), error.span().start.column)
        }
        other => one_line(other),
    }
}

fn one_line(error: &impl std::fmt::Display) -> String {
    error.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::lines::without_return;

    /// Numbers and types of the lines that match: with the search over all of them, as the scan does it.
    fn quickly(pattern: &Pattern, text: &[u8]) -> Vec<(usize, Option<String>)> {
        let (mut found, mut number, mut next) = (Vec::new(), 0, pattern.next(text, 0));
        let mut start = 0;
        while start < text.len() {
            let end = memchr::memchr(b'\n', &text[start..]).map_or(text.len(), |length| start + length);
            if next.is_some_and(|next| next <= end) {
                let line = without_return(&text[start..end]);
                found.extend(pattern.matches(line).map(|word| (number, word.map(Cow::into_owned))));
                next = if end < text.len() { pattern.next(text, end + 1) } else { None };
            }
            (number, start) = (number + 1, end + 1);
        }
        found
    }

    /// The same with one match after another.
    fn slowly(pattern: &Pattern, text: &[u8]) -> Vec<(usize, Option<String>)> {
        let mut lines: Vec<&[u8]> = text.split(|&byte| byte == b'\n').collect();
        if lines.last().is_some_and(|last| last.is_empty()) {
            lines.pop();
        }
        let matched = lines.iter().enumerate().filter_map(|(number, line)| {
            let alone = pattern.line.captures(without_return(line))?;
            let word =
                pattern.group.and_then(|group| alone.get(group)).map(|group| type_of(group.as_bytes()).into_owned());
            Some((number, word.filter(|word| !word.is_empty())))
        });
        matched.collect()
    }

    #[test]
    fn one_search_over_all_lines_finds_what_matches_alone() {
        let patterns = [
            "deadlock",
            "(?i)DEADlock",
            "^a",
            "b$",
            "^$",
            "^a.*b$",
            r"a\s+b",
            r"a[^x]*b",
            r"\s",
            r"\bab\b",
            r"\Bb",
            r"\b{start}a|b\b{end-half}|\b$",
            r"(?-u:\xe9)",
            r"é|(?-u:[\x80-\xff])$",
            r"(?s)a.b",
            "a|b$|^b",
            r"\r",
            r"a\r?$",
            "",
            "a*",
            r"(?P<x>a)(?P<type>\w*)",
            "(a)?b",
            "x{2,3}$",
            "(?:^|b)a",
            r"(?R)b$",
            r"[[:^alpha:]]$",
        ];
        let mut random = fastrand::Rng::with_seed(7);
        let parts: [&[u8]; 12] =
            [b"a", b"b", b"\n", b"\r\n", b"\r", b" ", b"x", b"\xe9", "é".as_bytes(), b"deadlock", b"_", b"\n\n"];
        for text in patterns {
            let pattern = Pattern::new(text).expect(text);
            for _ in 0..400 {
                let lines: Vec<u8> =
                    (0..random.usize(0..24)).flat_map(|_| parts[random.usize(0..12)].to_vec()).collect();
                let shown = String::from_utf8_lossy(&lines);
                assert_eq!(quickly(&pattern, &lines), slowly(&pattern, &lines), "{text} in {shown:?}");
            }
        }
    }

    #[test]
    fn the_type_is_the_group_of_that_name_or_the_first() {
        let kind = |pattern: &str, line: &str| {
            let found = Pattern::new(pattern).expect(pattern).matches(line.as_bytes());
            found.map(|word| word.map(Cow::into_owned))
        };
        assert_eq!(kind("deadlock", "a deadlock"), Some(None));
        assert_eq!(kind("deadlock", "a dead lock"), None);
        assert_eq!(kind(r"(\w+) (\w+)lock", "a deadlock"), Some(Some("a".to_owned())));
        assert_eq!(kind(r"(\w+) (?<type>\w+)lock", "a deadlock"), Some(Some("dead".to_owned())));
        assert_eq!(kind(r"(x)?lock", "a deadlock"), Some(None));
        assert_eq!(kind(r"(x*)lock", "a deadlock"), Some(None));
    }

    #[test]
    fn what_can_match_no_line_is_refused() {
        for (pattern, expected) in [
            (r"\Aa", r"\A and \z are the ends of the whole log"),
            (r"a\z", r"\A and \z are the ends of the whole log"),
            ("(?-m)^a", r"\A and \z are the ends of the whole log"),
            (r"a\nb", "it has a line feed"),
            ("a(b", "unclosed group at character 2"),
            (r"\p{Nope}", "Unicode property not found at character 1"),
            (r"(?:\w{500}){500}", "Compiled regex exceeds size limit"),
        ] {
            let message = Pattern::new(pattern).expect_err(pattern);
            assert!(message.starts_with(expected), "{pattern}: {message}");
        }
    }
}
