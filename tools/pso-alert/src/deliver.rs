//! One message to each channel, side by side: retried where that can help, given up where it cannot, and never a
//! reason for another channel to wait.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use pso_common::http::{Answer, HttpClient, HttpError, HttpSettings};
use pso_common::io::{Cancel, elapsed_ms};
use pso_common::record::DeliveryState;

use crate::channel::{Channel, Digest};
use crate::text::one_line;

/// Attempts within one run.
const MAX_ATTEMPTS: u32 = 3;

/// How long one attempt may take, so that a silent other end leaves time for another.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);

/// The wait before the second attempt; it doubles before each next one.
const BACK_OFF: Duration = Duration::from_millis(500);

/// What came of one attempt.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) channel: &'static str,
    pub(crate) state: DeliveryState,
    pub(crate) attempt: u32,
    pub(crate) status: Option<u16>,
    pub(crate) elapsed_ms: u64,
    pub(crate) message: String,
}

impl Event {
    /// A channel that could not even be tried.
    pub(crate) fn not_attempted(channel: &'static str, message: String) -> Self {
        Self { channel, state: DeliveryState::Failed, attempt: 0, status: None, elapsed_ms: 0, message }
    }

    /// A channel that cannot fail, because the notices are there already.
    pub(crate) fn written(channel: &'static str) -> Self {
        Self { state: DeliveryState::Sent, attempt: 1, ..Self::not_attempted(channel, String::new()) }
    }
}

/// Tells every channel; `on_event` gets each attempt as it ends. Returns when all channels are told or given up,
/// `deadline` later at most.
pub(crate) fn deliver(
    channels: &[Channel],
    digest: &Digest<'_>,
    deadline: Duration,
    cancel: &Cancel,
    mut on_event: impl FnMut(Event) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let client = HttpClient::new(&HttpSettings {
        timeout: ATTEMPT_TIMEOUT,
        max_body_bytes: 1 << 20,
        proxy_from_env: true,
        ..HttpSettings::default()
    });
    thread::scope(|scope| {
        let (sender, events) = mpsc::channel();
        for channel in channels {
            let (sender, client) = (sender.clone(), &client);
            scope.spawn(move || {
                let message = channel.message(digest);
                let post = |timeout: Duration| {
                    let url = channel.url().expose();
                    outcome(channel, client.request("POST", url).timeout(timeout).send_json(&message))
                };
                let wait = |span| pause(span, cancel);
                attempts(channel.name(), deadline, post, wait, |event| {
                    // The receiver lives as long as this scope, unless writing records failed; then nobody listens.
                    let _ = sender.send(event);
                });
            });
        }
        drop(sender);
        events.into_iter().try_for_each(&mut on_event)
    })
}

/// How an attempt ended.
#[derive(Debug, PartialEq)]
enum Outcome {
    Sent(u16),
    /// Worth another attempt, not before the given time has passed.
    Again {
        status: Option<u16>,
        after: Duration,
        reason: String,
    },
    /// No attempt will change it.
    Never {
        status: Option<u16>,
        reason: String,
    },
}

/// Tries until it is sent, cannot be, or there is no time left. `wait` says whether to go on.
fn attempts(
    channel: &'static str,
    deadline: Duration,
    mut post: impl FnMut(Duration) -> Outcome,
    mut wait: impl FnMut(Duration) -> bool,
    mut report: impl FnMut(Event),
) {
    let started = Instant::now();
    let left = || deadline.saturating_sub(started.elapsed());
    for attempt in 1..=MAX_ATTEMPTS {
        let began = Instant::now();
        let outcome = post(left().clamp(Duration::from_millis(1), ATTEMPT_TIMEOUT));
        let elapsed_ms = elapsed_ms(began);
        let mut event = |state, status, message| {
            report(Event { channel, state, attempt, status, elapsed_ms, message });
        };
        match outcome {
            Outcome::Sent(status) => return event(DeliveryState::Sent, Some(status), String::new()),
            Outcome::Never { status, reason } => return event(DeliveryState::Failed, status, reason),
            Outcome::Again { status, after, reason } => {
                let pause = after.max(BACK_OFF * 2_u32.pow(attempt - 1));
                let why = if attempt == MAX_ATTEMPTS {
                    format!("{reason}; given up after {MAX_ATTEMPTS} attempts")
                } else if pause >= left() {
                    format!("{reason}; given up, as the next attempt would be later than {deadline:?} after the first")
                } else {
                    event(DeliveryState::Retrying, status, format!("{reason}; next attempt in {pause:?}"));
                    if wait(pause) {
                        continue;
                    }
                    "stopped by a signal".to_owned()
                };
                return event(DeliveryState::Failed, status, why);
            }
        }
    }
}

/// Sleeps, unless a signal comes; then it says so.
fn pause(span: Duration, cancel: &Cancel) -> bool {
    let until = Instant::now() + span;
    while !cancel.is_cancelled() {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return true;
        }
        thread::sleep(left.min(Duration::from_millis(50)));
    }
    false
}

fn outcome(channel: &Channel, answer: Result<Answer, HttpError>) -> Outcome {
    let answer = match answer {
        Ok(answer) => answer,
        // Its text may be the URL, which is the secret.
        Err(HttpError::Malformed) => {
            let reason = "the webhook's URL is not a usable one".to_owned();
            return Outcome::Never { status: None, reason };
        }
        Err(error)
            if matches!(&error, HttpError::Tls(fault) if fault.is_lasting())
                || matches!(error, HttpError::TooLarge(_)) =>
        {
            return Outcome::Never { status: None, reason: scrubbed(channel, &error.to_string()) };
        }
        Err(error) => {
            let reason = scrubbed(channel, &error.to_string());
            return Outcome::Again { status: None, after: Duration::ZERO, reason };
        }
    };
    if answer.is_success() {
        return Outcome::Sent(answer.status);
    }
    let said = String::from_utf8_lossy(&answer.body);
    let said = scrubbed(channel, &said);
    let status = answer.status;
    let reason =
        if said.is_empty() { format!("it answered {status}") } else { format!("it answered {status}: {said}") };
    match status {
        408 | 425 | 429 | 500.. => {
            let after = answer.header("retry-after").map_or(Duration::ZERO, retry_after);
            Outcome::Again { status: Some(status), after, reason }
        }
        300..=399 => {
            Outcome::Never { status: Some(status), reason: format!("{reason} (a redirect, which is not followed)") }
        }
        _ => Outcome::Never { status: Some(status), reason },
    }
}

/// Seconds, with a fraction or without. A date, which neither Slack nor Discord sends, is taken as no wish.
fn retry_after(text: &str) -> Duration {
    text.trim().parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).unwrap_or_default()
}

/// What the other end said, in one short line without the webhook's URL: many servers repeat the path they do not know.
fn scrubbed(channel: &Channel, text: &str) -> String {
    let url = channel.url().expose();
    let path = url.split_once("://").map_or(url, |(_, rest)| rest).split_once('/').map_or("", |(_, path)| path);
    let parts = path.split(['/', '?', '&', '=']).filter(|part| part.len() >= 8);
    let clean = [url, path]
        .into_iter()
        .filter(|part| part.len() >= 4)
        .chain(parts)
        .fold(text.to_owned(), |text, secret| text.replace(secret, "***"));
    one_line(&clean, 200)
}

#[cfg(test)]
mod tests {
    use pso_common::Secret;

    use super::*;

    fn again(after: u64) -> Outcome {
        Outcome::Again { status: Some(429), after: Duration::from_secs(after), reason: "it answered 429".to_owned() }
    }

    /// Runs through `outcomes` with a clock that stands still, and gives states and waits.
    fn through(outcomes: Vec<Outcome>, go_on: bool) -> (Vec<(DeliveryState, u32)>, Vec<Duration>, String) {
        let mut outcomes = outcomes.into_iter();
        let (mut events, mut waits) = (Vec::new(), Vec::new());
        attempts(
            "slack",
            Duration::from_secs(10),
            |_| outcomes.next().expect("no more attempts than planned"),
            |span| {
                waits.push(span);
                go_on
            },
            |event| events.push(event),
        );
        let last = events.last().map(|event| event.message.clone()).unwrap_or_default();
        (events.iter().map(|event| (event.state, event.attempt)).collect(), waits, last)
    }

    #[test]
    fn what_may_pass_is_tried_again_and_what_cannot_is_not() {
        use DeliveryState::{Failed, Retrying, Sent};
        let (states, waits, _) = through(vec![again(2), Outcome::Sent(200)], true);
        assert_eq!((states, waits), (vec![(Retrying, 1), (Sent, 2)], vec![Duration::from_secs(2)]));

        let (states, waits, last) = through(vec![again(0), again(0), again(0)], true);
        assert_eq!(states, [(Retrying, 1), (Retrying, 2), (Failed, 3)]);
        assert_eq!(waits, [Duration::from_millis(500), Duration::from_secs(1)]);
        assert_eq!(last, "it answered 429; given up after 3 attempts");

        let (states, waits, last) = through(vec![again(60)], true);
        assert_eq!((states, waits.len()), (vec![(Failed, 1)], 0));
        assert!(last.contains("later than 10s"), "{last}");

        let never = Outcome::Never { status: Some(404), reason: "it answered 404: no_service".to_owned() };
        assert_eq!(through(vec![never], true).0, [(Failed, 1)]);
        assert_eq!(through(vec![again(0)], false).0, [(Retrying, 1), (Failed, 1)]);
    }

    #[test]
    fn what_the_other_end_says_is_shown_without_the_url() {
        let url = "https://hooks.slack.com/services/T000/B000/s3cr3tSlackToken";
        let channel = Channel::Webhook { url: Secret::new(url) };
        let said = scrubbed(&channel, "Cannot POST /services/T000/B000/s3cr3tSlackToken\n<pre>s3cr3tSlackToken</pre>");
        assert_eq!(said, "Cannot POST /*** <pre>***</pre>");
        assert!(scrubbed(&channel, &format!("{}{url}", "x".repeat(190))).len() <= 200);
    }

    #[test]
    fn retry_after_in_seconds() {
        assert_eq!(retry_after("2"), Duration::from_secs(2));
        assert_eq!(retry_after(" 0.5 "), Duration::from_millis(500));
        assert_eq!(retry_after("-1"), Duration::ZERO);
        assert_eq!(retry_after("1e300"), Duration::ZERO);
        assert_eq!(retry_after("Wed, 21 Oct 2026 07:28:00 GMT"), Duration::ZERO);
    }
}
