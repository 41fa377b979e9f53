//! The ports that are looked at: those of the deployment, and those of the configuration.

use std::net::{IpAddr, UdpSocket};
use std::time::Duration;

use super::settings::Place;
use crate::settings::Settings;

/// Qdrant's port for gRPC; the tools do not use it, so nothing of the configuration names it.
const QDRANT_GRPC: u16 = 6334;

/// What is spoken on a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speaks {
    /// HTTP, with TLS or without, as the configured URL says.
    Http,
    Postgres,
    /// Nobody has said it.
    Unsaid,
}

/// A port to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) what: &'static str,
    pub(super) place: Place,
    pub(super) speaks: Speaks,
}

/// All of them, each once.
pub(super) fn all(settings: &Settings) -> Vec<Target> {
    let mut targets: Vec<Target> = Vec::new();
    let mut add = |what, place: Option<Place>, speaks| {
        let Some(place) = place else { return };
        if !targets.iter().any(|target| target.place == place) {
            targets.push(Target { what, place, speaks });
        }
    };
    add("planning-sync-server", of_url(&settings.service.url), Speaks::Http);
    let host = &settings.postgres.host;
    // A socket's folder: the server may listen on TCP all the same.
    let host = if host.starts_with('/') { "localhost".to_owned() } else { host.clone() };
    add("PostgreSQL", Some(Place { host, port: settings.postgres.port }), Speaks::Postgres);
    let qdrant = of_url(&settings.qdrant.url);
    let grpc = qdrant.clone().map(|place| Place { port: QDRANT_GRPC, ..place });
    add("Qdrant", qdrant, Speaks::Http);
    add("Qdrant's gRPC", grpc, Speaks::Unsaid);
    for place in &settings.audit_ports.check {
        add("named in maintenance.audit.ports.check", Some(place.clone()), Speaks::Unsaid);
    }
    targets
}

/// Host and port of a URL.
pub(crate) fn of_url(url: &str) -> Option<Place> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let authority = authority.rsplit('@').next()?;
    let default = if scheme == "https" { 443 } else { 80 };
    let (host, port) = match authority.strip_prefix('[') {
        Some(v6) => {
            let (host, after) = v6.split_once(']')?;
            (host, after.strip_prefix(':'))
        }
        None => authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port))),
    };
    let port = port.map_or(Some(default), |port| port.parse().ok())?;
    (!host.is_empty()).then(|| Place { host: host.to_owned(), port })
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
    fn urls_name_a_host_and_a_port() {
        let shown = |url: &str| of_url(url).map(|place| place.shown());
        for (url, expected) in [
            ("http://localhost:8080", "localhost:8080"),
            ("https://u:p@h/x?y", "h:443"),
            ("http://[::1]:6333/a", "[::1]:6333"),
            ("http://h", "h:80"),
        ] {
            assert_eq!(shown(url).as_deref(), Some(expected), "{url}");
        }
        assert_eq!((shown("localhost:1"), shown("http://:1"), shown("http://h:x")), (None, None, None));
    }

    #[test]
    fn own_addresses_are_told_from_others() {
        let own = |host| is_this_machine(host, Duration::from_secs(5));
        assert!(own("localhost") && own("127.0.0.1") && own("::1"));
        // A block for documentation (RFC 5737), and a name that cannot be one.
        assert!(!own("192.0.2.1") && !own(&"x".repeat(64)));
    }
}
