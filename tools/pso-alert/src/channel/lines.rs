//! What people read of each incident: the same words on every channel, before its own markup.

use std::collections::HashMap;

use pso_common::output::duration_ms;
use pso_common::record::IncidentState;
use pso_common::{Severity, Timestamp};

use super::{Digest, sign};
use crate::notice::{Because, Notice};
use crate::text::{is_http_url, one_line, units};

/// Longest message, in bytes; each channel cuts it to its own limit.
const MAX_MESSAGE: usize = 12_000;

/// Longest list of labels, in bytes.
const MAX_LABELS: usize = 200;

/// Longest address of a runbook, in bytes; browsers and chat services take about as much.
const MAX_RUNBOOK: usize = 1_000;

/// Rules that a summary names.
const MAX_RULES: usize = 5;

/// One incident in a message. All texts are one line, without control characters and marks that reorder text; markup,
/// which each channel has its own of, is still in them.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Line<'a> {
    pub(super) sign: &'static str,
    /// `CRITICAL`, `STILL HIGH`, `RESOLVED`, …
    pub(super) word: String,
    pub(super) message: String,
    /// Since when, how often, about what.
    pub(super) details: Vec<String>,
    /// An address that begins with http:// or https://.
    pub(super) runbook: Option<&'a str>,
    /// Of the incident; `ok` when it is over.
    pub(super) severity: Severity,
    pub(super) is_over: bool,
}

/// One line an incident, in the order of its first notice.
pub(super) fn lines<'a>(digest: &'a Digest<'_>) -> Vec<Line<'a>> {
    shown(digest.notices).into_iter().map(|notice| line(notice, digest)).collect()
}

/// Several moments of one episode are one notice, which says how it stands now; what was told by hand stands for itself.
pub(super) fn shown(notices: &[Notice]) -> Vec<&Notice> {
    let mut order: Vec<&Notice> = Vec::with_capacity(notices.len());
    let mut known: HashMap<(&str, u32), usize> = HashMap::new();
    for notice in notices {
        if matches!(notice.because, Because::ByHand | Because::Test) {
            order.push(notice);
            continue;
        }
        let at = *known.entry((&notice.incident, notice.episode)).or_insert(order.len());
        match order.get_mut(at) {
            Some(earlier) => *earlier = notice,
            None => order.push(notice),
        }
    }
    order
}

fn line<'a>(notice: &'a Notice, digest: &Digest<'_>) -> Line<'a> {
    let severity = if notice.is_end() { Severity::Ok } else { notice.severity };
    let runbook = notice.runbook.as_deref().filter(|url| url.len() <= MAX_RUNBOOK && is_http_url(url));
    let mut details = vec![when(notice, digest.at)];
    if notice.count > 1 {
        details.push(format!("{} times", notice.count));
    }
    details.extend(about(notice, place(digest).host()));
    if let Some(text) = notice.runbook.as_deref().filter(|_| runbook.is_none()) {
        details.push(format!("see {}", one_line(text, MAX_LABELS)));
    }
    let message = one_line(&notice.message, MAX_MESSAGE);
    // What cannot be seen would be an empty line.
    let message = if message.is_empty() { "(no message)".to_owned() } else { message };
    Line {
        sign: if notice.because == Because::Test { "🧪" } else { sign(severity) },
        word: word(notice),
        message,
        details,
        runbook,
        severity,
        is_over: notice.is_end(),
    }
}

fn word(notice: &Notice) -> String {
    let severity = notice.severity.as_str().to_uppercase();
    match (notice.because, notice.state) {
        (Because::Test, _) => "TEST".to_owned(),
        (_, IncidentState::Resolved) | (Because::Ended, _) => "RESOLVED".to_owned(),
        (Because::Worse, _) => format!("NOW {severity}"),
        (Because::Flapping, _) => format!("FLAPPING, {severity}"),
        (Because::Again, IncidentState::NoData) => format!("STILL NO DATA, {severity}"),
        (_, IncidentState::NoData) => format!("NO DATA, {severity}"),
        (Because::Again, _) => format!("STILL {severity}"),
        (Because::Fired | Because::ByHand, _) => severity,
    }
}

/// `09:00 UTC`, `since 09:00 UTC, for 4h 00m`, `09:00 – 09:12 UTC, for 12m 00s`.
fn when(notice: &Notice, now: Timestamp) -> String {
    let first = notice.first_at;
    let (time, began) = (time(first, now), duration_ms(millis(first, notice.ended_at.unwrap_or(now))));
    match (notice.because, notice.ended_at) {
        (Because::ByHand, _) => format!("by hand, {time} UTC"),
        (Because::Test, _) => format!("{time} UTC"),
        (_, Some(ended)) if notice.is_end() => format!("{time} – {} UTC, for {began}", self::time(ended, now)),
        _ if notice.is_end() => format!("since {time} UTC, now over"),
        (Because::Again | Because::Worse, _) => format!("since {time} UTC, for {began}"),
        _ => format!("since {time} UTC"),
    }
}

fn millis(from: Timestamp, until: Timestamp) -> u64 {
    u64::try_from(from.until(until).as_millis()).unwrap_or(u64::MAX)
}

/// The date only where it is not today's.
fn time(at: Timestamp, now: Timestamp) -> String {
    let (at, now) = (at.to_utc(), now.to_utc());
    let time = format!("{:02}:{:02}", at.hour(), at.minute());
    if at.date() == now.date() { time } else { format!("{} {time}", at.date()) }
}

/// Where it is, for one line that speaks of all.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Place<'a> {
    /// All notices are of this host.
    On(&'a str),
    /// They are of several; this one sends them.
    From(&'a str),
}

impl<'a> Place<'a> {
    /// The host that a line need not name again.
    const fn host(self) -> &'a str {
        match self {
            Self::On(host) | Self::From(host) => host,
        }
    }

    /// In a pipe of records of other machines the one where it is counts, not the one that tells it.
    pub(super) fn name(self) -> String {
        one_line(self.host(), 100)
    }
}

pub(super) fn place<'a>(digest: &'a Digest<'_>) -> Place<'a> {
    let of = |notice: &'a Notice| notice.labels.get("host").map_or(digest.host, String::as_str);
    let Some(first) = digest.notices.first().map(of) else { return Place::From(digest.host) };
    let all = digest.rest.is_none() && digest.notices.iter().all(|notice| of(notice) == first);
    if all { Place::On(first) } else { Place::From(digest.host) }
}

/// What tells it apart from others of its rule, where the message need not say it: another host, and its own labels.
fn about(notice: &Notice, host: &str) -> Option<String> {
    let of = |(key, value): (&String, &String)| match key.as_str() {
        "tool" | "name" if notice.because != Because::ByHand => None,
        "host" => (value != host).then(|| format!("host={value}")),
        key => Some(format!("{key}={value}")),
    };
    let labels: Vec<String> = notice.labels.iter().filter_map(of).collect();
    (!labels.is_empty()).then(|| one_line(&labels.join(" "), MAX_LABELS))
}

/// As many whole entries, joined by line breaks, as fit into `limit` UTF-16 units.
pub(super) fn fitting(lines: &[Line<'_>], limit: usize, entry: impl Fn(&Line<'_>) -> String) -> Vec<String> {
    let mut used = 0;
    let fits = |text: &String| {
        used += units(text) + 1;
        used <= limit
    };
    lines.iter().map(entry).take_while(fits).collect()
}

/// `and 580 more: 400 of log.errors, 180 of disk_usage`, for what has no line; `hidden` lines did not fit.
pub(super) fn more(digest: &Digest<'_>, hidden: usize) -> Option<String> {
    let rest = digest.rest.map_or(0, |rest| rest.notices);
    let all = rest + hidden as u64;
    if all == 0 {
        return None;
    }
    let rules = digest.rest.map(|rest| rest.rules.as_slice()).unwrap_or_default();
    let named: Vec<String> =
        rules.iter().take(MAX_RULES).map(|(rule, count)| format!("{count} of {}", one_line(rule, 60))).collect();
    let others = if rules.len() > MAX_RULES { ", …" } else { "" };
    let colon = if named.is_empty() { "" } else { ": " };
    Some(format!("and {all} more{colon}{}{others}", named.join(", ")))
}

/// One line for all, with nothing from a record in it but a host's name.
pub(super) fn headline(digest: &Digest<'_>, lines: &[Line<'_>]) -> String {
    let place = place(digest);
    let name = place.name();
    let host = match place {
        Place::On(_) => format!("on {name}"),
        Place::From(_) => format!("from {name}"),
    };
    let worst = worst(lines);
    let sign = sign(worst);
    let over = lines.iter().filter(|line| line.is_over).count();
    let all = lines.len() as u64 + digest.rest.map_or(0, |rest| rest.notices);
    match digest.notices {
        [test] if test.because == Because::Test => format!("🧪 test from {name}"),
        _ if all == 1 && over == 1 => format!("{sign} resolved {host}"),
        _ if all == 1 => format!("{sign} {worst} {host}"),
        _ if over as u64 == all => format!("{sign} {all} resolved {host}"),
        _ if over > 0 => format!("{sign} {all} notices {host}, the worst {worst}, {over} resolved"),
        _ => format!("{sign} {all} notices {host}, the worst {worst}"),
    }
}

/// The headline and the first message: all that the notification of a telephone shows.
pub(super) fn summary(headline: &str, lines: &[Line<'_>]) -> String {
    let first = lines.first().map_or("", |line| line.message.as_str());
    format!("{headline}: {first}")
}

/// The worst that is not over.
pub(super) fn worst(lines: &[Line<'_>]) -> Severity {
    lines
        .iter()
        .map(|line| line.severity)
        .max_by_key(|severity| crate::finding::rank(*severity))
        .unwrap_or(Severity::Ok)
}
