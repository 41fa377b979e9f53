//! A verifier of certificates that is one judgement; signatures are always checked.

use std::fmt;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, Error, SignatureScheme};

/// What the other end shows to prove who it is.
pub(crate) struct Shown<'a> {
    pub(crate) certificate: &'a CertificateDer<'a>,
    pub(crate) intermediates: &'a [CertificateDer<'a>],
    pub(crate) name: &'a ServerName<'a>,
    pub(crate) ocsp: &'a [u8],
    pub(crate) now: UnixTime,
}

impl Shown<'_> {
    /// What another verifier says of it.
    pub(crate) fn by(&self, verifier: &dyn ServerCertVerifier) -> Result<ServerCertVerified, Error> {
        verifier.verify_server_cert(self.certificate, self.intermediates, self.name, self.ocsp, self.now)
    }
}

/// Accepts what its judgement accepts.
pub(crate) struct Judged<J> {
    provider: Arc<CryptoProvider>,
    judgement: J,
}

impl<J> Judged<J>
where
    J: Fn(&Shown<'_>) -> Result<ServerCertVerified, Error> + Send + Sync + 'static,
{
    pub(crate) fn verifier(provider: &Arc<CryptoProvider>, judgement: J) -> Arc<dyn ServerCertVerifier> {
        Arc::new(Self { provider: Arc::clone(provider), judgement })
    }
}

impl<J> fmt::Debug for Judged<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Judged").finish_non_exhaustive()
    }
}

impl<J> ServerCertVerifier for Judged<J>
where
    J: Fn(&Shown<'_>) -> Result<ServerCertVerified, Error> + Send + Sync,
{
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        (self.judgement)(&Shown { certificate, intermediates, name, ocsp, now })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
