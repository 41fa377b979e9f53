//! Bodies and numbers as foreign servers write them.

use serde_json::{Map, Value};

use crate::finding::shown;

/// A longer JSON body is a mistake or an attack: parsed, it takes a hundred times its size.
const LONGEST_JSON: usize = 256 << 10;

/// The fields of a body that is a JSON object. What they hold is looked at one by one, so that one of a wrong type does not
/// hide the others.
///
/// # Errors
/// What the body is instead, to follow "the body is".
pub(crate) fn object(body: &[u8]) -> Result<Map<String, Value>, String> {
    serde_json::from_slice(bounded(body)?).map_err(|error| format!("not a JSON object: {error}"))
}

/// A body that is JSON of any kind.
///
/// # Errors
/// As [`object`].
pub(crate) fn json(body: &[u8]) -> Result<Value, String> {
    serde_json::from_slice(bounded(body)?).map_err(|error| format!("not JSON: {error}"))
}

fn bounded(body: &[u8]) -> Result<&[u8], String> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    if body.len() > LONGEST_JSON {
        return Err(format!("too large for JSON of this kind ({} bytes, at most {LONGEST_JSON} are read)", body.len()));
    }
    Ok(body)
}

/// The field at a path of names; null counts as absent.
pub(crate) fn field<'a>(object: &'a Map<String, Value>, path: &[&str]) -> Option<&'a Value> {
    let (last, above) = path.split_last()?;
    let object = above.iter().try_fold(object, |object, name| object.get(*name)?.as_object())?;
    object.get(*last).filter(|value| !value.is_null())
}

/// A number of 0 or more, or the text that stood in its place.
pub(crate) type Reading = Result<f64, String>;

/// A number that may stand as a string, with a percent sign: `45.2`, `"45.2"`, `"45 %"`.
pub(crate) fn number(value: &Value) -> Reading {
    let parsed = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().trim_end_matches('%').trim_end().parse().ok(),
        _ => None,
    };
    parsed.ok_or(()).and_then(|parsed| usable(parsed).map_err(drop)).map_err(|()| text(value))
}

/// Seconds: a number, or a span as Go writes it (`"32s"`, `"1m2.5s"`, `"350ms"`).
pub(crate) fn seconds(value: &Value) -> Reading {
    match value {
        Value::String(span) => number(value).or_else(|text| go_seconds(span.trim()).ok_or(text)),
        _ => number(value),
    }
}

/// The number itself if it can be judged: NaN, infinities and negative ones cannot.
pub(crate) fn usable(value: f64) -> Reading {
    if value.is_finite() && value >= 0.0 { Ok(value) } else { Err(value.to_string()) }
}

/// A JSON value as a message may hold it.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => shown(text),
        other => shown(&other.to_string()),
    }
}

/// A span of Go's `time.Duration.String`; it has no units above hours.
fn go_seconds(span: &str) -> Option<f64> {
    let mut rest = span;
    let mut total = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let count: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        total += count
            * match &rest[..letters] {
                "h" => 3600.0,
                "m" => 60.0,
                "s" => 1.0,
                "ms" => 1e-3,
                "us" | "µs" | "μs" => 1e-6,
                "ns" => 1e-9,
                _ => return None,
            };
        rest = &rest[letters..];
    }
    (!span.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_come_as_numbers_and_as_text() {
        for value in [json!(45.2), json!("45.2"), json!(" 45.2% "), json!("45.2 %"), json!("4.52e1")] {
            assert_eq!(number(&value), Ok(45.2), "{value}");
        }
        for (value, shown) in [
            (json!("NaN"), "NaN"),
            (json!(-1), "-1"),
            (json!("-0.5%"), "-0.5%"),
            (json!("inf"), "inf"),
            (json!(null), "null"),
            (json!([1]), "[1]"),
            (json!("beau\u{1b}coup"), "beau·coup"),
            (json!(""), ""),
        ] {
            assert_eq!(number(&value), Err(shown.to_owned()), "{value}");
        }
    }

    #[test]
    fn spans_are_those_of_go() {
        for (value, expected) in [
            (json!("32s"), 32.0),
            (json!("1h2m3.5s"), 3723.5),
            (json!("350ms"), 0.35),
            (json!("12µs"), 12e-6),
            (json!(32), 32.0),
            (json!("32"), 32.0),
        ] {
            assert!(seconds(&value).is_ok_and(|found| (found - expected).abs() < 1e-9), "{value}");
        }
        for value in ["s", "3x", "3s4", "-3s", "1.2.3s", "", "soon", "NaNs"] {
            assert_eq!(seconds(&json!(value)), Err(value.to_owned()));
        }
    }
}
