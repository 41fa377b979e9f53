//! What a cleaning works with, resolved once.

use std::path::PathBuf;
use std::time::Duration;

use pso_common::config::{Config, Field, Paths, ToolSection};
use pso_common::postgres::PgSettings;
use pso_common::qdrant::QdrantSettings;
use pso_common::record::PrunePart;
use serde::Deserialize;

use crate::cli::Cli;
use crate::logs::{LogsSection, LogsSettings};
use crate::qdrant::{self, QdrantSection};
use crate::rows::{RowKeys, RowSettings, RuleSection};
use crate::tmp::rehearsals_in;
use crate::vacuum::{VacuumSection, VacuumSettings};

/// `maintenance.prune`.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct PruneSection {
    retention_days: Field,
    require_backup_within: Field,
    logs: LogsSection,
    vacuum: VacuumSection,
    qdrant: QdrantSection,
    rows: Vec<RuleSection>,
    max_share: Field,
    batch_time: Field,
    batch_pause: Field,
    lock_timeout: Field,
    count_timeout: Field,
}

impl ToolSection for PruneSection {
    const NAME: &'static str = "prune";
}

/// How long logs and operations are kept, in days, unless somebody says so.
const USUAL_RETENTION: u32 = 30;

/// What the code works with.
pub(crate) struct Settings {
    /// The parts that were asked for, in the order in which they are done.
    pub(crate) parts: Vec<PrunePart>,
    pub(crate) paths: Paths,
    pub(crate) postgres: PgSettings,
    pub(crate) qdrant: QdrantSettings,
    /// How long a collection may take until it is green.
    pub(crate) qdrant_wait: Duration,
    /// Where rehearsals make their private folders.
    pub(crate) rehearsals: PathBuf,
    /// How long logs and operations are kept, in days.
    pub(crate) retention_days: u32,
    pub(crate) logs: LogsSettings,
    pub(crate) vacuum: VacuumSettings,
    pub(crate) rows: RowSettings,
    /// Whether more than the configured share of a table may be deleted.
    pub(crate) force: bool,
    /// How old the last verified backup may be; `None` where somebody has said that it takes none.
    pub(crate) require_backup_within: Option<Duration>,
}

impl Settings {
    pub(crate) fn resolve(config: &Config, cli: &Cli) -> anyhow::Result<Self> {
        let section: PruneSection = config.section()?;
        let paths = Paths::resolve(config)?;
        let within = config
            .pick("maintenance.prune.require_backup_within")
            .file(&section.require_backup_within)
            .or(Duration::from_secs(7 * 86_400))?;
        let retention_days = config
            .pick("maintenance.prune.retention_days")
            .flag(cli.retention_days)
            .env("PSO_PRUNE_RETENTION_DAYS")
            .file(&section.retention_days)
            .or(USUAL_RETENTION)?;
        let rows = RowKeys {
            rows: &section.rows,
            max_share: &section.max_share,
            batch_time: &section.batch_time,
            batch_pause: &section.batch_pause,
            lock_timeout: &section.lock_timeout,
            count_timeout: &section.count_timeout,
        };
        Ok(Self {
            parts: PrunePart::ALL.into_iter().filter(|part| cli.parts.is_empty() || cli.parts.contains(part)).collect(),
            postgres: PgSettings::resolve(config, &paths, &cli.postgres)?,
            qdrant: QdrantSettings::resolve(config, &paths, None)?,
            qdrant_wait: qdrant::wait(config, &section.qdrant)?,
            rehearsals: rehearsals_in(config, &paths)?,
            retention_days,
            logs: LogsSettings::resolve(config, &paths, &section.logs)?,
            vacuum: VacuumSettings::resolve(config, cli, &section.vacuum)?,
            rows: RowSettings::resolve(config, cli, rows, retention_days)?,
            force: cli.force,
            require_backup_within: (!cli.without_backup).then_some(within),
            paths,
        })
    }
}
