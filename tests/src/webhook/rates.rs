//! How fast Slack and Discord take messages.

use std::time::{Duration, Instant};

/// So many requests in so long a time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rule {
    pub(super) requests: u32,
    pub(super) per: Duration,
    /// Whether one more is allowed as soon as a part of the time has passed; otherwise all at the end of a window.
    pub(super) flows: bool,
}

/// "1 per second. Short bursts >1 allowed.": <https://docs.slack.dev/apis/web-api/rate-limits>. How short is not said; here three.
pub(super) const SLACK: Rule = Rule { requests: 3, per: Duration::from_secs(3), flows: true };

/// What the headers of its answers say for a webhook: 5 requests in 2 seconds.
pub(super) const DISCORD: Rule = Rule { requests: 5, per: Duration::from_secs(2), flows: false };

/// One rule being kept.
#[derive(Debug)]
pub(super) struct Bucket {
    rule: Rule,
    left: u32,
    /// When the bucket was filled, or a drop of it came back.
    since: Option<Instant>,
}

impl Bucket {
    pub(super) const fn new(rule: Rule) -> Self {
        Self { rule, left: rule.requests, since: None }
    }

    /// Takes one and says how many are left, or how long to wait for it.
    pub(super) fn take(&mut self, now: Instant) -> Result<u32, Duration> {
        let since = *self.since.get_or_insert(now);
        let step = if self.rule.flows { self.rule.per / self.rule.requests } else { self.rule.per };
        let steps =
            u32::try_from(now.saturating_duration_since(since).as_nanos() / step.as_nanos()).unwrap_or(u32::MAX);
        if steps > 0 {
            let back = if self.rule.flows { steps } else { self.rule.requests };
            self.left = self.left.saturating_add(back).min(self.rule.requests);
            // A window begins with its first request.
            let full = !self.rule.flows || self.left == self.rule.requests;
            self.since = Some(if full { now } else { since + step * steps });
        }
        if self.left == 0 {
            return Err(self.reset_after(now));
        }
        self.left -= 1;
        Ok(self.left)
    }

    /// How long until more are allowed.
    pub(super) fn reset_after(&self, now: Instant) -> Duration {
        let step = if self.rule.flows { self.rule.per / self.rule.requests } else { self.rule.per };
        self.since.map_or(Duration::ZERO, |since| (since + step).saturating_duration_since(now))
    }
}
