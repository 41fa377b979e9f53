//! What a JSON line says of time and level: the fields that loggers use.

use std::borrow::Cow;

use crate::search::json::{Value, fields};
use crate::search::judge::UNTYPED;
use crate::stamps::reader::Reader;
use crate::stamps::{Stamp, StampFormat, of_number};

/// A JSON line's stamp, and whether its level is an error's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct JsonLine {
    /// From `time`, `ts`, `timestamp` or `@timestamp`, the first of them that is one: a text like those at the beginning
    /// of a line, or a number since 1970 whose size tells seconds, milliseconds, microseconds and nanoseconds apart.
    pub(crate) stamp: Option<Stamp>,
    /// Whether `level`, `severity` or `lvl` is `error` or worse; `None` where there is none of them.
    pub(crate) is_error: Option<bool>,
}

impl JsonLine {
    /// Reads no further than to the second of the two.
    pub(crate) fn read(line: &[u8], reader: &Reader) -> Self {
        let (mut stamp, mut is_error) = (None, None);
        for (key, value) in fields(line) {
            match key {
                b"time" | b"ts" | b"timestamp" | b"@timestamp" if stamp.is_none() => stamp = stamp_of(value, reader),
                b"level" | b"severity" | b"lvl" if is_error.is_none() => is_error = level_of(value),
                _ => continue,
            }
            if stamp.is_some() && is_error.is_some() {
                break;
            }
        }
        Self { stamp, is_error }
    }
}

fn stamp_of(value: Value<'_>, reader: &Reader) -> Option<Stamp> {
    let (at, zoned) = match value {
        Value::Text(_) => {
            let stamp = reader.read(value.text()?.trim_ascii())?;
            (stamp.at, stamp.zoned)
        }
        Value::Bare(raw) => (of_number(raw)?, true),
        Value::Nested => return None,
    };
    Some(Stamp { at, format: StampFormat::Json, zoned, start: 0, end: 0 })
}

/// Whether the level is an error's; `None` for what is no level.
fn level_of(value: Value<'_>) -> Option<bool> {
    let text = value.text()?;
    let errors = ["error", "err", "fatal", "critical", "panic", "alert", "emergency"];
    Some(errors.iter().any(|level| text.eq_ignore_ascii_case(level.as_bytes())))
}

/// What kind of error a JSON line with an error's level is: the first word of `type`, else of `error`, else of `code`,
/// else of `msg` or `message`; [`UNTYPED`] if there is none.
pub(crate) fn error_type(line: &[u8]) -> Cow<'_, [u8]> {
    const KEYS: [&[u8]; 5] = [b"type", b"error", b"code", b"msg", b"message"];
    let mut best: Option<(usize, Cow<'_, [u8]>)> = None;
    for (key, value) in fields(line) {
        let Some(rank) = KEYS.iter().position(|&wanted| wanted == key) else { continue };
        if best.as_ref().is_some_and(|(found, _)| *found <= rank) {
            continue;
        }
        let word = match value {
            Value::Text(_) => value.text().and_then(first_word),
            Value::Bare(b"null" | b"true" | b"false") | Value::Nested => None,
            Value::Bare(raw) => Some(Cow::Borrowed(raw)),
        };
        if let Some(word) = word {
            best = Some((rank, word));
        }
    }
    best.map_or(Cow::Borrowed(UNTYPED.as_bytes()), |(_, word)| word)
}

fn first_word(text: Cow<'_, [u8]>) -> Option<Cow<'_, [u8]>> {
    let range = crate::search::word::first(&text)?;
    Some(match text {
        Cow::Borrowed(text) => Cow::Borrowed(&text[range]),
        Cow::Owned(text) => Cow::Owned(text[range].to_vec()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stamps::zone::Zone;
    use crate::stamps::{Moment, SECOND};

    fn read(line: &str) -> (Option<String>, bool) {
        let read = JsonLine::read(line.as_bytes(), &Reader::new(Zone::Fixed(3600), Moment(1_750_000_000 * SECOND)));
        (read.stamp.map(|stamp| stamp.at.timestamp().expect("in range").to_string()), read.is_error.unwrap_or(false))
    }

    #[test]
    fn finds_stamp_and_level() {
        let at = |text: &str| Some(text.to_owned());
        for (line, expected) in [
            (r#"{"time":"2025-06-12T09:00:00.5Z","level":"error","msg":"m"}"#, (at("2025-06-12T09:00:00.500Z"), true)),
            (r#"{"level":"FATAL","ts":1749718800.25}"#, (at("2025-06-12T09:00:00.250Z"), true)),
            (r#"{"level":"info","timestamp":1749718800123}"#, (at("2025-06-12T09:00:00.123Z"), false)),
            (r#"{"@timestamp":1749718800123456}"#, (at("2025-06-12T09:00:00.123Z"), false)),
            (r#"{"ts":1749718800123456789}"#, (at("2025-06-12T09:00:00.123Z"), false)),
            (r#"{"ts":1.7497188e9}"#, (at("2025-06-12T09:00:00.000Z"), false)),
            (r#"{"time":"2025-06-12 09:00:00"}"#, (at("2025-06-12T08:00:00.000Z"), false)),
            (r#"{"time":"Jun 12 2025 09:00:00"}"#, (at("2025-06-12T08:00:00.000Z"), false)),
            (r#"{"time":"Jun 20 09:00:00"}"#, (at("2024-06-20T08:00:00.000Z"), false)),
            (r#"{"timestamp":"1749718800.5"}"#, (at("2025-06-12T09:00:00.500Z"), false)),
            (r#"{"timestamp":"12\/Jun\/2025:09:00:00 +0200"}"#, (at("2025-06-12T07:00:00.000Z"), false)),
            // How long something took is no moment; the next field may be one.
            (r#"{"time":0.25,"ts":1749718800}"#, (at("2025-06-12T09:00:00.000Z"), false)),
            (r#"{"time":-5,"ts":1e30,"timestamp":99999999999999999999999999}"#, (None, false)),
            (r#"{"time":null,"ts":"later","o":{"time":1}}"#, (None, false)),
            (r#"{"time":"2025-06-12T09:00:00Z","lvl":"Err""#, (at("2025-06-12T09:00:00.000Z"), true)),
        ] {
            assert_eq!(read(line), expected, "{line}");
        }
    }

    #[test]
    fn the_type_is_the_first_word_of_the_best_field() {
        for (line, expected) in [
            (r#"{"msg":"sync failed","type":"SyncTimeout"}"#, "SyncTimeout"),
            (r#"{"code":57014,"msg":"sync failed"}"#, "57014"),
            (r#"{"error":"\"quoted\" thing","code":1}"#, "quoted"),
            (r#"{"error":null,"message":"plan-dev lost"}"#, "plan"),
            (r#"{"msg":"…"}"#, UNTYPED),
            (r#"{"level":"error"}"#, UNTYPED),
        ] {
            assert_eq!(String::from_utf8_lossy(&error_type(line.as_bytes())), expected, "{line}");
        }
    }
}
