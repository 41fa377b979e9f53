//! `maintenance.audit.ports`: which ports are looked at beside the deployment's own, and who may listen.

use std::net::{IpAddr, SocketAddr};

use pso_common::config::{Config, ConfigValue, ListField};
use pso_common::net::Address;
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
    pub(super) check: Vec<Checked>,
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

/// A port to look at; one without a host is this machine's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Checked(pub(super) Address);

impl ConfigValue for Checked {
    const EXPECTED: &'static str = "a port of this machine, or HOST:PORT";

    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let bare = text.bytes().all(|byte| byte.is_ascii_digit());
        Address::parse(&if bare { format!("localhost:{text}") } else { text.to_owned() }).map(Self)
    }

    fn show(&self) -> String {
        self.0.to_string()
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
        let shown = |text: &str| Checked::parse(text).map(|checked| checked.show());
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
