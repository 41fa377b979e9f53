//! The TLS end shows the certificate that was asked for.

use std::time::Duration;

use pso_tests::Reply;
use pso_tests::tls_end::{Kind, Options, TlsEnd};
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

/// The answer's body, or why there is none, for a client that trusts the end's authority.
fn get(end: &TlsEnd, host: &str) -> Result<String, String> {
    let pem = std::fs::read(end.ca_file()).unwrap();
    let roots = RootCerts::new_with_certs(&[Certificate::from_pem(&pem).unwrap()]);
    let tls = TlsConfig::builder().root_certs(roots).build();
    let config = Agent::config_builder().tls_config(tls).timeout_global(Some(Duration::from_secs(10))).build();
    let result = config.new_agent().get(format!("https://{host}:{}/health", end.port())).call();
    result.and_then(|mut answer| answer.body_mut().read_to_string()).map_err(|error| error.to_string())
}

#[test]
fn the_good_end_answers_in_both_versions() {
    for only_tls12 in [false, true] {
        let end = TlsEnd::with(Kind::Good, Options { only_tls12, ..Options::default() }).unwrap();
        for host in ["localhost", "127.0.0.1"] {
            assert_eq!(get(&end, host).unwrap(), r#"{"status":"healthy"}"#);
        }
        end.set(Reply::new(200, "text/plain", "something else"));
        assert_eq!((get(&end, "localhost").unwrap().as_str(), end.connections()), ("something else", 3));
    }
}

#[test]
fn each_bad_certificate_is_refused_for_its_reason() {
    for (kind, reason) in [
        (Kind::Expired, "certificate expired"),
        (Kind::NotYetValid, "certificate not valid yet"),
        (Kind::WrongName, "certificate not valid for name"),
        (Kind::SelfSigned, "UnknownIssuer"),
    ] {
        let refused = get(&TlsEnd::start(kind).unwrap(), "localhost").unwrap_err();
        assert!(refused.contains(reason), "{kind:?}: {refused}");
    }
    assert!(get(&TlsEnd::start(Kind::EndsIn(1)).unwrap(), "localhost").is_ok());
}

#[test]
fn a_client_without_a_certificate_is_refused_where_one_is_wanted() {
    for only_tls12 in [false, true] {
        let end = TlsEnd::with(Kind::Good, Options { only_tls12, wants_client_certificate: true }).unwrap();
        let refused = get(&end, "localhost").unwrap_err();
        assert!(refused.contains("alert"), "{refused}");
    }
}
