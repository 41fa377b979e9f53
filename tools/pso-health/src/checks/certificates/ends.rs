//! Where TLS is spoken here, and what the connection over it demands of the certificate.

use std::path::PathBuf;

use anyhow::Context as _;
use pso_common::config::{Config, ListField, ServiceSettings};
use pso_common::postgres::{PgSettings, SslMode};
use pso_common::qdrant::QdrantSettings;
use pso_common::tls::{Roots, StartTls, TlsFault};

use crate::checks::targets::SecurePort;
use pso_common::net::Address;

/// One TLS port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct End {
    /// The check that connects to it as well and tells when it cannot; none for a port of `maintenance.health.certificates`.
    pub(super) owner: Option<String>,
    pub(super) address: Address,
    pub(super) starttls: StartTls,
    pub(super) roots: Roots,
    pub(super) demands: Demands,
}

/// What the connection would refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Demands {
    /// A chain that leads to a root, is valid now, and the right name.
    All,
    /// `verify-ca`: the same without the name.
    Chain,
    /// `prefer`, `require`: nothing. The certificate is looked at all the same.
    Nothing,
}

impl Demands {
    /// Whether a fault keeps the connection from being made.
    pub(super) const fn refuse(self, fault: &TlsFault) -> bool {
        match self {
            Self::All => true,
            Self::Chain => !matches!(fault, TlsFault::WrongName { .. }),
            Self::Nothing => false,
        }
    }
}

impl End {
    /// What it is called: by its owner, or by its address.
    pub(super) fn label(&self) -> String {
        self.owner.clone().unwrap_or_else(|| self.address.to_string())
    }
}

/// Every TLS port of the deployment, of the targets, and of `maintenance.health.certificates`; each once.
///
/// # Errors
/// When the list holds a bad address.
pub(crate) fn resolve(
    config: &Config,
    named: &ListField,
    service: &ServiceSettings,
    qdrant: &QdrantSettings,
    postgres: &PgSettings,
    targets: Vec<SecurePort>,
) -> anyhow::Result<Vec<End>> {
    let https = |owner: &str, url: &str, ca_file: Option<PathBuf>| {
        let address = Address::of_url(url).filter(|_| url.starts_with("https://"))?;
        Some(SecurePort { owner: owner.to_owned(), address, ca_file })
    };
    let parts =
        [https("service", &service.url, service.ca_file.clone()), https("qdrant", &qdrant.url, qdrant.ca_file.clone())];
    let direct = |port: SecurePort| End {
        owner: Some(port.owner),
        address: port.address,
        starttls: StartTls::None,
        roots: port.ca_file.map_or(Roots::Mozilla, |file| Roots::named(&file)),
        demands: Demands::All,
    };
    let named: Vec<String> =
        config.pick("maintenance.health.certificates").file_list(named).optional()?.unwrap_or_default();
    let named = named.iter().map(|text| {
        let address = Address::parse(text)
            .with_context(|| format!("maintenance.health.certificates: expected HOST:PORT, found {text:?}"))?;
        let roots = Roots::Mozilla;
        Ok(End { owner: None, address, starttls: StartTls::None, roots, demands: Demands::All })
    });
    let named: Vec<End> = named.collect::<anyhow::Result<_>>()?;
    let parts = parts.into_iter().flatten().map(direct);
    let all = parts.chain(of_postgres(postgres)).chain(targets.into_iter().map(direct)).chain(named);
    let mut ends: Vec<End> = Vec::new();
    for end in all {
        let same = |other: &End| (&other.address, other.starttls) == (&end.address, end.starttls);
        // Named by itself and used by a part: the part says with which roots.
        if !ends.iter().any(|other| same(other) && (end.owner.is_none() || other.roots == end.roots)) {
            ends.push(end);
        }
    }
    Ok(ends)
}

/// As `pso_common::postgres` connects.
fn of_postgres(settings: &PgSettings) -> Option<End> {
    let root = settings.sslrootcert.as_deref();
    let demands = match (settings.sslmode, root) {
        (SslMode::Disable, _) => return None,
        (SslMode::VerifyFull, _) => Demands::All,
        (SslMode::VerifyCa, _) | (SslMode::Require, Some(_)) => Demands::Chain,
        _ => Demands::Nothing,
    };
    // Over a socket of this machine libpq speaks no TLS.
    if settings.host.starts_with('/') {
        return None;
    }
    let roots = match (root, demands) {
        (Some(root), _) => Roots::named(root),
        (None, Demands::Nothing) => Roots::Mozilla,
        (None, _) => Roots::System,
    };
    let address = Address { host: settings.host.clone(), port: settings.port };
    Some(End { owner: Some("postgres".to_owned()), address, starttls: StartTls::Postgres, roots, demands })
}
