//! Certificates for servers of the tests, made on the spot: a good one, and each way in which one can be bad.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use tempfile::TempDir;
use time::{Duration, OffsetDateTime};

/// What a server's certificate is like. All but [`Kind::SelfSigned`] are signed by the authority of [`Certificates::ca_file`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// For `localhost`, 127.0.0.1 and ::1, for 30 more days.
    Good,
    /// As the good one, but it ends after so many days.
    EndsIn(i64),
    /// It ended three days ago.
    Expired,
    /// It begins in three days.
    NotYetValid,
    /// For `elsewhere.example`.
    WrongName,
    /// It has signed itself; nothing else is wrong with it.
    SelfSigned,
}

/// A server's certificate, its key and its authority, as PEM files in a folder of their own.
#[derive(Debug)]
pub struct Certificates {
    folder: TempDir,
    not_after: OffsetDateTime,
}

impl Certificates {
    /// Makes them.
    ///
    /// # Errors
    /// When they cannot be made or written.
    pub fn new(kind: Kind) -> Result<Self> {
        let mut authority = CertificateParams::new(Vec::new())?;
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.distinguished_name.push(DnType::CommonName, "pso-tests authority");
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;

        let names: &[&str] = match kind {
            Kind::WrongName => &["elsewhere.example"],
            _ => &["localhost", "127.0.0.1", "::1"],
        };
        let (from, until) = match kind {
            Kind::Expired => (-30, -3),
            Kind::NotYetValid => (3, 30),
            Kind::EndsIn(days) => (-30, days),
            _ => (-1, 30),
        };
        let now = OffsetDateTime::now_utc();
        let mut params = CertificateParams::new(names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>())?;
        params.distinguished_name.push(DnType::CommonName, "pso-tests server");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.not_before = now + Duration::days(from);
        params.not_after = now + Duration::days(until);
        let key = KeyPair::generate()?;
        let certificate = match kind {
            Kind::SelfSigned => params.self_signed(&key)?,
            _ => params.signed_by(&key, &authority)?,
        };

        let made = Self {
            folder: tempfile::tempdir().context("make a folder for certificates")?,
            not_after: params.not_after,
        };
        for (path, text) in [
            (made.ca_file(), authority.pem()),
            (made.certificate_file(), certificate.pem()),
            (made.key_file(), key.serialize_pem()),
        ] {
            fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
        }
        Ok(made)
    }

    /// The folder of the three files.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The authority's certificate.
    #[must_use]
    pub fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// The server's certificate.
    #[must_use]
    pub fn certificate_file(&self) -> PathBuf {
        self.folder.path().join("server.pem")
    }

    /// The server's private key.
    #[must_use]
    pub fn key_file(&self) -> PathBuf {
        self.folder.path().join("server.key")
    }

    /// The end of the server's certificate, to the second.
    #[must_use]
    pub fn not_after(&self) -> OffsetDateTime {
        self.not_after.truncate_to_second()
    }
}
