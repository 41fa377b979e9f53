//! How the words and marks of a line join to those before them.

use crate::templates::mask::{CLASS, Class, mask};
use crate::templates::tokens::{Kind, Token, is_qualified};
use crate::templates::vocabulary::{is_absent, is_boolean, is_calendar, is_unit};

/// The longest number with its unit: `1h5m2.345678s`.
const MAX_QUANTITY: usize = 16;
/// Letters from which on a word may be base64.
const MIN_BASE64: u32 = 8;

/// How many bytes from the beginning are of classes that `is` takes.
fn run(bytes: &[u8], is: impl Fn(Class) -> bool) -> usize {
    bytes.iter().position(|byte| !is(CLASS[usize::from(*byte)])).unwrap_or(bytes.len())
}

/// The tokens of a line so far.
pub(super) struct Joining<'a> {
    pub(super) line: &'a [u8],
    pub(super) tokens: &'a mut Vec<Token>,
}

impl Joining<'_> {
    fn literal(&self, token: Token) -> &[u8] {
        token.literal(self.line)
    }

    /// The token `back` places before the end.
    fn before(&self, back: usize) -> Option<Token> {
        self.tokens.len().checked_sub(back).and_then(|at| self.tokens.get(at)).copied()
    }

    fn is_mark(&self, token: Option<Token>, marks: &[u8]) -> bool {
        token.is_some_and(|token| {
            token.kind == Kind::Mark && matches!(self.literal(token), [mark] if marks.contains(mark))
        })
    }

    /// Whether a word or a parameter is the last one.
    pub(super) fn ends_in_word(&self) -> bool {
        self.before(1).is_some_and(|last| matches!(last.kind, Kind::Word | Kind::Masked))
    }

    /// Whether a parameter is the last one.
    pub(super) fn ends_in_value(&self) -> bool {
        self.before(1).is_some_and(|last| last.kind == Kind::Masked)
    }

    /// Makes a value of the last word, if `count` marks behind it are what base64 is filled up with.
    pub(super) fn pad(&mut self, count: usize) -> bool {
        let Some(last) = self.tokens.last_mut() else { return false };
        let is_value = match last.kind {
            Kind::Masked => count == 2 || (count == 1 && last.start == last.end),
            Kind::Word => count == 2 && last.end - last.start >= MIN_BASE64,
            Kind::Mark | Kind::Empty => false,
        };
        if is_value {
            *last = Token { kind: Kind::Masked, end: last.start, ..*last };
        }
        is_value
    }

    /// Adds a word that is not of letters alone.
    #[inline]
    pub(super) fn word(&mut self, word: &[u8], spaced: bool, at: usize) {
        let masked = mask(word);
        if !masked.masked && run(word, |class| class == Class::Inner) == word.len() {
            // `GET / HTTP/1.1`: the root is a path like others.
            if word == b"/" && (spaced || self.is_mark(self.before(1), b"=\"")) {
                self.push(Kind::Masked, spaced, at, at);
            // `user=-`, `"-"`: nothing.
            } else if word == b"-" && !spaced && self.is_mark(self.before(1), b"=\"") {
                self.push(Kind::Empty, spaced, at, at);
            } else {
                self.push(Kind::Mark, spaced, at, at + word.len());
            }
            return;
        }
        let kind = if masked.masked { Kind::Masked } else { Kind::Word };
        self.push(kind, spaced, at, at + masked.literal);
        if masked.length < word.len() {
            self.push(Kind::Mark, false, at + masked.length, at + word.len());
        }
    }

    /// Adds a token.
    #[inline]
    pub(super) fn push(&mut self, kind: Kind, spaced: bool, start: usize, end: usize) {
        // Within MAX_BYTES.
        #[expect(clippy::cast_possible_truncation, reason = "within MAX_BYTES")]
        let token = Token { kind, spaced, start: start as u32, end: end as u32 };
        match kind {
            Kind::Mark => self.push_mark(token),
            Kind::Word => self.push_word(token),
            Kind::Masked => self.push_masked(token),
            Kind::Empty => self.tokens.push(token),
        }
    }

    fn push_mark(&mut self, token: Token) {
        match self.literal(token) {
            b"=" => {
                // `a= b=1`: the first has no value.
                if let (Some(last), mark) = (self.before(1), self.before(2))
                    && last.kind == Kind::Word
                    && last.spaced
                    && self.is_mark(mark, b"=")
                {
                    self.tokens.pop();
                    self.empty_value();
                    self.tokens.push(last);
                }
            }
            b")" => {
                if self.is_remark() {
                    return;
                }
                self.close(b"(");
            }
            b"]" => self.close(b"["),
            b"}" => self.close(b"{"),
            b"\"" => self.close(b"\""),
            b"'" => self.close(b"'"),
            _ => {}
        }
        self.tokens.push(token);
    }

    /// Takes a quantity in parentheses off that says a number again, or more of it: `18846 bytes (18.4 KB)`,
    /// `2 s (3 retries)`. Tells whether there was one.
    fn is_remark(&mut self) -> bool {
        let names = usize::from(self.before(1).is_some_and(|last| last.kind == Kind::Word));
        let found = self.is_quantity(self.before(1 + names))
            && self.is_mark(self.before(2 + names), b"(")
            && self.before(2 + names).is_some_and(|open| open.spaced)
            && self.is_quantity(self.before(3 + names));
        if found {
            self.tokens.truncate(self.tokens.len() - 2 - names);
        }
        found
    }

    /// Whether a parameter is a number, with or without its unit: an address may be followed by a name.
    fn is_quantity(&self, token: Option<Token>) -> bool {
        let Some(token) = token.filter(Token::is_parameter) else { return false };
        let rest = &self.line[token.start as usize..];
        let is_inside = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b',' | b'%' | 0x80..);
        let length = rest.iter().position(|byte| !is_inside(byte)).unwrap_or(rest.len());
        let points = rest[..length].iter().filter(|byte| **byte == b'.').count();
        let next = rest.get(length).map_or(Class::Blank, |byte| CLASS[usize::from(*byte)]);
        let is_number = rest.first().is_some_and(u8::is_ascii_digit) && length <= MAX_QUANTITY && points <= 1;
        is_number && matches!(next, Class::Blank | Class::Mark)
    }

    /// Nothing between brackets is an empty value.
    fn close(&mut self, open: &[u8]) {
        if self.is_mark(self.before(1), open) {
            self.tokens.push(Token { kind: Kind::Empty, spaced: false, start: 0, end: 0 });
        }
    }

    /// Nothing behind `=` is an empty value.
    pub(super) fn empty_value(&mut self) {
        if self.is_mark(self.before(1), b"=") {
            self.tokens.push(Token { kind: Kind::Empty, spaced: false, start: 0, end: 0 });
        }
    }

    fn push_word(&mut self, token: Token) {
        let word = self.literal(token);
        // The unit belongs to its number: 5 B and 5 KB say the same.
        if word.len() <= 7 && self.before(1).is_some_and(|last| last.kind == Kind::Masked) && is_unit(word) {
            return;
        }
        if word.len() <= 9 && self.is_mark(self.before(1), b"=:") && self.is_constant(token) {
            self.push_masked(Token { kind: Kind::Masked, end: token.start, ..token });
            return;
        }
        if is_calendar(word) {
            self.mask_calendar();
        }
        self.tokens.push(token);
    }

    /// Whether a word behind `=` or `:` is a value whatever the others are: `true`, `null`. In a sentence it is none:
    /// `error: null pointer`.
    fn is_constant(&self, token: Token) -> bool {
        let word = self.literal(token);
        let next = self.line.get(token.end as usize).map_or(Class::Mark, |byte| CLASS[usize::from(*byte)]);
        let stands_alone = next == Class::Mark || self.is_mark(self.before(1), b"=");
        (is_absent(word) || is_boolean(word)) && stands_alone
    }

    fn push_masked(&mut self, token: Token) {
        if token.is_parameter() {
            self.mask_calendar();
        }
        let (last, second) = (self.before(1), self.before(2));
        let same = |other: Option<Token>| {
            other.is_some_and(|other| other.kind == Kind::Masked && self.literal(other) == self.literal(token))
        };
        // 10.0.0.1:80 is one parameter, and so are 2016/9/27:20:30 and 1,000.
        let joins = token.is_parameter()
            && !token.spaced
            && last.is_some_and(|mark| !mark.spaced)
            && self.is_mark(last, b":,.")
            && second.is_some_and(|number| number.kind == Kind::Masked);
        // host.example.org:80, and Source.java:80.
        let of_host = token.is_parameter()
            && !token.spaced
            && last.is_some_and(|mark| !mark.spaced)
            && self.is_mark(last, b":")
            && second.is_some_and(|name| name.kind == Kind::Word && is_qualified(self.literal(name)));
        if of_host {
            self.tokens.pop();
            if let Some(name) = self.tokens.pop() {
                self.push_masked(Token { kind: Kind::Masked, end: name.start, ..name });
            }
            return;
        }
        // A list of parameters is a parameter.
        if joins || (self.is_mark(last, b",;") && same(second)) {
            self.tokens.pop();
        } else if !(token.spaced && same(last)) {
            self.tokens.push(token);
        }
    }

    /// The name of a day or a month before a number, or before another such name, is part of a date.
    fn mask_calendar(&mut self) {
        if let Some(last) = self.before(1)
            && last.kind == Kind::Word
            && is_calendar(self.literal(last))
        {
            self.tokens.pop();
            self.push_masked(Token { kind: Kind::Masked, end: last.start, ..last });
        }
    }
}
