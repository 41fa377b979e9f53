//! Discord's webhooks: <https://discord.com/developers/docs/resources/webhook#execute-webhook>.

use std::time::Duration;

use pso_common::{Severity, Timestamp};
use serde::Serialize;

use super::{Channel, Digest, Outcome, Post, more, shout, sign, times};
use crate::notice::Notice;
use crate::text::{fit, units, without_mentions};

/// Notices in one message.
const MAX_NOTICES: usize = 20;

/// Discord refuses an embed's description beyond 4,096 characters.
const MAX_DESCRIPTION: usize = 4_096;

/// One notice of several; a single one may fill the description.
const MAX_LINE: usize = 600;

/// Discord refuses content beyond 2,000 characters.
const MAX_CONTENT: usize = 2_000;

/// A webhook.
#[derive(Debug)]
pub(crate) struct Discord {
    pub(crate) post: Post,
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
        self.post.json(&message(digest), timeout)
    }
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
    let embed = Embed {
        description: description(digest.notices),
        color: color(digest.worst()),
        timestamp: digest.at,
        footer: Footer { text: "pso-alert" },
    };
    Message {
        content: fit(&without_mentions(&digest.headline()), MAX_CONTENT, escape),
        embeds: [embed],
        allowed_mentions: AllowedMentions { parse: [] },
    }
}

/// As many whole lines as fit, and how many do not.
fn description(notices: &[Notice]) -> String {
    // Room for the last line, `and 10000 more`.
    const REST: usize = 40;
    let limit = if notices.len() == 1 { MAX_DESCRIPTION - 2 * REST } else { MAX_LINE };
    let (mut lines, mut used) = (Vec::new(), 0);
    for notice in notices.iter().take(MAX_NOTICES) {
        let line = line(notice, limit);
        let length = units(&line) + 1;
        if used + length > MAX_DESCRIPTION - REST {
            break;
        }
        used += length;
        lines.push(line);
    }
    lines.extend(more(notices.len() - lines.len()));
    lines.join("\n")
}

fn line(notice: &Notice, limit: usize) -> String {
    let text = fit(&without_mentions(&notice.message), limit, escape);
    format!("{} **{}** {text}{}", sign(notice.severity), shout(notice.severity), times(notice))
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
