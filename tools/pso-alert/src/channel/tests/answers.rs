//! What the answers of Slack, Discord and other ends mean.

use std::time::Duration;

use pso_common::http::{HttpClient, HttpRoots, HttpSettings};

use super::*;
use crate::channel::discord::paced;
use crate::channel::post::Post;

/// An answer as it comes from a server, with these lines of its head and this body.
fn answer(head: &str, body: &str) -> pso_common::http::Answer {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("bound"));
    let text = format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        let mut bytes = [0; 4_096];
        let _ = stream.read(&mut bytes);
        stream.write_all(text.as_bytes()).expect("written");
    });
    let answer = HttpClient::new(&HttpSettings::default()).request("POST", url).send_bytes("text/plain", b"x");
    server.join().expect("served");
    answer.expect("an answer")
}

fn outcome(head: &str, body: &str) -> (Outcome, pso_common::http::Answer) {
    let post = Post::new(pso_common::Secret::new("http://h/s3cr3tPath"), HttpRoots::default());
    let answer = answer(head, body);
    (post.judge(&answer), answer)
}

#[test]
fn codes_say_whether_another_attempt_or_another_message_is_worth_it() {
    let kind = |head: &str| match outcome(head, "x").0 {
        Outcome::Sent { .. } => "sent",
        Outcome::Again { .. } => "again",
        Outcome::Refused { .. } => "refused",
        Outcome::Unusable { .. } => "unusable",
    };
    for (heads, expected) in [
        (&["200 OK", "202 Accepted", "204 No Content"][..], "sent"),
        (&["408 Late", "425 Early", "429 Many", "500 Oh", "502 Bad", "503 Busy", "504 Late", "529 Busy"], "again"),
        (&["400 Bad", "409 Conflict", "413 Large", "422 Odd"], "refused"),
        // Slack: no_service, action_prohibited, channel_is_archived; Discord: a webhook that was deleted.
        (&["301 Moved", "307 Elsewhere", "401 No", "403 No", "404 Gone", "405 No", "410 Gone"], "unusable"),
    ] {
        for head in heads {
            assert_eq!(kind(head), expected, "{head}");
        }
    }
    let (refused, _) = outcome("404 Not Found", "no_service at /s3cr3tPath");
    let reason = "it answered 404: no_service at /***".to_owned();
    assert_eq!(refused, Outcome::Unusable { status: Some(404), reason });
}

#[test]
fn a_web_page_is_no_answer_of_a_service() {
    let page = |head: &'static str, body: &str| {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let url = format!("http://{}/services/x", listener.local_addr().expect("bound"));
        let text = format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
        let server = std::thread::spawn(move || {
            use std::io::{Read as _, Write as _};
            let (mut stream, _) = listener.accept().expect("a client");
            let mut bytes = [0; 65_536];
            let _ = stream.read(&mut bytes);
            stream.write_all(text.as_bytes()).expect("written");
        });
        let post = Post::new(pso_common::Secret::new(url), HttpRoots::default());
        let slack = crate::channel::Slack { post, channel: None };
        let outcome = slack.send(&digest(&usual()), Duration::from_secs(10));
        server.join().expect("served");
        outcome
    };
    for body in ["<!DOCTYPE html><title>Log in</title>", "\n <html><body>Welcome to the hotel's network"] {
        let outcome = page("200 OK\r\nContent-Type: text/html", body);
        assert!(
            matches!(&outcome, Outcome::Again { status: Some(200), reason, .. } if reason.contains("with a web page, so nobody was told")),
            "{outcome:?}"
        );
    }
    // Slack's own answer says that it is HTML as well.
    assert!(matches!(page("200 OK\r\nContent-Type: text/html", "ok"), Outcome::Sent { .. }));
}

#[test]
fn discord_is_asked_whether_it_has_the_message() {
    use crate::channel::confirmed;
    assert_eq!(confirmed("https://d/api/webhooks/1/x"), "https://d/api/webhooks/1/x?wait=true");
    assert_eq!(confirmed("https://d/x?thread_id=7"), "https://d/x?thread_id=7&wait=true");
    assert_eq!(confirmed("https://d/x?thread_id=7&wait=false"), "https://d/x?thread_id=7&wait=false");
    let (sent, answer) = outcome("200 OK", r#"{"id": "14421", "content": "the whole message"}"#);
    assert!(matches!(paced(sent, &answer), Outcome::Sent { said, .. } if said == "message 14421"));
}

#[test]
fn the_wait_that_is_asked_for_is_kept() {
    let after = |head: &str| match outcome(head, "").0 {
        Outcome::Again { after, .. } => after,
        other => panic!("{other:?}"),
    };
    assert_eq!(after("429 Many\r\nRetry-After: 30"), Duration::from_secs(30));
    assert_eq!(after("503 Busy\r\nRetry-After: 7"), Duration::from_secs(7));
    // The other end's clock counts, not ours.
    let dates = "Date: Wed, 21 Oct 2015 07:27:00 GMT\r\nRetry-After: Wed, 21 Oct 2015 07:28:00 GMT";
    assert_eq!(after(&format!("503 Busy\r\n{dates}")), Duration::from_secs(60));
}

#[test]
fn discords_own_words_of_its_rate_are_understood() {
    let pause = |head: &str| {
        let (outcome, answer) = outcome(head, "");
        match paced(outcome, &answer) {
            Outcome::Sent { pause, .. } => pause,
            other => panic!("{other:?}"),
        }
    };
    let rate =
        |left: &str| format!("204 No Content\r\nX-RateLimit-Remaining: {left}\r\nX-RateLimit-Reset-After: 1.337");
    assert_eq!(pause(&rate("0")), Duration::from_millis(1_337));
    assert_eq!(pause(&rate("4")), Duration::ZERO);
    assert_eq!(pause("204 No Content"), Duration::ZERO);
    assert_eq!(pause(&rate("0").replace("1.337", "-1e9")), Duration::ZERO);
    let after = |head: &str, body: &str| {
        let (outcome, answer) = outcome(head, body);
        match paced(outcome, &answer) {
            Outcome::Again { after, .. } => after,
            other => panic!("{other:?}"),
        }
    };
    let body = r#"{"message": "You are being rate limited.", "retry_after": 0.64, "global": false}"#;
    // The header's whole second is the body's 0.64.
    assert_eq!(after("429 Many\r\nRetry-After: 1", body), Duration::from_millis(640));
    assert_eq!(after("429 Many", body), Duration::from_millis(640));
    // Cloudflare's, before Discord: it has no body that we know.
    assert_eq!(after("429 Many\r\nRetry-After: 120", "error code: 1015"), Duration::from_secs(120));
    assert_eq!(after("429 Many\r\nRetry-After: 1", &body.replace("0.64", "64.5")), Duration::from_millis(64_500));
}
