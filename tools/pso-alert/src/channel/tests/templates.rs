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
        fault("{severty}").starts_with("there is no {severty}; there are headline, message,"),
        "{}",
        fault("{severty}")
    );
    assert!(fault("{object}").starts_with("there is no {object}"));
    assert!(fault(r#"{"text": {message}}"#).starts_with("with values put in, it is no JSON: "));
    assert!(fault("{labels.}").starts_with("there is no {labels.}"));
}
