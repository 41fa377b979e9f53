//! Root certificates: a file's, the operating system's, or Mozilla's.

use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

/// A longer file holds something else: Mozilla's roots take a quarter of a megabyte.
const LONGEST_FILE: u64 = 16 << 20;

/// Where the root certificates are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Roots {
    /// Those in a PEM file.
    File(PathBuf),
    /// Those of the operating system.
    System,
    /// Mozilla's, as they were when the tool was built.
    Mozilla,
}

impl Roots {
    /// A file, or with the word `system` the operating system's, as libpq's `sslrootcert` has it.
    #[must_use]
    pub fn named(path: &Path) -> Self {
        if path == Path::new("system") { Self::System } else { Self::File(path.to_owned()) }
    }

    /// The certificates themselves, each of which was found usable; none for Mozilla's, which are known by their keys only.
    pub(crate) fn certificates(&self) -> anyhow::Result<Option<Vec<CertificateDer<'static>>>> {
        let certificates = match self {
            Self::Mozilla => return Ok(None),
            Self::System => {
                // One that cannot be read, or is malformed, must not cost the others.
                let mut found = rustls_native_certs::load_native_certs().certs;
                found.retain(|certificate| RootCertStore::empty().add(certificate.clone()).is_ok());
                anyhow::ensure!(!found.is_empty(), "the operating system has no root certificate");
                found
            }
            Self::File(path) => {
                let mut found = Vec::new();
                let text = bounded(path).with_context(|| format!("read the certificates in {}", path.display()))?;
                for certificate in CertificateDer::pem_slice_iter(&text) {
                    let certificate =
                        certificate.with_context(|| format!("read a certificate in {}", path.display()))?;
                    RootCertStore::empty()
                        .add(certificate.clone())
                        .with_context(|| format!("trust a certificate in {}", path.display()))?;
                    found.push(certificate);
                }
                anyhow::ensure!(!found.is_empty(), "{} holds no PEM certificate", path.display());
                found
            }
        };
        Ok(Some(certificates))
    }

    /// The certificates as bytes (DER), for clients that have their own TLS; `None` stands for Mozilla's.
    ///
    /// # Errors
    /// When they cannot be read, or there are none.
    pub fn der(&self) -> anyhow::Result<Option<Vec<Vec<u8>>>> {
        let certificates = self.certificates()?;
        Ok(certificates.map(|all| all.iter().map(|certificate| certificate.to_vec()).collect()))
    }

    /// The roots as rustls wants them.
    pub(crate) fn store(&self) -> anyhow::Result<RootCertStore> {
        let mut store = RootCertStore { roots: Vec::new() };
        match self.certificates()? {
            Some(certificates) => {
                for certificate in certificates {
                    store.add(certificate)?;
                }
            }
            None => store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        }
        Ok(store)
    }
}

/// The content of a file. The path may have come through a pipe: a device or a named pipe would never end.
fn bounded(path: &Path) -> anyhow::Result<Vec<u8>> {
    let about = std::fs::metadata(path)?;
    anyhow::ensure!(about.is_file(), "this is no file");
    anyhow::ensure!(about.len() <= LONGEST_FILE, "a file of {} bytes holds no certificates", about.len());
    let mut text = Vec::new();
    std::fs::File::open(path)?.take(LONGEST_FILE).read_to_end(&mut text)?;
    Ok(text)
}

/// Root certificates, read once, and what is checked with them. Clones share them.
#[derive(Clone)]
pub struct Trust {
    pub(super) verifier: Arc<WebPkiServerVerifier>,
    pub(super) provider: Arc<CryptoProvider>,
}

impl Trust {
    /// Reads the root certificates.
    ///
    /// # Errors
    /// When they cannot be read, or there are none.
    pub fn load(roots: &Roots) -> anyhow::Result<Self> {
        let provider = Arc::new(ring::default_provider());
        let store = Arc::new(roots.store()?);
        let verifier = WebPkiServerVerifier::builder_with_provider(store, Arc::clone(&provider)).build()?;
        Ok(Self { verifier, provider })
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trust").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_certificates_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ca.pem");
        let missing = Trust::load(&Roots::named(&path)).expect_err("no such file");
        assert!(format!("{missing:#}").contains("read the certificates in "), "{missing:#}");
        std::fs::write(&path, "no certificate\n").expect("written");
        let empty = Trust::load(&Roots::named(&path)).expect_err("empty");
        assert!(format!("{empty:#}").contains("ca.pem holds no PEM certificate"), "{empty:#}");
        std::fs::write(&path, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").expect("written");
        let bad = Trust::load(&Roots::named(&path)).expect_err("not one");
        assert!(format!("{bad:#}").contains("trust a certificate in "), "{bad:#}");
    }

    #[cfg(unix)]
    #[test]
    fn what_never_ends_is_not_read() {
        let device = Trust::load(&Roots::named(Path::new("/dev/zero"))).expect_err("a device");
        assert!(format!("{device:#}").contains("/dev/zero: this is no file"), "{device:#}");
        let large = tempfile::NamedTempFile::new().expect("a file");
        large.as_file().set_len(LONGEST_FILE + 1).expect("sparse");
        let large = Trust::load(&Roots::named(large.path())).expect_err("too large");
        assert!(format!("{large:#}").contains("holds no certificates"), "{large:#}");
    }

    #[test]
    fn mozillas_roots_are_built_in() {
        assert!(Trust::load(&Roots::Mozilla).is_ok());
        assert!(Roots::Mozilla.store().expect("built in").len() > 50);
        assert_eq!(Roots::named(Path::new("system")), Roots::System);
    }
}
