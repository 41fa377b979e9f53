//! Where the header of a line ends and its message begins.

use crate::templates::level::Level;
use crate::templates::tokens::{Kind, Token, is_qualified};

/// Tokens that a group in brackets at the beginning may have.
const MAX_GROUP: usize = 24;
/// Tokens that may stand before the level, where they are only numbers, marks and words in capitals.
const MAX_BEFORE_LEVEL: usize = 24;

/// Tokens before a stamp in seconds since 1970.
const MAX_BEFORE_EPOCH: usize = 10;

/// What the header of a line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Tokens that belong to it.
    pub(super) end: usize,
    /// The level that it names.
    pub(super) level: Option<Level>,
}

/// The header with which a line begins, whose stamp was already cut off or is masked.
///
/// To it belong, in any order: numbers and addresses; groups in brackets; a level; fields before `|`; capitals before a
/// level; and as its last part syslog's `host tag[pid]:` or a class's name with its colon (`spark.Executor:`). What was
/// taken for the header is none if no word would remain for the message.
///
/// `fields` words are known to belong to it from the format of the stamp: syslog's host, and what follows it there;
/// `None` where no stamp was recognised.
pub(super) fn header(line: &[u8], tokens: &[Token], fields: Option<usize>) -> Header {
    let mut reading = Reading { line, tokens, level: None };
    let start = fields.map_or_else(|| reading.epoch(), |count| reading.fields(count));
    let mut end = reading.header(start);
    if fields > Some(0) && end == start && reading.is_word(end) && reading.is_mark(end + 1, b':') {
        end += 2;
    }
    while reading.is_any(end, &[b"-", b"|", b":", b"--", b"---"]) {
        end += 1;
    }
    let has_words = tokens[end.min(tokens.len())..].iter().any(|token| {
        matches!(token.kind, Kind::Word | Kind::Masked) && token.literal(line).iter().any(u8::is_ascii_alphabetic)
            || token.literal(line).iter().any(|byte| *byte >= 0x80)
    });
    let level = reading.level.or_else(|| reading.level_in_message(end));
    Header { end: if has_words { end } else { 0 }, level }
}

struct Reading<'a> {
    line: &'a [u8],
    tokens: &'a [Token],
    level: Option<Level>,
}

impl Reading<'_> {
    fn text(&self, at: usize) -> &[u8] {
        self.tokens.get(at).map_or(b"", |token| token.literal(self.line))
    }

    fn kind(&self, at: usize) -> Option<Kind> {
        self.tokens.get(at).map(|token| token.kind)
    }

    fn is_mark(&self, at: usize, mark: u8) -> bool {
        self.kind(at) == Some(Kind::Mark) && self.text(at) == [mark]
    }

    fn is_any(&self, at: usize, marks: &[&[u8]]) -> bool {
        self.kind(at) == Some(Kind::Mark) && marks.contains(&self.text(at))
    }

    fn is_word(&self, at: usize) -> bool {
        matches!(self.kind(at), Some(Kind::Word | Kind::Masked))
    }

    /// Where the first `count` fields end, which have blanks between them.
    fn fields(&self, count: usize) -> usize {
        if count == 0 {
            return 0;
        }
        let begins = |token: &Token| token.spaced;
        let rest = self.tokens.get(1..).unwrap_or_default();
        rest.iter().enumerate().filter(|(_, token)| begins(token)).nth(count - 1).map_or(0, |(at, _)| at + 1)
    }

    /// Where a stamp in seconds since 1970 ends that stands behind fields of other kinds; 0 where there is none. One
    /// among the first words of a line that begins with a number is no part of its message.
    fn epoch(&self) -> usize {
        let is_epoch = |token: &Token| {
            let rest = &self.line[token.start as usize..];
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let fraction = rest.get(digits) == Some(&b'.');
            let ends = fraction || rest.get(digits).is_some_and(u8::is_ascii_whitespace);
            token.is_parameter() && token.spaced && digits == 10 && rest[0] == b'1' && ends
        };
        let begins_with_number = self.tokens.first().is_some_and(Token::is_parameter);
        let first = self.tokens.iter().take(MAX_BEFORE_EPOCH).skip(1);
        first.enumerate().find(|(_, token)| begins_with_number && is_epoch(token)).map_or(0, |(at, _)| at + 2)
    }

    fn header(&mut self, start: usize) -> usize {
        let mut at = start;
        while at < self.tokens.len() {
            let next = match self.tokens[at].kind {
                Kind::Masked => {
                    // `dn22/dn22 crond(pam_unix)[12]:`, `web1 kernel:` need no host of their own.
                    if let Some(end) = self.tag(at) {
                        return end;
                    }
                    // Behind a level and the fields that follow it, a value begins the message.
                    let ends = self.level.is_some() && self.is_any(at.wrapping_sub(1), &[b"]", b")", b"-", b":"]);
                    match (ends, self.is_mark(at + 1, b'|')) {
                        (_, true) => at + 2,
                        (true, false) => return at,
                        (false, false) => at + 1,
                    }
                }
                Kind::Mark => match self.text(at) {
                    b"|" | b"," | b"]" | b")" | b">" => at + 1,
                    mark if mark.iter().all(|byte| *byte == b'-') => at + 1,
                    b":" if at > 0 => at + 1,
                    b"[" => self.group(at, b']').unwrap_or(at),
                    b"(" => self.group(at, b')').unwrap_or(at),
                    b"<" => self.group(at, b'>').unwrap_or(at),
                    _ => at,
                },
                Kind::Empty => at + 1,
                Kind::Word => match self.word(at) {
                    Ok(next) => next,
                    Err(end) => return end,
                },
            };
            if next == at {
                break;
            }
            at = next;
        }
        at
    }

    /// Where the header goes on behind the word at `at`, or, as an error, where it ends.
    fn word(&mut self, at: usize) -> Result<usize, usize> {
        let word = self.text(at);
        let capitals = !word.iter().any(u8::is_ascii_lowercase);
        if let Some(level) = Level::of(word).filter(|_| {
            let named = self.level.is_none() && word[0].is_ascii_uppercase() && !self.is_mark(at + 1, b':');
            (capitals || named) && at + 1 < self.tokens.len()
        }) {
            self.level = self.level.or(Some(level));
            return Ok(at + 1);
        }
        // Android's letter behind the numbers and before a name, and Ruby's before a comma.
        if let [letter] = word
            && let Some(level) = Level::of_letter(*letter)
            && (at > 0 || self.is_mark(1, b','))
            && self.level.is_none()
            && self.tokens[..at].iter().all(|token| token.kind != Kind::Word)
        {
            self.level = Some(level);
            return Ok(at + 1);
        }
        if self.is_mark(at + 1, b'|') {
            return Ok(at + 2);
        }
        if let Some(end) = self.tag(at) {
            return Err(end);
        }
        // The host before the tag.
        if self.is_word(at + 1)
            && let Some(end) = self.tag(at + 1)
        {
            return Err(end);
        }
        // The user of an access log: `10.0.0.1 - joe [01/Nov/2026:…`.
        if at > 0 && self.is_mark(at - 1, b'-') && self.is_mark(at + 1, b'[') {
            return Ok(at + 1);
        }
        if is_qualified(word) && !is_error_class(word) {
            if self.is_mark(at + 1, b':') {
                return Err(at + 2);
            }
            if self.is_mark(at + 1, b'[') || self.is_mark(at + 1, b'-') {
                return Ok(at + 1);
            }
            // A program with a mark of its own: `tool.exe *64 - `.
            if self.kind(at + 1) == Some(Kind::Masked) && self.is_mark(at + 2, b'-') {
                return Ok(at + 2);
            }
        }
        if capitals && self.level.is_none() {
            let stays = |next: &usize| {
                let text = self.text(*next);
                self.tokens.get(*next).is_some_and(|token| token.kind != Kind::Word || Level::of(text).is_none())
                    && !text.iter().any(u8::is_ascii_lowercase)
                    && !self.is_any(*next, &[b"\"", b"'", b"=", b"["])
            };
            let next = at + 1 + (at + 1..at + MAX_BEFORE_LEVEL).take_while(stays).count();
            let level = self.text(next);
            if self.kind(next) == Some(Kind::Word)
                && Level::of(level).is_some()
                && level.iter().all(u8::is_ascii_uppercase)
            {
                return Ok(next);
            }
        }
        Err(at)
    }

    /// The end of `tag[pid]:`, `tag(part)[pid]:` or `tag[pid] (part):` at `at`.
    fn tag(&self, at: usize) -> Option<usize> {
        if !self.is_word(at) {
            return None;
        }
        let part = |at: usize| if self.is_mark(at, b'(') && self.is_mark(at + 2, b')') { at + 3 } else { at };
        let bracket = part(at + 1);
        let is_pid = self.is_mark(bracket, b'[')
            && !self.tokens[bracket].spaced
            && self.kind(bracket + 1) == Some(Kind::Masked)
            && self.is_mark(bracket + 2, b']');
        let colon = part(bracket + 3);
        (is_pid && self.is_mark(colon, b':')).then_some(colon + 1)
    }

    /// The end of the group that opens at `at`; `None` if it is all of the line or too long for a header.
    fn group(&mut self, at: usize, close: u8) -> Option<usize> {
        let open = self.text(at)[0];
        let mut depth = 0_usize;
        for end in at..self.tokens.len().min(at + MAX_GROUP) {
            if self.is_mark(end, open) {
                depth += 1;
            } else if self.is_mark(end, close) {
                depth -= 1;
                if depth == 0 {
                    // `[error]`, `[core:warn]`.
                    let last = self.text(end - 1);
                    if self.level.is_none() && self.kind(end - 1) == Some(Kind::Word) {
                        self.level = Level::of(last);
                    }
                    return (end + 1 < self.tokens.len()).then_some(end + 1);
                }
            }
        }
        None
    }

    /// The level that a message names itself, at its beginning (`error: …`, `WARNING …`) or as `level=warn`.
    fn level_in_message(&self, start: usize) -> Option<Level> {
        (start..self.tokens.len().min(start + 12)).find_map(|at| {
            if self.kind(at) != Some(Kind::Word) {
                return None;
            }
            let word = self.text(at);
            let stands_out = at == start && (self.is_mark(at + 1, b':') || !word.iter().any(u8::is_ascii_lowercase));
            let is_value = at > start + 1
                && (self.is_mark(at - 1, b'=') || self.is_mark(at - 1, b':'))
                && matches!(self.text(at - 2), b"level" | b"lvl" | b"severity");
            if stands_out || is_value { Level::of(word) } else { None }
        })
    }
}

/// Whether a class is named for what went wrong: it is no logger, and part of the message.
fn is_error_class(word: &[u8]) -> bool {
    word.ends_with(b"Exception") || word.ends_with(b"Error")
}
