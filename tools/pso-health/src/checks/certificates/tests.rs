use pso_common::io::Env;
use pso_common::tls::StartTls;

use super::ends::Demands;
use super::*;
use crate::settings::Settings;

fn ends(text: &str) -> Vec<(String, String, Demands)> {
    let config = pso_common::config::Config::from_text("c.yaml", text, Env::default()).expect("valid");
    let cli = <crate::Cli as clap::Parser>::try_parse_from(["pso-health"]).expect("valid");
    let settings = Settings::resolve(&cli, &config, Vec::new()).expect("valid");
    let direct = |end: &End| end.owner.as_deref() == Some("postgres") || end.starttls == StartTls::None;
    assert!(settings.tls_ends.iter().all(direct));
    settings.tls_ends.iter().map(|end| (end.label(), end.address.to_string(), end.demands)).collect()
}

fn shown(found: &[(String, String, Demands)]) -> Vec<(&str, &str, Demands)> {
    found.iter().map(|(label, address, demands)| (label.as_str(), address.as_str(), *demands)).collect()
}

#[test]
fn what_speaks_tls_is_found_once() {
    let found = ends("maintenance: {postgres: {sslmode: disable}}");
    assert_eq!(shown(&found), []);
    let found = ends(
        "maintenance:\n  service: {url: 'https://ps.example/base'}\n  qdrant: {url: 'http://q.example:6333'}\n  \
         postgres: {host: db.example, sslmode: verify-ca}\n  health:\n    targets: [{http: 'https://ps.example/other', \
         name: x}, {tcp: 'mail.example:993', tls: true, name: mail}]\n    certificates: ['ldap.example:636', \
         'mail.example:993', 'ldap.example:636']\n",
    );
    let expected = [
        ("service", "ps.example:443", Demands::All),
        ("postgres", "db.example:5432", Demands::Chain),
        ("tcp.mail", "mail.example:993", Demands::All),
        ("ldap.example:636", "ldap.example:636", Demands::All),
    ];
    assert_eq!(shown(&found), expected);
}

#[test]
fn postgresql_demands_what_its_sslmode_says() {
    let demands = |postgres: &str| ends(&format!("maintenance: {{postgres: {{{postgres}}}}}")).first().map(|end| end.2);
    assert_eq!(demands("host: /run/postgresql, sslmode: verify-full"), None);
    for (mode, expected) in [("prefer", Demands::Nothing), ("require", Demands::Nothing), ("verify-full", Demands::All)]
    {
        assert_eq!(demands(&format!("host: db, sslmode: {mode}")), Some(expected), "{mode}");
    }
    assert_eq!(demands("host: db, sslmode: require, sslrootcert: ca.pem"), Some(Demands::Chain));
    let wrong = TlsFault::WrongName { expected: "a".to_owned(), names: Vec::new() };
    let refused = |demands: Demands| [&wrong, &TlsFault::UnknownIssuer].map(|fault| demands.refuse(fault));
    assert_eq!(refused(Demands::All), [true, true]);
    assert_eq!(refused(Demands::Chain), [false, true]);
    assert_eq!(refused(Demands::Nothing), [false, false]);
}

#[test]
fn a_chain_holds_as_long_as_its_shortest_part() {
    let at = |text: &str| text.parse::<Timestamp>().expect("RFC 3339");
    let certificate = |until: &str| Certificate {
        subject: "CN=a".to_owned(),
        issuer: "CN=b".to_owned(),
        names: Vec::new(),
        not_before: at("2026-01-01T00:00:00Z"),
        not_after: at(until),
        self_signed: false,
    };
    let (own, shorter) = (certificate("2026-12-01T00:00:00Z"), certificate("2026-11-25T00:00:00Z"));
    assert_eq!(earliest(&own, &[]), (own.not_after, "the certificate"));
    assert_eq!(earliest(&own, std::slice::from_ref(&shorter)), (shorter.not_after, "an intermediate certificate"));
    assert_eq!(left(at("2026-11-24T00:00:00Z"), shorter.not_after), 86_400.0);
    assert_eq!(left(at("2026-11-26T00:00:00Z"), shorter.not_after), -86_400.0);
}
