//! What a restore works with, resolved once.

use std::path::{Path, PathBuf};
use std::time::Duration;

use pso_common::config::{Config, Field, Paths, ServiceSettings, ToolSection};
use pso_common::postgres::PgSettings;
use pso_common::qdrant::QdrantSettings;
use pso_common::record::Component;
use serde::Deserialize;

use crate::cli::Cli;

/// `maintenance.restore`.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RestoreSection {
    health_timeout: Field,
}

impl ToolSection for RestoreSection {
    const NAME: &'static str = "restore";
}

/// What the code works with.
pub(crate) struct Settings {
    /// The components that were asked for; empty means all of the archive.
    pub(crate) only: Vec<Component>,
    pub(crate) paths: Paths,
    pub(crate) postgres: PgSettings,
    pub(crate) qdrant: QdrantSettings,
    pub(crate) service: ServiceSettings,
    /// How long the service may take to be healthy again.
    pub(crate) health_timeout: Duration,
}

impl Settings {
    pub(crate) fn resolve(config: &Config, cli: &Cli) -> anyhow::Result<Self> {
        let section: RestoreSection = config.section()?;
        let paths = Paths::resolve(config)?;
        Ok(Self {
            only: Component::ALL.into_iter().filter(|component| cli.only.contains(component)).collect(),
            postgres: PgSettings::resolve(config, &paths, &cli.postgres)?,
            qdrant: QdrantSettings::resolve(config, &paths, cli.qdrant_url.clone())?,
            service: ServiceSettings::resolve(config, &paths, cli.service_url.clone(), None)?,
            health_timeout: config
                .pick("maintenance.restore.health_timeout")
                .file(&section.health_timeout)
                .or(Duration::from_secs(10))?,
            paths,
        })
    }

    /// Where archives are looked for by name.
    pub(crate) fn backup_folders(&self) -> Vec<PathBuf> {
        vec![self.paths.backups.join("daily"), self.paths.backups.join("weekly")]
    }

    /// Where what was replaced is kept.
    pub(crate) fn undo_folder(&self) -> PathBuf {
        self.paths.join(Path::new(UNDO))
    }
}

/// The folder below the deployment's in which a restore works and keeps what it replaced.
pub(crate) const UNDO: &str = ".pso-restore";
/// The folder below a restore's own for what nobody needs when the restore is killed.
pub(crate) const STAGED: &str = "new";
