//! A body of one's own: a text with `{placeholders}`.

use super::super::Digest;
use super::super::lines::{headline, lines};
use crate::notice::{Because, Notice};
use pso_common::record::{IncidentState, Labels};
use pso_common::{Severity, Timestamp};

/// What can stand between the braces; `labels.NAME` is one label.
pub(crate) const NAMES: &str = "headline, message, rule, severity, state, because, incident, episode, count, host, first_at, \
                                last_at, ended_at, runbook, key, at, labels (an object) or labels.NAME";

/// What a value must look like where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Escaping {
    /// Inside of a text of JSON.
    Json,
    /// `application/x-www-form-urlencoded`
    Form,
    /// One line, as it is.
    None,
}

/// A template that has been checked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Template {
    pieces: Vec<Piece>,
    escaping: Escaping,
}

#[derive(Clone, Debug, PartialEq)]
enum Piece {
    Text(String),
    Name(String),
}

impl Template {
    /// Reads a template for a body of this type; without a type, what looks like JSON is JSON.
    ///
    /// # Errors
    /// When it names what there is not, or its JSON is none with values put in.
    pub(crate) fn parse(text: &str, content_type: Option<&str>) -> Result<Self, String> {
        let pieces = pieces(text)?;
        let looks = matches!(pieces.first(), Some(Piece::Text(text)) if text.trim_start().starts_with(['{', '[', '"']));
        let escaping = match content_type {
            Some(kind) if kind.contains("json") => Escaping::Json,
            Some(kind) if kind.contains("x-www-form-urlencoded") => Escaping::Form,
            None if looks => Escaping::Json,
            _ => Escaping::None,
        };
        let template = Self { pieces, escaping };
        if escaping == Escaping::Json {
            let sample = template.fill(&sample());
            serde_json::from_str::<serde_json::Value>(&sample)
                .map_err(|error| format!("with values put in, it is no JSON: {error}"))?;
        }
        Ok(template)
    }

    /// The type that belongs to it.
    pub(crate) const fn content_type(&self) -> &'static str {
        match self.escaping {
            Escaping::Json => "application/json",
            Escaping::Form => "application/x-www-form-urlencoded",
            Escaping::None => "text/plain; charset=utf-8",
        }
    }

    /// The body of a message, which speaks of its first notice.
    pub(super) fn body(&self, digest: &Digest<'_>) -> String {
        digest.notices.first().map_or_else(String::new, |notice| {
            let lines = lines(digest);
            let values = Values {
                notice,
                headline: headline(digest, &lines),
                message: lines.first().map(|line| line.message.clone()).unwrap_or_default(),
                host: digest.host,
                key: digest.key,
                at: digest.at,
            };
            self.fill(&values)
        })
    }

    fn fill(&self, values: &Values<'_>) -> String {
        let mut out = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.push_str(text),
                // An object needs no quotes, in JSON.
                Piece::Name(name) if name == "labels" && self.escaping == Escaping::Json => {
                    out.push_str(&serde_json::to_string(&values.notice.labels).unwrap_or_default());
                }
                Piece::Name(name) => escape(&values.get(name), self.escaping, &mut out),
            }
        }
        out
    }
}

fn escape(text: &str, escaping: Escaping, out: &mut String) {
    match escaping {
        Escaping::None => out.push_str(&pso_common::output::printable(text)),
        Escaping::Json => {
            let quoted = serde_json::to_string(text).unwrap_or_default();
            out.push_str(quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default());
        }
        Escaping::Form => {
            for byte in text.bytes() {
                match byte {
                    b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
                    byte => out.push_str(&format!("%{byte:02X}")),
                }
            }
        }
    }
}

/// Braces around a name are a placeholder; all others are text, as JSON has them.
fn pieces(text: &str) -> Result<Vec<Piece>, String> {
    let (mut pieces, mut literal, mut rest) = (Vec::new(), String::new(), text);
    while let Some(open) = rest.find('{') {
        literal.push_str(&rest[..open]);
        let after = &rest[open + 1..];
        let name = after.split('}').next().filter(|name| name.len() < after.len() && is_name(name));
        let Some(name) = name else {
            literal.push('{');
            rest = after;
            continue;
        };
        if !is_known(name) {
            return Err(format!("there is no {{{name}}}; there are {NAMES}"));
        }
        pieces.push(Piece::Text(std::mem::take(&mut literal)));
        pieces.push(Piece::Name(name.to_owned()));
        rest = &after[name.len() + 1..];
    }
    literal.push_str(rest);
    pieces.push(Piece::Text(literal));
    Ok(pieces)
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))
}

fn is_known(name: &str) -> bool {
    name.strip_prefix("labels.").is_some_and(|label| !label.is_empty())
        || NAMES.split([',', ' ']).any(|known| known == name) && !matches!(name, "an" | "object" | "or" | "labels.NAME")
}

struct Values<'a> {
    notice: &'a Notice,
    headline: String,
    message: String,
    host: &'a str,
    key: &'a str,
    at: Timestamp,
}

impl Values<'_> {
    fn get(&self, name: &str) -> String {
        let notice = self.notice;
        // The words of the record, without its quotes.
        let word = |value: serde_json::Result<serde_json::Value>| {
            value.ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
        };
        match name {
            "headline" => self.headline.clone(),
            "message" => self.message.clone(),
            "rule" => notice.rule.clone(),
            "severity" => notice.severity.to_string(),
            "state" => word(serde_json::to_value(notice.state)),
            "because" => word(serde_json::to_value(notice.because)),
            "incident" => notice.incident.clone(),
            "episode" => notice.episode.to_string(),
            "count" => notice.count.to_string(),
            "host" => notice.labels.get("host").map_or_else(|| self.host.to_owned(), Clone::clone),
            "first_at" => notice.first_at.to_string(),
            "last_at" => notice.last_at.to_string(),
            "ended_at" => notice.ended_at.map(|at| at.to_string()).unwrap_or_default(),
            "runbook" => notice.runbook.clone().unwrap_or_default(),
            "key" => self.key.to_owned(),
            "at" => self.at.to_string(),
            "labels" => notice.labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" "),
            label => {
                label.strip_prefix("labels.").and_then(|label| notice.labels.get(label)).cloned().unwrap_or_default()
            }
        }
    }
}

/// Numbers stand for numbers, so that `{"count": {count}}` is JSON.
fn sample() -> Values<'static> {
    static NOTICE: std::sync::LazyLock<Notice> = std::sync::LazyLock::new(|| Notice {
        incident: "i".to_owned(),
        episode: 1,
        rule: "r".to_owned(),
        state: IncidentState::Firing,
        because: Because::Fired,
        severity: Severity::High,
        message: "\"".to_owned(),
        count: 1,
        labels: Labels::new(),
        first_at: Timestamp::from_unix_millis(0),
        last_at: Timestamp::from_unix_millis(0),
        ended_at: None,
        runbook: None,
    });
    Values {
        notice: &NOTICE,
        headline: String::new(),
        message: "\"".to_owned(),
        host: "h",
        key: "k",
        at: NOTICE.first_at,
    }
}
