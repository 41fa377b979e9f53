//! Slack's incoming webhooks: <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>.

use serde_json::{Value, json};

use super::{Digest, more, shout, sign, times};
use crate::notice::Notice;
use crate::text::{fit, without_mentions};

/// Notices in one message; Slack takes 50 blocks, people read fewer.
const MAX_NOTICES: usize = 20;

/// Slack refuses a section's text beyond 3,000 characters; what we put around a message needs some of it.
const MAX_SECTION: usize = 2_800;

/// A header's text may have 150 characters.
const MAX_HEADER: usize = 150;

/// The text that notifications show.
const MAX_TEXT: usize = 400;

/// `verbatim` keeps Slack from making links and mentions of plain words; escaped `<` leaves it no others.
pub(super) fn message(digest: &Digest<'_>, channel: Option<&str>) -> Value {
    let mut blocks = vec![json!({
        "type": "header",
        "text": {"type": "plain_text", "text": fit(&digest.headline(), MAX_HEADER, |c, out| out.push(c)), "emoji": true}
    })];
    blocks.extend(
        digest.notices.iter().take(MAX_NOTICES).map(
            |notice| json!({"type": "section", "text": {"type": "mrkdwn", "text": line(notice), "verbatim": true}}),
        ),
    );
    let rest = more(digest.notices.len().saturating_sub(MAX_NOTICES));
    let foot: Vec<String> = rest.into_iter().chain([format!("pso-alert, {}", digest.at)]).collect();
    blocks
        .push(json!({"type": "context", "elements": [{"type": "mrkdwn", "text": foot.join(" · "), "verbatim": true}]}));
    let first = digest.notices.first().map_or("", |notice| notice.message.as_str());
    let text = fit(&without_mentions(&format!("{}: {first}", digest.headline())), MAX_TEXT, escape);
    let mut message = json!({"text": text, "blocks": blocks, "unfurl_links": false, "unfurl_media": false});
    if let Some(channel) = channel {
        message["channel"] = channel.into();
    }
    message
}

fn line(notice: &Notice) -> String {
    let text = fit(&without_mentions(&notice.message), MAX_SECTION, escape);
    format!("{} *{}* {text}{}", sign(notice.severity), shout(notice.severity), times(notice))
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
