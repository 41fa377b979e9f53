//! Discord's webhooks: <https://discord.com/developers/docs/resources/webhook#execute-webhook>.

use std::time::Duration;

use pso_common::http::Answer;
use pso_common::{Severity, Timestamp};
use serde::{Deserialize, Serialize};

use super::lines::{Line, fitting, headline, lines, more, summary, worst};
use super::{Channel, Digest, Outcome, Post};
use crate::text::{fit, one_line, units, without_mentions};

/// Notices in one message.
const MAX_NOTICES: usize = 20;

/// Discord refuses an embed's description beyond 4,096 characters.
const MAX_DESCRIPTION: usize = 4_096;

/// One notice of several; a single one may fill the description.
const MAX_LINE: usize = 600;

/// What is said beside a message.
const MAX_DETAILS: usize = 300;

/// Room for the last line, `and 10000 more: …`.
const MAX_REST: usize = 400;

/// What notifications show in place of the embed; Discord refuses content beyond 2,000 characters.
const MAX_CONTENT: usize = 300;

/// A webhook.
#[derive(Debug)]
pub(crate) struct Discord {
    pub(crate) post: Post,
}

/// A webhook's URL, with the wish to be told what became of the message: without it one "that is not saved does not return
/// an error". Other words of the query, such as `thread_id`, stay.
pub(crate) fn confirmed(url: &str) -> String {
    let query = url.split_once('?').map(|(_, query)| query);
    match query {
        None => format!("{url}?wait=true"),
        Some(query) if query.split('&').any(|word| word.starts_with("wait=")) => url.to_owned(),
        Some(_) => format!("{url}&wait=true"),
    }
}

impl Channel for Discord {
    fn kind(&self) -> &'static str {
        "discord"
    }

    fn capacity(&self) -> usize {
        MAX_NOTICES
    }

    fn fingerprint(&self) -> String {
        self.post.fingerprint()
    }

    fn send(&self, digest: &Digest<'_>, timeout: Duration) -> Outcome {
        let exchange = self.post.json(&message(digest), digest.key, timeout);
        match exchange.answer {
            Some(answer) => paced(exchange.outcome, &answer),
            None => exchange.outcome,
        }
    }
}

/// What the answer says of the time of the next request: <https://discord.com/developers/docs/topics/rate-limits>.
pub(super) fn paced(outcome: Outcome, answer: &Answer) -> Outcome {
    #[derive(Deserialize)]
    struct TooMany {
        /// Seconds; the header has whole ones only.
        retry_after: f64,
    }
    #[derive(Deserialize)]
    struct Saved {
        id: String,
    }
    let seconds = |seconds: f64| Duration::try_from_secs_f64(seconds).unwrap_or_default();
    match outcome {
        Outcome::Sent { status, said, complaint, .. } => {
            // It repeats the whole message.
            let said = answer.json::<Saved>().map_or(said, |message| format!("message {}", one_line(&message.id, 30)));
            let empty = answer.header("x-ratelimit-remaining").is_some_and(|left| left.trim() == "0");
            let reset = answer.header("x-ratelimit-reset-after").and_then(|text| text.trim().parse().ok());
            let pause = reset.filter(|_| empty).map_or(Duration::ZERO, seconds);
            Outcome::Sent { status, said, pause, complaint }
        }
        Outcome::Again { status: Some(429), after, reason } => {
            // The longer of the two: a global limit, or a proxy's before Discord, may have only one of them right.
            let body = answer.json::<TooMany>().map_or(Duration::ZERO, |body| seconds(body.retry_after));
            Outcome::Again {
                status: Some(429),
                after: if after.is_zero() { body } else { precise(after, body) },
                reason,
            }
        }
        other => other,
    }
}

/// The body's time where the header's is the same in whole seconds, else the longer one.
fn precise(header: Duration, body: Duration) -> Duration {
    let same = body <= header && header.saturating_sub(body) <= Duration::from_secs(1) && !body.is_zero();
    if same { body } else { header.max(body) }
}

/// What a webhook takes.
#[derive(Debug, Serialize)]
pub(super) struct Message {
    content: String,
    embeds: [Embed; 1],
    allowed_mentions: AllowedMentions,
}

#[derive(Debug, Serialize)]
struct Embed {
    description: String,
    /// 0xRRGGBB.
    color: u32,
    timestamp: Timestamp,
    footer: Footer,
}

#[derive(Debug, Serialize)]
struct Footer {
    text: &'static str,
}

/// Which kinds of mentions Discord may make of the text: none.
#[derive(Debug, Serialize)]
struct AllowedMentions {
    parse: [&'static str; 0],
}

/// No word of it can mention anybody: `allowed_mentions` is empty, and markdown is escaped.
pub(super) fn message(digest: &Digest<'_>) -> Message {
    let lines = lines(digest);
    let embed = Embed {
        description: description(digest, &lines),
        color: color(worst(&lines)),
        timestamp: digest.at,
        footer: Footer { text: "pso-alert" },
    };
    Message {
        content: safe(&summary(&headline(digest, &lines), &lines), MAX_CONTENT),
        embeds: [embed],
        allowed_mentions: AllowedMentions { parse: [] },
    }
}

/// As many whole lines as fit, and how many do not.
fn description(digest: &Digest<'_>, lines: &[Line<'_>]) -> String {
    let limit = if lines.len() == 1 { MAX_DESCRIPTION - MAX_REST - 2 * MAX_DETAILS } else { MAX_LINE };
    let shown = lines.get(..MAX_NOTICES).unwrap_or(lines);
    let mut shown = fitting(shown, MAX_DESCRIPTION - MAX_REST, |line| entry(line, limit));
    let hidden = lines.len() - shown.len();
    shown.extend(more(digest, hidden).map(|text| safe(&text, MAX_REST - 10)));
    shown.join("\n")
}

fn entry(line: &Line<'_>, limit: usize) -> String {
    let text = safe(&line.message, limit);
    let details = safe(&line.details.join(" · "), MAX_DETAILS);
    // In angle brackets an address may hold brackets, and no preview is made of it; where it does not fit, it is left out.
    let link = line.runbook.filter(|url| units(url) <= MAX_DETAILS).map(|url| format!(" · [Runbook](<{url}>)"));
    format!("{} **{}** {text}\n{details}{}", line.sign, line.word, link.unwrap_or_default())
}

fn safe(text: &str, limit: usize) -> String {
    with_whole_urls(&fit(&without_mentions(text), limit, escape))
}

/// In an address nothing is markup, and a backslash would be part of it: `http://h/a_b` must stay one that can be opened.
/// Discord ends an address at white space and at `<`.
fn with_whole_urls(escaped: &str) -> String {
    let mut out = String::with_capacity(escaped.len());
    for word in escaped.split_inclusive(char::is_whitespace) {
        let begin = word.find("https://").or_else(|| word.find("http://")).unwrap_or(word.len());
        let (before, rest) = word.split_at(begin);
        let (url, after) = rest.split_at(rest.find("\\<").unwrap_or(rest.len()));
        out.extend([before, &url.replace("\\_", "_"), after]);
    }
    out
}

/// Discord's markdown, and the brackets of mentions, emoji and masked links.
fn escape(c: char, out: &mut String) {
    if matches!(c, '\\' | '*' | '_' | '~' | '`' | '|' | '<' | '>' | '[' | ']' | '#') {
        out.push('\\');
    }
    out.push(c);
}

const fn color(severity: Severity) -> u32 {
    match severity {
        Severity::Ok | Severity::Info => 0x0038_8e3c,
        Severity::Warning => 0x00fb_c02d,
        Severity::High => 0x00f5_7c00,
        Severity::Critical => 0x00d3_2f2f,
        Severity::Unknown => 0x007b_1fa2,
    }
}
