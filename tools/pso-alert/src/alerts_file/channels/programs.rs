//! The keys of channels for programs: Alertmanager, webhooks, ntfy, commands and files.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::bail;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pso_common::Secret;
use pso_common::config::Field;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use super::{Reader, file_of};
use crate::channel::{Alertmanager, Command, Post, Template, Webhook};

/// So long after it was told last, what Alertmanager does not hear of is over. The default of `repeat` is 4h.
const EXPIRES_AFTER: Duration = Duration::from_secs(24 * 3_600);

/// `headers:` in the order of the file.
#[derive(Debug, Default)]
pub(super) struct Headers(Vec<(String, Field)>);

impl Headers {
    /// The line of the first.
    pub(super) fn line(&self) -> u64 {
        self.0.iter().find_map(|(_, field)| Some(field.as_ref()?.referenced.line())).unwrap_or(0)
    }
}

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Map;

        impl<'de> Visitor<'de> for Map {
            type Value = Headers;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("values of headers by name")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Headers, A::Error> {
                let mut headers = Vec::new();
                while let Some(header) = map.next_entry()? {
                    headers.push(header);
                }
                Ok(Headers(headers))
            }
        }

        deserializer.deserialize_map(Map)
    }
}

impl Reader<'_> {
    pub(super) fn alertmanager(&self) -> anyhow::Result<Alertmanager> {
        let expires_after = self.pick("expires_after", &self.section.expires_after)?.unwrap_or(EXPIRES_AFTER);
        let post = self.post_with(|url| {
            let base = url.trim_end_matches('/');
            if base.ends_with("/api/v2/alerts") { base.to_owned() } else { format!("{base}/api/v2/alerts") }
        })?;
        Ok(Alertmanager { post, expires_after })
    }

    pub(super) fn generic(&self) -> anyhow::Result<Webhook> {
        let mut post = self.post()?;
        let method: Option<String> = self.pick("method", &self.section.method)?;
        post = match method.map(|method| method.trim().to_ascii_uppercase()).as_deref() {
            None | Some("POST") => post,
            Some("PUT") => post.method("PUT"),
            Some("PATCH") => post.method("PATCH"),
            Some(_) => return Err(self.wrong("method", &self.section.method, "POST, PUT or PATCH")),
        };
        let mut content_type = None;
        for (name, field) in self.section.headers.iter().flat_map(|headers| &headers.0) {
            let Some(value) =
                self.config.pick::<Secret>(self.key(&format!("headers.{name}"))).file(field).optional()?
            else {
                continue;
            };
            if !is_header(name, value.expose()) {
                return Err(self.wrong(&format!("headers.{name}"), field, "the name and the value of a header"));
            }
            if name.eq_ignore_ascii_case("content-type") {
                content_type = Some(value.expose().to_owned());
            } else {
                post = post.header(name, value);
            }
        }
        // Services take their keys in the body, so what its variables stand for is not shown.
        let template: Option<Secret> = self.pick("template", &self.section.template)?;
        let template = template.map(|text| Template::parse(text.expose(), content_type.as_deref())).transpose();
        let template = template.map_err(|fault| {
            let line = self.section.template.as_ref().map_or(0, |field| field.referenced.line());
            anyhow::anyhow!("{}:{line}: {}: {fault}", file_of(self.config), self.key("template"))
        })?;
        let secret = self.secret("secret", &self.section.secret, &self.section.secret_file)?;
        Ok(Webhook { post, template, content_type, secret })
    }

    /// `url`, with the login that belongs to it.
    pub(super) fn post(&self) -> anyhow::Result<Post> {
        self.post_with(str::to_owned)
    }

    fn post_with(&self, change: impl Fn(&str) -> String) -> anyhow::Result<Post> {
        let section = self.section;
        let url = self.url("url", &section.url, &section.url_file)?;
        let post = self.post_at(Secret::new(change(url.expose())))?;
        let user: Option<String> = self.pick("username", &section.username)?;
        let password = self.secret("password", &section.password, &section.password_file)?;
        let token = self.secret("token", &section.token, &section.token_file)?;
        let value = match (user, password, token) {
            (None, None, None) => return Ok(post),
            (None, None, Some(token)) => format!("Bearer {}", token.expose()),
            (Some(user), Some(password), None) => {
                format!("Basic {}", STANDARD.encode(format!("{user}:{}", password.expose())))
            }
            _ => bail!(
                "{}:{}: a login is a token, or username and password",
                file_of(self.config),
                section.username.as_ref().or(section.token.as_ref()).map_or(0, |field| field.referenced.line())
            ),
        };
        if !is_header("Authorization", &value) {
            bail!("{}: it cannot be sent in a header", self.key("token"));
        }
        Ok(post.header("Authorization", Secret::new(value)))
    }

    /// A program and its arguments. What a command line holds, everybody on the machine can see; so it takes no variables.
    pub(super) fn command(&self) -> anyhow::Result<Command> {
        let words = self.section.command.as_deref().unwrap_or_default();
        let Some(first) = words.first() else {
            return Err(self.missing("command", "a list of a program and its arguments"));
        };
        if let Some(word) = words.iter().find(|word| word.value.contains("${")) {
            let (file, line) = (file_of(self.config), word.referenced.line());
            bail!(
                "{file}:{line}: {}: everybody can see a command line, so it takes no variables; the command has the environment",
                self.key("command")
            );
        }
        if first.value.trim().is_empty() {
            return Err(self.wrong("command", &Some(first.clone()), "a list of a program and its arguments"));
        }
        let words: Option<Vec<String>> =
            self.config.pick(self.key("command")).file_list(&self.section.command).optional()?;
        let mut words = words.unwrap_or_default();
        // A name alone is looked up on PATH; a relative path is the deployment's, as all paths of this file are, wherever cron
        // starts us.
        if let Some(program) = words.first_mut()
            && program.contains(std::path::is_separator)
        {
            *program = self.below(Path::new(program)).to_string_lossy().into_owned();
        }
        Ok(Command { words })
    }

    pub(super) fn path(&self) -> anyhow::Result<PathBuf> {
        let path: Option<PathBuf> = self.pick("path", &self.section.path)?;
        path.map(|path| self.below(&path)).ok_or_else(|| self.missing("path", "the file's path"))
    }
}

/// What can neither end a header nor begin another.
fn is_header(name: &str, value: &str) -> bool {
    let named =
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    let ours = ["content-length", "host", "transfer-encoding", "idempotency-key", "x-pso-signature"];
    named
        && !ours.iter().any(|ours| name.eq_ignore_ascii_case(ours))
        && value.bytes().all(|byte| byte == b' ' || byte == b'\t' || byte.is_ascii_graphic())
}
