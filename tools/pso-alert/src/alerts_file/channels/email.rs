//! The keys of a channel of mails.

use anyhow::{Context as _, bail};
use lettre::message::Mailbox;
use lettre::transport::smtp::client::{Certificate, CertificateStore, TlsParameters};
use pso_common::Secret;
use pso_common::tls::Roots;

use super::{Reader, file_of};
use crate::channel::{Mailing, Security};

impl Reader<'_> {
    /// What mails need.
    pub(super) fn mailing(&self) -> anyhow::Result<Mailing> {
        let section = self.section;
        let server: Option<String> = self.pick("smtp_server", &section.smtp_server)?;
        let Some(server) = server.filter(|server| !server.trim().is_empty()) else {
            return Err(self.missing("smtp_server", "the mail server's name"));
        };
        // An address of IPv6 may stand in brackets, as in a URL.
        let server = server.trim().trim_start_matches('[').trim_end_matches(']').to_owned();
        let (security, port) = self.security()?;
        let user: Option<String> = self.pick("username", &section.username)?;
        let password = self.secret("password", &section.password, &section.password_file)?;
        let login = self.login(user, password)?;
        if login.is_some() && security == Security::None && !is_local(&server) {
            bail!(
                "{}: a password is not sent in the clear to another machine; say starttls or tls, or leave the password out",
                self.key("tls")
            );
        }
        let from = self.from(login.as_ref().map(|(user, _)| user.as_str()))?;
        let recipients = self.recipients()?;
        let tls = self.tls_parameters(&server)?;
        let roots = self.roots_mark(self.ca_file()?.as_deref())?;
        Ok(Mailing { server, port, security, tls, roots, login, from, recipients })
    }

    /// 465 is the port of TLS from the first byte, 587 and 25 are those of STARTTLS:
    /// <https://www.rfc-editor.org/rfc/rfc8314#section-3>.
    fn security(&self) -> anyhow::Result<(Security, u16)> {
        let port: Option<u16> = self.pick("smtp_port", &self.section.smtp_port)?;
        let word: Option<String> = self.pick("tls", &self.section.tls)?;
        let security = match (word.as_deref().map(str::trim), port) {
            (Some("none"), _) => Security::None,
            (Some("opportunistic"), _) => Security::Opportunistic,
            (Some("starttls"), _) => Security::StartTls,
            (Some("tls"), _) | (None, Some(465)) => Security::Tls,
            (None, _) => Security::StartTls,
            (Some(_), _) => {
                return Err(self.wrong("tls", &self.section.tls, "starttls, tls, opportunistic or none"));
            }
        };
        let usual = match security {
            Security::Tls => 465,
            Security::StartTls | Security::Opportunistic => 587,
            Security::None => 25,
        };
        Ok((security, port.unwrap_or(usual)))
    }

    fn login(&self, user: Option<String>, password: Option<Secret>) -> anyhow::Result<Option<(String, Secret)>> {
        match (user, password) {
            (Some(user), Some(password)) => Ok(Some((user, password))),
            // A name alone is the sender's, for servers that know us by our address.
            (_, None) => Ok(None),
            (None, Some(_)) => Err(self.missing("username", "the name that belongs to the password")),
        }
    }

    fn from(&self, user: Option<&str>) -> anyhow::Result<Mailbox> {
        let from: Option<String> = self.pick("from", &self.section.from)?;
        if let Some(from) = from {
            return from.trim().parse().map_err(|_| self.wrong("from", &self.section.from, "an address of mail"));
        }
        let named = self.section.username.as_ref().map(|name| name.value.clone());
        let name = user.map(str::to_owned).or(named);
        name.and_then(|name| name.trim().parse().ok())
            .with_context(|| self.missing("from", "the sender's address (username is none)"))
    }

    fn recipients(&self) -> anyhow::Result<Vec<Mailbox>> {
        let list: Option<Vec<String>> =
            self.config.pick(self.key("recipients")).file_list(&self.section.recipients).optional()?;
        let Some(list) = list.filter(|list| !list.is_empty()) else {
            return Err(self.missing("recipients", "at least one address"));
        };
        list.iter()
            .enumerate()
            .map(|(at, text)| {
                let field = self.section.recipients.as_ref().and_then(|fields| fields.get(at)).cloned();
                text.trim().parse().map_err(|_| self.wrong("recipients", &field, "addresses such as ops@example.com"))
            })
            .collect()
    }

    fn tls_parameters(&self, server: &str) -> anyhow::Result<TlsParameters> {
        let mut tls = TlsParameters::builder(server.to_owned());
        if let Some(path) = self.ca_file()? {
            let roots = Roots::named(&path).der().with_context(|| self.key("ca_file"))?;
            tls = tls.certificate_store(CertificateStore::None);
            for der in roots.unwrap_or_default() {
                tls = tls.add_root_certificate(Certificate::from_der(der).with_context(|| self.key("ca_file"))?);
            }
        }
        tls.build().with_context(|| format!("{}: set up TLS for {}", file_of(self.config), self.key("smtp_server")))
    }
}

/// Whether what is sent there stays on this machine.
fn is_local(server: &str) -> bool {
    server.eq_ignore_ascii_case("localhost")
        || server.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}
