//! `qdrant`: a store that asks for its key, and ones that do not.

use std::net::TcpListener;

use pso_tests::qdrant::TempQdrant;
use pso_tests::tool::{Outcome, Tool};

use super::ports::serve;
use super::{finding, findings, folder, section, text};

fn audit(url: &str, key: Option<&str>) -> Outcome {
    let folder = folder();
    let tool = Tool::new("pso-audit").expect("built").args(["--only", "qdrant"]).folder(folder.path());
    let tool = tool.env("PSO_QDRANT_URL", url).envs(key.map(|key| ("PSO_QDRANT_API_KEY", key)));
    tool.run().expect("ends")
}

#[test]
fn a_store_without_a_key_is_told_and_one_with_a_key_is_not() {
    let open = TempQdrant::start().expect("Qdrant");
    // That the tools have a key says nothing: the store has none.
    for key in [None, Some("hunter2hunter2")] {
        let outcome = audit(&open.url(), key);
        outcome.assert_code(2).assert_no_secret(&["hunter2hunter2"]);
        let told = finding(&outcome, &format!("qdrant_without_key:{}", open.url())).expect("told");
        assert_eq!((text(&told, "severity"), text(&told["evidence"], "open_to")), ("high", "loopback only"), "{told}");
        assert!(text(&told, "fix").contains("QDRANT__SERVICE__API_KEY"), "{told}");
    }
    // What the fix says.
    let closed = TempQdrant::start_with_key("hunter2hunter2").expect("Qdrant");
    for key in [None, Some("hunter2hunter2")] {
        let outcome = audit(&closed.url(), key);
        outcome.assert_code(0).assert_no_secret(&["hunter2hunter2"]);
        assert_eq!(findings(&outcome), [""; 0], "{outcome}");
        assert_eq!(section(&outcome, "qdrant")["examined"], 1, "{outcome}");
    }
}

#[test]
fn a_proxy_that_takes_any_key_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    serve(listener, |head| {
        if head.to_ascii_lowercase().contains("\napi-key:") {
            (200, r#"{"result":{"collections":[{"name":"plans"}]},"status":"ok","time":0}"#)
        } else {
            (401, "Must provide an API key")
        }
    });
    let outcome = audit(&url, Some("hunter2hunter2"));
    assert_eq!(findings(&outcome), [format!("qdrant_with_any_key:{url}")], "{outcome}");
    outcome.assert_code(2);
}

#[test]
fn what_is_no_qdrant_is_unknown() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    serve(listener, |_| (200, "<html>hello</html>"));
    let outcome = audit(&url, None);
    outcome.assert_code(3);
    assert!(text(&section(&outcome, "qdrant"), "message").contains("not understood"), "{outcome}");
    // More than is ever read: something else than a list of collections, with which no door is proven open.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let large = format!("http://{}", listener.local_addr().expect("bound"));
    let body: &'static str = Box::leak("x".repeat(8 << 20).into_boxed_str());
    serve(listener, move |_| (200, body));
    let outcome = audit(&large, None);
    outcome.assert_code(3);
    assert_eq!(findings(&outcome), [""; 0], "{outcome}");
    let outcome = audit(super::ports::NOBODY, None);
    outcome.assert_code(3);
    assert_eq!(section(&outcome, "qdrant")["severity"], "unknown", "{outcome}");
}

#[test]
fn a_store_behind_a_path_is_asked_there() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/stores/plans", listener.local_addr().expect("bound"));
    serve(listener, |head| {
        if head.starts_with("GET /stores/plans/collections ") {
            (200, r#"{"result":{"collections":[]},"status":"ok","time":0}"#)
        } else {
            (404, "{}")
        }
    });
    let outcome = audit(&url, None);
    assert_eq!(findings(&outcome), [format!("qdrant_without_key:{url}")], "{outcome}");
}
