//! What is looked at, and who may own it.

use std::path::PathBuf;

use pso_common::config::{Config, ListField, Paths};
use serde::Deserialize;

use super::{Role, named};

/// What the section goes by.
#[derive(Clone, Debug)]
pub(crate) struct FilesSettings {
    /// Users, by name or number, who may own files beside root, whoever runs the tool, and the owner of the root.
    pub(crate) owners: Vec<String>,
    /// Groups, by name or number, whose members may do what the mode gives them.
    pub(crate) groups: Vec<String>,
    /// More files and folders.
    pub(crate) paths: Vec<PathBuf>,
    /// Files that the configuration, the environment and libpq's defaults name, and what for.
    pub(crate) named: Vec<(PathBuf, Role)>,
    /// The configuration file in use.
    pub(crate) config: Option<PathBuf>,
}

/// `maintenance.audit.files`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct FilesSection {
    owners: ListField,
    groups: ListField,
    paths: ListField,
}

impl FilesSettings {
    /// Resolved last: it looks at the paths that the other settings have picked.
    ///
    /// # Errors
    /// When a layer holds a bad value.
    pub(crate) fn resolve(config: &Config, paths: &Paths, section: &FilesSection) -> anyhow::Result<Self> {
        let more: Vec<PathBuf> =
            config.pick("maintenance.audit.files.paths").file_list(&section.paths).or(Vec::new())?;
        Ok(Self {
            owners: config.pick("maintenance.audit.files.owners").file_list(&section.owners).or(Vec::new())?,
            groups: config.pick("maintenance.audit.files.groups").file_list(&section.groups).or(Vec::new())?,
            paths: more.iter().map(|path| paths.join(path)).collect(),
            named: named::named(config, paths),
            config: config.path().map(std::path::Path::to_path_buf),
        })
    }
}
