//! Flags, environment, file and defaults as one value that the code works with.

use std::time::Duration;

use anyhow::ensure;
use pso_common::config::{Config, Field, Paths, Percent, ToolSection};
use pso_common::postgres::PgSettings;
use serde::Deserialize;

use crate::cli::Cli;
use crate::sections::Section;

/// What a run works with.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) pg: PgSettings,
    /// In the order to show them, each once.
    pub(crate) sections: Vec<Section>,
    /// Statements that take longer on average are shown.
    pub(crate) min_mean: Duration,
    /// Statements shown at most.
    pub(crate) limit: u32,
    /// No index is called unused on younger statistics.
    pub(crate) min_stats_age: Duration,
    /// Dead rows as a share of the live ones, in percent, past which VACUUM is advised.
    pub(crate) max_dead: f64,
    /// Tables with fewer rows (dead ones, for VACUUM) are not worth an advice: they are read whole, whatever is done.
    pub(crate) min_rows: u32,
    /// A transaction may be idle for so long.
    pub(crate) max_idle_in_transaction: Duration,
    /// The whole run.
    pub(crate) deadline: Duration,
}

/// `maintenance.pgstats` of the configuration file.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct PgstatsSection {
    min_mean: Field,
    limit: Field,
    min_stats_age: Field,
    max_dead: Field,
    min_rows: Field,
    max_idle_in_transaction: Field,
    deadline: Field,
}

impl ToolSection for PgstatsSection {
    const NAME: &'static str = "pgstats";
}

impl Settings {
    pub(crate) fn resolve(cli: &Cli, config: &Config) -> anyhow::Result<Self> {
        let file: PgstatsSection = config.section()?;
        let paths = Paths::resolve(config)?;
        let settings = Self {
            pg: PgSettings::resolve(config, &paths, &cli.pg)?,
            sections: chosen(&cli.sections),
            min_mean: config
                .pick("maintenance.pgstats.min_mean")
                .flag(cli.min_mean)
                .env("PSO_PGSTATS_MIN_MEAN")
                .file(&file.min_mean)
                .or(Duration::from_secs(1))?,
            limit: config
                .pick("maintenance.pgstats.limit")
                .flag(cli.limit)
                .env("PSO_PGSTATS_LIMIT")
                .file(&file.limit)
                .or(10)?,
            min_stats_age: config
                .pick("maintenance.pgstats.min_stats_age")
                .flag(cli.min_stats_age)
                .env("PSO_PGSTATS_MIN_STATS_AGE")
                .file(&file.min_stats_age)
                .or(Duration::from_secs(14 * 24 * 60 * 60))?,
            max_dead: config
                .pick("maintenance.pgstats.max_dead")
                .flag(cli.max_dead)
                .env("PSO_PGSTATS_MAX_DEAD")
                .file(&file.max_dead)
                .or(Percent(10.0))?
                .0,
            min_rows: config
                .pick("maintenance.pgstats.min_rows")
                .flag(cli.min_rows)
                .env("PSO_PGSTATS_MIN_ROWS")
                .file(&file.min_rows)
                .or(1000)?,
            max_idle_in_transaction: config
                .pick("maintenance.pgstats.max_idle_in_transaction")
                .flag(cli.max_idle_in_transaction)
                .env("PSO_PGSTATS_MAX_IDLE_IN_TRANSACTION")
                .file(&file.max_idle_in_transaction)
                .or(Duration::from_secs(10 * 60))?,
            deadline: config
                .pick("maintenance.pgstats.deadline")
                .flag(cli.deadline)
                .env("PSO_PGSTATS_DEADLINE")
                .file(&file.deadline)
                .or(Duration::from_secs(20))?,
        };
        ensure!(
            !settings.deadline.is_zero() && settings.deadline <= LONGEST_DEADLINE,
            "maintenance.pgstats.deadline (--deadline): expected more than 0s and at most 1d, found {}",
            pso_common::config::ConfigValue::show(&settings.deadline)
        );
        Ok(settings)
    }
}

/// Longer than any sensible run; beyond it the clock's own arithmetic could overflow.
const LONGEST_DEADLINE: Duration = Duration::from_secs(24 * 60 * 60);

/// The named sections in their order, each once; all of them when none is named.
fn chosen(named: &[Section]) -> Vec<Section> {
    if named.is_empty() {
        return Section::ALL.to_vec();
    }
    let mut chosen = Vec::with_capacity(named.len());
    for section in named {
        if !chosen.contains(section) {
            chosen.push(*section);
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use pso_common::io::Env;

    use super::*;

    fn resolve(args: &[&str], text: &str) -> anyhow::Result<Settings> {
        let cli = Cli::try_parse_from([&["pso-pgstats"], args].concat()).expect("valid flags");
        Settings::resolve(&cli, &Config::from_text("config/config.yaml", text, Env::default())?)
    }

    fn error(args: &[&str], text: &str) -> String {
        resolve(args, text).map_or_else(|error| format!("{error:#}"), |_| "no error".to_owned())
    }

    #[test]
    fn defaults_file_and_flags() {
        let settings = resolve(&[], "").expect("defaults");
        assert_eq!(settings.sections, Section::ALL);
        assert_eq!((settings.min_mean, settings.limit), (Duration::from_secs(1), 10));
        let text = "maintenance: {pgstats: {min_mean: 250ms, limit: 3, max_dead: 25%}}";
        let settings = resolve(&["--limit", "5"], text).expect("valid");
        assert_eq!((settings.min_mean, settings.limit), (Duration::from_millis(250), 5));
        assert!((settings.max_dead - 25.0).abs() < f64::EPSILON);
    }

    #[test]
    fn a_section_named_twice_is_shown_once() {
        let settings = resolve(&["sizes", "activity", "sizes"], "").expect("valid");
        assert_eq!(settings.sections, [Section::Sizes, Section::Activity]);
    }

    #[test]
    fn bad_values_are_named() {
        let text = "maintenance:\n  pgstats:\n    min_stat_age: 3d\n";
        assert!(
            error(&[], text).starts_with("config/config.yaml:3: unknown field `min_stat_age`"),
            "{}",
            error(&[], text)
        );
        let text = "maintenance:\n  pgstats:\n    limit: many\n";
        assert!(error(&[], text).contains("config/config.yaml:3: maintenance.pgstats.limit: expected a whole number"));
        assert!(error(&["--deadline", "0s"], "").contains("--deadline"));
        assert!(error(&["--deadline", "100y"], "").contains("--deadline"));
    }
}
