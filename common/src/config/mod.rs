//! Configuration in layers: flags > environment > file > default, each value with its source.
//!
//! A tool's code works with a `Settings` type of its own, resolved once at the start:
//!
//! ```
//! # use pso_common::config::{Config, Field, ToolSection};
//! # use serde::Deserialize;
//! #[derive(Default, Deserialize)]
//! #[serde(default, deny_unknown_fields)]
//! struct LogscanSection {
//!     max_errors: Field,
//! }
//!
//! impl ToolSection for LogscanSection {
//!     const NAME: &'static str = "logscan";
//! }
//!
//! # fn main() -> anyhow::Result<()> {
//! let config = Config::from_text("config.yaml", "maintenance: {logscan: {max_errors: 10}}", Default::default())?;
//! let section: LogscanSection = config.section()?;
//! let flag = None;
//! let max_errors: u64 =
//!     config.pick("maintenance.logscan.max_errors").flag(flag).env("PSO_MAX_ERRORS").file(&section.max_errors).or(50)?;
//! assert_eq!(max_errors, 10);
//! # Ok(())
//! # }
//! ```

mod command;
mod field_or;
mod file;
mod interpolate;
mod paths;
mod pick;
mod section;
mod service;
mod value;

use std::cell::RefCell;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde::de::DeserializeOwned;
use serde_saphyr::Spanned;

use crate::io::Env;

pub use command::{CommandField, CommandLine, CommandText};
pub use field_or::FieldOr;
#[cfg(any(feature = "postgres", feature = "qdrant"))]
pub(crate) use file::FileConfig;
pub use paths::Paths;
pub use pick::{Effective, Pick};
pub use section::ToolSection;
pub use service::ServiceSettings;
pub(crate) use value::Url;
pub use value::{ConfigValue, Percent, flag_value};

/// A scalar of the file with its line, as text: it is interpolated and parsed when it is picked.
pub type Field = Option<Spanned<String>>;

/// A scalar without which the mapping that it belongs to is wrong, as in an entry of a list of mappings.
pub type RequiredField = Spanned<String>;

/// A list of scalars.
pub type ListField = Option<Vec<Spanned<String>>>;

/// Where the file is looked for when neither `--config` nor `PSO_CONFIG` names one.
pub const DEFAULT_FILE: &str = "config/config.yaml";

/// A configuration file larger than this is a mistake (bytes).
const MAX_FILE_BYTES: u64 = 4 << 20;

/// The configuration file's text and the environment, from which settings are picked.
#[derive(Debug)]
pub struct Config {
    path: Option<PathBuf>,
    text: String,
    env: Env,
    effective: RefCell<Vec<Effective>>,
}

impl Config {
    /// No file: only flags, environment and defaults.
    #[must_use]
    pub fn empty(env: Env) -> Self {
        Self { path: None, text: String::new(), env, effective: RefCell::default() }
    }

    /// A file's text, for tests and examples.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn from_text(path: impl Into<PathBuf>, text: impl Into<String>, env: Env) -> anyhow::Result<Self> {
        let config = Self { path: Some(path.into()), text: text.into(), env, effective: RefCell::default() };
        // The shared part is read here, so that a broken file is told by every tool, whatever it needs of it.
        config.read::<file::FileConfig>()?;
        Ok(config)
    }

    /// Reads the file that `--config` or `PSO_CONFIG` names, or the default one if it is there.
    ///
    /// # Errors
    /// When a named file is missing, or the file cannot be read, is not YAML, or has an unknown key under
    /// `maintenance:`; the message names file, line and key.
    pub fn load(flag: Option<&Path>, env: &Env) -> anyhow::Result<Self> {
        let named = flag.map(Path::to_path_buf).or_else(|| env.path("PSO_CONFIG"));
        let path = named.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_FILE));
        match read_text(&path) {
            Ok(text) => Self::from_text(path, text, env.clone()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && named.is_none() => {
                Ok(Self::empty(env.clone()))
            }
            Err(error) => Err(error).with_context(|| {
                format!("read the configuration file {} (named by --config or PSO_CONFIG)", path.display())
            }),
        }
    }

    /// The file's path, if there is a file.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// The environment of the run.
    #[must_use]
    pub const fn env(&self) -> &Env {
        &self.env
    }

    /// Reads the parts of the file that `T` names; without a file its default.
    ///
    /// # Errors
    /// When a part has an unknown key or another shape than `T` says; the message names file, line and key.
    pub fn read<T: DeserializeOwned + Default>(&self) -> anyhow::Result<T> {
        match &self.path {
            Some(path) => parse_yaml(path, &self.text),
            None => Ok(T::default()),
        }
    }

    /// The tool's own section below `maintenance:`; its default where there is none.
    ///
    /// # Errors
    /// As [`Config::read`].
    pub fn section<S: ToolSection>(&self) -> anyhow::Result<S> {
        Ok(self.read::<section::FileWith<S>>()?.0)
    }

    /// Begins to pick one value; `key` is its dotted path in the file.
    pub fn pick<T: ConfigValue>(&self, key: impl Into<String>) -> Pick<'_, T> {
        Pick::new(self, key.into())
    }

    /// The values that were picked so far, in that order.
    #[must_use]
    pub fn effective(&self) -> Vec<Effective> {
        self.effective.borrow().clone()
    }

    fn record(&self, effective: Effective) {
        let mut all = self.effective.borrow_mut();
        all.retain(|other| other.key != effective.key);
        all.push(effective);
    }
}

/// Parses YAML text that came from `path`.
///
/// # Errors
/// When it is not as `T` says; the message names file, line and key.
pub fn parse_yaml<T: DeserializeOwned + Default>(path: &Path, text: &str) -> anyhow::Result<T> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Ok(T::default());
    }
    serde_saphyr::from_str(text).map_err(|error| {
        // The library's snippet shows neighbouring lines, and those may hold passwords.
        let line = error.location().map_or(0, |location| location.line());
        let message = error.without_snippet().to_string();
        let message = match message.split(" at line ").next().unwrap_or(&message) {
            "expected sequence start" => "expected a list, of which each item begins with `-`",
            "expected mapping start" => "expected keys with values, such as `key: value`",
            other => other,
        };
        anyhow::anyhow!("{}:{line}: {message}", path.display())
    })
}

/// Reads a secret from a file: its text without the trailing line break.
///
/// # Errors
/// When the file cannot be read, is empty, or is not text.
pub fn read_secret(path: &Path) -> anyhow::Result<crate::Secret> {
    let text = read_text(path).with_context(|| format!("read the secret in {}", path.display()))?;
    if text.trim().is_empty() {
        bail!("the file {} is empty; it should hold a secret", path.display());
    }
    Ok(crate::Secret::new(text))
}

fn read_text(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err(std::io::Error::other(format!("it is larger than {} MiB", MAX_FILE_BYTES >> 20)));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        Config::from_text("config/config.yaml", text, Env::default())
            .map_or_else(|error| format!("{error:#}"), |_| "no error".to_owned())
    }

    #[test]
    fn an_unknown_key_of_ours_names_file_line_and_key() {
        let text = "sync:\n  workers: 4\nmaintenance:\n  postgrs:\n    host: x\n";
        let message = error(text);
        assert!(message.starts_with("config/config.yaml:4: unknown field `postgrs`, expected one of"), "{message}");
        assert!(
            error("maintenance:\n  postgres:\n    hots: x\n").starts_with("config/config.yaml:3: unknown field `hots`")
        );
    }

    #[test]
    fn the_servers_own_keys_are_left_alone() {
        assert_eq!(error("sync: {workers: 4}\nanything: [1, 2]\ndatabase: {postgres: {pool: 3}}\n"), "no error");
        assert_eq!(error("# nothing yet\n\n"), "no error");
        assert_eq!(error("maintenance:\n"), "no error");
    }

    #[test]
    fn a_file_may_have_as_many_comments_as_it_wants() {
        let comments = "    # said\n".repeat(5000);
        let text = format!("{comments}maintenance:\n{comments}  root: /srv\n{comments}  postgrs: {{}}\n");
        let message = error(&text);
        assert!(message.starts_with("config/config.yaml:15003: unknown field `postgrs`"), "{message}");
        assert_eq!(error(&text.replace("postgrs", "postgres")), "no error");
    }

    #[test]
    fn a_broken_file_is_told_without_its_content() {
        let message = error("database:\n  postgres:\n    password: 'hunter2\nmaintenance: {}\n");
        assert!(message.starts_with("config/config.yaml:"), "{message}");
        assert!(!message.contains("hunter2"), "{message}");
    }

    #[test]
    fn a_missing_file_is_fine_unless_it_was_named() {
        let missing = Path::new("no/such/file.yaml");
        let message = format!("{:#}", Config::load(Some(missing), &Env::default()).expect_err("missing"));
        assert!(message.contains("no/such/file.yaml"), "{message}");
    }
}
