//! The ports that are looked at: those of the deployment, and those of the configuration.

use std::net::{IpAddr, UdpSocket};
use std::path::Path;
use std::time::Duration;

use pso_common::net::Address;
use pso_common::tls::Roots;

use crate::settings::Settings;

/// Qdrant's port for gRPC; the tools do not use it, so nothing of the configuration names it.
const QDRANT_GRPC: u16 = 6334;

/// How to begin TLS on a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speaks {
    Postgres,
    /// HTTP, or nobody has said what.
    Anything,
}

/// planning-sync-server, as it is called in messages.
pub(super) const SERVICE: &str = "planning-sync-server";

/// A port to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) what: &'static str,
    pub(super) place: Address,
    pub(super) speaks: Speaks,
    /// By which the tools themselves judge its certificate.
    pub(super) roots: Roots,
}

/// All of them, each once.
pub(super) fn all(settings: &Settings) -> Vec<Target> {
    let mut targets: Vec<Target> = Vec::new();
    let mut add = |what, place: Option<Address>, speaks, ca_file: Option<&Path>| {
        let Some(place) = place else { return };
        if !targets.iter().any(|target| target.place == place) {
            let roots = ca_file.map_or(Roots::System, Roots::named);
            targets.push(Target { what, place, speaks, roots });
        }
    };
    let (service, postgres, qdrant) = (&settings.service, &settings.postgres, &settings.qdrant);
    add(SERVICE, Address::of_url(&service.url), Speaks::Anything, service.ca_file.as_deref());
    // A socket's folder: the server may listen on TCP all the same.
    let host = if postgres.host.starts_with('/') { "localhost".to_owned() } else { postgres.host.clone() };
    let place = Address { host, port: postgres.port };
    add("PostgreSQL", Some(place), Speaks::Postgres, postgres.sslrootcert.as_deref());
    let place = Address::of_url(&qdrant.url);
    let grpc = place.clone().map(|place| Address { port: QDRANT_GRPC, ..place });
    add("Qdrant", place, Speaks::Anything, qdrant.ca_file.as_deref());
    add("Qdrant's gRPC", grpc, Speaks::Anything, qdrant.ca_file.as_deref());
    for place in &settings.audit_ports.check {
        add("a port that maintenance.audit.ports.check names", Some(place.0.clone()), Speaks::Anything, None);
    }
    targets
}

/// Whether what is sent to a URL can be read on the way: no TLS, and more than this machine's loopback.
pub(crate) fn sent_in_clear(url: &str) -> bool {
    url.starts_with("http://") && Address::of_url(url).is_none_or(|place| !is_loopback(&place.host))
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

/// Whether a host is this machine: all its addresses are ones that a socket can have here.
pub(crate) fn is_this_machine(host: &str, timeout: Duration) -> bool {
    let Ok(addresses) = pso_common::net::resolve(host, 0, timeout) else { return false };
    !addresses.is_empty() && addresses.iter().all(|address| is_own(address.ip()))
}

/// Binding succeeds for an address of this machine only. Nothing is sent.
fn is_own(address: IpAddr) -> bool {
    address.is_loopback() || UdpSocket::bind((address, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_and_tls_keep_what_is_sent() {
        for clear in [
            "http://sync:8080",
            "http://10.0.0.5",
            "http://localhost.example:8080",
            "http://localhost@h/",
            "http://h:x",
        ] {
            assert!(sent_in_clear(clear), "{clear}");
        }
        for kept in
            ["https://sync", "http://localhost:8080", "http://127.0.0.2:1/x", "http://[::1]:80", "http://u@LOCALHOST"]
        {
            assert!(!sent_in_clear(kept), "{kept}");
        }
    }

    #[test]
    fn own_addresses_are_told_from_others() {
        let own = |host| is_this_machine(host, Duration::from_secs(5));
        assert!(own("localhost") && own("127.0.0.1") && own("::1"));
        // A block for documentation (RFC 5737), and a name that cannot be one.
        assert!(!own("192.0.2.1") && !own(&"x".repeat(64)));
    }
}
