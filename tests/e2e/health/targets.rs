//! pso-health's targets: URLs, ports and commands from the configuration and from a pipe, and each way in which one can fail.

mod commands;
mod piped;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use pso_tests::Reply;
use pso_tests::dead_port::DeadPort;
use pso_tests::pg::free_port;
use pso_tests::proxy::{Mode, TcpProxy};
use pso_tests::service::{Health, Service};
use pso_tests::tls_end::{Kind, TlsEnd};
use pso_tests::tool::{Outcome, Tool};
use pso_tests::wait;
use pso_tests::webhook::WebhookSink;
use serde_json::{Value, json};
use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(30);

/// A folder with that under `maintenance.health.targets`, one JSON object (which is YAML) each.
fn deployment(targets: &[Value]) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("config")).expect("a folder");
    let mut text = "maintenance:\n  health:\n    checks: [http, tcp, command]\n    targets:\n".to_owned();
    for target in targets {
        text.push_str(&format!("      - {target}\n"));
    }
    fs::write(folder.path().join("config/config.yaml"), text).expect("written");
    folder
}

fn tool(folder: &Path) -> Tool {
    Tool::new("pso-health").expect("built").folder(folder)
}

fn run(targets: &[Value]) -> Outcome {
    let folder = deployment(targets);
    tool(folder.path()).run().expect("ends")
}

/// Name and severity of each record between start and end.
fn found(outcome: &Outcome) -> Vec<(String, String)> {
    let records = outcome.records();
    let text = |record: &Value, key: &str| record[key].as_str().expect("a text").to_owned();
    records[1..records.len() - 1].iter().map(|record| (text(record, "name"), text(record, "severity"))).collect()
}

fn pairs(found: &[(String, String)]) -> Vec<(&str, &str)> {
    found.iter().map(|(name, severity)| (name.as_str(), severity.as_str())).collect()
}

#[test]
fn targets_that_are_as_they_should_be() {
    let service = Service::start().expect("a port");
    let secure = TlsEnd::start(Kind::Good).expect("a TLS end");
    let ca = secure.ca_file();
    let url = |path: &str| format!("{}{path}", service.url());
    let outcome = run(&[
        json!({"http": url("/health"), "name": "plain"}),
        json!({"http": url("/health"), "name": "asked", "json": {"status": "healthy", "services.sync_engine": "*"}, "contains": "sync"}),
        json!({"http": url("/nowhere"), "name": "missing", "status": [404, 410], "method": "get"}),
        json!({"http": url("/health"), "name": "head", "method": "HEAD", "status": 405}),
        json!({"http": secure.url(), "name": "secure", "ca_file": ca, "json": {"status": "healthy"}}),
        json!({"tcp": format!("127.0.0.1:{}", service.port()), "name": "port"}),
        json!({"tcp": format!("localhost:{}", secure.port()), "name": "tls", "tls": true, "ca_file": ca}),
        json!({"command": ["echo", "LOAD OK - all quiet|load1=0.5;5;10;0 'free space'=20%;10:;5:"], "name": "load"}),
        json!({"command": "echo WARN; exit 1", "name": "shell"}),
    ]);
    outcome.assert_code(1).assert_quiet();
    let expected = [
        ("http.plain", "ok"),
        ("http.asked", "ok"),
        ("http.missing", "ok"),
        ("http.head", "ok"),
        ("http.secure", "ok"),
        ("tcp.port", "ok"),
        ("tcp.tls", "ok"),
        ("command.load", "ok"),
        ("command.load.load1", "ok"),
        ("command.load.free space", "ok"),
        ("command.shell", "warning"),
    ];
    assert_eq!(pairs(&found(&outcome)), expected, "{outcome}");
    let plain = outcome.record("health.check", "http.plain");
    assert_eq!((&plain["status"], &plain["unit"]), (&json!("HTTP 200"), &json!("ms")));
    assert_eq!(plain["labels"]["url"], url("/health"));
    let tls = outcome.record("health.check", "tcp.tls");
    assert!(tls["message"].as_str().is_some_and(|text| text.contains("speaks TLSv1.3")), "{tls:#}");
    assert_eq!(outcome.record("health.check", "command.load")["message"], "LOAD OK - all quiet");
    let free = outcome.record("health.metric", "command.load.free space");
    let fields = ["value", "unit", "minimum", "warning_limit", "critical_limit"].map(|name| free[name].clone());
    assert_eq!(fields, [json!(20.0), json!("percent"), json!(true), json!(10.0), json!(5.0)]);
}

/// A bad target, and what must be said of it.
struct Bad {
    target: Value,
    layer: &'static str,
    message: &'static str,
}

/// Runs all of them together with a good one: one record each, in time.
fn assert_bad(all: &[Bad]) {
    let service = Service::start().expect("a port");
    let good = json!({"http": format!("{}/health", service.url()), "name": "good"});
    let mut targets: Vec<Value> = all.iter().map(|bad| bad.target.clone()).collect();
    for target in &mut targets {
        target["timeout"] = json!("2s");
    }
    targets.push(good);
    let started = Instant::now();
    let outcome = run(&targets);
    assert!(started.elapsed() < Duration::from_secs(6), "{:?}\n{outcome}", started.elapsed());
    outcome.assert_code(2).assert_quiet();
    assert_eq!(found(&outcome).len(), targets.len(), "{outcome}");
    assert_eq!(outcome.record("health.check", "http.good")["severity"], "ok", "{outcome}");
    for bad in all {
        let kind = if bad.target.get("tcp").is_some() { "tcp" } else { "http" };
        let name = format!("{kind}.{}", bad.target["name"].as_str().expect("a name"));
        let record = outcome.record("health.check", &name);
        assert_eq!((&record["severity"], &record["layer"]), (&json!("critical"), &json!(bad.layer)), "{record:#}");
        assert!(record["message"].as_str().is_some_and(|text| text.contains(bad.message)), "{record:#}");
        assert!(record["elapsed_ms"].as_u64().is_some_and(|ms| ms < 4000), "{record:#}");
    }
}

#[test]
fn answers_that_are_not_the_right_ones() {
    let sinks: Vec<WebhookSink> = (0..9).map(|_| WebhookSink::start().expect("a port")).collect();
    let html = Reply::new(200, "text/html", "<html><body>login</body></html>");
    let large = Reply::new(200, "application/json", vec![b'x'; 10 << 20]);
    let elsewhere = Reply::status(302).header("Location", "http://me:hunter2@127.0.0.1:9/login?token=hunter2");
    let deep = Reply::new(200, "application/json", format!("{}1{}", "[".repeat(5000), "]".repeat(5000)));
    let truncated = Reply::new(200, "application/json", r#"{"status":"healthy""#);
    let table = [
        (html.clone(), json!({"json": {"status": "healthy"}}), "body", "not JSON"),
        (html, json!({"contains": "welcome"}), "body", "without \"welcome\""),
        (Reply::status(204), json!({}), "http", "HTTP 204 instead of 200"),
        (large, json!({}), "read", "larger than"),
        (elsewhere, json!({}), "http", "a redirect to http://***@127.0.0.1:9/login?***; redirects are not followed"),
        (deep, json!({"json": {"a": "b"}}), "body", "recursion"),
        (truncated, json!({"json": {"status": "healthy"}}), "body", "not JSON: EOF"),
        (Reply::json(200, &json!({"status": "poorly"})), json!({"json": {"status": "healthy"}}), "field", "\"poorly\""),
        (Reply::json(200, &json!({})), json!({"json": {"status": "*"}}), "field", "there is no status"),
    ];
    let bad: Vec<Bad> = table
        .into_iter()
        .zip(&sinks)
        .enumerate()
        .map(|(number, ((reply, mut target, layer, message), sink))| {
            sink.plan([reply]);
            target["http"] = json!(format!("http://127.0.0.1:{}/x", sink.port()));
            target["name"] = json!(format!("n{number}"));
            Bad { target, layer, message }
        })
        .collect();
    assert_bad(&bad);
    assert!(sinks.iter().all(|sink| sink.requests().len() == 1), "asked once, and nothing was followed");
}

#[test]
fn connections_that_fail() {
    let service = Service::start().expect("a port");
    let through = |mode| {
        let proxy = TcpProxy::start(service.port()).expect("a port");
        proxy.set(mode).expect("in force");
        proxy
    };
    let a_byte_a_second = Mode::Trickle { bytes: 1, every: Duration::from_secs(1) };
    let proxies = [through(a_byte_a_second), through(Mode::BlackHole), through(Mode::Drop)];
    let dead = DeadPort::start().expect("a dead port");
    let slow_body = WebhookSink::start().expect("a port");
    slow_body.plan([Reply::hang()]);
    let http = |name: &str, port: u16| json!({"name": name, "http": format!("http://127.0.0.1:{port}/health")});
    let tcp = |name: &str, port: u16| json!({"name": name, "tcp": format!("127.0.0.1:{port}")});
    let refused = free_port().expect("a port");
    // A label of a name has 63 letters at most: the resolver refuses this without asking anybody.
    let unknown = format!("{}.invalid", "x".repeat(64));
    let bad = |target, layer, message| Bad { target, layer, message };
    assert_bad(&[
        bad(http("trickle", proxies[0].port()), "read", "no complete answer"),
        bad(http("silent", proxies[1].port()), "read", "no complete answer"),
        bad(http("body", trickling_body()), "read", "no complete answer"),
        bad(http("closed", proxies[2].port()), "read", ""),
        bad(http("hangs", slow_body.port()), "read", "no complete answer"),
        bad(http("dead", dead.port()), "connect", "no connection within"),
        bad(tcp("dead", dead.port()), "connect", "no connection within 2s"),
        bad(http("refused", refused), "connect", "refused"),
        bad(tcp("refused", refused), "connect", "refused"),
        bad(json!({"name": "unknown", "http": format!("http://{unknown}/")}), "resolve", "does not resolve"),
        bad(json!({"name": "unknown", "tcp": format!("{unknown}:1")}), "resolve", "does not resolve"),
    ]);
}

/// A server that sends its head at once and then a byte every while.
fn trickling_body() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        let _ = stream.read(&mut [0; 4096]);
        let mut sent = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n");
        // Until the client goes: that is what is tested.
        while sent.is_ok() {
            std::thread::sleep(Duration::from_millis(200));
            sent = stream.write_all(b"x");
        }
    });
    port
}

#[test]
fn tls_that_must_not_be_trusted_is_told_by_its_fault() {
    let ends = [Kind::Expired, Kind::NotYetValid, Kind::WrongName, Kind::SelfSigned, Kind::Good]
        .map(|kind| TlsEnd::start(kind).expect("a TLS end"));
    let stranger = TlsEnd::start(Kind::Good).expect("a TLS end");
    let closes = TcpProxy::start(1).expect("a port");
    // It says at once that it does not understand.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let plain = listener.local_addr().expect("bound").port();
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
            let _ = std::io::copy(&mut stream, &mut std::io::sink());
        }
    });
    closes.set(Mode::Drop).expect("in force");
    let target =
        |name: &str, end: &TlsEnd, ca: &TlsEnd| json!({"name": name, "http": end.url(), "ca_file": ca.ca_file()});
    let bad = |target, message| Bad { target, layer: "tls", message };
    let at = |name: &str, port: u16| json!({"name": name, "http": format!("https://127.0.0.1:{port}/")});
    let tls = |name: &str, end: &TlsEnd| json!({"name": name, "tcp": format!("localhost:{}", end.port()), "tls": true, "ca_file": end.ca_file()});
    let mut all = vec![
        bad(target("expired", &ends[0], &ends[0]), "the certificate expired on 2"),
        bad(target("early", &ends[1], &ends[1]), "the certificate is not valid before 2"),
        bad(target("name", &ends[2], &ends[2]), "the certificate is for elsewhere.example, not for localhost"),
        bad(target("self", &ends[3], &ends[3]), "issuer is not trusted"),
        bad(target("stranger", &ends[4], &stranger), "is not trusted"),
        bad(at("plain", plain), "does not speak TLS"),
        bad(at("closes", closes.port()), "TLS failed"),
        bad(tls("expired", &ends[0]), "the certificate expired on 2"),
        bad(tls("name", &ends[2]), "the certificate is for elsewhere.example"),
    ];
    // Two authorities of one name: which fault that is depends on what is compared first.
    all[4].message = "TLS failed";
    assert_bad(&all);
    // TLS on the plain port: the answer is no HTTP.
    let outcome = run(&[json!({"name": "inverse", "http": format!("http://127.0.0.1:{}/", ends[4].port())})]);
    outcome.assert_code(2).assert_quiet();
    let layer = outcome.record("health.check", "http.inverse")["layer"].clone();
    assert!(layer == "http" || layer == "read", "{outcome}");
}

#[test]
fn what_is_slow_is_a_warning() {
    let service = Service::start().expect("a port");
    service.set(|state| state.health = Health::Slow(Duration::from_millis(120)));
    let target =
        |max: u64| json!({"name": format!("max{max}"), "http": format!("{}/health", service.url()), "max_ms": max});
    let outcome = run(&[target(100), target(20_000)]);
    outcome.assert_code(1).assert_quiet();
    assert_eq!(pairs(&found(&outcome)), [("http.max100", "warning"), ("http.max20000", "ok")], "{outcome}");
    let message = outcome.record("health.check", "http.max100")["message"].clone();
    assert!(message.as_str().is_some_and(|text| text.contains("beyond the limit of 100 ms")), "{message}");
}

#[test]
fn a_failed_probe_is_repeated_where_asked() {
    let sink = WebhookSink::start().expect("a port");
    let target = |name: &str, retries: u32| json!({"name": name, "http": format!("http://127.0.0.1:{}/", sink.port()), "retries": retries, "status": 200});
    sink.plan([Reply::status(503), Reply::json(200, &json!({}))]);
    let outcome = run(&[target("patient", 2)]);
    outcome.assert_code(0).assert_quiet();
    assert_eq!(outcome.record("health.check", "http.patient")["attempts"], 2, "{outcome}");
    sink.forget();
    sink.plan([Reply::status(503), Reply::json(200, &json!({}))]);
    let outcome = run(&[target("strict", 0)]);
    outcome.assert_code(2);
    assert_eq!(sink.requests().len(), 1, "{outcome}");

    // A port that ends connections at first and passes them later.
    let service = Service::start().expect("a port");
    let proxy = TcpProxy::start(service.port()).expect("a port");
    proxy.set(Mode::Drop).expect("in force");
    let folder = deployment(&[json!({"name": "late", "http": format!("{}/health", proxy.url()), "retries": 10})]);
    let running = tool(folder.path()).spawn().expect("started");
    wait::until("the first attempt", LIMIT, || (proxy.connections() > 0).then_some(())).expect("tried");
    proxy.set(Mode::Pass).expect("in force");
    let outcome = running.finish().expect("ends");
    outcome.assert_code(0).assert_quiet();
    assert!(outcome.record("health.check", "http.late")["attempts"].as_u64().is_some_and(|n| n >= 2), "{outcome}");
}

#[test]
fn secrets_reach_the_server_and_nobody_else() {
    let sink = WebhookSink::start().expect("a port");
    let (token, key) = ("correct-horse-battery", "wrong-donkey-battery");
    let folder = deployment(&[json!({
        "name": "locked",
        "http": format!("http://me:{token}@127.0.0.1:{}/x?key=${{KEY}}#{key}", sink.port()),
        "headers": {"Authorization": "Bearer ${TOKEN}", "X-Key": {"file": "config/key.txt"}},
    })]);
    fs::write(folder.path().join("config/key.txt"), format!("{key}\n")).expect("written");
    let with = |args: &[&str]| tool(folder.path()).env("TOKEN", token).env("KEY", key).args(args).run().expect("ends");
    sink.plan([Reply::json(401, &json!({"error": "no"}))]);
    let outcome = with(&[]);
    outcome.assert_code(2).assert_no_secret(&[token, key]);
    let seen = &sink.requests()[0];
    assert_eq!((seen.header("authorization"), seen.header("x-key")), (Some("Bearer correct-horse-battery"), Some(key)));
    assert!(seen.path.contains(key), "{}", seen.path);
    for args in [["--list"], ["--print-config"], ["--format=table"], ["--format=openmetrics"], ["--format=nagios"]] {
        with(&args).assert_no_secret(&[token, key]);
    }
    assert!(with(&["--list"]).text().contains("GET http://***@127.0.0.1:"));
}

#[test]
fn where_nothing_would_be_looked_at_that_is_an_error() {
    let outcome = run(&[]);
    outcome.assert_code(3).assert_stderr_has("there is no target http or tcp or command");
    let folder = deployment(&[json!({"tcp": "h:1", "name": "own"})]);
    let tool = Tool::new("pso-health").expect("built").folder(folder.path());
    tool.args(["--only", "tcp.other"]).run().expect("ends").assert_code(3).assert_stderr_has("tcp.own");
}

#[test]
fn a_bad_target_is_told_with_its_place() {
    for (target, expected) in [
        (json!({"name": "x"}), "maintenance.health.targets[1]: a target has one of http, tcp and command"),
        (json!({"http": "localhost:80"}), "config/config.yaml:5: maintenance.health.targets[1].http"),
        (json!({"http": "https://h", "ca_file": "no/such.pem"}), "no/such.pem"),
    ] {
        let outcome = run(&[target]);
        outcome.assert_code(3).assert_stderr_has(expected);
    }
}

#[test]
fn many_targets_share_what_they_need() {
    let service = Service::start().expect("a port");
    let dead = DeadPort::start().expect("a dead port");
    let mut targets: Vec<Value> = (0..300)
        .map(|number| json!({"name": format!("t{number}"), "http": format!("{}/health", service.url()), "timeout": "20s"}))
        .collect();
    for number in 0..5 {
        let url = format!("http://127.0.0.1:{}/", dead.port());
        targets[number * 50] = json!({"name": format!("t{}", number * 50), "http": url, "timeout": "3s"});
    }
    let started = Instant::now();
    let outcome = run(&targets);
    outcome.assert_code(2);
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    let all = found(&outcome);
    assert_eq!(all.len(), 300);
    assert_eq!(all.iter().filter(|(_, severity)| severity == "critical").count(), 5, "{outcome}");
}

#[test]
fn a_port_that_speaks_first_is_no_problem() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let greeter = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        let _ = stream.write_all(b"220 mail.example ESMTP\r\n");
        let _ = stream.read(&mut [0; 16]);
    });
    let outcome = run(&[json!({"tcp": format!("127.0.0.1:{port}"), "name": "mail"})]);
    outcome.assert_code(0).assert_quiet();
    greeter.join().expect("ends");
}
