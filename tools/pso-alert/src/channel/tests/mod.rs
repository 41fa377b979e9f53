//! What each channel gets, written out by hand, and what a hostile record can do to it: nothing.

mod answers;
mod chat;
mod mail;
mod programs;
mod templates;
mod words;

use pso_common::record::{IncidentState, Labels};
use serde::Serialize;
use serde_json::Value;

use super::*;
use crate::notice::Because;
use crate::text::units;

pub(super) fn time(text: &str) -> Timestamp {
    format!("2026-11-22T{text}Z").parse().expect("a time")
}

pub(super) fn at() -> Timestamp {
    time("09:00:00")
}

pub(super) fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// Each with an incident of its own.
pub(super) fn notice(severity: Severity, message: &str, count: u64) -> Notice {
    Notice {
        incident: format!("rule/h/t/{message:.20}"),
        episode: 1,
        rule: "rule".to_owned(),
        state: IncidentState::Firing,
        because: Because::Fired,
        severity,
        message: message.to_owned(),
        count,
        labels: labels(&[("host", "h")]),
        first_at: at(),
        last_at: at(),
        ended_at: None,
        runbook: None,
    }
}

pub(super) fn numbered(count: usize, message: &str, times: u64) -> Vec<Notice> {
    let one = |number| Notice { incident: format!("i{number}"), ..notice(Severity::High, message, times) };
    (0..count).map(one).collect()
}

/// One that begins with a place to look, one that goes on, one that is over already, one by hand.
pub(super) fn usual() -> Vec<Notice> {
    let service = Notice {
        incident: "health.check/web-1/pso-health/service".to_owned(),
        rule: "health.check".to_owned(),
        labels: labels(&[("host", "web-1"), ("tool", "pso-health"), ("name", "service")]),
        runbook: Some("https://wiki.example.com/run?id=1&step=2".to_owned()),
        ..notice(Severity::Critical, "System health check failed: service: connection refused", 1)
    };
    let disk = Notice {
        incident: "disk_usage/web-1/pso-health/disk_usage,mount=/var".to_owned(),
        rule: "disk_usage".to_owned(),
        because: Because::Again,
        labels: labels(&[("host", "web-1"), ("tool", "pso-health"), ("name", "disk_usage"), ("mount", "/var")]),
        first_at: time("04:45:00"),
        ..notice(Severity::High, "High disk usage: 91.2% (limit 85%)", 12)
    };
    let began = Notice {
        incident: "sync_duration/web-2/pso-health/sync_duration".to_owned(),
        rule: "sync_duration".to_owned(),
        labels: labels(&[("host", "web-2"), ("tool", "pso-health"), ("name", "sync_duration")]),
        first_at: time("08:40:00"),
        ..notice(Severity::Warning, "Slow sync: 72 s (limit 60 s)", 2)
    };
    let over = Notice {
        state: IncidentState::Resolved,
        because: Because::Ended,
        ended_at: Some(time("08:52:00")),
        count: 3,
        ..began.clone()
    };
    let by_hand = Notice {
        because: Because::ByHand,
        rule: "send".to_owned(),
        labels: labels(&[("ticket", "OPS-7")]),
        ..notice(Severity::Info, "Disk replaced <soon>", 1)
    };
    vec![service, disk, began, by_hand, over]
}

pub(super) fn digest(notices: &[Notice]) -> Digest<'_> {
    Digest { key: "k", host: "web-1", at: at(), notices, rest: None }
}

pub(super) fn storm() -> Rest {
    Rest { notices: 580, rules: vec![("log.errors".to_owned(), 400), ("disk_usage".to_owned(), 180)] }
}

/// The message as the other end reads it, and in the order in which it is written.
pub(super) fn read(message: &impl Serialize) -> Value {
    serde_json::from_str(&serde_json::to_string(message).expect("JSON")).expect("JSON")
}

pub(super) const HOSTILE: &str =
    "<!channel> @everyone <@U1> *b* `c` [x](http://e.vil) & 🎉\n🔴 *CRITICAL* forged\u{202e}\0";

/// Messages that have broken something somewhere.
pub(super) fn hostile() -> Vec<String> {
    let long = "<&🎉*".repeat(25_000);
    [
        "",
        "x",
        HOSTILE,
        " \n\r\n ",
        &long,
        &"é".repeat(100_000),
        &"@everyone".repeat(10_000),
        "\u{202e}\u{2066}\0\u{1b}[2J",
    ]
    .map(str::to_owned)
    .to_vec()
}
