//! What a certificate says of itself.

use std::net::IpAddr;

use time::OffsetDateTime;
use x509_cert::Certificate as X509;
use x509_cert::der::Decode as _;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::time::Time;

use crate::Timestamp;
use crate::output::printable;

/// A name in a certificate is shown up to so many characters, and so many names of one certificate are kept.
const MAX_TEXT: usize = 250;
const MAX_NAMES: usize = 100;

/// The facts of one certificate. The texts are the other end's: they have no control characters and are capped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Whom it is for, in the form of RFC 4514 (`CN=a.example,O=Example`).
    pub subject: String,
    /// Who has signed it.
    pub issuer: String,
    /// Host names and addresses that it is for (the extension subjectAltName).
    pub names: Vec<String>,
    /// Beginning of its validity.
    pub not_before: Timestamp,
    /// End of its validity.
    pub not_after: Timestamp,
    /// Whether it names itself as its issuer.
    pub self_signed: bool,
}

impl Certificate {
    /// Reads a certificate in DER; none where it is malformed.
    pub(super) fn parse(der: &[u8]) -> Option<Self> {
        let certificate = X509::from_der(der).ok()?.tbs_certificate;
        let names = match certificate.get::<SubjectAltName>() {
            Ok(Some((_, names))) => names.0.iter().take(MAX_NAMES).filter_map(name).collect(),
            _ => Vec::new(),
        };
        Some(Self {
            subject: shown(&certificate.subject.to_string()),
            issuer: shown(&certificate.issuer.to_string()),
            names,
            not_before: moment(certificate.validity.not_before)?,
            not_after: moment(certificate.validity.not_after)?,
            self_signed: certificate.subject == certificate.issuer,
        })
    }
}

fn name(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::DnsName(name) => Some(shown(name.as_str())),
        GeneralName::IpAddress(bytes) => match bytes.as_bytes().len() {
            4 => <[u8; 4]>::try_from(bytes.as_bytes()).ok().map(|octets| IpAddr::from(octets).to_string()),
            16 => <[u8; 16]>::try_from(bytes.as_bytes()).ok().map(|octets| IpAddr::from(octets).to_string()),
            _ => None,
        },
        // Mail addresses and the like: no host has such a name.
        _ => None,
    }
}

fn moment(time: Time) -> Option<Timestamp> {
    let seconds = i64::try_from(time.to_unix_duration().as_secs()).ok()?;
    OffsetDateTime::from_unix_timestamp(seconds).ok().map(Timestamp::new)
}

pub(super) fn shown(text: &str) -> String {
    let text = printable(text);
    match text.char_indices().nth(MAX_TEXT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into_owned(),
    }
}
