//! The dead man's switch, as healthchecks.io takes its pings.

use std::time::{Duration, Instant};

use pso_tests::webhook::WebhookSink;
use pso_tests::{Reply, Seen};
use tempfile::TempDir;

use super::{alert, deployment, end, start, trouble};

/// The URL's secret.
const CHECK: &str = "/hc/5bf66975-s3cr3tCheck";

fn beating(sink: &WebhookSink, more: &str) -> TempDir {
    deployment(&format!(
        "heartbeat: {{url: \"${{HC_URL}}\"{more}}}\nalerts: {{stdout: {{enabled: true}}}}\n# {}\n",
        sink.port()
    ))
}

fn url(sink: &WebhookSink) -> String {
    format!("http://127.0.0.1:{}{CHECK}", sink.port())
}

/// A sink that takes what no JSON is.
fn switch() -> WebhookSink {
    let sink = WebhookSink::start().expect("a sink");
    sink.misbehave(|_, _| Some(Reply::new(200, "text/plain", "OK")));
    sink
}

fn healthy() -> String {
    [start(), end("ok", 0)].concat()
}

/// Method and path of each ping, without the run's id, which must be the same in all.
fn pings(sink: &WebhookSink) -> Vec<(String, String)> {
    let seen = sink.requests();
    let parts = |seen: &Seen| {
        let (path, run) = seen.path.split_once("?rid=").expect("a run's id");
        (seen.method.clone(), path.replace(CHECK, ""), run.to_owned())
    };
    let all: Vec<_> = seen.iter().map(parts).collect();
    assert!(all.windows(2).all(|pair| pair[0].2 == pair[1].2), "{all:?}");
    all.into_iter().map(|(method, path, _)| (method, path)).collect()
}

#[test]
fn each_run_says_how_it_went() {
    let two = |path: &str| vec![("POST".to_owned(), "/start".to_owned()), ("POST".to_owned(), path.to_owned())];
    let cases = [
        (healthy(), ", start: true", 0, two("")),
        (trouble(), ", start: true", 2, two("/2")),
        (trouble(), ", start: true, on_failure: fail", 2, two("/fail")),
        (trouble(), ", on_failure: silence", 2, vec![]),
        (healthy(), ", method: GET", 0, vec![("GET".to_owned(), String::new())]),
        ("no record\n".to_owned(), "", 3, vec![("POST".to_owned(), "/3".to_owned())]),
    ];
    for (input, more, code, expected) in cases {
        let sink = switch();
        let folder = beating(&sink, more);
        let outcome = alert(folder.path()).env("HC_URL", url(&sink)).stdin(input).run().unwrap();
        outcome.assert_code(code).assert_no_secret(&[CHECK, "s3cr3tCheck"]);
        assert_eq!(pings(&sink), expected, "{more}: {outcome}");
    }
}

#[test]
fn what_was_not_delivered_is_not_healthy() {
    let sink = switch();
    let gone = WebhookSink::start().unwrap();
    let folder = deployment(&format!(
        "heartbeat: {{url: '{}'}}\nalerts: {{webhook: {{enabled: true, url: '{}'}}}}\n",
        url(&sink),
        gone.generic_url()
    ));
    drop(gone);
    let tool = alert(folder.path()).args(["--exit-zero", "--delivery-deadline", "300ms"]);
    tool.stdin(trouble()).run().unwrap().assert_code(1);
    assert_eq!(pings(&sink), [("POST".to_owned(), "/1".to_owned())]);
    assert!(sink.requests()[0].text().ends_with(": warning, and not all of it could be delivered"));
}

#[test]
fn a_ping_that_fails_is_one_line_and_changes_nothing() {
    let sink = switch();
    sink.misbehave(|_, _| Some(Reply::status(500)));
    let folder = beating(&sink, ", start: true");
    let run = |address: Option<String>| {
        let mut tool = alert(folder.path()).stdin(healthy());
        if let Some(address) = address {
            tool = tool.env("HC_URL", address);
        }
        let outcome = tool.run().unwrap();
        outcome.assert_code(0).assert_no_secret(&[CHECK, "s3cr3tCheck"]);
        assert_eq!(outcome.stderr.lines().count(), 1, "{outcome}");
        outcome
    };
    run(Some(url(&sink))).assert_stderr_has("the heartbeat could not be sent: it answered 500");
    run(None).assert_stderr_has("the heartbeat is not sent: ").assert_stderr_has("HC_URL is not set");
    run(Some("nonsense".to_owned())).assert_stderr_has("expected a URL that begins with https:// or http://");
    sink.misbehave(|_, _| Some(Reply::hang()));
    let began = Instant::now();
    run(Some(url(&sink))).assert_stderr_has("the heartbeat could not be sent: ");
    assert!(began.elapsed() < Duration::from_secs(9), "{:?}", began.elapsed());
    let address = url(&sink);
    drop(sink);
    run(Some(address)).assert_stderr_has("the heartbeat could not be sent: connection refused");
}
