//! A line as words, marks and parameters.

use crate::templates::mask::{CLASS, Class, mask};

/// Bytes of a line that are looked at.
pub(super) const MAX_BYTES: usize = 1024;
/// Words and marks of a line that are looked at.
pub(super) const MAX_TOKENS: usize = 100;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A word without parameters.
    Word,
    /// A parameter, and what of its word stands before it.
    Masked,
    /// The place of a value that is empty.
    Empty,
    /// Punctuation.
    Mark,
}

/// A word, a mark or a parameter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    pub(super) kind: Kind,
    /// Whether a blank stands before it.
    pub(super) spaced: bool,
    /// Where its literal part begins in the line.
    start: u32,
    /// Where that ends.
    end: u32,
}

impl Token {
    /// What is written of it.
    pub(super) fn literal<'a>(&self, line: &'a [u8]) -> &'a [u8] {
        &line[self.start as usize..self.end as usize]
    }

    /// Whether nothing but a parameter.
    pub(super) const fn is_parameter(&self) -> bool {
        matches!(self.kind, Kind::Masked) && self.start == self.end
    }
}

/// The tokens of `line` into `tokens`. Only its first [`MAX_BYTES`] and [`MAX_TOKENS`] count.
pub(super) fn tokenise(line: &[u8], tokens: &mut Vec<Token>) {
    tokens.clear();
    let line = &line[..line.len().min(MAX_BYTES)];
    let mut pushing = Pushing { line, tokens };
    let mut at = 0;
    let mut spaced = false;
    while at < line.len() && pushing.tokens.len() < MAX_TOKENS {
        match CLASS[usize::from(line[at])] {
            Class::Blank => {
                at += if line[at] == 0x1b { escape(&line[at..]) } else { 1 };
                spaced = true;
                continue;
            }
            Class::Mark if compares(&line[at..]) && (spaced || at == 0) => {
                at += 1;
                continue;
            }
            Class::Mark => {
                pushing.push(Kind::Mark, spaced, at, at + 1);
                at += 1;
            }
            _ => {
                let (length, plain) = word(&line[at..]);
                let rest = &line[at..];
                let next = rest.get(length);
                let address =
                    if next == Some(&b':') || rest[0] == b'/' { address(rest, &rest[..length]) } else { None };
                match address {
                    Some(_) => pushing.push(Kind::Masked, spaced, at, at),
                    None if plain => pushing.push(Kind::Word, spaced, at, at + length),
                    None => pushing.word(&rest[..length], spaced, at),
                }
                at += address.unwrap_or(length);
            }
        }
        spaced = false;
    }
    pushing.empty_value();
}

/// Length of the terminal's escape sequence with which `bytes` begin: colours are no text.
fn escape(bytes: &[u8]) -> usize {
    let Some(rest) = bytes.strip_prefix(b"\x1b[") else { return 1 };
    rest.iter().position(|byte| !matches!(byte, b'0'..=b'9' | b';' | b'?')).map_or(bytes.len(), |end| end + 3)
}

/// Length of the word with which `bytes` begin, and whether it has nothing but letters.
#[inline]
fn word(bytes: &[u8]) -> (usize, bool) {
    let mut plain = true;
    for (at, byte) in bytes.iter().enumerate() {
        match CLASS[usize::from(*byte)] {
            Class::Letter => {}
            Class::Digit | Class::Inner => plain = false,
            Class::Blank | Class::Mark => return (at, plain),
        }
    }
    (bytes.len(), plain)
}

/// How many bytes from the beginning are of classes that `is` takes.
fn run(bytes: &[u8], is: impl Fn(Class) -> bool) -> usize {
    bytes.iter().position(|byte| !is(CLASS[usize::from(*byte)])).unwrap_or(bytes.len())
}

/// Length of what begins with `word` and is one parameter in spite of the marks within it: a URL, a path with what
/// follows it, a hardware address, an IPv6 address.
fn address(rest: &[u8], word: &[u8]) -> Option<usize> {
    let after = &rest[word.len()..];
    let is_url = after.starts_with(b"://");
    if is_url || (word[0] == b'/' && word.len() > 1) {
        let ends = |byte: &u8| byte.is_ascii_whitespace() || byte.is_ascii_control() || b"\"'<>()[]{}".contains(byte);
        let all = &rest[..rest.iter().position(ends).unwrap_or(rest.len())];
        // The sentence's marks are not the path's.
        let last = all.iter().rposition(|byte| !b".,;:!?=|".contains(byte))?;
        return Some(last + 1);
    }
    if after.first() == Some(&b':') && word.len() <= 4 && word.iter().all(u8::is_ascii_hexdigit) {
        let is_inside = |byte: &u8| byte.is_ascii_hexdigit() || *byte == b':';
        let all = &rest[..rest.iter().position(|byte| !is_inside(byte)).unwrap_or(rest.len())];
        let colons = all.iter().filter(|byte| **byte == b':').count();
        let next = rest.get(all.len()).map_or(Class::Blank, |byte| CLASS[usize::from(*byte)]);
        let ends = all.last() != Some(&b':') && matches!(next, Class::Blank | Class::Mark);
        if colons >= 2 && ends && (colons >= 5 || all.iter().any(u8::is_ascii_digit)) {
            return Some(all.len());
        }
    }
    None
}

/// Whether `bytes` begin with a comparison that belongs to a number: `<1 sec`, but not `<1>`.
fn compares(bytes: &[u8]) -> bool {
    let Some(rest) = bytes.strip_prefix(b"<").or_else(|| bytes.strip_prefix(b">")) else { return false };
    let number = rest.iter().position(|byte| !byte.is_ascii_digit() && *byte != b'.').unwrap_or(rest.len());
    number > 0 && rest.get(number) != Some(&b'>')
}

struct Pushing<'a> {
    line: &'a [u8],
    tokens: &'a mut Vec<Token>,
}

impl Pushing<'_> {
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

    #[inline]
    fn word(&mut self, word: &[u8], spaced: bool, at: usize) {
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

    #[inline]
    fn push(&mut self, kind: Kind, spaced: bool, start: usize, end: usize) {
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
            b")" => self.close(b"("),
            b"]" => self.close(b"["),
            b"}" => self.close(b"{"),
            b"\"" => self.close(b"\""),
            b"'" => self.close(b"'"),
            _ => {}
        }
        self.tokens.push(token);
    }

    /// Nothing between brackets is an empty value.
    fn close(&mut self, open: &[u8]) {
        if self.is_mark(self.before(1), open) {
            self.tokens.push(Token { kind: Kind::Empty, spaced: false, start: 0, end: 0 });
        }
    }

    /// Nothing behind `=` is an empty value.
    fn empty_value(&mut self) {
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
        // A value that is not there is a value.
        if matches!(word, b"null" | b"NULL" | b"nil" | b"None" | b"undefined" | b"NaN" | b"nan")
            && self.is_mark(self.before(1), b"=:")
        {
            self.push_masked(Token { kind: Kind::Masked, end: token.start, ..token });
            return;
        }
        if is_calendar(word) {
            self.mask_calendar();
        }
        self.tokens.push(token);
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

fn is_unit(word: &[u8]) -> bool {
    matches!(
        word,
        b"B" | b"KB"
            | b"MB"
            | b"GB"
            | b"TB"
            | b"KiB"
            | b"MiB"
            | b"GiB"
            | b"TiB"
            | b"kB"
            | b"kb"
            | b"mb"
            | b"gb"
            | b"K"
            | b"M"
            | b"G"
            | b"ns"
            | b"us"
            | b"ms"
            | b"s"
            | b"sec"
            | b"secs"
            | b"second"
            | b"seconds"
            | b"min"
            | b"mins"
            | b"minute"
            | b"minutes"
            | b"m"
            | b"h"
            | b"hr"
            | b"hrs"
            | b"hour"
            | b"hours"
            | b"d"
            | b"day"
            | b"days"
    )
}

fn is_calendar(word: &[u8]) -> bool {
    matches!(
        word,
        b"Mon"
            | b"Tue"
            | b"Wed"
            | b"Thu"
            | b"Fri"
            | b"Sat"
            | b"Sun"
            | b"Jan"
            | b"Feb"
            | b"Mar"
            | b"Apr"
            | b"May"
            | b"Jun"
            | b"Jul"
            | b"Aug"
            | b"Sep"
            | b"Oct"
            | b"Nov"
            | b"Dec"
    )
}

/// Whether a word is a name within a name, as those of hosts, classes and packages are: `a.b.C`, `Outer$Inner`.
pub(super) fn is_qualified(word: &[u8]) -> bool {
    word.windows(3).any(|three| {
        matches!(three[1], b'.' | b'$') && three[0].is_ascii_alphanumeric() && three[2].is_ascii_alphabetic()
    })
}
