//! What each channel gets, written out by hand, and what a hostile record can do to it: nothing.

use pso_common::record::{IncidentState, Labels};
use serde::Serialize;
use serde_json::Value;

use super::*;
use crate::notice::Because;
use crate::text::units;

fn at() -> Timestamp {
    "2026-11-22T09:00:00Z".parse().expect("a time")
}

fn notice(severity: Severity, message: &str, count: u64) -> Notice {
    Notice {
        incident: "rule/h/t/n".to_owned(),
        episode: 1,
        rule: "rule".to_owned(),
        state: IncidentState::Firing,
        because: Because::Fired,
        severity,
        message: message.to_owned(),
        count,
        labels: Labels::from([("host".to_owned(), "h".to_owned())]),
        first_at: at(),
        last_at: at(),
        ended_at: None,
        runbook: None,
    }
}

fn digest(notices: &[Notice]) -> Digest<'_> {
    Digest { key: "k", host: "web-1", at: at(), notices, rest: None }
}

/// The message as the other end reads it, and in the order in which it is written.
fn read(message: &impl Serialize) -> Value {
    serde_json::from_str(&serde_json::to_string(message).expect("JSON")).expect("JSON")
}

fn slack(notices: &[Notice]) -> Value {
    read(&slack::message(&digest(notices), Some("#alerts")))
}

fn discord(notices: &[Notice]) -> Value {
    read(&discord::message(&digest(notices)))
}

fn webhook(notices: &[Notice]) -> Value {
    read(&webhook::message(&digest(notices)))
}

const HOSTILE: &str = "<!channel> @everyone <@U1> *b* `c` [x](http://e.vil) & 🎉";

#[test]
fn slack_golden() {
    let notices = [notice(Severity::Critical, "Service is down", 1), notice(Severity::Warning, "a < b & c", 3)];
    let expected = r##"{"text":"🔴 2 notices on web-1, the worst critical: Service is down","blocks":[{"type":"header","text":{"type":"plain_text","text":"🔴 2 notices on web-1, the worst critical","emoji":true}},{"type":"section","text":{"type":"mrkdwn","text":"🔴 *CRITICAL* Service is down","verbatim":true}},{"type":"section","text":{"type":"mrkdwn","text":"🟡 *WARNING* a &lt; b &amp; c (3 times)","verbatim":true}},{"type":"context","elements":[{"type":"mrkdwn","text":"pso-alert, 2026-11-22T09:00:00.000Z","verbatim":true}]}],"unfurl_links":false,"unfurl_media":false,"channel":"#alerts"}"##;
    assert_eq!(slack(&notices).to_string(), expected);
}

#[test]
fn discord_golden() {
    let expected = r##"{"content":"🟠 high on web-1","embeds":[{"description":"🟠 **HIGH** index plans\\_pkey is *not* used","color":16088064,"timestamp":"2026-11-22T09:00:00.000Z","footer":{"text":"pso-alert"}}],"allowed_mentions":{"parse":[]}}"##;
    let expected = expected.replace("*not*", r"\\*not\\*");
    let notices = [notice(Severity::High, "index plans_pkey is *not* used", 1)];
    assert_eq!(discord(&notices).to_string(), expected);
}

#[test]
fn webhook_golden() {
    let expected = r#"{"schema":1,"tool":"pso-alert","host":"web-1","at":"2026-11-22T09:00:00.000Z","severity":"high","notices":[{"severity":"high","message":"a < b","incident":"rule/h/t/n","rule":"rule","state":"firing","count":2,"first_at":"2026-11-22T09:00:00.000Z","last_at":"2026-11-22T09:00:00.000Z","episode":1,"told":"now","labels":{"host":"h"}}],"more":0}"#;
    assert_eq!(webhook(&[notice(Severity::High, "a < b", 2)]).to_string(), expected);
}

#[test]
fn a_hostile_message_mentions_nobody_and_links_nothing() {
    let notices = [notice(Severity::High, HOSTILE, 1)];
    let slack = slack(&notices);
    let told = "🟠 *HIGH* &lt;!channel&gt; @\u{200b}everyone &lt;@U1&gt; *b* `c` [x](http://e.vil) &amp; 🎉";
    assert_eq!(slack["blocks"][1]["text"]["text"], told);
    assert!(!slack.to_string().contains("<") && !slack.to_string().contains("@everyone"), "{slack}");
    let discord = discord(&notices);
    let told = "🟠 **HIGH** \\<!channel\\> @\u{200b}everyone \\<@U1\\> \\*b\\* \\`c\\` \\[x\\](http://e.vil) & 🎉";
    assert_eq!(discord["embeds"][0]["description"], told);
}

fn within_slacks_limits(message: &Value) {
    let blocks = message["blocks"].as_array().expect("blocks");
    assert!(blocks.len() <= 50);
    for block in blocks.iter().filter(|block| block["type"] != "context") {
        let limit = if block["type"] == "header" { 150 } else { 3_000 };
        let length = units(block["text"]["text"].as_str().expect("text"));
        assert!((1..=limit).contains(&length), "{length}: {block}");
    }
    assert!(units(message["text"].as_str().expect("text")) <= 3_000);
}

fn within_discords_limits(message: &Value) {
    assert!(units(message["content"].as_str().expect("content")) <= 2_000);
    let description = units(message["embeds"][0]["description"].as_str().expect("description"));
    assert!((1..=4_096).contains(&description), "{description}");
}

#[test]
fn every_size_stays_within_the_channels_limits() {
    let long = "<&🎉*".repeat(25_000);
    for message in ["", "x", long.as_str(), &"é".repeat(100_000)] {
        for count in [1, 2, 19, 20, 21, 600] {
            let notices: Vec<Notice> = (0..count).map(|_| notice(Severity::High, message, u64::MAX)).collect();
            within_slacks_limits(&slack(&notices));
            within_discords_limits(&discord(&notices));
        }
    }
    let host = "h".repeat(5_000);
    let long_host = Digest { host: &host, ..digest(&[]) };
    let slack = read(&slack::message(&long_host, None));
    assert!(units(slack["blocks"][0]["text"]["text"].as_str().expect("text")) <= 150);
    assert_eq!(slack.get("channel"), None);
}

#[test]
fn what_is_not_shown_is_counted() {
    let notices: Vec<Notice> = (0..600).map(|_| notice(Severity::High, "m", 1)).collect();
    let slack = slack(&notices);
    assert_eq!(slack["blocks"].as_array().map(Vec::len), Some(22));
    assert_eq!(slack["blocks"][21]["elements"][0]["text"], "and 580 more · pso-alert, 2026-11-22T09:00:00.000Z");
    let discord = discord(&notices);
    let lines = discord["embeds"][0]["description"].as_str().expect("text").lines().count();
    assert_eq!(lines, 21);
    let webhook = webhook(&notices);
    assert_eq!((webhook["notices"].as_array().map(Vec::len), webhook["more"].as_u64()), (Some(500), Some(100)));
}
