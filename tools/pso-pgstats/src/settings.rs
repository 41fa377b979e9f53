//! Flags, environment, file and defaults as one value that the code works with.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::ensure;
use clap::Args;
use pso_common::config::{Config, ConfigValue, Field, Paths, Percent, ToolSection};
use pso_common::postgres::PgSettings;
use serde::Deserialize;

use crate::advice;
use crate::cli::Cli;
use crate::sections::{Conclusion, SECTIONS, Section};

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
    /// The output of an earlier run to compare with.
    pub(crate) baseline: Option<PathBuf>,
    pub(crate) limits: Limits,
}

/// The limits, each once: a flag, a key of `maintenance.pgstats`, a variable `PSO_PGSTATS_…`, and what the code works with.
macro_rules! limits {
    ($($(#[doc = $doc:literal])+ $(#[arg($($more:tt)+)])? $name:ident: $type:ty = $default:expr, $value:literal;)*) => {
        /// The flags.
        #[derive(Args, Clone, Debug, Default)]
        pub(crate) struct LimitArgs {
            $($(#[doc = $doc])+
            #[arg(long, value_name = $value, value_parser = value::<$type>, $($($more)+)?)]
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

            /// Each with its value.
            #[cfg(test)]
            pub(crate) fn shown(&self) -> Vec<(&'static str, String)> {
                vec![$((stringify!($name), self.$name.show()),)*]
            }

            /// Each with the value that its help calls the default; none where the help has none.
            #[cfg(test)]
            fn documented() -> Vec<(&'static str, Option<String>)> {
                let default = |help: &str| Some(help.rsplit_once("[default: ")?.1.split([',', ']']).next()?.to_owned());
                let help = [$((stringify!($name), concat!($($doc),+)),)*];
                // As the value that the text stands for is shown.
                let shown = [$(|text: &str| <$type>::parse(text).map(|value| value.show()),)*];
                let each = help.into_iter().zip(shown);
                each.map(|((name, help), shown)| (name, default(help).and_then(|text| shown(&text)))).collect()
            }
        }
    };
}

const MINUTE: u64 = 60;
const DAY: u64 = 24 * 60 * MINUTE;

limits! {
    /// Show statements that take longer than SPAN on average [default: 1s]
    min_mean: Duration = Duration::from_secs(1), "SPAN";
    /// Show statements that have taken longer than SPAN in all [default: 10s]
    min_total: Duration = Duration::from_secs(10), "SPAN";
    /// Show at most N statements, on average and in all [default: 10]
    limit: u32 = 10, "N";
    /// Judge by no counters of index scans or checkpoints younger than SPAN [default: 14d]
    min_stats_age: Duration = Duration::from_secs(14 * DAY), "SPAN";
    /// Advise VACUUM when dead rows are more than PERCENT of the live ones [default: 10]
    max_dead: Percent = Percent(10.0), "PERCENT";
    /// Advise on sequences and integer keys of which more than PERCENT of the values are used [default: 75]
    max_sequence: Percent = Percent(75.0), "PERCENT";
    /// Advise nothing on tables with fewer than N rows (dead ones, for VACUUM) [default: 1000]
    min_rows: u32 = 1000, "N";
    /// Advise to end transactions that have been idle for SPAN [default: 10m]
    max_idle_in_transaction: Duration = Duration::from_secs(10 * MINUTE), "SPAN";
    /// Advise on transactions that have been open for SPAN, at work or not [default: 1h]
    max_transaction: Duration = Duration::from_secs(60 * MINUTE), "SPAN";
    /// Advise to end sessions that others have been waiting for longer than SPAN [default: 30s]
    max_blocked: Duration = Duration::from_secs(30), "SPAN";
    /// Advise to freeze databases whose oldest transaction id is N ids old [default: 500000000, and 5 % more than autovacuum_freeze_max_age]
    max_xid_age: u32 = 500_000_000, "N";
    /// Advise to freeze databases whose oldest multixact id is N ids old [default: 600000000, and 5 % more than autovacuum_multixact_freeze_max_age]
    max_multixact_age: u32 = 600_000_000, "N";
    /// Advise on replication slots that keep N MiB of WAL from being removed [default: 5120]
    max_slot_wal_mib: u32 = 5120, "N";
    /// Advise to end prepared transactions that nobody has ended for SPAN [default: 10m]
    max_prepared_age: Duration = Duration::from_secs(10 * MINUTE), "SPAN";
    /// Advise a larger max_wal_size when more than PERCENT of the checkpoints were requested [default: 50]
    max_requested_checkpoints: Percent = Percent(50.0), "PERCENT";
    /// Advise on standbys and other receivers that are N MiB of WAL behind [default: 256]
    max_replication_lag_mib: u32 = 256, "N";
    /// Advise on autovacuum that has not come though there are FACTOR times the rows that it waits for [default: 2]
    late_vacuum: f64 = 2.0, "FACTOR";
    /// Advise on sequential scans only of tables with N rows [default: 10000]
    min_scan_rows: u32 = 10_000, "N";
    /// Advise on tables of which more than PERCENT of the scans are sequential [default: 50]
    max_seq_scans: Percent = Percent(50.0), "PERCENT";
    /// Measure bloat exactly, with the extension pgstattuple, instead of estimating it: reads the tables and indexes
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    exact: bool = false, "BOOL";
    /// Advise on tables and indexes of which more than PERCENT are bloat [default: 50]
    max_bloat: Percent = Percent(50.0), "PERCENT";
    /// Advise nothing on bloat of less than N MiB [default: 32]
    min_bloat_mib: u32 = 32, "N";
    /// Advise on connections when more than PERCENT of those allowed are taken [default: 80]
    max_connections_used: Percent = Percent(80.0), "PERCENT";
    /// Advise on the cache when fewer than PERCENT of the pages were in shared_buffers [default: 95]
    min_cache_hit: Percent = Percent(95.0), "PERCENT";
    /// Advise on rollbacks when they are more than PERCENT of the transactions [default: 10]
    max_rollbacks: Percent = Percent(10.0), "PERCENT";
    /// Advise on deadlocks when there are more than N a day [default: 5]
    max_deadlocks: u32 = 5, "N";
    /// Advise on temporary files when more than N MiB are written a day [default: 10240]
    max_temp_mib: u32 = 10_240, "N";
    /// Leave out the advice of these names, RULE:OBJECT or RULE:*, separated by commas: it is known and wanted so [default: none]
    accept: String = String::new(), "NAMES";
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
        advice::check_accepted(&limits.accept)?;
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
        let (baseline, named) = (cli.baseline.clone(), !cli.sections.is_empty());
        Ok(Self { source, sections: chosen(&cli.sections, baseline.is_some()), named, baseline, limits })
    }
}

/// Longer than any sensible run; beyond it the clock's own arithmetic could overflow.
const LONGEST_DEADLINE: Duration = Duration::from_secs(DAY);

/// The named sections in their order, each once; all of them when none is named. What has changed is shown with a baseline
/// in any case, and without one only to those who ask for it.
fn chosen(named: &[&'static Section], baseline: bool) -> Vec<&'static Section> {
    let changes = |section: &Section| section.conclusion() == Some(Conclusion::Changes);
    if named.is_empty() {
        return SECTIONS.iter().filter(|section| baseline || !changes(section)).collect();
    }
    let mut chosen = Vec::with_capacity(named.len());
    for section in named {
        if !chosen.contains(section) {
            chosen.push(*section);
        }
    }
    if let Some(missing) = SECTIONS.iter().find(|section| baseline && changes(section) && !chosen.contains(section)) {
        let at = chosen.iter().position(|section| section.conclusion().is_some()).unwrap_or(chosen.len());
        chosen.insert(at, missing);
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
        assert_eq!(settings.sections.len(), SECTIONS.len() - 1, "all but changes");
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
    fn the_help_names_the_default_of_each_limit() {
        for ((name, default), (_, documented)) in Limits::default().shown().into_iter().zip(Limits::documented()) {
            let expected = match name {
                "accept" => Some("none".to_owned()),
                "exact" => None,
                _ => Some(default),
            };
            assert_eq!(documented, expected, "{name}");
        }
    }

    #[test]
    fn each_limit_is_set_by_its_flag_its_variable_and_its_key() {
        let before = Limits::default().shown();
        for (name, _) in &before {
            let value = match *name {
                "exact" => "true",
                "accept" => "dead_tuples:*",
                _ => "7",
            };
            let flag = format!("--{}={value}", name.replace('_', "-"));
            let cli = |args: &[&str]| Cli::try_parse_from([&["pso-pgstats"], args].concat()).expect("valid flags");
            let mut env = Env::default();
            env.set(format!("PSO_PGSTATS_{}", name.to_ascii_uppercase()), value);
            let file = format!("maintenance: {{pgstats: {{{name}: {value}}}}}");
            let ways = [
                ("flag", cli(&[&flag]), "", Env::default()),
                ("variable", cli(&[]), "", env),
                ("key", cli(&[]), file.as_str(), Env::default()),
            ];
            for (way, cli, file, env) in ways {
                let config = Config::from_text("config/config.yaml", file, env).expect("valid");
                let after = Settings::resolve(&cli, &config).expect("valid").limits.shown();
                let changed: Vec<_> = before.iter().zip(&after).filter(|(before, after)| before != after).collect();
                assert_eq!(changed.len(), 1, "{way} of {name}: {changed:?}");
                assert_eq!((changed[0].1.0, changed[0].1.1.trim_end_matches(['s', ' ', '%'])), (*name, value), "{way}");
            }
        }
    }

    #[test]
    fn a_section_named_twice_is_shown_once() {
        let settings = resolve(&["sizes", "activity", "sizes"], "").expect("valid");
        assert_eq!(settings.sections.iter().map(|section| section.name).collect::<Vec<_>>(), ["sizes", "activity"]);
    }

    #[test]
    fn what_has_changed_is_shown_with_a_baseline_and_to_who_asks() {
        let names = |args: &[&str]| {
            let settings = resolve(args, "").expect("valid");
            settings.sections.iter().map(|section| section.name).collect::<Vec<_>>()
        };
        assert!(!names(&[]).contains(&"changes"));
        let all = names(&["--baseline", "x"]);
        assert!(all.ends_with(&["changes", "advice"]) && all.len() == SECTIONS.len(), "{all:?}");
        assert_eq!(names(&["tables", "advice", "--baseline", "x"]), ["tables", "changes", "advice"]);
        assert_eq!(names(&["changes", "tables"]), ["changes", "tables"]);
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
