//! The deployment's own ports.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use pso_tests::pg::{TempPg, free_port};
use pso_tests::service::Service;
use serde_json::json;

use super::Folder;

#[test]
fn ports_that_are_open_are_told_with_their_latency() {
    let folder = Folder::new();
    let service = Service::start().expect("a port");
    let database = TempPg::shared().expect("PostgreSQL").database("health_ports").expect("a database");
    // The store only has to take connections here.
    let store = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = store.local_addr().expect("bound").port();
    let tool = || {
        let tool = folder.tool("ports").envs(database.env()).env("PSO_SERVICE_URL", service.url());
        tool.env("PSO_QDRANT_URL", format!("http://127.0.0.1:{port}"))
    };
    let outcome = tool().run().expect("ends");
    outcome.assert_code(0).assert_quiet();
    for (part, port) in [("service", service.port()), ("postgres", database.port()), ("qdrant", port)] {
        let check = outcome.record("health.check", &format!("ports.{part}"));
        assert_eq!(
            (&check["severity"], &check["status"], &check["unit"]),
            (&json!("ok"), &json!("open"), &json!("ms"))
        );
        assert_eq!(check["labels"]["port"], port.to_string());
        assert!(check["value"].as_f64().is_some_and(|ms| ms > 0.0 && ms < 1000.0), "{check:#}");
    }
    let times = outcome.records_of_kind("health.metric");
    let parts: Vec<_> = times.iter().map(|record| record["labels"]["part"].as_str().expect("a label")).collect();
    assert_eq!(parts, ["service", "postgres", "qdrant"], "{outcome}");
    assert!(times.iter().all(|record| record["name"] == "connect_time" && record["limit"] == 500.0), "{outcome}");
    assert!(service.requests().is_empty(), "nothing was asked");
    drop(store);
    let outcome = tool().run().expect("ends");
    outcome.assert_code(2);
    assert_eq!(outcome.record("health.check", "ports.qdrant")["layer"], "connect");
}

/// A port that takes no more connections: its queue is full, and the kernel drops what comes, as a firewall does.
fn full() -> (TcpListener, Vec<TcpStream>, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    let mut waiting = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
        waiting.push(stream);
        assert!(waiting.len() < 10_000, "the queue of a listener has an end");
    }
    (listener, waiting, address)
}

#[test]
fn ports_that_are_closed_say_how() {
    let folder = Folder::new();
    let (_listener, _waiting, full) = full();
    let closed = free_port().expect("a port");
    let tool = || {
        folder
            .tool("ports")
            .args(["--timeout", "1s"])
            .env("PSO_SERVICE_URL", format!("http://{}.invalid:8080", "x".repeat(64)))
            .env("PSO_QDRANT_URL", format!("http://{full}"))
            .env("PGHOST", "127.0.0.1")
            .env("PGPORT", closed.to_string())
    };
    let started = Instant::now();
    let outcome = tool().run().expect("ends");
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    outcome.assert_code(2).assert_quiet();
    for (part, layer, message) in [
        ("service", "resolve", "host name"),
        ("postgres", "connect", "connection refused"),
        ("qdrant", "connect", "no connection within 1s"),
    ] {
        let record = outcome.record("health.check", &format!("ports.{part}"));
        assert_eq!((&record["severity"], &record["layer"]), (&json!("critical"), &json!(layer)), "{outcome}");
        assert!(record["message"].as_str().is_some_and(|text| text.contains(message)), "{record:#}");
    }
    let waited = outcome.record("health.check", "ports.qdrant")["elapsed_ms"].as_u64().expect("a number");
    assert!((1000..2000).contains(&waited), "{waited} ms");
    let refused = outcome.record("health.check", "ports.postgres")["elapsed_ms"].as_u64().expect("a number");
    assert!(refused < 500, "it did not wait for the others: {refused} ms");
}

#[test]
fn postgresql_may_listen_on_a_socket() {
    let folder = Folder::new();
    let service = Service::start().expect("a port");
    let tool = || {
        folder
            .tool("ports")
            .env("PSO_SERVICE_URL", service.url())
            .env("PSO_QDRANT_URL", service.url())
            .env("PGHOST", folder.path(""))
            .env("PGPORT", "5433")
    };
    let outcome = tool().run().expect("ends");
    outcome.assert_code(2).assert_quiet();
    let record = outcome.record("health.check", "ports.postgres");
    assert!(record["message"].as_str().is_some_and(|text| text.ends_with(".s.PGSQL.5433: there is no such socket")));
    let listener = UnixListener::bind(folder.path(".s.PGSQL.5433")).expect("bound");
    let outcome = tool().run().expect("ends");
    outcome.assert_code(0).assert_quiet();
    assert_eq!(outcome.record("health.check", "ports.postgres")["status"], "open");
    drop(listener);
    let record = tool().run().expect("ends").record("health.check", "ports.postgres");
    assert!(record["message"].as_str().is_some_and(|text| text.contains("connection refused")), "{record:#}");
}
