//! Slack's incoming webhooks: <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>.
//!
//! An incoming webhook cannot answer in a thread, since it does not say which message it has made; so what is over comes
//! as a message of its own.

use std::time::Duration;

use serde::Serialize;

use super::lines::{Line, headline, lines, more, summary};
use super::{Channel, Digest, Outcome, Post};
use crate::text::{fit, units, without_mentions};

/// Notices in one message: two blocks each, and Slack takes 50; people read fewer.
const MAX_NOTICES: usize = 20;

/// Slack refuses a section's text beyond 3,000 characters; what we put around a message needs some of it.
const MAX_SECTION: usize = 2_800;

/// A header's text may have 150 characters.
const MAX_HEADER: usize = 150;

/// What is said beside a message.
const MAX_DETAILS: usize = 600;

/// A link with its markup; a longer one is left out.
const MAX_LINK: usize = 2_000;

/// The text that notifications show.
const MAX_TEXT: usize = 400;

/// An incoming webhook.
#[derive(Debug)]
pub(crate) struct Slack {
    pub(crate) post: Post,
    /// Only webhooks of the old kind look at it.
    pub(crate) channel: Option<String>,
}

impl Channel for Slack {
    fn kind(&self) -> &'static str {
        "slack"
    }

    fn capacity(&self) -> usize {
        MAX_NOTICES
    }

    // "1 per second": <https://docs.slack.dev/apis/web-api/rate-limits>.
    fn pace(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn fingerprint(&self) -> String {
        self.post.fingerprint()
    }

    // What its errors mean: <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks#handling_errors>;
    // no_service is 404, action_prohibited 403, channel_is_archived 410, a bad message 400.
    fn send(&self, digest: &Digest<'_>, timeout: Duration) -> Outcome {
        self.post.json(&message(digest, self.channel.as_deref()), digest.key, timeout).outcome
    }
}

/// What an incoming webhook takes.
#[derive(Debug, Serialize)]
pub(super) struct Message<'a> {
    /// What notifications show in place of the blocks.
    text: String,
    blocks: Vec<Block>,
    unfurl_links: bool,
    unfurl_media: bool,
    /// Only webhooks of the old kind look at it.
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<&'a str>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block {
    Header { text: Text },
    Section { text: Text },
    Context { elements: Vec<Text> },
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Text {
    PlainText { text: String, emoji: bool },
    Mrkdwn { text: String, verbatim: bool },
}

pub(super) fn message<'a>(digest: &Digest<'_>, channel: Option<&'a str>) -> Message<'a> {
    let lines = lines(digest);
    let headline = headline(digest, &lines);
    let title = safe(&headline, MAX_HEADER);
    let mut blocks = vec![Block::Header { text: plain(title) }];
    for line in lines.iter().take(MAX_NOTICES) {
        blocks.push(Block::Section { text: plain(section(line)) });
        blocks.push(Block::Context { elements: details(line) });
    }
    let rest = more(digest, lines.len().saturating_sub(MAX_NOTICES)).map(|text| safe(&text, MAX_DETAILS));
    let foot: Vec<String> = rest.into_iter().chain([format!("pso-alert, {}", digest.at)]).collect();
    blocks.push(Block::Context { elements: vec![plain(foot.join(" · "))] });
    let text = safe(&summary(&headline, &lines), MAX_TEXT);
    Message { text, blocks, unfurl_links: false, unfurl_media: false, channel }
}

/// What comes from a record is never `mrkdwn`: that has no escape for `*`, `_`, `~`, backticks and `:emoji:`, so `*.log *.gz`
/// would lose its stars, and a message could look like two: <https://docs.slack.dev/messaging/formatting-message-text>.
const fn plain(text: String) -> Text {
    Text::PlainText { text, emoji: false }
}

fn section(line: &Line<'_>) -> String {
    format!("{} {} {}", line.sign, line.word, safe(&line.message, MAX_SECTION))
}

fn details(line: &Line<'_>) -> Vec<Text> {
    let mut elements = vec![plain(safe(&line.details.join(" · "), MAX_DETAILS))];
    let url = line.runbook.map(|url| fit(url, usize::MAX, escape));
    if let Some(url) = url.filter(|url| units(url) <= MAX_LINK) {
        // `verbatim` keeps Slack from making links and mentions of plain words.
        elements.push(Text::Mrkdwn { text: format!("<{url}|Runbook>"), verbatim: true });
    }
    elements
}

fn safe(text: &str, limit: usize) -> String {
    fit(&without_mentions(text), limit, escape)
}

/// The three characters that Slack reads as markup of links and mentions.
fn escape(c: char, out: &mut String) {
    match c {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        c => out.push(c),
    }
}
