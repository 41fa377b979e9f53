//! The top-level fields of a JSON line, without reading more of the line than is asked for.

use std::borrow::Cow;

/// A field's value as it stands in the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    /// What stands between the quotes, escapes and all.
    Text(&'a [u8]),
    /// A number, `true`, `false` or `null`.
    Bare(&'a [u8]),
    /// An object or an array.
    Nested,
}

impl<'a> Value<'a> {
    /// The text without its escapes; `None` for what is no string.
    pub(crate) fn text(self) -> Option<Cow<'a, [u8]>> {
        let Self::Text(raw) = self else { return None };
        if memchr::memchr(b'\\', raw).is_none() {
            return Some(Cow::Borrowed(raw));
        }
        let quoted = [b"\"", raw, b"\""].concat();
        let text = serde_json::from_slice::<String>(&quoted).map_or_else(|_| raw.to_vec(), String::into_bytes);
        Some(Cow::Owned(text))
    }
}

/// The fields of the object with which `line` begins, as far as it is one: a line that was cut off gives those before
/// the cut. Keys are not unescaped; those that matter here have no escapes.
pub(crate) fn fields(line: &[u8]) -> Fields<'_> {
    Fields { rest: line.strip_prefix(b"{").unwrap_or_default() }
}

/// Iterator of [`fields`].
pub(crate) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Fields<'a> {
    type Item = (&'a [u8], Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let field = self.field();
        if field.is_none() {
            self.rest = b"";
        }
        field
    }
}

impl<'a> Fields<'a> {
    fn field(&mut self) -> Option<(&'a [u8], Value<'a>)> {
        let rest = self.rest.trim_ascii_start();
        let (key, rest) = string(rest.strip_prefix(b",").unwrap_or(rest).trim_ascii_start())?;
        let rest = rest.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start();
        let (value, rest) = match rest.first()? {
            b'"' => string(rest).map(|(raw, rest)| (Value::Text(raw), rest))?,
            b'{' | b'[' => (Value::Nested, nested(rest)?),
            _ => {
                let end = rest.iter().position(|byte| matches!(byte, b',' | b'}' | b']') || byte.is_ascii_whitespace());
                let (raw, rest) = rest.split_at(end.unwrap_or(rest.len()));
                // Where a value is missing, the line is damaged.
                (!raw.is_empty()).then_some((Value::Bare(raw), rest))?
            }
        };
        self.rest = rest;
        Some((key, value))
    }
}

/// Splits a string off: what is between its quotes, and what follows them.
fn string(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = rest.strip_prefix(b"\"")?;
    let mut at = 0;
    loop {
        at += memchr::memchr2(b'"', b'\\', &rest[at..])?;
        if rest[at] == b'"' {
            return Some((&rest[..at], &rest[at + 1..]));
        }
        // The escaped character is passed over; a line that ends within an escape has no string.
        at += 2;
        if at > rest.len() {
            return None;
        }
    }
}

/// What follows the object or array with which `rest` begins.
fn nested(mut rest: &[u8]) -> Option<&[u8]> {
    let mut depth = 0_usize;
    loop {
        let at = rest.iter().position(|byte| matches!(byte, b'"' | b'{' | b'[' | b'}' | b']'))?;
        match rest[at] {
            b'"' => {
                rest = string(&rest[at..])?.1;
                continue;
            }
            b'{' | b'[' => depth += 1,
            _ => depth -= 1,
        }
        rest = &rest[at + 1..];
        if depth == 0 {
            return Some(rest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(line: &str) -> Vec<String> {
        let show = |raw: &[u8]| String::from_utf8_lossy(raw).into_owned();
        fields(line.as_bytes())
            .map(|(key, value)| match value {
                Value::Text(_) => format!("{}='{}'", show(key), show(&value.text().expect("a text"))),
                Value::Bare(raw) => format!("{}={}", show(key), show(raw)),
                Value::Nested => format!("{}=…", show(key)),
            })
            .collect()
    }

    #[test]
    fn gives_the_top_level_fields() {
        assert_eq!(
            shown(
                r#"{"time":"2025-06-12T09:00:00Z", "n" : -1.5e3,"ok":true,"o":{"time":"no","a":[1,"]}"]},"a":[],"e":""}"#
            ),
            ["time='2025-06-12T09:00:00Z'", "n=-1.5e3", "ok=true", "o=…", "a=…", "e=''"]
        );
        assert_eq!(shown(r#"{"msg":"say \"h\u00e9\"\\","level":"error"}"#), [r#"msg='say "hé"\'"#, "level='error'"]);
        assert_eq!(shown("{}"), [""; 0]);
    }

    #[test]
    fn gives_what_stands_before_the_damage() {
        let line = r#"{"time":"x","level":"error","o":{"a":[1,{"b":"c\\"}]},"msg":"cut \"off"}"#;
        let whole = shown(line);
        assert_eq!(whole.len(), 4);
        for end in 0..line.len() {
            let part = shown(&line[..end]);
            // The last value may be a bare one that was cut; here there are none.
            assert_eq!(part, whole[..part.len()], "{}", &line[..end]);
        }
        assert_eq!(shown("no object"), [""; 0]);
        assert_eq!(shown("{not json}"), [""; 0]);
        assert_eq!(shown("{\"a\\"), [""; 0]);
        assert_eq!(shown(r#"{"level":"error","type": ,"msg":"x"}"#), ["level='error'"]);
    }
}
