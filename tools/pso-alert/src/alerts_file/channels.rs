//! `alerts:` of `config/alerts.yaml`: channels by name.
//!
//! A section's type is its `type`, or its name where that is a type. What is wrong with the shape of a section (an unknown
//! type, a key of another type) is an error of the file; what is wrong with a value spoils that channel alone, and only
//! when it is enabled.

mod email;
mod programs;

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use pso_common::config::{Config, ConfigValue, Field, ListField};
use pso_common::http::HttpRoots;
use pso_common::{Secret, Severity};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use super::Problem;
use crate::channel::{Channel, Discord, Email, LogFile, Named, Ntfy, Post, Slack, Stdout};
use crate::text::is_http_url;
use programs::Headers;

/// The sections in the order of the file.
#[derive(Debug, Default)]
pub(super) struct Sections(Vec<(String, Section)>);

/// A channel, with the keys of all types.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Section {
    enabled: Field,
    r#type: Field,
    min_severity: Field,
    send_resolved: Field,
    ca_file: Field,
    webhook_url: Field,
    webhook_url_file: Field,
    url: Field,
    url_file: Field,
    channel: Field,
    method: Field,
    headers: Option<Headers>,
    template: Field,
    secret: Field,
    secret_file: Field,
    token: Field,
    token_file: Field,
    expires_after: Field,
    command: ListField,
    path: Field,
    smtp_server: Field,
    smtp_port: Field,
    tls: Field,
    from: Field,
    username: Field,
    password: Field,
    password_file: Field,
    recipients: ListField,
}

/// What every channel may say.
const COMMON: [&str; 4] = ["enabled", "type", "min_severity", "send_resolved"];

/// The types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
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

    const fn name(self) -> &'static str {
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
    const fn keys(self) -> &'static [&'static str] {
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

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }

    /// `email, slack, …`
    fn list() -> String {
        Self::ALL.map(Self::name).join(", ")
    }
}

impl Section {
    /// The keys that are there, each with its line.
    fn keys(&self) -> impl Iterator<Item = (&'static str, u64)> {
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

/// What became of the sections.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) channels: Vec<Named>,
    pub(super) problems: Vec<Problem>,
    /// Names of the channels that are not enabled.
    pub(super) disabled: Vec<String>,
}

impl Sections {
    /// Makes the channels. Relative paths are below `root`.
    ///
    /// # Errors
    /// When a section is of no type, or has a key that its type does not have.
    pub(super) fn open(&self, config: &Config, root: &Path) -> anyhow::Result<Found> {
        let mut found = Found::default();
        for (name, section) in &self.0 {
            let reader = Reader::new(config, root, name, section)?;
            match reader.named() {
                Ok(Some(channel)) => found.channels.push(channel),
                Ok(None) => found.disabled.push(name.clone()),
                Err(error) => {
                    found.problems.push(Problem { channel: name.clone(), reason: format!("{error:#}") });
                }
            }
        }
        Ok(found)
    }
}

/// One section being read.
struct Reader<'a> {
    config: &'a Config,
    root: &'a Path,
    name: &'a str,
    section: &'a Section,
    r#type: Type,
}

impl<'a> Reader<'a> {
    fn new(config: &'a Config, root: &'a Path, name: &'a str, section: &'a Section) -> anyhow::Result<Self> {
        let file = file_of(config);
        let first = section.keys().map(|(_, line)| line).min().unwrap_or(0);
        let r#type = match &section.r#type {
            Some(text) => Type::named(text.value.trim()).with_context(|| {
                let (line, found) = (text.referenced.line(), &text.value);
                format!(
                    "{file}:{line}: alerts.{name}.type: {found:?} is no type of channel; there are {}",
                    Type::list()
                )
            }),
            None => Type::named(name).with_context(|| {
                format!("{file}:{first}: alerts.{name} has no type, and its name is none; there are {}", Type::list())
            }),
        }?;
        if let Some((key, line)) = section.keys().find(|(key, _)| !COMMON.contains(key) && !r#type.keys().contains(key))
        {
            let keys = [&COMMON, r#type.keys()].concat().join(", ");
            let r#type = r#type.name();
            bail!("{file}:{line}: alerts.{name}.{key}: a channel of type {type} has no such key; it has {keys}");
        }
        Ok(Self { config, root, name, section, r#type })
    }

    /// The channel if it is enabled. Only then are its variables looked up.
    fn named(&self) -> anyhow::Result<Option<Named>> {
        let enabled: Option<bool> = self.pick("enabled", &self.section.enabled)?;
        let Some(enabled) = enabled else {
            let line = self.section.keys().map(|(_, line)| line).min().unwrap_or(0);
            bail!("{}:{line}: {} is missing; say true or false", file_of(self.config), self.key("enabled"));
        };
        if !enabled {
            return Ok(None);
        }
        let channel = self.channel()?;
        let min_severity = self.pick("min_severity", &self.section.min_severity)?.unwrap_or(Severity::Ok);
        let send_resolved = self.pick("send_resolved", &self.section.send_resolved)?.unwrap_or(true);
        Ok(Some(Named { name: self.name.to_owned(), channel, min_severity, send_resolved }))
    }

    fn channel(&self) -> anyhow::Result<Box<dyn Channel>> {
        Ok(match self.r#type {
            Type::Email => Box::new(Email::new(self.mailing()?)),
            Type::Slack => {
                let channel = self.pick("channel", &self.section.channel)?;
                Box::new(Slack { post: self.webhook()?, channel })
            }
            Type::Discord => Box::new(Discord { post: self.webhook()? }),
            Type::Alertmanager => Box::new(self.alertmanager()?),
            Type::Webhook => Box::new(self.generic()?),
            Type::Ntfy => Box::new(Ntfy { post: self.post()? }),
            Type::Command => Box::new(self.command()?),
            Type::Stdout => Box::new(Stdout),
            Type::File => Box::new(LogFile { path: self.path()? }),
        })
    }

    fn key(&self, key: &str) -> String {
        format!("alerts.{}.{key}", self.name)
    }

    fn pick<T: ConfigValue>(&self, key: &str, field: &Field) -> anyhow::Result<Option<T>> {
        self.config.pick(self.key(key)).file(field).optional()
    }

    /// `webhook_url` of the chat services.
    fn webhook(&self) -> anyhow::Result<Post> {
        self.post_to("webhook_url", &self.section.webhook_url, &self.section.webhook_url_file)
    }

    fn post_to(&self, key: &str, url: &Field, file: &Field) -> anyhow::Result<Post> {
        let url_of = self.url(key, url, file)?;
        let roots = self.ca_file()?;
        let roots = HttpRoots::named(roots.as_deref()).with_context(|| self.key("ca_file"))?;
        Ok(Post::new(url_of, roots))
    }

    fn url(&self, key: &str, url: &Field, file: &Field) -> anyhow::Result<Secret> {
        let Some(secret) = self.secret(key, url, file)? else {
            return Err(self.missing(key, "the webhook's URL"));
        };
        // The value itself is a secret, so the check is here and the message does not show it.
        if !is_http_url(secret.expose()) {
            let field = if url.is_some() { url } else { file };
            return Err(self.wrong(key, field, "a URL that begins with https:// or http://"));
        }
        Ok(secret)
    }

    /// A value that is there and wrong. What it stands for is not shown, since it may have come from a variable.
    fn wrong(&self, key: &str, field: &Field, expected: &str) -> anyhow::Error {
        let line = field.as_ref().map_or(0, |field| field.referenced.line());
        anyhow::anyhow!("{}:{line}: {}: expected {expected}", file_of(self.config), self.key(key))
    }

    fn missing(&self, key: &str, what: &str) -> anyhow::Error {
        let line = self.section.enabled.as_ref().map_or(0, |field| field.referenced.line());
        let (file, key) = (file_of(self.config), self.key(key));
        anyhow::anyhow!("{file}:{line}: {key} is missing; give {what}, or set enabled: false")
    }

    /// A secret that stands under `key`, or in the file that `key_file` names.
    fn secret(&self, key: &str, field: &Field, file: &Field) -> anyhow::Result<Option<Secret>> {
        if let (Some(_), Some(file)) = (field, file) {
            let (line, key) = (file.referenced.line(), self.key(key));
            bail!("{}:{line}: {key} and {key}_file are both given; leave one of them out", file_of(self.config));
        }
        let path: Option<PathBuf> = self.pick(&format!("{key}_file"), file)?;
        let path = path.map(|path| self.root.join(path));
        self.config.pick(self.key(key)).file(field).secret_file(path.as_deref()).optional()
    }

    /// Whom to trust; the word `system` is no path.
    fn ca_file(&self) -> anyhow::Result<Option<PathBuf>> {
        let path: Option<PathBuf> = self.pick("ca_file", &self.section.ca_file)?;
        Ok(path.map(|path| if path == Path::new("system") { path } else { self.root.join(path) }))
    }
}

fn file_of(config: &Config) -> String {
    config.path().map_or_else(String::new, |path| path.display().to_string())
}

#[cfg(test)]
mod tests;
