//! A body of one's own: a text with `{placeholders}`.
//!
//! `{message:1000}` is cut to so many characters, and `{severity|critical=P1|high=P2|*=P3}` says it in the words of the other
//! end: with both PagerDuty, Teams, Telegram and their like take the notices (`examples.yaml`).

use std::fmt;

use super::super::Digest;
use super::super::lines::{Line, fitting, headline, lines, more};
use super::super::post::fingerprint;
use super::placeholder::{Name, Piece, pieces};
use crate::notice::{Because, Notice};
use crate::text::fit;
use pso_common::record::{IncidentState, Labels};
use pso_common::{Severity, Timestamp};

/// Length of `{text}`, in UTF-16 units, where the template says nothing else.
const MAX_TEXT: usize = 4_000;

/// A message of several in `{text}`, and what is said beside it.
const MAX_LINE: usize = 300;

/// What a value must look like where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Escaping {
    /// Inside of a text of JSON.
    Json,
    /// `application/x-www-form-urlencoded`
    Form,
    /// One line, as it is.
    None,
}

/// A template that has been checked. It may hold secrets, so nothing shows it.
#[derive(Clone, PartialEq)]
pub(crate) struct Template {
    pieces: Vec<Piece>,
    escaping: Escaping,
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Template").field("escaping", &self.escaping).finish_non_exhaustive()
    }
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
            // Each word that may stand there is tried.
            let words = template.names().map(|name| name.words.len()).max().unwrap_or(0);
            for word in (0..words).map(Some).chain([None]) {
                let sample = template.fill(&sample(), word);
                serde_json::from_str::<serde_json::Value>(&sample)
                    .map_err(|error| format!("with values put in, it is no JSON: {error}"))?;
            }
        }
        Ok(template)
    }

    fn names(&self) -> impl Iterator<Item = &Name> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Text(_) => None,
            Piece::Name(name) => Some(name),
        })
    }

    /// Whether one message tells several notices; otherwise each has a message of its own.
    pub(super) fn is_for_several(&self) -> bool {
        self.names().any(|name| name.name == "text")
    }

    /// All that makes it another one.
    pub(super) fn fingerprint(&self) -> String {
        fingerprint([format!("{:?}{:?}", self.pieces, self.escaping)])
    }

    /// The type that belongs to it.
    pub(crate) const fn content_type(&self) -> &'static str {
        match self.escaping {
            Escaping::Json => "application/json",
            Escaping::Form => "application/x-www-form-urlencoded",
            Escaping::None => "text/plain; charset=utf-8",
        }
    }

    /// The body of a message. Beside `{text}`, which is all of it, it speaks of the first notice: the worst.
    pub(super) fn body(&self, digest: &Digest<'_>) -> String {
        digest.notices.first().map_or_else(String::new, |notice| {
            let lines = lines(digest);
            let values = Values {
                notice,
                headline: headline(digest, &lines),
                message: lines.first().map(|line| line.message.clone()).unwrap_or_default(),
                digest,
                lines: &lines,
            };
            self.fill(&values, None)
        })
    }

    /// `word` takes the word of that number in the place of the one that fits.
    fn fill(&self, values: &Values<'_>, word: Option<usize>) -> String {
        let mut out = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.push_str(text),
                // An object needs no quotes, in JSON.
                Piece::Name(name) if name.is_plain("labels") && self.escaping == Escaping::Json => {
                    out.push_str(&serde_json::to_string(&values.notice.labels).unwrap_or_default());
                }
                // Its own line breaks stay.
                Piece::Name(name) if name.is_plain("text") && self.escaping == Escaping::None => {
                    out.push_str(&values.text(name.limit));
                }
                Piece::Name(name) => {
                    let value = if name.name == "text" { values.text(name.limit) } else { values.get(&name.name) };
                    let value = name.said(&value, word);
                    let limit = name.limit.unwrap_or(usize::MAX);
                    escape(&fit(&value, limit, |c, out| out.push(c)), self.escaping, &mut out);
                }
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

struct Values<'a> {
    notice: &'a Notice,
    headline: String,
    message: String,
    digest: &'a Digest<'a>,
    lines: &'a [Line<'a>],
}

impl Values<'_> {
    /// All notices, as many as fit, and how many do not.
    fn text(&self, limit: Option<usize>) -> String {
        let limit = limit.unwrap_or(MAX_TEXT);
        let same = |c, out: &mut String| out.push(c);
        let message = if self.lines.len() == 1 { limit / 2 } else { MAX_LINE.min(limit / 4) };
        let entry = |line: &Line<'_>| {
            let details = fit(&line.details.join(" · "), MAX_LINE.min(limit / 4), same);
            let runbook = line.runbook.map(|url| format!("\n{url}")).unwrap_or_default();
            format!("{} {} {}\n{details}{runbook}", line.sign, line.word, fit(&line.message, message, same))
        };
        // A quarter is for the last line.
        let mut shown = fitting(self.lines, limit - limit / 4, entry);
        let hidden = self.lines.len() - shown.len();
        shown.extend(more(self.digest, hidden).map(|text| fit(&text, limit / 4, same)));
        shown.join("\n")
    }

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
            "host" => notice.labels.get("host").map_or_else(|| self.digest.host.to_owned(), Clone::clone),
            "first_at" => notice.first_at.to_string(),
            "last_at" => notice.last_at.to_string(),
            "ended_at" => notice.ended_at.map(|at| at.to_string()).unwrap_or_default(),
            "runbook" => notice.runbook.clone().unwrap_or_default(),
            "key" => self.digest.key.to_owned(),
            "at" => self.digest.at.to_string(),
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
    static DIGEST: std::sync::LazyLock<Digest<'static>> = std::sync::LazyLock::new(|| Digest {
        key: "k",
        host: "h",
        at: NOTICE.first_at,
        notices: std::slice::from_ref(&NOTICE),
        rest: None,
    });
    Values { notice: &NOTICE, headline: String::new(), message: "\"".to_owned(), digest: &DIGEST, lines: &[] }
}
