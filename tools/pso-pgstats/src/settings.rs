//! Flags, environment, file and defaults as one value that the code works with.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::ensure;
use clap::Args;
use pso_common::config::{Config, ConfigValue, Field, Paths, Percent, ToolSection};
use pso_common::postgres::PgSettings;
use serde::Deserialize;

use crate::cli::Cli;
use crate::sections::{SECTIONS, Section};

/// Where the records come from.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// A server.
    Server(PgSettings),
    /// The output of an earlier run; `-` is stdin.
    Saved(PathBuf),
}

/// What a run works with.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) source: Source,
    /// In the order to show them, each once.
    pub(crate) sections: Vec<&'static Section>,
    /// Whether somebody named them.
    pub(crate) named: bool,
    pub(crate) limits: Limits,
}

/// The limits, each once: a flag, a key of `maintenance.pgstats`, a variable `PSO_PGSTATS_…`, and what the code works with.
macro_rules! limits {
    ($($(#[doc = $doc:literal])+ $name:ident: $type:ty = $default:expr, $value:literal;)*) => {
        /// The flags.
        #[derive(Args, Clone, Debug, Default)]
        pub(crate) struct LimitArgs {
            $($(#[doc = $doc])+
            #[arg(long, value_name = $value, value_parser = value::<$type>)]
            $name: Option<$type>,)*
        }

        /// `maintenance.pgstats` of the configuration file.
        #[derive(Default, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        struct PgstatsSection {
            $($name: Field,)*
        }

        /// What is worth showing and worth an advice, and how long a run may take.
        #[derive(Clone, Debug)]
        pub(crate) struct Limits {
            $($(#[doc = $doc])+ pub(crate) $name: $type,)*
        }

        impl Default for Limits {
            fn default() -> Self {
                Self { $($name: $default,)* }
            }
        }

        impl Limits {
            fn resolve(args: &LimitArgs, config: &Config) -> anyhow::Result<Self> {
                let file: PgstatsSection = config.section()?;
                Ok(Self {
                    $($name: config
                        .pick(concat!("maintenance.pgstats.", stringify!($name)))
                        .flag(args.$name.clone())
                        .env(&concat!("PSO_PGSTATS_", stringify!($name)).to_ascii_uppercase())
                        .file(&file.$name)
                        .or($default)?,)*
                })
            }
        }
    };
}

const MINUTE: u64 = 60;
const DAY: u64 = 24 * 60 * MINUTE;

limits! {
    /// Show statements that take longer than SPAN on average [default: 1s]
    min_mean: Duration = Duration::from_secs(1), "SPAN";
    /// Show at most N statements [default: 10]
    limit: u32 = 10, "N";
    /// Judge by no counters of index scans or checkpoints younger than SPAN [default: 14d]
    min_stats_age: Duration = Duration::from_secs(14 * DAY), "SPAN";
    /// Advise VACUUM when dead rows are more than PERCENT of the live ones [default: 10]
    max_dead: Percent = Percent(10.0), "PERCENT";
    /// Advise a longer sequence when more than PERCENT of its values are used [default: 75]
    max_sequence: Percent = Percent(75.0), "PERCENT";
    /// Advise nothing on tables with fewer than N rows (dead ones, for VACUUM) [default: 1000]
    min_rows: u32 = 1000, "N";
    /// Advise to end transactions that have been idle for SPAN [default: 10m]
    max_idle_in_transaction: Duration = Duration::from_secs(10 * MINUTE), "SPAN";
    /// Advise to freeze databases whose oldest transaction id is N ids old [default: 500000000]
    max_xid_age: u32 = 500_000_000, "N";
    /// Advise to freeze databases whose oldest multixact id is N ids old [default: 600000000]
    max_multixact_age: u32 = 600_000_000, "N";
    /// Advise on replication slots that keep N MiB of WAL from being removed [default: 5120]
    max_slot_wal_mib: u32 = 5120, "N";
    /// Advise to end prepared transactions that nobody has ended for SPAN [default: 10m]
    max_prepared_age: Duration = Duration::from_secs(10 * MINUTE), "SPAN";
    /// Advise a larger max_wal_size when more than PERCENT of the checkpoints were requested [default: 50]
    max_requested_checkpoints: Percent = Percent(50.0), "PERCENT";
    /// Advise on standbys and other receivers that are N MiB of WAL behind [default: 256]
    max_replication_lag_mib: u32 = 256, "N";
    /// End after SPAN whatever the server does; what was not read by then is reported as unknown [default: 20s]
    deadline: Duration = Duration::from_secs(20), "SPAN";
}

impl ToolSection for PgstatsSection {
    const NAME: &'static str = "pgstats";
}

/// Parses a flag the way the same value is parsed in the file.
fn value<T: ConfigValue>(text: &str) -> Result<T, String> {
    T::parse(text).ok_or_else(|| format!("expected {}", T::EXPECTED))
}

impl Settings {
    pub(crate) fn resolve(cli: &Cli, config: &Config) -> anyhow::Result<Self> {
        let limits = Limits::resolve(&cli.limits, config)?;
        let paths = Paths::resolve(config)?;
        let source = match &cli.input {
            Some(path) => Source::Saved(path.clone()),
            None => Source::Server(PgSettings::resolve(config, &paths, &cli.pg)?),
        };
        ensure!(
            !limits.deadline.is_zero() && limits.deadline <= LONGEST_DEADLINE,
            "maintenance.pgstats.deadline (--deadline): expected more than 0s and at most 1d, found {}",
            limits.deadline.show()
        );
        Ok(Self { source, sections: chosen(&cli.sections), named: !cli.sections.is_empty(), limits })
    }
}

/// Longer than any sensible run; beyond it the clock's own arithmetic could overflow.
const LONGEST_DEADLINE: Duration = Duration::from_secs(DAY);

/// The named sections in their order, each once; all of them when none is named.
fn chosen(named: &[&'static Section]) -> Vec<&'static Section> {
    if named.is_empty() {
        return SECTIONS.iter().collect();
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
        assert_eq!(settings.sections.len(), SECTIONS.len());
        assert_eq!((settings.limits.min_mean, settings.limits.limit), (Duration::from_secs(1), 10));
        let text = "maintenance: {pgstats: {min_mean: 250ms, limit: 3, max_dead: 25%}}";
        let limits = resolve(&["--limit", "5"], text).expect("valid").limits;
        assert_eq!((limits.min_mean, limits.limit), (Duration::from_millis(250), 5));
        assert!((limits.max_dead.0 - 25.0).abs() < f64::EPSILON);
        let mut env = Env::default();
        env.set("PSO_PGSTATS_MIN_STATS_AGE", "3d");
        let cli = Cli::try_parse_from(["pso-pgstats"]).expect("no flags");
        let config = Config::from_text("config/config.yaml", "", env).expect("empty");
        let limits = Settings::resolve(&cli, &config).expect("valid").limits;
        assert_eq!(limits.min_stats_age, Duration::from_secs(3 * DAY));
    }

    #[test]
    fn a_section_named_twice_is_shown_once() {
        let settings = resolve(&["sizes", "activity", "sizes"], "").expect("valid");
        assert_eq!(settings.sections.iter().map(|section| section.name).collect::<Vec<_>>(), ["sizes", "activity"]);
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
