//! `maintenance.prune.vacuum`.

use std::time::Duration;

use pso_common::config::{Config, Field, Percent};
use serde::Deserialize;

use crate::cli::Cli;

/// The section of the file.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct VacuumSection {
    all: Field,
    budget: Field,
    min_dead_rows: Field,
    min_dead_share: Field,
}

/// What the code works with.
#[derive(Clone, Debug)]
pub(crate) struct VacuumSettings {
    /// Whether tables that do not need it are vacuumed too.
    pub(super) all: bool,
    /// How long it may take in all.
    pub(super) budget: Duration,
    /// A table with fewer dead rows does not need it.
    pub(super) min_dead_rows: u64,
    /// Nor one of whose rows a smaller share is dead.
    pub(super) min_dead_share: Percent,
}

impl VacuumSettings {
    pub(crate) fn resolve(config: &Config, cli: &Cli, section: &VacuumSection) -> anyhow::Result<Self> {
        Ok(Self {
            all: config
                .pick("maintenance.prune.vacuum.all")
                .flag(cli.all_tables.then_some(true))
                .file(&section.all)
                .or(false)?,
            budget: config
                .pick("maintenance.prune.vacuum.budget")
                .flag(cli.vacuum_budget)
                .file(&section.budget)
                .or(Duration::from_secs(30 * 60))?,
            min_dead_rows: config
                .pick("maintenance.prune.vacuum.min_dead_rows")
                .file(&section.min_dead_rows)
                .or(1000)?,
            min_dead_share: config
                .pick("maintenance.prune.vacuum.min_dead_share")
                .file(&section.min_dead_share)
                .or(Percent(5.0))?,
        })
    }
}
