//! `alerts:` of `config/alerts.yaml`: channels by name.
//!
//! A section's type is its `type`, or its name where that is a type. What is wrong with the shape of a section (an unknown
//! type, a key of another type) is an error of the file; what is wrong with a value spoils that channel alone, and only
//! when it is enabled.

mod email;
mod programs;
mod section;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use pso_common::config::{Config, ConfigValue, Field};
use pso_common::http::HttpRoots;
use pso_common::tls::Roots;
use pso_common::{Secret, Severity};

use section::{COMMON, Section, Type};

pub(super) use section::Sections;

use super::Problem;
use crate::channel::{Channel, Discord, Email, LogFile, Named, Ntfy, Post, Slack, Stdout, confirmed, fingerprint};
use crate::policy::Policy;
use crate::text::is_http_url;

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
                    let (channel, reason) = (name.clone(), format!("{error:#}"));
                    let min_severity = reader.min_severity().unwrap_or(Severity::Ok);
                    let send_resolved = reader.send_resolved().unwrap_or(true);
                    found.problems.push(Problem { channel, reason, min_severity, send_resolved });
                }
            }
        }
        Ok(found)
    }
}

impl Found {
    /// What is still so must be told again before a channel forgets it.
    pub(super) fn outlast(&self, policy: &Policy, config: &Config) -> anyhow::Result<()> {
        let all = std::iter::once(&policy.defaults).chain(policy.rules.values());
        let repeat = all.map(|options| options.repeat).max().unwrap_or_default();
        for Named { name, channel, .. } in &self.channels {
            if let Some(forgets) = channel.forgets_after().filter(|forgets| *forgets <= repeat) {
                bail!(
                    "{}: alerts.{name}.expires_after: {} is not longer than the longest `repeat`, {}: it would be taken for over in between",
                    file_of(config),
                    forgets.show(),
                    repeat.show()
                );
            }
        }
        Ok(())
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
        let (min_severity, send_resolved) = (self.min_severity()?, self.send_resolved()?);
        Ok(Some(Named { name: self.name.to_owned(), channel, min_severity, send_resolved }))
    }

    fn min_severity(&self) -> anyhow::Result<Severity> {
        Ok(self.pick("min_severity", &self.section.min_severity)?.unwrap_or(Severity::Ok))
    }

    fn send_resolved(&self) -> anyhow::Result<bool> {
        Ok(self.pick("send_resolved", &self.section.send_resolved)?.unwrap_or(true))
    }

    fn channel(&self) -> anyhow::Result<Box<dyn Channel>> {
        Ok(match self.r#type {
            Type::Email => Box::new(Email::new(self.mailing()?)),
            Type::Slack => {
                let channel = self.pick("channel", &self.section.channel)?;
                Box::new(Slack { post: self.post_at(self.webhook_url()?)?, channel })
            }
            Type::Discord => {
                let url = confirmed(self.webhook_url()?.expose());
                Box::new(Discord { post: self.post_at(Secret::new(url))? })
            }
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
    fn webhook_url(&self) -> anyhow::Result<Secret> {
        self.url("webhook_url", &self.section.webhook_url, &self.section.webhook_url_file)
    }

    /// To a URL, with the certificates that are to be trusted.
    fn post_at(&self, url: Secret) -> anyhow::Result<Post> {
        let file = self.ca_file()?;
        let roots = HttpRoots::named(file.as_deref()).with_context(|| self.key("ca_file"))?;
        Ok(Post::new(url, roots).marked(self.roots_mark(file.as_deref())?))
    }

    /// Changes when the certificates do: what was not trusted yesterday may be trusted today.
    fn roots_mark(&self, file: Option<&Path>) -> anyhow::Result<String> {
        match file {
            None => Ok(String::new()),
            Some(word) if word == Path::new("system") => Ok("system".to_owned()),
            Some(file) => {
                let der = Roots::named(file).der().with_context(|| self.key("ca_file"))?;
                Ok(fingerprint(der.unwrap_or_default()))
            }
        }
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
        let path = path.map(|path| self.below(&path));
        self.config.pick(self.key(key)).file(field).secret_file(path.as_deref()).optional()
    }

    /// A path of the deployment.
    fn below(&self, path: &Path) -> PathBuf {
        if self.root == Path::new(".") { path.to_path_buf() } else { self.root.join(path) }
    }

    /// Whom to trust; the word `system` is no path.
    fn ca_file(&self) -> anyhow::Result<Option<PathBuf>> {
        let path: Option<PathBuf> = self.pick("ca_file", &self.section.ca_file)?;
        Ok(path.map(|path| if path == Path::new("system") { path } else { self.below(&path) }))
    }
}

fn file_of(config: &Config) -> String {
    config.path().map_or_else(String::new, |path| path.display().to_string())
}

#[cfg(test)]
mod tests;
