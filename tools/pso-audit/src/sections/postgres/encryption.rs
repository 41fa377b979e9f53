//! Whether what is said to the server can be read on the way, and to whom it listens.

use std::net::IpAddr;

use pso_common::Severity;

use super::server::{Facts, Failure, Server, Values};
use crate::finding::{Finding, Found};

pub(super) fn look(server: &mut Server, found: &mut Found) -> Result<(), Failure> {
    found.examined += server.values.len() as u64;
    let values = &server.values;
    let all = [ssl_off(values), old_protocol(values), listens_everywhere(values), session(&server.facts)];
    found.findings.extend(all.into_iter().flatten());
    Ok(())
}

fn ssl_off(values: &Values) -> Option<Finding> {
    if !values.is("ssl", "off") {
        return None;
    }
    let (severity, message) = if values.listens_outside() {
        (
            Severity::High,
            "the server speaks no TLS and listens on more than loopback: what is said to it can be read and changed on the way",
        )
    } else {
        (Severity::Info, "the server speaks no TLS; it listens on loopback only, where that matters little")
    };
    let fix = values.fix("ssl", "on");
    let finding = Finding::new(severity, "ssl_off", "ssl", message).with("ssl", "off");
    let finding = finding.with("listen_addresses", values.get("listen_addresses").unwrap_or("not seen"));
    Some(finding.fix(format!("-- first put server.crt and server.key into the data folder\n{fix}")))
}

fn old_protocol(values: &Values) -> Option<Finding> {
    let least = values.get("ssl_min_protocol_version")?;
    // Empty means: whatever OpenSSL offers.
    let old = matches!(least, "" | "TLSv1" | "TLSv1.1");
    (old && values.is("ssl", "on")).then(|| {
        let message = "the server agrees to versions of TLS that are broken (RFC 8996 forbids them)";
        let finding = Finding::new(Severity::Warning, "ssl_min_protocol_version", "ssl_min_protocol_version", message);
        finding.with("ssl_min_protocol_version", least).fix(values.fix("ssl_min_protocol_version", "TLSv1.2"))
    })
}

fn listens_everywhere(values: &Values) -> Option<Finding> {
    let list = values.get("listen_addresses")?;
    let all = list.split(',').map(str::trim).any(|one| matches!(one, "*" | "0.0.0.0" | "::"));
    all.then(|| {
        let message = "the server listens on every address that this machine has or will get; pg_hba.conf and the firewall alone \
                       decide who comes in";
        let finding = Finding::new(Severity::Info, "listen_addresses", "listen_addresses", message);
        // With localhost alone whoever comes from elsewhere is locked out.
        let fix = values.fix("listen_addresses", "localhost");
        finding.with("listen_addresses", list).fix(format!(
            "-- add each address of this machine that clients or standbys elsewhere connect to: 'localhost, 10.0.0.5'\n{fix}"
        ))
    })
}

fn session(facts: &Facts) -> Option<Finding> {
    let address = facts.client_address.as_deref()?;
    let loopback = address.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback());
    (!facts.encrypted && !loopback).then(|| {
        let message = "this tool's own connection is not encrypted: the tools' passwords and all data that they read can be seen on the way";
        let finding = Finding::new(Severity::High, "session_unencrypted", &facts.database, message);
        let fix = "set maintenance.postgres.sslmode to verify-full (or PGSSLMODE), with the server's CA in sslrootcert";
        finding.with("client_address", address).fix(fix)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn severity(finding: Option<Finding>) -> Option<Severity> {
        finding.map(|finding| finding.severity)
    }

    #[test]
    fn tls_off_is_worse_outside() {
        let off = |listen: &str| ssl_off(&Values::of(&[("ssl", "off"), ("listen_addresses", listen)]));
        assert_eq!(severity(off("*")), Some(Severity::High));
        assert_eq!(severity(off("localhost")), Some(Severity::Info));
        assert_eq!(ssl_off(&Values::of(&[("ssl", "on"), ("listen_addresses", "*")])), None);
    }

    #[test]
    fn old_protocols_matter_with_tls_only() {
        let least =
            |ssl: &str, least: &str| old_protocol(&Values::of(&[("ssl", ssl), ("ssl_min_protocol_version", least)]));
        assert_eq!(severity(least("on", "TLSv1.1")), Some(Severity::Warning));
        assert_eq!(severity(least("on", "")), Some(Severity::Warning));
        assert_eq!((least("on", "TLSv1.2"), least("on", "TLSv1.3"), least("off", "TLSv1")), (None, None, None));
    }

    #[test]
    fn listening_everywhere_is_said() {
        let everywhere = |list: &str| severity(listens_everywhere(&Values::of(&[("listen_addresses", list)])));
        assert_eq!((everywhere("*"), everywhere("10.0.0.1, ::")), (Some(Severity::Info), Some(Severity::Info)));
        assert_eq!((everywhere("localhost"), everywhere("10.0.0.1")), (None, None));
    }

    #[test]
    fn only_a_session_over_a_network_must_be_encrypted() {
        let facts = |address: Option<&str>, encrypted| {
            let facts = Facts { client_address: address.map(str::to_owned), encrypted, ..Facts::default() };
            severity(session(&facts))
        };
        assert_eq!(facts(Some("10.0.0.7"), false), Some(Severity::High));
        assert_eq!(facts(Some("10.0.0.7"), true), None);
        assert_eq!(
            (facts(Some("127.0.0.1"), false), facts(Some("::1"), false), facts(None, false)),
            (None, None, None)
        );
    }
}
