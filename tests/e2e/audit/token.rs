//! What the server says of the API token.

use std::fs::File;
use std::time::{Duration, SystemTime};

use pso_tests::Reply;
use pso_tests::service::Service;
use pso_tests::tool::Outcome;
use pso_tests::webhook::WebhookSink;

use super::deployment::Deployment;
use super::{finding, findings, section, text};

const TOKEN: &str = "test-token-0123456789abcdef";

fn run(url: &str, token: &str, more: &[&str]) -> Outcome {
    let deployment = Deployment::sane();
    deployment.write("config/api-token.txt", token, 0o600);
    let outcome = deployment.run(&[&["--only", "token", "--service-url", url], more].concat());
    outcome.assert_no_secret(&[TOKEN, "another-token-0123456789"]);
    outcome
}

#[test]
fn a_token_is_told_by_what_the_server_says() {
    let service = Service::start().expect("listens");
    let url = service.url();
    service.set(|state| state.token_expires_in = 86_400);
    let outcome = run(&url, &format!("{TOKEN}\n"), &[]);
    outcome.assert_code(0);
    assert_eq!((findings(&outcome).len(), &section(&outcome, "token")["examined"]), (0, &1.into()), "{outcome}");

    service.set(|state| state.token_expires_in = 3_600);
    let outcome = run(&url, TOKEN, &[]);
    outcome.assert_code(1);
    let soon = finding(&outcome, "token_expires_soon:config/api-token.txt").expect("told");
    assert_eq!(
        (text(&soon, "message"), &soon["evidence"]["expires_in_s"]),
        ("the token expires in 1.0 h", &"3600".into())
    );

    let outcome = run(&url, "another-token-0123456789\n", &[]);
    outcome.assert_code(2);
    assert_eq!(findings(&outcome), ["token_invalid:config/api-token.txt"], "{outcome}");

    service.forget();
    for (token, rule) in [("\n", "token_empty"), ("two\nlines\n", "token_malformed"), ("a b", "token_malformed")] {
        let outcome = run(&url, token, &[]);
        outcome.assert_code(2);
        assert_eq!(findings(&outcome), [format!("{rule}:config/api-token.txt")], "{outcome}");
    }
    assert_eq!(service.requests().len(), 0, "what is no token is not sent");
}

#[test]
fn what_is_left_may_be_less_where_tokens_live_short() {
    let service = Service::start().expect("listens");
    let deployment = Deployment::sane();
    deployment.write("config/api-token.txt", TOKEN, 0o600);
    let config = format!(
        "maintenance: {{service: {{url: '{}'}}, audit: {{token: {{min_left: 10m, max_age: 30d}}}}}}\n",
        service.url()
    );
    deployment.write("config/config.yaml", config, 0o640);
    deployment.run(&["--only", "token"]).assert_code(0);
    let file = File::options().write(true).open(deployment.path("config/api-token.txt")).expect("opened");
    file.set_modified(SystemTime::now() - Duration::from_secs(31 * 86_400)).expect("dated");
    let outcome = deployment.run(&["--only", "token"]);
    outcome.assert_code(1);
    let old = finding(&outcome, "token_old:config/api-token.txt").expect("told");
    assert_eq!(old["evidence"]["age_days"], "31", "{outcome}");
}

#[test]
fn a_server_that_does_not_say_is_unknown() {
    let closed = Service::start().expect("listens").url();
    let answers = [
        (Reply::status(302).header("Location", "http://127.0.0.1:9/"), "302, a redirect"),
        (Reply::status(500), "answered 500"),
        (Reply::status(404), "answered 404"),
        (Reply::new(200, "text/html", format!("<p>{TOKEN}</p>")), "not as JSON"),
        (Reply::new(200, "application/json", "{}"), "neither valid nor expires_in"),
    ];
    let outcome = run(&closed, TOKEN, &[]);
    outcome.assert_code(3);
    assert!(text(&section(&outcome, "token"), "message").contains("connection refused"), "{outcome}");
    let sink = WebhookSink::start().expect("listens");
    let url = format!("http://127.0.0.1:{}", sink.port());
    for (reply, expected) in answers {
        sink.forget();
        sink.plan([reply]);
        let outcome = run(&url, TOKEN, &[]);
        outcome.assert_code(3);
        assert!(text(&section(&outcome, "token"), "message").contains(expected), "{expected}\n{outcome}");
        assert_eq!(sink.requests().len(), 1, "asked once, and nothing was followed\n{outcome}");
    }
    let service = Service::start().expect("listens");
    service.set(|state| state.delay = Duration::from_secs(30));
    let outcome = run(&service.url(), TOKEN, &["--timeout", "1s"]);
    outcome.assert_code(3);
    let end = section(&outcome, "token");
    assert!(text(&end, "message").contains("time-out"), "{outcome}");
    assert!(end["elapsed_ms"].as_u64().is_some_and(|elapsed| elapsed < 5_000), "{outcome}");
}

#[test]
fn without_a_token_nothing_is_asked() {
    let outcome = Deployment::sane().run(&["--only", "token"]);
    outcome.assert_code(0);
    assert!(text(&section(&outcome, "token"), "message").starts_with("there is no token file"), "{outcome}");
}
