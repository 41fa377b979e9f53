//! What is read beside the deployment's folders.

use std::path::PathBuf;

use pso_common::config::{Config, ListField, Paths};
use serde::Deserialize;

/// What the section goes by.
#[derive(Clone, Debug)]
pub(crate) struct SecretsSettings {
    /// More files and folders.
    pub(crate) paths: Vec<PathBuf>,
}

/// `maintenance.audit.secrets`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct SecretsSection {
    paths: ListField,
}

impl SecretsSettings {
    /// # Errors
    /// When a layer holds a bad value.
    pub(crate) fn resolve(config: &Config, paths: &Paths, section: &SecretsSection) -> anyhow::Result<Self> {
        let more: Vec<PathBuf> =
            config.pick("maintenance.audit.secrets.paths").file_list(&section.paths).or(Vec::new())?;
        Ok(Self { paths: more.iter().map(|path| paths.join(path)).collect() })
    }
}
