//! `maintenance.audit.ports`: which ports are looked at beside the deployment's own, and who may listen.

use std::net::{IpAddr, SocketAddr};

use pso_common::config::{Config, ConfigValue, ListField};
use serde::Deserialize;

/// `maintenance.audit.ports`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct PortsSection {
    check: ListField,
    expected: ListField,
}

/// What is asked of the ports.
#[derive(Clone, Debug, Default)]
pub(crate) struct PortsSettings {
    /// Ports to look at beside those of the service, PostgreSQL and Qdrant.
    pub(super) check: Vec<Place>,
    /// Who may listen on this machine beside those.
    pub(super) expected: Vec<Expected>,
}

impl PortsSettings {
    /// Resolves the settings.
    ///
    /// # Errors
    /// When a layer holds a bad value.
    pub(crate) fn resolve(section: &PortsSection, config: &Config) -> anyhow::Result<Self> {
        Ok(Self {
            check: config
                .pick("maintenance.audit.ports.check")
                .env("PSO_AUDIT_PORTS_CHECK")
                .file_list(&section.check)
                .or(Vec::new())?,
            expected: config
                .pick("maintenance.audit.ports.expected")
                .env("PSO_AUDIT_PORTS_EXPECTED")
                .file_list(&section.expected)
                .or(Vec::new())?,
        })
    }
}

/// A port of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Place {
    /// `HOST:PORT`, with brackets around an IPv6 address.
    pub(crate) fn shown(&self) -> String {
        let Self { host, port } = self;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }
}

impl ConfigValue for Place {
    const EXPECTED: &'static str = "a port of this machine, or HOST:PORT";

    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (host, port) = text.rsplit_once(':').unwrap_or(("localhost", text));
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        // An IPv6 address without brackets has no port that could be told from it.
        let host = bare.or_else(|| (!host.contains(':')).then_some(host))?;
        let port = port.parse().ok().filter(|port| *port > 0)?;
        (!host.is_empty() && !host.contains(char::is_whitespace)).then(|| Self { host: host.to_owned(), port })
    }

    fn show(&self) -> String {
        self.shown()
    }
}

/// Who may listen: a port at any address, or at one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) address: Option<IpAddr>,
    pub(crate) port: u16,
}

impl Expected {
    pub(crate) fn covers(self, socket: SocketAddr) -> bool {
        self.port == socket.port()
            && self.address.is_none_or(|address| address.is_unspecified() || address == socket.ip())
    }
}

impl ConfigValue for Expected {
    const EXPECTED: &'static str = "a port, or ADDRESS:PORT";

    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Ok(port) = text.parse() {
            return Some(Self { address: None, port });
        }
        let socket: SocketAddr = text.parse().ok()?;
        Some(Self { address: Some(socket.ip().to_canonical()), port: socket.port() })
    }

    fn show(&self) -> String {
        self.address.map_or_else(|| self.port.to_string(), |address| SocketAddr::new(address, self.port).to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_ports_of_hosts() {
        let shown = |text: &str| Place::parse(text).map(|place| place.shown());
        for (text, expected) in [
            ("9000", "localhost:9000"),
            ("db:5432", "db:5432"),
            ("[::1]:80", "[::1]:80"),
            (" 10.0.0.5:1 ", "10.0.0.5:1"),
        ] {
            assert_eq!(shown(text).as_deref(), Some(expected), "{text}");
        }
        for text in ["", "db", "db:", ":1", "::1", "::1:80", "a b:1", "0", "db:70000"] {
            assert_eq!(shown(text), None, "{text}");
        }
    }

    #[test]
    fn who_is_expected_may_be_narrower_than_a_port() {
        let covers = |text: &str, socket: &str| {
            Expected::parse(text).is_some_and(|expected| expected.covers(socket.parse().expect("an address")))
        };
        assert!(covers("22", "0.0.0.0:22") && covers("22", "[::1]:22") && !covers("22", "0.0.0.0:23"));
        assert!(covers("127.0.0.1:22", "127.0.0.1:22") && !covers("127.0.0.1:22", "0.0.0.0:22"));
        assert!(covers("0.0.0.0:22", "10.0.0.5:22") && covers("[::1]:22", "[::1]:22"));
        assert_eq!((Expected::parse("ssh"), Expected::parse("localhost:22")), (None, None));
    }
}
