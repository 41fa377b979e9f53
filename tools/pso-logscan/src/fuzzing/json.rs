//! JSON lines against `serde_json`.

use std::borrow::Cow;
use std::fmt;
use std::sync::LazyLock;

use pso_common::config::ConfigValue as _;
use regex::bytes::Regex;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::search::json::{Value, fields};
use crate::search::jsonline::{JsonLine, error_type};
use crate::search::judge::UNTYPED;
use crate::stamps::reader::Reader;
use crate::stamps::zone::Zone;
use crate::stamps::{Moment, SECOND, Stamp, StampFormat, of_number};

static READER: LazyLock<Reader> =
    LazyLock::new(|| Reader::new(Zone::parse("Europe/Paris").expect("a zone"), Moment(1_749_718_800 * SECOND)));

/// `json`: reads the fields of a line, its stamp, its level and its type.
///
/// # Panics
/// When what is read of a JSON object differs from what `serde_json` reads of it, a line that was cut off has other fields
/// than the whole, or a field is not within its line.
pub fn json(data: &[u8]) {
    let line = data.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let found: Vec<(&[u8], Value<'_>)> = fields(line).collect();
    let within = |part: &[u8]| line.as_ptr_range().contains(&part.as_ptr()) || part.is_empty();
    for &(key, value) in &found {
        assert!(within(key));
        match value {
            Value::Text(raw) | Value::Bare(raw) => assert!(within(raw)),
            Value::Nested => {}
        }
    }
    let (read, kind) = (JsonLine::read(line, &READER), error_type(line));
    assert_eq!(read, JsonLine::read(line, &READER), "read twice");
    assert!(!kind.is_empty());
    cut_off(line, &found);
    let Some(Pairs(pairs)) = std::str::from_utf8(line).ok().and_then(|text| serde_json::from_str(text).ok()) else {
        return;
    };
    if line.first() != Some(&b'{') {
        return;
    }
    same_fields(&found, &pairs);
    // The keys that matter are not looked for behind escapes.
    if !found.iter().any(|(key, _)| key.contains(&b'\\')) {
        assert_eq!(read, expected_line(&pairs), "{}", line.escape_ascii());
        assert_eq!(kind, expected_type(&pairs), "{}", line.escape_ascii());
    }
}

/// The fields of an object in their order, with all that have the same name.
struct Pairs<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Pairs<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Pairs<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs<'de>, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// A line that ends anywhere has the fields that end before; the last one may be half a number.
fn cut_off(line: &[u8], whole: &[(&[u8], Value<'_>)]) {
    for end in [line.len() / 3, line.len() / 2, line.len().saturating_sub(1)] {
        let mut part: Vec<_> = fields(&line[..end]).collect();
        if matches!(part.last(), Some((_, Value::Bare(_)))) {
            part.pop();
        }
        assert!(whole.starts_with(&part), "{} up to {end}", line.escape_ascii());
    }
}

fn same_fields(found: &[(&[u8], Value<'_>)], pairs: &[(String, &RawValue)]) {
    assert_eq!(found.len(), pairs.len());
    for ((key, value), (name, raw)) in found.iter().zip(pairs) {
        assert_eq!(Value::Text(key).text().as_deref(), Some(name.as_bytes()));
        let raw = raw.get();
        match (value, raw.as_bytes()) {
            (Value::Text(text), [b'"', expected @ .., b'"']) => {
                assert_eq!(text, &expected);
                assert_eq!(value.text().as_deref(), Some(&*unescaped(raw)));
            }
            (Value::Nested, [b'{', .., b'}'] | [b'[', .., b']']) => assert_eq!(value.text(), None),
            (Value::Bare(text), expected) => assert_eq!(text, &expected),
            _ => panic!("{value:?} is not {raw}"),
        }
    }
}

/// The text of a string. One with half a surrogate pair is left as it stands.
fn unescaped(raw: &str) -> Cow<'_, [u8]> {
    serde_json::from_str(raw)
        .map_or_else(|_| raw.as_bytes()[1..raw.len() - 1].into(), |text: String| text.into_bytes().into())
}

fn expected_line(pairs: &[(String, &RawValue)]) -> JsonLine {
    let stamp = pairs.iter().filter(|(key, _)| ["time", "ts", "timestamp", "@timestamp"].contains(&&**key));
    let stamp = stamp.filter_map(|(_, raw)| match raw.get().as_bytes() {
        [b'"', ..] => {
            let stamp = READER.read(unescaped(raw.get()).trim_ascii())?;
            Some(Stamp { format: StampFormat::Json, start: 0, end: 0, ..stamp })
        }
        number => of_number(number).map(|at| {
            let value: f64 = raw.get().parse().expect("a number");
            let seconds = [1.0, 1e3, 1e6, 1e9].map(|unit| value / unit);
            let shown = at.0 as f64 / 1e6;
            assert!(seconds.iter().any(|seconds| (seconds - shown).abs() < 1e-3), "{value} is not {shown}");
            Stamp { at, format: StampFormat::Json, zoned: true, start: 0, end: 0 }
        }),
    });
    let level = pairs.iter().filter(|(key, _)| ["level", "severity", "lvl"].contains(&&**key));
    let mut level = level.filter(|(_, raw)| raw.get().starts_with('"'));
    JsonLine {
        stamp: stamp.take(1).next(),
        is_error: level.next().map(|(_, raw)| {
            let text = unescaped(raw.get()).to_ascii_lowercase();
            let levels = ["error", "err", "fatal", "critical", "panic", "alert", "emergency"];
            levels.iter().any(|level| text == level.as_bytes())
        }),
    }
}

fn expected_type(pairs: &[(String, &RawValue)]) -> Vec<u8> {
    static WORD: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\w+").expect("a pattern"));
    let word = |raw: &RawValue| match raw.get().as_bytes() {
        [b'"', ..] => WORD.find(&unescaped(raw.get())).map(|word| word.as_bytes().to_vec()),
        [b'{' | b'[' | b't' | b'f' | b'n', ..] => None,
        number => Some(number.to_vec()),
    };
    let of = |key: &str| pairs.iter().filter(|(name, _)| name == key).find_map(|(_, raw)| word(raw));
    ["type", "error", "code", "msg", "message"].into_iter().find_map(of).unwrap_or_else(|| UNTYPED.as_bytes().to_vec())
}
