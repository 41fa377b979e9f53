//! Slack, Discord, and the generic webhook.

use super::*;
use crate::channel::{discord, slack, webhook};

fn slack(notices: &[Notice]) -> Value {
    read(&slack::message(&digest(notices), Some("#alerts")))
}

fn discord(notices: &[Notice]) -> Value {
    read(&discord::message(&digest(notices)))
}

fn webhook(notices: &[Notice]) -> Value {
    read(&webhook::message(&digest(notices)))
}

#[test]
fn slack_golden() {
    let expected = r##"{"text":"🔴 4 notices from web-1, the worst critical, 1 resolved: System health check failed: service: connection refused","blocks":[{"type":"header","text":{"type":"plain_text","text":"🔴 4 notices from web-1, the worst critical, 1 resolved","emoji":false}},"##.to_owned()
        + r##"{"type":"section","text":{"type":"plain_text","text":"🔴 CRITICAL System health check failed: service: connection refused","emoji":false}},{"type":"context","elements":[{"type":"plain_text","text":"since 09:00 UTC","emoji":false},{"type":"mrkdwn","text":"<https://wiki.example.com/run?id=1&amp;step=2|Runbook>","verbatim":true}]},"##
        + r##"{"type":"section","text":{"type":"plain_text","text":"🟠 STILL HIGH High disk usage: 91.2% (limit 85%)","emoji":false}},{"type":"context","elements":[{"type":"plain_text","text":"since 04:45 UTC, for 4h 15m · 12 times · mount=/var","emoji":false}]},"##
        + r##"{"type":"section","text":{"type":"plain_text","text":"✅ RESOLVED Slow sync: 72 s (limit 60 s)","emoji":false}},{"type":"context","elements":[{"type":"plain_text","text":"08:40 – 08:52 UTC, for 12m 00s · 3 times · host=web-2","emoji":false}]},"##
        + r##"{"type":"section","text":{"type":"plain_text","text":"🔵 INFO Disk replaced &lt;soon&gt;","emoji":false}},{"type":"context","elements":[{"type":"plain_text","text":"by hand, 09:00 UTC · ticket=OPS-7","emoji":false}]},"##
        + r##"{"type":"context","elements":[{"type":"plain_text","text":"pso-alert, 2026-11-22T09:00:00.000Z","emoji":false}]}],"unfurl_links":false,"unfurl_media":false,"channel":"#alerts"}"##;
    assert_eq!(slack(&usual()).to_string(), expected);
}

#[test]
fn discord_golden() {
    let description = "🔴 **CRITICAL** System health check failed: service: connection refused\n\
        since 09:00 UTC · [Runbook](<https://wiki.example.com/run?id=1&step=2>)\n\
        🟠 **STILL HIGH** High disk\\_usage: 91.2% (limit 85%)\n\
        since 04:45 UTC, for 4h 15m · 12 times · mount=/var\n\
        ✅ **RESOLVED** Slow sync: 72 s (limit 60 s)\n\
        08:40 – 08:52 UTC, for 12m 00s · 3 times · host=web-2\n\
        🔵 **INFO** Disk replaced \\<soon\\>\n\
        by hand, 09:00 UTC · ticket=OPS-7";
    let expected = serde_json::json!({
        "content": "🔴 4 notices from web-1, the worst critical, 1 resolved: System health check failed: service: connection refused",
        "embeds": [{
            "description": description,
            "color": 0xd3_2f2f,
            "timestamp": "2026-11-22T09:00:00.000Z",
            "footer": {"text": "pso-alert"}
        }],
        "allowed_mentions": {"parse": []}
    });
    let mut notices = usual();
    notices[1].message = "High disk_usage: 91.2% (limit 85%)".to_owned();
    assert_eq!(discord(&notices), expected);
}

#[test]
fn webhook_golden() {
    let expected = r#"{"schema":1,"tool":"pso-alert","host":"web-1","at":"2026-11-22T09:00:00.000Z","severity":"high","notices":[{"severity":"high","message":"a < b","incident":"rule/h/t/a < b","rule":"rule","state":"firing","count":2,"first_at":"2026-11-22T09:00:00.000Z","last_at":"2026-11-22T09:00:00.000Z","episode":1,"told":"now","because":"fired","labels":{"host":"h"}}],"more":0}"#;
    assert_eq!(webhook(&[notice(Severity::High, "a < b", 2)]).to_string(), expected);
}

#[test]
fn a_hostile_message_mentions_nobody_links_nothing_and_forges_no_line() {
    let notices = [notice(Severity::High, HOSTILE, 1)];
    let slack = slack(&notices);
    // All of it is text, `*b*` too: nothing of a record is markup, and the runbook's link is the only that is.
    assert_eq!(slack["blocks"][1]["text"]["type"], "plain_text");
    let told = "🟠 HIGH &lt;!channel&gt; @\u{200b}everyone &lt;@U1&gt; *b* `c` [x](http://e.vil) &amp; 🎉 🔴 *CRITICAL* forged··";
    assert_eq!(slack["blocks"][1]["text"]["text"], told);
    assert!(!slack.to_string().contains('<') && !slack.to_string().contains("@everyone"), "{slack}");
    let discord = discord(&notices);
    let told = "🟠 **HIGH** \\<!channel\\> @\u{200b}everyone \\<@U1\\> \\*b\\* \\`c\\` \\[x\\](http://e.vil) & 🎉 🔴 \\*CRITICAL\\* forged··\nsince 09:00 UTC";
    assert_eq!(discord["embeds"][0]["description"], told);
    // Everything else that comes from a record or a file.
    let elsewhere = Notice {
        labels: labels(&[("host", "<!here>\n"), ("k\n", "@here")]),
        runbook: Some("javascript:<x>|\n@everyone".to_owned()),
        rule: "@everyone".to_owned(),
        ..notice(Severity::High, "x", 1)
    };
    let rest = Rest { notices: 2, rules: vec![("<!channel>@everyone\n".to_owned(), 2)] };
    let digest = Digest { rest: Some(&rest), host: "<!channel>@here", ..digest(std::slice::from_ref(&elsewhere)) };
    for text in [read(&slack::message(&digest, None)).to_string(), read(&discord::message(&digest)).to_string()] {
        for wrong in ["@everyone", "@here", "\"<!channel>", " <!channel>", "=<!here>", "](<java"] {
            assert!(!text.contains(wrong), "{wrong}: {text}");
        }
    }
}

#[test]
fn an_address_in_a_message_can_be_opened() {
    let told = |message: &str| {
        let message = discord(&[notice(Severity::High, message, 1)]);
        message["embeds"][0]["description"].as_str().and_then(|text| text.lines().next()).map(str::to_owned)
    };
    let told = |message: &str| told(message).and_then(|line| Some(line.strip_prefix("🟠 **HIGH** ")?.to_owned()));
    assert_eq!(told("a_b http://h/a_b_c a_b").as_deref(), Some("a\\_b http://h/a_b_c a\\_b"));
    // What is no longer the address is escaped.
    assert_eq!(told("(https://h/_<_i_ *b*").as_deref(), Some("(https://h/_\\<\\_i\\_ \\*b\\*"));
}

fn within_slacks_limits(message: &Value) {
    let blocks = message["blocks"].as_array().expect("blocks");
    assert!(blocks.len() <= 50);
    for block in blocks {
        let (text, limit) = match block["type"].as_str() {
            Some("header") => (&block["text"]["text"], 150),
            Some("context") => (&block["elements"][0]["text"], 3_000),
            _ => (&block["text"]["text"], 3_000),
        };
        let length = units(text.as_str().expect("text"));
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
    let rest = Rest { notices: u64::MAX / 2, rules: vec![("<&*".repeat(1_000), 7); 100] };
    for message in hostile() {
        for count in [1, 2, 20, 21, 60] {
            let mut notices = numbered(count, &message, u64::MAX);
            for notice in &mut notices {
                notice.labels = labels(&[("host", &message), (&message, "v")]);
                notice.runbook = Some(format!("https://wiki.example.com/{}", "&".repeat(count * 40)));
            }
            for rest in [None, Some(&rest)] {
                let digest = Digest { rest, ..digest(&notices) };
                within_slacks_limits(&read(&slack::message(&digest, None)));
                within_discords_limits(&read(&discord::message(&digest)));
            }
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
    let notices = numbered(600, "m", 1);
    let slack = slack(&notices);
    assert_eq!(slack["blocks"].as_array().map(Vec::len), Some(42));
    assert_eq!(slack["blocks"][41]["elements"][0]["text"], "and 580 more · pso-alert, 2026-11-22T09:00:00.000Z");
    let discord = discord(&notices);
    let text = discord["embeds"][0]["description"].as_str().expect("text");
    assert_eq!((text.lines().count(), text.lines().last()), (41, Some("and 580 more")));
    let webhook = webhook(&notices);
    assert_eq!((webhook["notices"].as_array().map(Vec::len), webhook["more"].as_u64()), (Some(500), Some(100)));
}
