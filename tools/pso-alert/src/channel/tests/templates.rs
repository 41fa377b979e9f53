//! Bodies of one's own.

use super::*;
use crate::channel::{Template, webhook};

fn body(text: &str, kind: Option<&str>, message: &str) -> String {
    let template = Template::parse(text, kind).expect("valid");
    let mut notice = usual().swap_remove(0);
    notice.message = message.to_owned();
    webhook::body(&template, &digest(&[notice]))
}

#[test]
fn json_stays_json_whatever_is_put_in() {
    let template = r#"{"text": "{severity}: {message}", "n": {count}, "labels": {labels}, "host": "{labels.host}", "x": {}, "none": "{labels.no-such}", "until": "{ended_at}"}"#;
    let expected = r#"{"text": "critical: a \"quoted\" \\ word", "n": 1, "labels": {"host":"web-1","name":"service","tool":"pso-health"}, "host": "web-1", "x": {}, "none": "", "until": ""}"#;
    assert_eq!(body(template, None, "a \"quoted\" \\ word"), expected);
    for message in hostile().into_iter().chain(["\", \"admin\": true, \"x\": \"".to_owned(), "{count}".to_owned()]) {
        let value: Value = serde_json::from_str(&body(template, None, &message)).expect("JSON");
        assert_eq!(value.as_object().map(serde_json::Map::len), Some(7), "{message:.50}");
    }
    let all =
        "{headline}|{rule}|{state}|{because}|{incident}|{episode}|{host}|{first_at}|{last_at}|{runbook}|{key}|{at}";
    let expected = "🔴 critical on web-1|health.check|firing|fired|health.check/web-1/pso-health/service|1|web-1|2026-11-22T09:00:00.000Z|2026-11-22T09:00:00.000Z|https://wiki.example.com/run?id=1&step=2|k|2026-11-22T09:00:00.000Z";
    assert_eq!(body(all, None, "m"), expected);
}

#[test]
fn a_form_and_a_text_have_their_own_escapes() {
    let form = Some("application/x-www-form-urlencoded");
    assert_eq!(body("msg={message}&sev={severity}", form, "a&b=c +é"), "msg=a%26b%3Dc%20%2B%C3%A9&sev=critical");
    assert_eq!(
        body("{message} {labels}", Some("text/plain"), "a\nb\u{202e}"),
        "a b· host=web-1 name=service tool=pso-health"
    );
    // Braces without a name are text.
    assert_eq!(body("{} {a b} {", Some("text/plain"), "m"), "{} {a b} {");
}

#[test]
fn a_template_that_cannot_be_is_told_when_it_is_read() {
    let fault = |text: &str| Template::parse(text, None).expect_err("wrong");
    assert!(
        fault("{severty}").starts_with("there is no {severty}; there are text, headline, message,"),
        "{}",
        fault("{severty}")
    );
    assert!(fault("{object}").starts_with("there is no {object}"));
    assert!(fault(r#"{"text": {message}}"#).starts_with("with values put in, it is no JSON: "));
    assert!(fault("{labels.}").starts_with("there is no {labels.}"));
}

#[test]
fn a_value_is_cut_and_said_in_the_words_of_the_other_end() {
    let plain = Some("text/plain");
    assert_eq!(body("{message:5}|", plain, "a long message"), "a lo…|");
    let form = Some("application/x-www-form-urlencoded");
    assert_eq!(body("{message:3}", form, "&&&&"), "%26%26%E2%80%A6");
    assert_eq!(body("{severity|high=P2|critical=P1}{state|*=x}", plain, "m"), "P1x");
    assert_eq!(body("{severity|high=P2}", plain, "m"), "critical");
    assert_eq!(body(r#"{"p": {severity|critical=1|*=0}}"#, None, "m"), r#"{"p": 1}"#);
    let fault = |text: &str| Template::parse(text, None).expect_err("wrong");
    assert!(fault("{message:}").starts_with("{message:}: expected a number of characters"));
    assert!(fault("{message:0}").starts_with("{message:0}: expected a number of characters"));
    assert!(
        fault("{severity|high}").starts_with("{severity|high}: expected words such as {severity|VALUE=WORD|*=OTHER}")
    );
    assert!(fault("{mesage:20}").starts_with("there is no {mesage}"));
    // Also a word that only another severity would put there.
    assert!(fault(r#"{"p": {severity|critical=P1|*=0}}"#).starts_with("with values put in, it is no JSON: "));
}

#[test]
fn a_text_tells_all_that_fits_and_counts_the_rest() {
    let template = Template::parse(r#"{"text": "{text:1000}"}"#, None).expect("valid");
    let said = |notices: &[Notice], rest: Option<&Rest>| {
        let digest = Digest { rest, ..digest(notices) };
        let value: Value = serde_json::from_str(&webhook::body(&template, &digest)).expect("JSON");
        value["text"].as_str().expect("a text").to_owned()
    };
    let expected = "🔴 CRITICAL System health check failed: service: connection refused\nsince 09:00 UTC\nhttps://wiki.example.com/run?id=1&step=2\n\
        🟠 STILL HIGH High disk usage: 91.2% (limit 85%)\nsince 04:45 UTC, for 4h 15m · 12 times · mount=/var\n\
        ✅ RESOLVED Slow sync: 72 s (limit 60 s)\n08:40 – 08:52 UTC, for 12m 00s · 3 times · host=web-2\n\
        🔵 INFO Disk replaced <soon>\nby hand, 09:00 UTC · ticket=OPS-7\n\
        and 580 more: 400 of log.errors, 180 of disk_usage";
    assert_eq!(said(&usual(), Some(&storm())), expected);
    for message in hostile() {
        for count in [1, 20] {
            let text = said(&numbered(count, &message, u64::MAX), Some(&storm()));
            assert!(units(&text) <= 1_000, "{}", units(&text));
            assert!(text.contains("more: 400 of log.errors"), "{text}");
        }
    }
}

#[test]
fn the_examples_are_what_the_services_take() {
    let env = ["PAGERDUTY_KEY", "TELEGRAM_TOKEN", "TELEGRAM_CHAT", "PUSHOVER_TOKEN", "PUSHOVER_USER"];
    let mut known = pso_common::io::Env::default();
    for name in env {
        known.set(name, "s3cr3t");
    }
    known.set("TEAMS_WEBHOOK", "https://h/s3cr3t");
    let path = std::path::Path::new("config/alerts.yaml");
    let text = include_str!("../../examples.yaml");
    let alerts = crate::alerts_file::parse(path, text, &known, std::path::Path::new(".")).expect("valid");
    assert!(alerts.problems.is_empty(), "{:?}", alerts.problems);
    assert!(!format!("{alerts:?}").contains("s3cr3t"), "{alerts:?}");
    let of = |name: &str| {
        let channel = alerts.channels.iter().find(|channel| channel.name == name).expect(name);
        (channel.channel.is_for_people(), channel.channel.capacity())
    };
    // A pager takes each for itself; people read several at once.
    assert_eq!(of("pagerduty"), (false, 1));
    assert!(["teams", "telegram", "pushover"].iter().all(|name| of(name) == (true, 20)));
}
