//! `ports`: real listeners, with TLS and without, expected and not; and, in a network of its own, ones that others reach.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt as _;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use pso_tests::pg::TempPg;
use pso_tests::qdrant::TempQdrant;
use pso_tests::service::Service;
use pso_tests::tls_end::{Kind, TlsEnd};
use pso_tests::tool::{Outcome, Tool};
use pso_tests::wait;

use super::postgres::put_certificate;
use super::{finding, findings, folder, section, text};

/// A port on which nobody listens: what is not the matter of a test is not asked.
pub(crate) const NOBODY: &str = "http://127.0.0.1:9";

/// Looks at the ports of a deployment of which nothing runs, but for what `env` names.
fn audit(env: &[(&str, &str)]) -> Outcome {
    let folder = folder();
    let tool = Tool::new("pso-audit").expect("built").args(["--only", "ports"]).folder(folder.path());
    let nowhere = [("PSO_SERVICE_URL", NOBODY), ("PSO_QDRANT_URL", NOBODY), ("PGHOST", "127.0.0.1"), ("PGPORT", "9")];
    let named = |name: &str| env.iter().any(|(known, _)| *known == name);
    tool.envs(nowhere.into_iter().filter(|(name, _)| !named(name))).envs(env.iter().copied()).run().expect("ends")
}

/// Answers each request with what `answer` makes of its head, until the test ends.
pub(crate) fn serve(listener: TcpListener, answer: impl Fn(&str) -> (u16, &'static str) + Send + 'static) {
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
                head.push(byte[0]);
                if head[0] == 0x16 {
                    break; // A TLS handshake, which this end does not know.
                }
            }
            let (status, body) = answer(&String::from_utf8_lossy(&head));
            let length = body.len();
            // Whoever asked may be gone.
            let _ =
                write!(stream, "HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
        }
    });
}

fn port_of(listener: &TcpListener) -> u16 {
    listener.local_addr().expect("bound").port()
}

#[test]
fn the_open_ports_of_a_deployment_are_told_with_to_whom() {
    let (service, qdrant) = (Service::start().expect("a service"), TempQdrant::start().expect("Qdrant"));
    let database = TempPg::shared().expect("PostgreSQL").database("audit_ports").expect("a database");
    let (url, qdrant_url, port) = (service.url(), qdrant.url(), database.port().to_string());
    let outcome = audit(&[
        ("PSO_SERVICE_URL", &url),
        ("PSO_QDRANT_URL", &qdrant_url),
        ("PGPORT", &port),
        // The host by its name: both of its addresses are this machine's.
        ("PGHOST", "localhost"),
    ]);
    for (place, what, tls) in [
        (url.trim_start_matches("http://"), "planning-sync-server", "none, plain HTTP"),
        (qdrant_url.trim_start_matches("http://"), "Qdrant", "none, plain HTTP"),
        (&format!("localhost:{port}"), "PostgreSQL", "none"),
    ] {
        let open = finding(&outcome, &format!("port_open:{place}")).unwrap_or_else(|| panic!("{place}\n{outcome}"));
        assert_eq!((text(&open, "severity"), text(&open["evidence"], "listens_on")), ("ok", "127.0.0.1"), "{open}");
        assert_eq!(text(&open, "message"), format!("{what} is open, to loopback only"));
        assert_eq!(text(&open["evidence"], "tls"), tls, "{open}");
        assert!(text(&open["evidence"], "process").contains('('), "{open}");
        let unexpected = format!("unexpected_listener:{}", place.rsplit(':').next().expect("a port"));
        assert_eq!(finding(&outcome, &unexpected), None);
    }
    assert!(!findings(&outcome).iter().any(|name| name.starts_with("port_without_tls")), "{outcome}");
    let end = section(&outcome, "ports");
    assert!(end["severity"] == "ok" && end["examined"].as_u64().is_some_and(|examined| examined >= 6), "{end}");
}

#[test]
fn a_listener_that_nobody_has_named_is_told_until_it_is_named_or_gone() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = port_of(&listener).to_string();
    let name = format!("unexpected_listener:{port}");
    let told = finding(&audit(&[]), &name).expect("told");
    assert_eq!((text(&told, "severity"), text(&told["evidence"], "listens_on")), ("info", "127.0.0.1"), "{told}");
    assert!(text(&told["evidence"], "process").contains(&format!("({})", std::process::id())), "{told}");
    for (expected, is_told) in [
        (port.clone(), false),
        (format!("22, 127.0.0.1:{port}"), false),
        (format!("127.0.0.2:{port}"), true),
        (format!("[::1]:{port}"), true),
    ] {
        let outcome = audit(&[("PSO_AUDIT_PORTS_EXPECTED", &expected)]);
        assert_eq!(finding(&outcome, &name).is_some(), is_told, "{expected}\n{outcome}");
    }
    // Who is looked at is expected.
    assert_eq!(finding(&audit(&[("PSO_AUDIT_PORTS_CHECK", &port)]), &name), None);
    drop(listener);
    assert_eq!(finding(&audit(&[]), &name), None);
}

#[test]
fn tls_is_told_with_what_is_wrong_with_it() {
    let (own, old) = (TlsEnd::start(Kind::Good).expect("TLS"), TlsEnd::start(Kind::Expired).expect("TLS"));
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let places = [own.port(), old.port(), port_of(&silent)].map(|port| format!("localhost:{port}"));
    let started = Instant::now();
    let outcome = audit(&[("PSO_AUDIT_PORTS_CHECK", &places.join(","))]);
    assert!(started.elapsed() < Duration::from_secs(12), "{:?}\n{outcome}", started.elapsed());
    let [good, expired, silence] =
        places.map(|place| finding(&outcome, &format!("port_open:{place}")).expect("told")["evidence"].clone());
    assert_eq!(text(&good, "tls"), "TLSv1.3");
    assert!(text(&good, "tls_fault").contains("trusted"), "a test's authority is trusted by nobody: {good}");
    assert!(text(&expired, "tls_fault").contains("expired"), "{expired}");
    assert!(text(&silence, "tls").starts_with("not seen"), "{silence}");
}

/// The tools trust the authority that the configuration names, and so does what they say of the port.
#[test]
fn a_service_with_an_authority_of_its_own_is_asked_as_the_tools_ask_it() {
    let (service, qdrant) = (TlsEnd::start(Kind::Good).expect("TLS"), TlsEnd::start(Kind::Good).expect("TLS"));
    let (url, qdrant_url) =
        (format!("https://localhost:{}", service.port()), format!("https://localhost:{}", qdrant.port()));
    let (ca, qdrant_ca) = (service.ca_file().display().to_string(), qdrant.ca_file().display().to_string());
    let urls = [("PSO_SERVICE_URL", url.as_str()), ("PSO_QDRANT_URL", qdrant_url.as_str())];
    let files = [("PSO_SERVICE_CA_FILE", ca.as_str()), ("PSO_QDRANT_CA_FILE", qdrant_ca.as_str())];
    let outcome = audit(&[urls, files].concat());
    for url in [&url, &qdrant_url] {
        let open = finding(&outcome, &format!("port_open:{}", url.trim_start_matches("https://"))).expect("told");
        assert!(text(&open["evidence"], "tls") == "TLSv1.3" && open["evidence"].get("tls_fault").is_none(), "{open}");
    }
    // It answers with data whatever it is asked for: the question has reached it.
    assert!(finding(&outcome, &format!("service_without_token:{url}/api/v1/conflicts/active")).is_some(), "{outcome}");
    assert_eq!(section(&outcome, "ports")["severity"], "ok", "{outcome}");
    // Without the file nobody knows the authority.
    let outcome = audit(&urls);
    outcome.assert_code(3);
    assert!(text(&section(&outcome, "ports"), "message").contains("without a token"), "{outcome}");
    let folder = folder();
    let token = folder.path().join("token");
    fs::write(&token, "t0ken").expect("written");
    let asked = |env: &[(&str, &str)]| {
        let tool = Tool::new("pso-audit").expect("built").args(["--only", "token"]).folder(folder.path());
        tool.env("PSO_TOKEN_FILE", token.display().to_string()).envs(env.iter().copied()).run().expect("ends")
    };
    assert!(text(&section(&asked(&urls), "token"), "message").contains("TLS"), "the authority is not known");
    let told = asked(&[urls, files].concat());
    assert!(!text(&section(&told, "token"), "message").contains("TLS"), "{told}");
}

#[test]
fn a_server_of_postgresql_is_asked_for_tls_in_its_own_way() {
    let server = TempPg::start_new().expect("PostgreSQL");
    put_certificate(&server);
    let port = server.port().to_string();
    let seen = || {
        let outcome = audit(&[("PGPORT", &port)]);
        finding(&outcome, &format!("port_open:127.0.0.1:{port}")).expect("told")["evidence"].clone()
    };
    assert_eq!(text(&seen(), "tls"), "none");
    let mut admin = server.admin("postgres").expect("connected");
    admin.batch_execute("ALTER SYSTEM SET ssl = on").expect("set");
    admin.batch_execute("SELECT pg_reload_conf()").expect("reloaded");
    let tls = wait::until("TLS", Duration::from_secs(20), || Some(seen()).filter(|seen| text(seen, "tls") != "none"));
    let tls = tls.expect("TLS");
    assert_eq!(text(&tls, "tls"), "TLSv1.3", "{tls}");
}

#[test]
fn many_ports_are_all_looked_at_and_a_short_time_cuts_what_is_waited_for() {
    let listeners: Vec<TcpListener> = (0..40).map(|_| TcpListener::bind("127.0.0.1:0").expect("a port")).collect();
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let ports: Vec<u16> = listeners.iter().chain([&silent]).map(port_of).collect();
    listeners.into_iter().for_each(|listener| serve(listener, |_| (200, "{}")));
    let check = ports.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let started = Instant::now();
    let outcome = audit(&[("PSO_AUDIT_PORTS_CHECK", &check), ("PSO_AUDIT_TIMEOUT", "5s")]);
    assert!(started.elapsed() < Duration::from_secs(6), "{:?}", started.elapsed());
    assert_eq!(section(&outcome, "ports")["severity"], "ok", "{outcome}");
    for port in ports {
        assert!(finding(&outcome, &format!("port_open:localhost:{port}")).is_some(), "{port}\n{outcome}");
    }
}

#[test]
fn data_without_a_token_are_told_and_a_log_in_page_is_none() {
    let service = Service::start().expect("a service");
    let outcome = audit(&[("PSO_SERVICE_URL", &service.url())]);
    let name = format!("service_without_token:{}/api/v1/conflicts/active", service.url());
    let told = finding(&outcome, &name).unwrap_or_else(|| panic!("{outcome}"));
    assert_eq!(text(&told, "severity"), "warning", "{told}");
    assert!(service.requests().iter().all(|seen| seen.header("authorization").is_none()));
    for (status, body) in [(401, "{}"), (200, "<html>log in</html>"), (302, "")] {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://127.0.0.1:{}", port_of(&listener));
        serve(listener, move |_| (status, body));
        let outcome = audit(&[("PSO_SERVICE_URL", &url)]);
        assert!(!findings(&outcome).iter().any(|name| name.starts_with("service_")), "{outcome}");
    }
}

#[test]
fn a_name_that_is_none_leaves_the_others_to_be_told() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = port_of(&listener);
    // A label of a name has 63 letters at most: the resolver refuses this without asking anybody.
    let unresolved = format!("{}.invalid:80,127.0.0.1:{port}", "x".repeat(64));
    let outcome = audit(&[("PSO_AUDIT_PORTS_CHECK", &unresolved)]);
    outcome.assert_code(3);
    assert!(finding(&outcome, &format!("port_open:127.0.0.1:{port}")).is_some(), "{outcome}");
    assert!(text(&section(&outcome, "ports"), "message").contains(".invalid:80"), "{outcome}");
    let outcome = audit(&[("PSO_AUDIT_PORTS_CHECK", "nonsense")]);
    outcome.assert_code(3).assert_stderr_has("PSO_AUDIT_PORTS_CHECK: expected a port of this machine, or HOST:PORT");
}

/// The variable that says that the network is one of our own.
const INSIDE: &str = "PSO_TEST_OWN_NETWORK";

/// Listening on all addresses is for a network that nobody else is in: the test runs [`inside`] in one.
#[test]
fn what_others_reach_is_worse() {
    // As it runs, even where a newer one was built meanwhile.
    let own = format!("/proc/{}/exe", std::process::id());
    let script = "ip link set lo up && ip address add 10.77.0.1/32 dev lo && exec \"$@\"";
    // Who is not root may make a network in a user namespace of his own.
    let is_root = fs::metadata("/proc/self").expect("the process itself").uid() == 0;
    let output = Command::new("unshare")
        .args(["--map-root-user"].iter().filter(|_| !is_root))
        .args(["--net", "sh", "-c", script, "sh"])
        .arg(own)
        .args(["--exact", "audit::ports::inside", "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .expect("unshare is there");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("seen by others"),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// The part of [`what_others_reach_is_worse`] that needs a network of its own; alone it does nothing.
#[test]
fn inside() {
    if std::env::var_os(INSIDE).is_none() {
        return;
    }
    let bind = |address: &str| TcpListener::bind(address).expect("a port");
    let (service, qdrant, odd) = (bind("0.0.0.0:0"), bind("[::]:0"), bind("10.77.0.1:0"));
    let (port, qdrant_port, odd_port) = (port_of(&service), port_of(&qdrant), port_of(&odd));
    serve(service, |_| (401, ""));
    serve(qdrant, |_| (200, r#"{"result":{"collections":[]},"status":"ok","time":0}"#));
    let urls = [format!("http://127.0.0.1:{port}"), format!("http://127.0.0.1:{qdrant_port}")];
    let tool = Tool::new("pso-audit").expect("built").args(["--only", "ports,qdrant"]).folder(std::env::temp_dir());
    let outcome = tool.env("PSO_SERVICE_URL", &urls[0]).env("PSO_QDRANT_URL", &urls[1]).run().expect("ends");
    outcome.assert_code(2);
    let service = finding(&outcome, &format!("port_open:127.0.0.1:{port}")).expect("told");
    assert_eq!(
        (text(&service, "severity"), text(&service["evidence"], "listens_on")),
        ("info", "0.0.0.0"),
        "{service}"
    );
    assert!(text(&service, "message").contains("all addresses of this machine"), "{service}");
    for port in [port, qdrant_port] {
        let plain = finding(&outcome, &format!("port_without_tls:127.0.0.1:{port}")).expect("told");
        assert_eq!(text(&plain, "severity"), "warning", "{plain}");
    }
    let odd = finding(&outcome, &format!("unexpected_listener:{odd_port}")).expect("told");
    assert_eq!((text(&odd, "severity"), text(&odd["evidence"], "listens_on")), ("warning", "10.77.0.1"), "{odd}");
    assert_eq!(
        findings(&outcome).iter().filter(|name| name.starts_with("unexpected_listener")).count(),
        1,
        "{outcome}"
    );
    let open = finding(&outcome, &format!("qdrant_without_key:{}", urls[1])).expect("told");
    assert_eq!(text(&open, "severity"), "critical", "{open}");
    // Another machine of that network, so to speak: its own address, at which only that one listens.
    let tool = Tool::new("pso-audit").expect("built").args(["--only", "ports"]).folder(std::env::temp_dir());
    let elsewhere = format!("http://10.77.0.1:{port}");
    let outcome = tool.env("PSO_SERVICE_URL", &elsewhere).env("PSO_QDRANT_URL", NOBODY).run().expect("ends");
    assert!(finding(&outcome, &format!("port_without_tls:10.77.0.1:{port}")).is_some(), "{outcome}");
    // What `what_others_reach_is_worse` looks for: that this came to its end.
    println!("seen by others");
}
