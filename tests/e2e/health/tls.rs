//! pso-health and TLS: the service and Qdrant over https with an authority of one's own, each bad certificate, and the days left.

use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::time::Duration;

use pso_tests::Reply;
use pso_tests::pg::TempPg;
use pso_tests::tls_end::{Certificates, Kind, Options, TlsEnd};
use pso_tests::tool::{Outcome, Tool};
use pso_tests::wait;
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_secs(30);
const DAY: f64 = 86_400.0;

fn tool(only: &str) -> Tool {
    Tool::new("pso-health").expect("built").args(["--only", only, "--timeout", "3s"]).env("PGSSLMODE", "disable")
}

fn message(record: &Value) -> &str {
    record["message"].as_str().expect("a message")
}

/// The tool, looking at one TLS end as the service.
fn service_at(end: &TlsEnd) -> Outcome {
    let tool = tool("service,certificates").args(["--service-url", &end.url()]);
    tool.env("PSO_SERVICE_CA_FILE", end.ca_file()).run().expect("ends")
}

#[test]
fn the_service_is_asked_over_tls_with_an_authority_of_its_own() {
    let end = TlsEnd::start(Kind::Good).expect("a TLS end");
    let outcome = service_at(&end);
    outcome.assert_code(0).assert_quiet();
    assert_eq!(outcome.record("health.check", "service")["severity"], "ok");
    let check = outcome.record("health.check", "certificates.service");
    assert!(message(&check).contains("TLSv1.3") && message(&check).contains("CN=pso-tests authority"), "{check:#}");
    let left = outcome.record("health.metric", "certificate_time_left");
    assert!(left["value"].as_f64().is_some_and(|left| left > 29.0 * DAY && left < 30.1 * DAY), "{left:#}");
    assert_eq!((&left["minimum"], &left["labels"]["part"]), (&json!(true), &json!("service")));
    assert_eq!(message(&outcome.record("health.check", "certificates")), "certificates looked at: 1");

    // Without its authority's file nobody is trusted.
    let outcome = tool("service").args(["--service-url", &end.url()]).run().expect("ends");
    outcome.assert_code(2).assert_quiet();
    let service = outcome.record("health.check", "service");
    assert!(service["layer"] == "tls" && message(&service).contains("issuer is not trusted"), "{service:#}");

    let outcome = tool("service").env("PSO_SERVICE_CA_FILE", "no/such.pem").run().expect("ends");
    outcome.assert_code(3).assert_stderr_has("maintenance.service.ca_file");
}

#[test]
fn a_certificate_that_has_signed_itself_is_trusted_where_it_is_named() {
    let end = TlsEnd::start(Kind::SelfSigned).expect("a TLS end");
    let tool = tool("service,certificates").args(["--service-url", &end.url()]);
    let outcome = tool.env("PSO_SERVICE_CA_FILE", end.certificates().certificate_file()).run().expect("ends");
    outcome.assert_code(0).assert_quiet();
}

#[test]
fn what_is_wrong_with_a_certificate_is_named_with_its_days() {
    for (kind, fault, days) in [
        (Kind::Expired, "the certificate expired on 2", -3.0),
        (Kind::NotYetValid, "the certificate is not valid before 2", 30.0),
        (Kind::WrongName, "the certificate is for elsewhere.example, not for localhost", 30.0),
        (Kind::SelfSigned, "issuer is not trusted", 30.0),
    ] {
        let end = TlsEnd::start(kind).expect("a TLS end");
        let outcome = service_at(&end);
        outcome.assert_code(2).assert_quiet();
        for name in ["service", "certificates.service"] {
            let record = outcome.record("health.check", name);
            assert_eq!((&record["severity"], &record["layer"]), (&json!("critical"), &json!("tls")), "{record:#}");
            assert!(message(&record).contains(fault), "{kind:?}: {record:#}");
        }
        let left = outcome.record("health.metric", "certificate_time_left");
        let near = left["value"].as_f64().is_some_and(|left| (left / DAY - days).abs() < 0.1);
        assert!(near, "{kind:?}: {left:#}");
        assert_eq!(left["severity"], if days < 0.0 { "critical" } else { "ok" }, "{left:#}");
    }
}

#[test]
fn a_certificate_that_ends_soon_is_told_in_time() {
    for (days, severity, code) in [(22, "ok", 0), (20, "warning", 1), (6, "critical", 2)] {
        let end = TlsEnd::start(Kind::EndsIn(days)).expect("a TLS end");
        let outcome = service_at(&end);
        outcome.assert_code(code).assert_quiet();
        assert_eq!(outcome.record("health.metric", "certificate_time_left")["severity"], severity, "{outcome}");
        assert_eq!(outcome.record("health.check", "certificates.service")["severity"], "ok", "it is valid today");
    }
    let end = TlsEnd::start(Kind::EndsIn(20)).expect("a TLS end");
    let tool = tool("certificates").args(["--service-url", &end.url(), "--limit", "certificate_time_left=10d:1d"]);
    tool.env("PSO_SERVICE_CA_FILE", end.ca_file()).run().expect("ends").assert_code(0);
}

/// A port that speaks HTTP and no TLS, and says so at once.
fn plain_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
            let _ = std::io::copy(&mut stream, &mut std::io::sink());
        }
    });
    port
}

#[test]
fn ports_that_are_named_and_those_that_do_not_answer() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("config")).expect("a folder");
    let plain = plain_port();
    let wants =
        TlsEnd::with(Kind::Good, Options { wants_client_certificate: true, ..Options::default() }).expect("a TLS end");
    let refused = pso_tests::pg::free_port().expect("a port");
    let ca = wants.ca_file();
    let text = format!(
        "maintenance:\n  service: {{url: 'https://localhost:{refused}'}}\n  health:\n    targets:\n      \
         - {{tcp: 'localhost:{}', tls: true, name: mutual, ca_file: '{}'}}\n    certificates: ['127.0.0.1:{}', \
         'localhost:{refused}', '127.0.0.1:{refused}']\n",
        wants.port(),
        ca.display(),
        plain,
    );
    fs::write(folder.path().join("config/config.yaml"), text).expect("written");
    let outcome = tool("certificates").folder(folder.path()).run().expect("ends");
    outcome.assert_code(2).assert_quiet();
    // The certificate is shown before the server says what it wants.
    let mutual = outcome.record("health.check", "certificates.tcp.mutual");
    assert!(mutual["layer"] == "tls" && message(&mutual).contains("client certificate"), "{mutual:#}");
    let named = outcome.record("health.check", &format!("certificates.127.0.0.1:{plain}"));
    assert!(named["layer"] == "tls" && message(&named).contains("does not speak TLS"), "{named:#}");
    let closed = outcome.record("health.check", &format!("certificates.127.0.0.1:{refused}"));
    assert!(closed["layer"] == "connect" && message(&closed).contains("refused"), "{closed:#}");
    // What is not there is the service's own check to tell.
    let all = outcome.record("health.check", "certificates");
    assert_eq!(all["severity"], "info");
    let mut names = [format!("127.0.0.1:{plain}"), format!("127.0.0.1:{refused}"), "service".to_owned()];
    names.sort_unstable();
    assert_eq!(message(&all), format!("certificates looked at: 1 of 4; not {}", names.join(", ")));
}

#[test]
fn without_tls_there_is_nothing_to_look_at() {
    let outcome = tool("certificates").run().expect("ends");
    outcome.assert_code(0).assert_quiet();
    assert_eq!(outcome.records_of_kind("health.check").len(), 1, "{outcome}");
    assert_eq!(message(&outcome.record("health.check", "certificates")), "nothing here uses TLS");
    let outcome = tool("certificates").env("PGHOST", "/run/postgresql").env("PGSSLMODE", "verify-full").run();
    outcome.expect("ends").assert_code(0);
}

#[test]
fn qdrant_is_asked_over_tls_with_an_authority_of_its_own() {
    let end = TlsEnd::start(Kind::Good).expect("a TLS end");
    // Whatever it is asked: it is no Qdrant, and said to be none, over TLS.
    end.set(Reply::json(200, &json!({"title": "something", "version": "1.18.2", "result": {"collections": []}})));
    let run = |ca: bool| {
        let tool = tool("qdrant,certificates").args(["--qdrant-url", &end.url()]);
        if ca { tool.env("PSO_QDRANT_CA_FILE", end.ca_file()) } else { tool }.run().expect("ends")
    };
    let outcome = run(true);
    outcome.assert_code(1);
    assert!(message(&outcome.record("health.check", "qdrant")).contains("no collection"), "{outcome}");
    assert_eq!(outcome.record("health.check", "certificates.qdrant")["severity"], "ok");
    let outcome = run(false);
    assert_eq!(outcome.record("health.check", "qdrant")["layer"], "tls", "{outcome}");
}

#[test]
fn postgresqls_certificate_is_looked_at_as_its_sslmode_demands() {
    let server = TempPg::start_new().expect("PostgreSQL");
    let database = server.database("health_tls").expect("a database");
    let run = |mode: &str, root: Option<&Certificates>| {
        let tool =
            Tool::new("pso-health").expect("built").args(["--only", "postgres,certificates"]).envs(database.env());
        let tool = tool.env("PGSSLMODE", mode);
        match root {
            Some(root) => tool.env("PGSSLROOTCERT", root.ca_file()),
            None => tool,
        }
        .run()
        .expect("ends")
    };
    let outcome = run("prefer", None);
    outcome.assert_code(0);
    assert_eq!(message(&outcome.record("health.check", "certificates")), "nothing here uses TLS");
    for (kind, mode, code, fault) in [
        (Kind::Good, "verify-full", 0, ""),
        (Kind::EndsIn(20), "verify-full", 1, ""),
        (Kind::WrongName, "verify-full", 2, "the certificate is for elsewhere.example"),
        (Kind::WrongName, "verify-ca", 0, "not checked by the connection: the certificate is for elsewhere.example"),
        // Nobody minds, and it is told all the same.
        (Kind::Expired, "prefer", 2, "not checked by the connection: the certificate"),
    ] {
        let certificates = Certificates::new(kind).expect("certificates");
        server.speak_tls(&certificates).expect("certificate in place");
        let root = (mode != "prefer").then_some(&certificates);
        // The server reads its new certificate a moment after it was told to.
        let outcome = wait::until(&format!("{kind:?} with {mode}"), LIMIT, || {
            let outcome = run(mode, root);
            (outcome.code == Some(code)).then_some(outcome)
        });
        let outcome = outcome.unwrap_or_else(|error| panic!("{error}: {}", run(mode, root)));
        outcome.assert_no_secret(&[database.password()]);
        let check = outcome.record("health.check", "certificates.postgres");
        assert!(message(&check).contains(fault), "{kind:?} with {mode}: {check:#}");
        let refused = code == 2 && mode != "prefer";
        assert_eq!(check["severity"], if refused { "critical" } else { "ok" }, "{kind:?} with {mode}: {outcome}");
        let postgres = outcome.record("health.check", "postgres");
        assert_eq!(
            postgres["layer"],
            if refused { json!("tls") } else { Value::Null },
            "{kind:?} with {mode}: {outcome}"
        );
    }
}
