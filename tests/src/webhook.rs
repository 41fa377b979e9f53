//! Slack, Discord and generic webhooks: they record every request, refuse what the real ones refuse, and misbehave when told to.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use crate::http_end::{HttpEnd, Reply, Seen, locked};

/// The sink. Its paths decide whose rules hold: `/slack…`, `/discord…`; any other path takes any JSON. Dropping it closes its port.
pub struct WebhookSink {
    planned: Arc<Mutex<VecDeque<Reply>>>,
    end: HttpEnd,
}

impl WebhookSink {
    /// A sink on a free port, which accepts what is well formed.
    ///
    /// # Errors
    /// When it cannot listen.
    pub fn start() -> Result<Self> {
        Self::start_on(0)
    }

    /// As [`WebhookSink::start`], on a given port of 127.0.0.1.
    ///
    /// # Errors
    /// When it cannot listen there.
    pub fn start_on(port: u16) -> Result<Self> {
        let planned = Arc::new(Mutex::new(VecDeque::new()));
        let queue = Arc::clone(&planned);
        let handler = move |seen: &Seen| {
            let next = locked(&queue).pop_front();
            next.unwrap_or_else(|| accept_or_refuse(seen))
        };
        Ok(Self { planned, end: HttpEnd::start(port, Arc::new(handler))? })
    }

    /// A Slack webhook's URL; the path is the secret, as in the real ones.
    #[must_use]
    pub fn slack_url(&self) -> String {
        format!("{}/slack/services/T000/B000/s3cr3tSlackToken", self.end.url())
    }

    /// A Discord webhook's URL.
    #[must_use]
    pub fn discord_url(&self) -> String {
        format!("{}/discord/api/webhooks/123456/s3cr3tDiscordToken", self.end.url())
    }

    /// A generic webhook's URL.
    #[must_use]
    pub fn generic_url(&self) -> String {
        format!("{}/hook", self.end.url())
    }

    /// The port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.end.port()
    }

    /// Answers for the next requests, one each; after them well-formed requests are accepted again.
    pub fn plan(&self, replies: impl IntoIterator<Item = Reply>) {
        locked(&self.planned).extend(replies);
    }

    /// Every request so far.
    #[must_use]
    pub fn requests(&self) -> Vec<Seen> {
        self.end.seen()
    }

    /// Forgets the requests so far.
    pub fn forget(&self) {
        self.end.forget();
    }

    /// Waits for the `count`th request and gives all so far.
    ///
    /// # Errors
    /// When `limit` passes first.
    pub fn wait_for(&self, count: usize, limit: Duration) -> Result<Vec<Seen>> {
        self.end.wait_for(count, limit)
    }
}

/// 429 with `Retry-After`, as Slack sends it.
#[must_use]
pub fn too_many(retry_after_s: u64) -> Reply {
    Reply::new(429, "text/plain", "rate_limited").header("Retry-After", &retry_after_s.to_string())
}

/// 429 as Discord sends it: the time to wait is in the body as well, with a fraction.
#[must_use]
pub fn too_many_for_discord(retry_after_s: f64) -> Reply {
    let body = json!({"message": "You are being rate limited.", "retry_after": retry_after_s, "global": false});
    // Whole seconds in the header.
    Reply::json(429, &body).header("Retry-After", &format!("{:.0}", retry_after_s.ceil()))
}

fn accept_or_refuse(seen: &Seen) -> Reply {
    if seen.method != "POST" {
        return Reply::new(405, "text/plain", "method_not_allowed");
    }
    let typed = seen.header("Content-Type").is_some_and(|value| value.starts_with("application/json"));
    let body = seen.json().filter(|body| typed && body.is_object());
    let path = seen.path.as_str();
    let Some(body) = body else {
        return Reply::new(400, "text/plain", "invalid_payload");
    };
    if path.starts_with("/slack") {
        slack(&body).map_or_else(|| Reply::new(200, "text/html", "ok"), |fault| Reply::new(400, "text/html", fault))
    } else if path.starts_with("/discord") {
        discord(&body).map_or_else(|| Reply::status(204), |fault| Reply::json(400, &fault))
    } else {
        Reply::json(200, &json!({"ok": true}))
    }
}

/// Slack's limits: <https://docs.slack.dev/reference/block-kit/blocks>, and 40,000 characters of text.
fn slack(body: &Value) -> Option<&'static str> {
    let text = body.get("text").and_then(Value::as_str).unwrap_or_default();
    let blocks = match body.get("blocks") {
        None => &[][..],
        Some(Value::Array(blocks)) => blocks.as_slice(),
        Some(_) => return Some("invalid_blocks_format"),
    };
    if text.is_empty() && blocks.is_empty() {
        return Some("no_text");
    }
    if text.chars().count() > 40_000 {
        return Some("msg_too_long");
    }
    let fits = |block: &Value| {
        let kind = block.get("type").and_then(Value::as_str);
        let length = |pointer: &str| block.pointer(pointer).and_then(Value::as_str).map(|text| text.chars().count());
        match kind {
            Some("header") => length("/text/text").is_some_and(|length| (1..=150).contains(&length)),
            Some("section") => {
                let fields = block.get("fields").and_then(Value::as_array).map(Vec::len);
                let text = length("/text/text");
                fields.is_none_or(|count| count <= 10)
                    && text.is_none_or(|length| (1..=3000).contains(&length))
                    && (text.is_some() || fields.is_some())
            }
            Some(_) => true,
            None => false,
        }
    };
    (blocks.len() > 50 || !blocks.iter().all(fits)).then_some("invalid_blocks")
}

/// Discord's limits: <https://discord.com/developers/docs/resources/webhook#execute-webhook>.
fn discord(body: &Value) -> Option<Value> {
    let content = body.get("content").and_then(Value::as_str).unwrap_or_default();
    let embeds = body.get("embeds").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let length = |embed: &Value, pointer: &str| {
        embed.pointer(pointer).and_then(Value::as_str).map_or(0, |text| text.chars().count())
    };
    if content.is_empty() && embeds.is_empty() {
        return Some(json!({"message": "Cannot send an empty message", "code": 50006}));
    }
    if content.chars().count() > 2000 {
        return Some(json!({"content": ["Must be 2000 or fewer in length."]}));
    }
    let fits = |embed: &Value| {
        let fields = embed.get("fields").and_then(Value::as_array).map_or(0, Vec::len);
        length(embed, "/title") <= 256 && length(embed, "/description") <= 4096 && fields <= 25
    };
    (embeds.len() > 10 || !embeds.iter().all(fits)).then(|| json!({"embeds": ["0"]}))
}
