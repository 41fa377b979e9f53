//! Slack, Discord and generic webhooks: they record every request, refuse what the real ones refuse, and misbehave when told to.

mod rates;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use crate::http_end::{HttpEnd, Reply, Seen, locked};

use rates::Bucket;

/// Decides, per request (numbered from 0), what it is answered in place of what it deserves.
type Decide = dyn Fn(u64, &Seen) -> Option<Reply> + Send + Sync;

#[derive(Default)]
struct State {
    planned: VecDeque<Reply>,
    decide: Option<Arc<Decide>>,
    requests: u64,
    /// Requests that were answered with a success.
    accepted: Vec<Seen>,
    /// How fast each path may be asked.
    buckets: HashMap<String, Bucket>,
    limited: u64,
}

/// The sink. Its paths decide whose rules hold: `/slack…`, `/discord…`, with their limits of size and rate; any other path takes
/// anything. Dropping it closes its port.
pub struct WebhookSink {
    state: Arc<Mutex<State>>,
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
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        let handler = move |seen: &Seen| {
            let (decide, number, planned) = {
                let mut state = locked(&shared);
                let number = state.requests;
                state.requests += 1;
                (state.decide.clone(), number, state.planned.pop_front())
            };
            let planned = planned.or_else(|| decide.and_then(|decide| decide(number, seen)));
            let reply = planned.unwrap_or_else(|| deserved(seen, &mut locked(&shared)));
            if reply.status / 100 == 2 && reply.after.is_some() {
                locked(&shared).accepted.push(seen.clone());
            }
            reply
        };
        Ok(Self { state, end: HttpEnd::start(port, Arc::new(handler))? })
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
        locked(&self.state).planned.extend(replies);
    }

    /// What requests without a plan are answered, by their number from 0; `None` is what they deserve.
    pub fn misbehave(&self, decide: impl Fn(u64, &Seen) -> Option<Reply> + Send + Sync + 'static) {
        locked(&self.state).decide = Some(Arc::new(decide));
    }

    /// From now on requests are answered as they deserve.
    pub fn behave(&self) {
        let mut state = locked(&self.state);
        state.decide = None;
        state.planned.clear();
    }

    /// The requests that were answered with a success: what the other end has taken.
    #[must_use]
    pub fn accepted(&self) -> Vec<Seen> {
        locked(&self.state).accepted.clone()
    }

    /// How many requests came faster than Slack or Discord take them.
    #[must_use]
    pub fn limited(&self) -> u64 {
        locked(&self.state).limited
    }

    /// Every request so far, whatever it was answered.
    #[must_use]
    pub fn requests(&self) -> Vec<Seen> {
        self.end.seen()
    }

    /// Forgets the requests so far.
    pub fn forget(&self) {
        locked(&self.state).accepted.clear();
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
    Reply::json(429, &body)
        .header("Retry-After", &format!("{:.0}", retry_after_s.ceil()))
        .header("X-RateLimit-Scope", "user")
}

fn deserved(seen: &Seen, state: &mut State) -> Reply {
    let path = seen.path.as_str();
    let (is_slack, is_discord) = (path.starts_with("/slack"), path.starts_with("/discord"));
    let typed = seen.header("Content-Type").is_some_and(|value| value.starts_with("application/json"));
    if !is_slack && !is_discord {
        let fits = !typed || seen.json().is_some();
        return if fits { Reply::json(200, &json!({"ok": true})) } else { Reply::status(400) };
    }
    if seen.method != "POST" {
        return Reply::new(405, "text/plain", "method_not_allowed");
    }
    let Some(body) = seen.json().filter(|body| typed && body.is_object()) else {
        return Reply::new(400, "text/plain", "invalid_payload");
    };
    if is_slack && let Some(fault) = slack(&body) {
        return Reply::new(400, "text/html", fault);
    }
    if is_discord && let Some(fault) = discord(&body) {
        return Reply::json(400, &fault);
    }
    let rule = if is_slack { rates::SLACK } else { rates::DISCORD };
    let bucket = state.buckets.entry(path.to_owned()).or_insert_with(|| Bucket::new(rule));
    let taken = bucket.take(seen.at);
    let reset = bucket.reset_after(seen.at);
    state.limited += u64::from(taken.is_err());
    match (taken, is_slack) {
        (Ok(_), true) => Reply::new(200, "text/html", "ok"),
        // Whole seconds, rounded up.
        (Err(wait), true) => too_many(wait.as_secs() + 1),
        // With `?wait=true` it waits until the message is saved, and repeats it.
        (Ok(left), false) if path.contains("wait=true") => {
            with_rates(Reply::json(200, &json!({"id": "1442100200300400500", "content": body["content"]})), left, reset)
        }
        (Ok(left), false) => with_rates(Reply::status(204), left, reset),
        (Err(wait), false) => with_rates(too_many_for_discord(wait.as_secs_f64()), 0, reset),
    }
}

/// <https://discord.com/developers/docs/topics/rate-limits#header-format>
fn with_rates(reply: Reply, left: u32, reset: Duration) -> Reply {
    reply
        .header("X-RateLimit-Limit", &rates::DISCORD.requests.to_string())
        .header("X-RateLimit-Remaining", &left.to_string())
        .header("X-RateLimit-Reset-After", &format!("{:.3}", reset.as_secs_f64()))
        .header("X-RateLimit-Bucket", "a1b2c3")
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
            Some("context") => {
                let elements = block.get("elements").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
                let text =
                    |element: &Value| element.get("text").and_then(Value::as_str).map(|text| text.chars().count());
                (1..=10).contains(&elements.len())
                    && elements.iter().all(|element| text(element).is_some_and(|length| (1..=3000).contains(&length)))
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
    let fields = |embed: &Value| embed.get("fields").and_then(Value::as_array).cloned().unwrap_or_default();
    let fits = |embed: &Value| {
        let fields = fields(embed);
        let filled = |field: &Value| {
            (1..=256).contains(&length(field, "/name")) && (1..=1024).contains(&length(field, "/value"))
        };
        length(embed, "/title") <= 256
            && length(embed, "/description") <= 4096
            && length(embed, "/footer/text") <= 2048
            && length(embed, "/author/name") <= 256
            && fields.len() <= 25
            && fields.iter().all(filled)
    };
    // All texts of all embeds together.
    let all: usize = embeds
        .iter()
        .map(|embed| {
            let of_fields: usize =
                fields(embed).iter().map(|field| length(field, "/name") + length(field, "/value")).sum();
            let own = ["/title", "/description", "/footer/text", "/author/name"];
            own.iter().map(|pointer| length(embed, pointer)).sum::<usize>() + of_fields
        })
        .sum();
    if all > 6000 {
        return Some(json!({"embeds": ["Embed size exceeds maximum size of 6000"]}));
    }
    (embeds.len() > 10 || !embeds.iter().all(fits)).then(|| json!({"embeds": ["0"]}))
}
