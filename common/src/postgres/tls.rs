//! TLS to PostgreSQL with libpq's meanings of `sslmode`.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerified;
use rustls::crypto::ring;
use rustls::{CertificateError, ClientConfig, Error, RootCertStore};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::settings::{PgSettings, SslMode};
use crate::tls::{Judged, Roots};

/// Whether the certificate must be for the host: `verify-full`, and not `verify-ca`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NameCheck {
    Yes,
    No,
}

/// The connector for the settings' `sslmode`.
pub(super) fn connector(settings: &PgSettings) -> anyhow::Result<MakeRustlsConnect> {
    let provider = Arc::new(ring::default_provider());
    let root = settings.sslrootcert.as_deref();
    let strict = match (settings.sslmode, root) {
        (SslMode::VerifyFull, _) => Some(NameCheck::Yes),
        (SslMode::VerifyCa, _) | (SslMode::Require, Some(_)) => Some(NameCheck::No),
        _ => None,
    };
    let verifier = match strict {
        // `prefer` and `require`: the line is encrypted, whoever is at its other end.
        None => Judged::verifier(&provider, |_| Ok(ServerCertVerified::assertion())),
        Some(check) => {
            let roots = Arc::new(roots(root)?);
            let strict = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider)).build()?;
            Judged::verifier(&provider, move |shown| match shown.by(&*strict) {
                // The chain is checked before the name, so only the name is wrong here.
                Err(Error::InvalidCertificate(
                    CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
                )) if check == NameCheck::No => Ok(ServerCertVerified::assertion()),
                result => result,
            })
        }
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

fn roots(path: Option<&Path>) -> anyhow::Result<RootCertStore> {
    let roots = path.map_or(Roots::System, Roots::named);
    roots.store().context("there is no root certificate to check the server with; check PGSSLROOTCERT")
}
