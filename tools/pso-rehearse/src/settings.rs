//! What a rehearsal works with, resolved once.

use std::path::PathBuf;

use anyhow::ensure;
use pso_archive::{Identities, jobs, wanted};
use pso_common::config::{Config, Field, Paths, ToolSection};
use pso_common::postgres::PgSettings;
use pso_common::record::Component;
use serde::Deserialize;

use crate::cli::Cli;

/// `maintenance.rehearse`.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RehearseSection {
    jobs: Field,
    max_shrink: Field,
    nice: Field,
    temp_dir: Field,
    user: Field,
}

impl ToolSection for RehearseSection {
    const NAME: &'static str = "rehearse";
}

/// How much we yield unless somebody says so.
const USUAL_NICE: u8 = 10;
/// The most that can be yielded.
const MAX_NICE: u8 = 19;
/// What share of its rows a table may lose between two rehearsals, in percent, unless somebody says so.
const USUAL_SHRINK: f64 = 50.0;

/// What the code works with.
pub(crate) struct Settings {
    /// The components that were asked for; empty means all of the archive.
    pub(crate) only: Vec<Component>,
    /// Where archives are looked for by name.
    pub(crate) folders: Vec<PathBuf>,
    /// The private keys that open encrypted archives.
    pub(crate) identity_file: Option<PathBuf>,
    /// Where the private folder is made.
    pub(crate) temp_dir: PathBuf,
    /// Whether that folder is kept.
    pub(crate) keep: bool,
    /// How many sessions load rows and make indexes at once.
    pub(crate) jobs: usize,
    /// How much we yield to other processes.
    pub(crate) nice: u8,
    /// Where PostgreSQL's programs are, if not in the usual places.
    pub(crate) bin_dir: Option<PathBuf>,
    /// The database that an archive without a manifest is taken to hold; none is connected to.
    pub(crate) database: String,
    /// The user that the scratch cluster runs as when we are root.
    pub(crate) user: Option<String>,
    /// The server on which the scratch database is made, instead of a cluster of its own.
    pub(crate) server: Option<String>,
    /// Results of earlier rehearsals.
    pub(crate) trend: Option<PathBuf>,
    /// What share of its rows a table may lose since the last of them, in percent.
    pub(crate) max_shrink: f64,
}

impl Settings {
    pub(crate) fn resolve(config: &Config, cli: &Cli) -> anyhow::Result<Self> {
        let section: RehearseSection = config.section()?;
        let paths = Paths::resolve(config)?;
        let nice = config.pick("maintenance.rehearse.nice").flag(cli.nice.map(u32::from)).file(&section.nice);
        let nice = u8::try_from(nice.or(u32::from(USUAL_NICE))?).unwrap_or(u8::MAX);
        ensure!(nice <= MAX_NICE, "maintenance.rehearse.nice is {nice}; give a number from 0 to {MAX_NICE}");
        let max_shrink = config
            .pick("maintenance.rehearse.max_shrink")
            .flag(cli.max_shrink)
            .file(&section.max_shrink)
            .or(USUAL_SHRINK)?;
        ensure!(
            (0.0..=100.0).contains(&max_shrink),
            "maintenance.rehearse.max_shrink is {max_shrink}; give a share from 0 to 100 percent"
        );
        let temp_dir: PathBuf = config
            .pick("maintenance.rehearse.temp_dir")
            .flag(cli.temp_dir.clone())
            .env("PSO_REHEARSE_TEMP_DIR")
            .file(&section.temp_dir)
            .or(std::env::temp_dir())?;
        // Where the programs are, and what the database is called: no configured server is ever connected to.
        let postgres = PgSettings::resolve(config, &paths, &Default::default())?;
        Ok(Self {
            only: Component::ALL.into_iter().filter(|component| cli.only.contains(component)).collect(),
            folders: wanted::folders(&paths),
            identity_file: wanted::identity_file(config, &paths, cli.identity.as_deref())?,
            temp_dir: if cli.temp_dir.is_some() { temp_dir } else { paths.join(&temp_dir) },
            keep: cli.keep,
            jobs: jobs(config, "maintenance.rehearse.jobs", cli.jobs, &section.jobs)?,
            nice,
            bin_dir: postgres.bin_dir,
            database: postgres.dbname,
            user: config.pick("maintenance.rehearse.user").flag(cli.user.clone()).file(&section.user).optional()?,
            server: cli.server.clone(),
            trend: cli.trend.clone(),
            max_shrink,
        })
    }

    /// The private keys, where there are any.
    ///
    /// # Errors
    /// When their file cannot be read.
    pub(crate) fn identities(&self) -> anyhow::Result<Identities> {
        self.identity_file.as_deref().map_or_else(|| Ok(Identities::default()), Identities::read)
    }
}
