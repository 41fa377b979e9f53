//! What may stand in a section: the keys of all types, and which type has which.

use std::fmt;

use pso_common::config::{Field, ListField};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use super::programs::Headers;

/// The sections in the order of the file.
#[derive(Debug, Default)]
pub(in super::super) struct Sections(pub(super) Vec<(String, Section)>);

/// A channel, with the keys of all types.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Section {
    pub(super) enabled: Field,
    pub(super) r#type: Field,
    pub(super) min_severity: Field,
    pub(super) send_resolved: Field,
    pub(super) ca_file: Field,
    pub(super) webhook_url: Field,
    pub(super) webhook_url_file: Field,
    pub(super) url: Field,
    pub(super) url_file: Field,
    pub(super) channel: Field,
    pub(super) method: Field,
    pub(super) headers: Option<Headers>,
    pub(super) template: Field,
    pub(super) secret: Field,
    pub(super) secret_file: Field,
    pub(super) token: Field,
    pub(super) token_file: Field,
    pub(super) expires_after: Field,
    pub(super) command: ListField,
    pub(super) path: Field,
    pub(super) smtp_server: Field,
    pub(super) smtp_port: Field,
    pub(super) tls: Field,
    pub(super) from: Field,
    pub(super) username: Field,
    pub(super) password: Field,
    pub(super) password_file: Field,
    pub(super) recipients: ListField,
}

/// What every channel may say.
pub(super) const COMMON: [&str; 4] = ["enabled", "type", "min_severity", "send_resolved"];

/// The types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Email,
    Slack,
    Discord,
    Alertmanager,
    Webhook,
    Ntfy,
    Command,
    Stdout,
    File,
}

impl Type {
    const ALL: [Self; 9] = [
        Self::Email,
        Self::Slack,
        Self::Discord,
        Self::Alertmanager,
        Self::Webhook,
        Self::Ntfy,
        Self::Command,
        Self::Stdout,
        Self::File,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Slack => "slack",
            Self::Discord => "discord",
            Self::Alertmanager => "alertmanager",
            Self::Webhook => "webhook",
            Self::Ntfy => "ntfy",
            Self::Command => "command",
            Self::Stdout => "stdout",
            Self::File => "file",
        }
    }

    /// The keys that it may have beside those of every channel.
    pub(super) const fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Email => &[
                "smtp_server",
                "smtp_port",
                "tls",
                "username",
                "password",
                "password_file",
                "from",
                "recipients",
                "ca_file",
            ],
            Self::Slack => &["webhook_url", "webhook_url_file", "channel", "ca_file"],
            Self::Discord => &["webhook_url", "webhook_url_file", "ca_file"],
            Self::Alertmanager => &[
                "url",
                "url_file",
                "username",
                "password",
                "password_file",
                "token",
                "token_file",
                "expires_after",
                "ca_file",
            ],
            Self::Webhook => &[
                "url",
                "url_file",
                "method",
                "headers",
                "template",
                "secret",
                "secret_file",
                "username",
                "password",
                "password_file",
                "token",
                "token_file",
                "ca_file",
            ],
            Self::Ntfy => {
                &["url", "url_file", "username", "password", "password_file", "token", "token_file", "ca_file"]
            }
            Self::Command => &["command"],
            Self::Stdout => &[],
            Self::File => &["path"],
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }

    /// `email, slack, …`
    pub(super) fn list() -> String {
        Self::ALL.map(Self::name).join(", ")
    }
}

impl Section {
    /// The keys that are there, each with its line.
    pub(super) fn keys(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let line = |field: &Field| field.as_ref().map(|field| field.referenced.line());
        let first = |list: &ListField| Some(list.as_ref()?.first()?.referenced.line());
        [
            ("enabled", line(&self.enabled)),
            ("type", line(&self.r#type)),
            ("min_severity", line(&self.min_severity)),
            ("send_resolved", line(&self.send_resolved)),
            ("ca_file", line(&self.ca_file)),
            ("webhook_url", line(&self.webhook_url)),
            ("webhook_url_file", line(&self.webhook_url_file)),
            ("url", line(&self.url)),
            ("url_file", line(&self.url_file)),
            ("channel", line(&self.channel)),
            ("method", line(&self.method)),
            ("headers", self.headers.as_ref().map(Headers::line)),
            ("template", line(&self.template)),
            ("secret", line(&self.secret)),
            ("secret_file", line(&self.secret_file)),
            ("token", line(&self.token)),
            ("token_file", line(&self.token_file)),
            ("expires_after", line(&self.expires_after)),
            ("command", first(&self.command)),
            ("path", line(&self.path)),
            ("smtp_server", line(&self.smtp_server)),
            ("smtp_port", line(&self.smtp_port)),
            ("tls", line(&self.tls)),
            ("from", line(&self.from)),
            ("username", line(&self.username)),
            ("password", line(&self.password)),
            ("password_file", line(&self.password_file)),
            ("recipients", first(&self.recipients)),
        ]
        .into_iter()
        .filter_map(|(key, line)| Some((key, line?)))
    }
}

impl<'de> Deserialize<'de> for Sections {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Map;

        impl<'de> Visitor<'de> for Map {
            type Value = Sections;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("channels by name")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Sections, A::Error> {
                let mut sections = Vec::new();
                while let Some(name) = map.next_key::<String>()? {
                    // A name without anything below it is a channel that is not there.
                    if let Some(section) = map.next_value::<Option<Section>>()? {
                        sections.push((name, section));
                    }
                }
                Ok(Sections(sections))
            }

            fn visit_unit<E>(self) -> Result<Sections, E> {
                Ok(Sections::default())
            }
        }

        deserializer.deserialize_any(Map)
    }
}
