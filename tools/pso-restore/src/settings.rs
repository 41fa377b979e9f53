//! What a restore works with, resolved once.

use std::path::{Path, PathBuf};
use std::time::Duration;

use pso_archive::{RESTORE_JOURNAL, jobs, wanted};
use pso_common::config::{Config, Field, Paths, ServiceSettings, ToolSection};
use pso_common::postgres::PgSettings;
use pso_common::qdrant::QdrantSettings;
use pso_common::record::Component;
use pso_common::secret::redact_url;
use serde::Deserialize;

use crate::cli::Cli;
use crate::service::{Commands, ServiceSection};

/// `maintenance.restore`.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RestoreSection {
    health_timeout: Field,
    jobs: Field,
    old_collection: Field,
    service: Option<ServiceSection>,
}

impl ToolSection for RestoreSection {
    const NAME: &'static str = "restore";
}

/// What the code works with.
pub(crate) struct Settings {
    /// The components that were asked for; empty means all of the archive.
    pub(crate) only: Vec<Component>,
    pub(crate) paths: Paths,
    /// The private key that opens encrypted archives.
    pub(crate) identity_file: Option<PathBuf>,
    pub(crate) postgres: PgSettings,
    pub(crate) qdrant: QdrantSettings,
    pub(crate) service: ServiceSettings,
    /// How the service is stopped and started around the switch.
    pub(crate) commands: Option<Commands>,
    /// How many sessions load rows and make indexes at once.
    pub(crate) jobs: usize,
    /// Whether the database is restored in place although one beside it may be possible.
    pub(crate) in_place: bool,
    /// Whether somebody has named the database of this run, and means no other.
    pub(crate) names_database: bool,
    /// The collection that the snapshot in an archive of the old script is of.
    pub(crate) old_collection: String,
    /// How long the service may take to be healthy again.
    pub(crate) health_timeout: Duration,
}

impl Settings {
    pub(crate) fn resolve(config: &Config, cli: &Cli) -> anyhow::Result<Self> {
        let section: RestoreSection = config.section()?;
        let paths = Paths::resolve(config)?;
        Ok(Self {
            jobs: jobs(config, "maintenance.restore.jobs", cli.jobs, &section.jobs)?,
            identity_file: wanted::identity_file(config, &paths, cli.identity.as_deref())?,
            in_place: cli.in_place,
            old_collection: config
                .pick("maintenance.restore.old_collection")
                .file(&section.old_collection)
                .or("plans".to_owned())?,
            names_database: cli.postgres.pg_dbname.is_some(),
            only: Component::ALL.into_iter().filter(|component| cli.only.contains(component)).collect(),
            postgres: PgSettings::resolve(config, &paths, &cli.postgres)?,
            qdrant: QdrantSettings::resolve(config, &paths, cli.qdrant_url.clone())?,
            commands: Commands::resolve(config, section.service.as_ref())?,
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
        wanted::folders(&self.paths)
    }

    /// Where the journal of a restore that is under way lies.
    pub(crate) fn journal(&self) -> PathBuf {
        self.paths.join(Path::new(RESTORE_JOURNAL))
    }

    /// The Qdrant server as it may be shown.
    pub(crate) fn qdrant_shown(&self) -> String {
        redact_url(&self.qdrant.url)
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

/// Whether a folder below that one is a restore's own, `YYYYMMDD_HHMMSS`: nothing else in there is ours.
pub(crate) fn is_of_a_restore(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let is_time = name.len() == 15
        && name.bytes().enumerate().all(|(at, byte)| if at == 8 { byte == b'_' } else { byte.is_ascii_digit() });
    // No link: what is behind one is not ours.
    is_time && std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir())
}
