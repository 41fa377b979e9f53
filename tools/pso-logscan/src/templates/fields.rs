//! What the fields of a structured line say: of a JSON line, or of one of `key=value` pairs.

use std::borrow::Cow;

use crate::search::json::Value;
use crate::templates::level::Level;

/// Fields of a line that are looked at.
pub(super) const MAX_FIELDS: usize = 64;

/// The level and the message among fields.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Said<'a> {
    pub(super) level: Option<Level>,
    pub(super) message: Option<Cow<'a, [u8]>>,
    /// How good a name the message has: 0 is the best.
    rank: usize,
}

/// Names that messages have, the usual ones first: where a line has more than one, that is its message.
const MESSAGES: [&[&[u8]]; 2] = [
    &[b"msg", b"message", b"MESSAGE", b"short_message", b"@m", b"textPayload"],
    &[b"error", b"err", b"event", b"log", b"text"],
];

impl<'a> Said<'a> {
    /// Reads fields.
    pub(super) fn of(fields: impl Iterator<Item = (&'a [u8], Value<'a>)>) -> Self {
        let mut said = Self::default();
        for (name, value) in fields.take(MAX_FIELDS) {
            if matches!(name, b"level" | b"severity" | b"lvl" | b"levelname" | b"log.level" | b"@l") {
                said.level = said.level.or_else(|| match value {
                    Value::Bare(number) => Level::of_number(number),
                    _ => value.text().and_then(|text| Level::of(&text)),
                });
            } else if let Some(rank) = MESSAGES.iter().position(|names| names.contains(&name))
                && (said.message.is_none() || rank < said.rank)
                && let Some(text) = value.text()
            {
                (said.message, said.rank) = (Some(text), rank);
            }
        }
        said
    }

    /// Reads a line that is `key=value` pairs from its beginning to its end, as Go's loggers write them; `None` for
    /// what is none, or has no message among them.
    pub(super) fn of_pairs(text: &'a [u8]) -> Option<Self> {
        let mut pairs = Pairs { rest: text };
        let said = Self::of(&mut pairs);
        let is_whole = pairs.rest.is_empty() || pairs.pair().is_some();
        (is_whole && said.message.is_some() && said.rank == 0).then_some(said)
    }
}

/// Iterator over the pairs with which a text begins.
struct Pairs<'a> {
    rest: &'a [u8],
}

impl<'a> Pairs<'a> {
    /// A name, its value, and what follows them.
    fn pair(&self) -> Option<(&'a [u8], Value<'a>, &'a [u8])> {
        let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'@' | b'/');
        let length = self.rest.iter().position(|byte| !is_name(byte)).filter(|&length| length > 0)?;
        let (name, rest) = self.rest.split_at(length);
        let rest = rest.strip_prefix(b"=")?;
        let (value, rest) = match rest.strip_prefix(b"\"") {
            Some(rest) => {
                let mut end = 0;
                while *rest.get(end)? != b'"' {
                    end += 1 + usize::from(rest[end] == b'\\');
                }
                (&rest[..end], &rest[end + 1..])
            }
            None => rest.split_at(rest.iter().position(u8::is_ascii_whitespace).unwrap_or(rest.len())),
        };
        (rest.is_empty() || rest[0].is_ascii_whitespace()).then(|| (name, Value::Text(value), rest.trim_ascii_start()))
    }
}

impl<'a> Iterator for &mut Pairs<'a> {
    type Item = (&'a [u8], Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let (name, value, rest) = self.pair()?;
        self.rest = rest;
        Some((name, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_fields_only_if_all_of_the_line_is_pairs() {
        let said = Said::of_pairs(br#"time="a b" level=warning msg="say \"x y\" now" n=5 e= q="""#).unwrap();
        assert_eq!((said.level, said.message.as_deref()), (Some(Level::Warning), Some(&br#"say "x y" now"#[..])));
        assert_eq!(Said::of_pairs(b"ts=1 msg=done").unwrap().message.as_deref(), Some(&b"done"[..]));
        for none in ["", "level=info", "msg=went home", "msg=\"open", "msg", "=x msg=y", "msg=\"a\"b", "x=1 error=y"] {
            assert_eq!(Said::of_pairs(none.as_bytes()), None, "{none}");
        }
        let many = "a=1 ".repeat(100_000) + "msg=x";
        assert_eq!(Said::of_pairs(many.as_bytes()), None);
    }
}
