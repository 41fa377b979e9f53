//! One value, picked from the layers, with the source that won.

use std::path::Path;

use anyhow::{Context as _, anyhow};
use serde_saphyr::Spanned;

use super::command::Form;
use super::interpolate::interpolate;
use super::{CommandField, CommandLine, Config, ConfigValue, Field, ListField, read_secret};
use crate::Secret;

/// A value in effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effective {
    /// Its dotted path in the file.
    pub key: String,
    /// The value, masked where it is a secret.
    pub shown: String,
    /// `flag`, `env NAME`, `FILE:LINE (key)` or `default`.
    pub source: String,
}

/// A value being picked: layers are asked in the order of the calls, and the first that has one wins. A layer that has
/// a bad one is an error, even though a later layer might have had a good one.
#[must_use]
pub struct Pick<'c, T> {
    config: &'c Config,
    key: String,
    found: Option<anyhow::Result<(T, String)>>,
}

impl<'c, T: ConfigValue> Pick<'c, T> {
    pub(super) fn new(config: &'c Config, key: String) -> Self {
        Self { config, key, found: None }
    }

    fn layer(mut self, layer: impl FnOnce(&Self) -> Option<anyhow::Result<(T, String)>>) -> Self {
        if self.found.is_none() {
            self.found = layer(&self);
        }
        self
    }

    /// The flag's value, if it was given.
    pub fn flag(self, value: Option<T>) -> Self {
        self.layer(|_| value.map(|value| Ok((value, "flag".to_owned()))))
    }

    /// The flag's text, if it was given and clap did not parse it.
    pub fn flag_text(self, text: Option<&str>) -> Self {
        self.layer(|pick| {
            let text = text?;
            let value = T::parse(text)
                .ok_or_else(|| anyhow!("the flag for {}: expected {}, found {text:?}", pick.key, T::EXPECTED));
            Some(value.map(|value| (value, "flag".to_owned())))
        })
    }

    /// The value of an environment variable, if it is set and not empty.
    pub fn env(self, name: &str) -> Self {
        self.layer(|pick| {
            let text = pick.config.env.get(name)?;
            let value = T::parse(text)
                .ok_or_else(|| anyhow!("the environment variable {name}: expected {}, found {text:?}", T::EXPECTED));
            Some(value.map(|value| (value, format!("env {name}"))))
        })
    }

    /// The value from another source that the caller has read, such as `.pgpass`.
    pub fn other(self, source: &str, value: Option<T>) -> Self {
        self.layer(|_| value.map(|value| Ok((value, source.to_owned()))))
    }

    /// The file's value under the key itself.
    pub fn file(self, field: &Field) -> Self {
        let key = self.key.clone();
        self.file_at(&key, field)
    }

    /// The file's value under another key (the server's own, for instance).
    pub fn file_at(self, key: &str, field: &Field) -> Self {
        self.layer(|pick| Some(pick.parse(key, field.as_ref()?)))
    }

    fn parse<U: ConfigValue>(&self, key: &str, field: &Spanned<String>) -> anyhow::Result<(U, String)> {
        let file = self.config.path.as_deref().unwrap_or_else(|| Path::new("configuration"));
        let place = format!("{}:{}", file.display(), field.referenced.line());
        let text = interpolate(&field.value, &self.config.env).map_err(|reason| anyhow!("{place}: {key}: {reason}"))?;
        // An interpolated value may be a secret that stands in the wrong place: only what is in the file is shown.
        let value = U::parse(&text)
            .ok_or_else(|| anyhow!("{place}: {key}: expected {}, found {:?}", U::EXPECTED, field.value))?;
        Ok((value, format!("{place} ({key})")))
    }

    /// The value that was found, if one was.
    ///
    /// # Errors
    /// When a layer had a bad value; the message names its place, its key and what was expected.
    pub fn optional(self) -> anyhow::Result<Option<T>> {
        let Some(found) = self.found else { return Ok(None) };
        let (value, source) = found?;
        self.config.record(Effective { key: self.key, shown: value.show(), source });
        Ok(Some(value))
    }

    /// The value that was found, or the default.
    ///
    /// # Errors
    /// As [`Pick::optional`].
    pub fn or(self, default: T) -> anyhow::Result<T> {
        let value = self.layer(|_| Some(Ok((default, "default".to_owned())))).optional()?;
        value.context("a value with a default is always found")
    }
}

impl<T: ConfigValue> Pick<'_, Vec<T>> {
    /// The file's list under the key itself.
    pub fn file_list(self, list: &ListField) -> Self {
        self.layer(|pick| {
            let items = list.as_ref()?;
            let parsed: anyhow::Result<Vec<(T, String)>> =
                items.iter().map(|item| pick.parse(&pick.key, item)).collect();
            Some(parsed.map(|parsed| {
                let source = parsed.first().map_or_else(|| "file".to_owned(), |(_, source)| source.clone());
                (parsed.into_iter().map(|(value, _)| value).collect(), source)
            }))
        })
    }
}

impl Pick<'_, CommandLine> {
    /// The file's command under the key itself.
    pub fn file_command(self, command: &CommandField) -> Self {
        self.layer(|pick| {
            let words = match &command.as_ref()?.0 {
                Form::Text(text) => {
                    let parsed: anyhow::Result<(CommandLine, String)> = pick.parse(&pick.key, text);
                    return Some(parsed.map(|(command, source)| (command.shown_as(text.value.clone()), source)));
                }
                Form::List(words) => words.as_deref().unwrap_or_default(),
            };
            let parsed: anyhow::Result<Vec<(String, String)>> =
                words.iter().map(|word| pick.parse(&pick.key, word)).collect();
            Some(parsed.and_then(|parsed| {
                let source = parsed.first().map_or_else(|| "file".to_owned(), |(_, source)| source.clone());
                let shown: Vec<&str> = words.iter().map(|word| word.value.as_str()).collect();
                let command = CommandLine::program(parsed.into_iter().map(|(word, _)| word).collect())
                    .with_context(|| format!("{source}: {}: expected {}", pick.key, CommandLine::EXPECTED))?;
                Ok((command.shown_as(shown.join(" ")), source))
            }))
        })
    }
}

impl Pick<'_, Secret> {
    /// The secret that stands in a file of its own, if a path to it is given.
    pub fn secret_file(self, path: Option<&Path>) -> Self {
        self.layer(|_| {
            let path = path?;
            Some(read_secret(path).map(|secret| (secret, format!("the file {}", path.display()))))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde::Deserialize;

    use super::*;
    use crate::io::Env;

    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Root {
        maintenance: Maintenance,
    }

    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Maintenance {
        health: Section,
    }

    #[derive(Default, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Section {
        timeout: Field,
        ports: ListField,
        key: Field,
    }

    fn config(text: &str, env: &[(&str, &str)]) -> (Config, Section) {
        let mut variables = Env::default();
        for (name, value) in env {
            variables.set(name, value);
        }
        let config = Config::from_text("c.yaml", text, variables).expect("valid");
        let section = config.read::<Root>().expect("valid").maintenance.health;
        (config, section)
    }

    #[test]
    fn the_first_layer_wins_and_says_where_it_stands() {
        let text = "maintenance:\n  health:\n    timeout: ${WAIT:-7s}\n    ports: [1, 2]\n";
        let (config, section) = config(text, &[("PSO_T", "9s")]);
        let pick = || config.pick::<Duration>("maintenance.health.timeout");
        let seconds = |value: u64| Duration::from_secs(value);
        assert_eq!(
            pick().flag(Some(seconds(1))).env("PSO_T").file(&section.timeout).or(seconds(3)).ok(),
            Some(seconds(1))
        );
        assert_eq!(pick().flag(None).env("PSO_T").file(&section.timeout).or(seconds(3)).ok(), Some(seconds(9)));
        assert_eq!(pick().file(&section.timeout).or(seconds(3)).ok(), Some(seconds(7)));
        assert_eq!(config.effective()[0].source, "c.yaml:3 (maintenance.health.timeout)");
        assert_eq!(pick().or(seconds(3)).ok(), Some(seconds(3)));
        let ports = config.pick::<Vec<u16>>("maintenance.health.ports").file_list(&section.ports).or(vec![]);
        assert_eq!(ports.ok(), Some(vec![1, 2]));
    }

    #[test]
    fn a_bad_value_names_its_place_and_what_was_expected() {
        let (config, section) =
            config("maintenance:\n  health: {timeout: soon, key: \"${KEY}\"}\n", &[("PSO_T", "late")]);
        let error = |pick: Pick<'_, Duration>| format!("{:#}", pick.optional().expect_err("bad value"));
        assert_eq!(
            error(config.pick("maintenance.health.timeout").file(&section.timeout)),
            "c.yaml:2: maintenance.health.timeout: expected a span of time such as 500ms, 30s, 5m, 24h or 7d, found \"soon\""
        );
        assert!(error(config.pick("k").env("PSO_T")).starts_with("the environment variable PSO_T: expected a span"));
        let key = format!(
            "{:#}",
            config.pick::<Secret>("maintenance.health.key").file(&section.key).optional().expect_err("unset")
        );
        assert!(key.contains("c.yaml:2") && key.contains("KEY is not set"), "{key}");
    }
}
