//! The command line.

use std::time::Duration;

use clap::Parser;
use pso_common::CommonArgs;
use pso_common::config::{ConfigValue, Percent};
use pso_common::postgres::PgArgs;

use crate::sections::Section;

/// What PostgreSQL says about one database, and what to do about it.
///
/// Looks through one read-only connection that never waits for a lock, and changes nothing: advice carries the SQL, you
/// decide.
#[derive(Clone, Debug, Parser)]
#[command(name = "pso-pgstats", version, after_help = AFTER_HELP)]
pub struct Cli {
    /// The sections to show, in this order [default: all]
    #[arg(value_enum, value_name = "SECTION", hide_possible_values = false)]
    pub(crate) sections: Vec<Section>,

    /// List the sections and what each shows, and stop
    #[arg(long)]
    pub(crate) list: bool,

    /// Show statements that take longer than SPAN on average [default: 1s]
    #[arg(long, value_name = "SPAN", value_parser = value::<Duration>)]
    pub(crate) min_mean: Option<Duration>,

    /// Show at most N statements [default: 10]
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u32>,

    /// Call no index unused on statistics younger than SPAN [default: 14d]
    #[arg(long, value_name = "SPAN", value_parser = value::<Duration>)]
    pub(crate) min_stats_age: Option<Duration>,

    /// Advise VACUUM when dead rows are more than PERCENT of the live ones [default: 10]
    #[arg(long, value_name = "PERCENT", value_parser = value::<Percent>)]
    pub(crate) max_dead: Option<Percent>,

    /// Advise nothing on tables with fewer than N rows (dead ones, for VACUUM) [default: 1000]
    #[arg(long, value_name = "N")]
    pub(crate) min_rows: Option<u32>,

    /// Advise to end transactions that have been idle for SPAN [default: 10m]
    #[arg(long, value_name = "SPAN", value_parser = value::<Duration>)]
    pub(crate) max_idle_in_transaction: Option<Duration>,

    /// End after SPAN whatever the server does; what was not read by then is reported as unknown [default: 20s]
    #[arg(long, value_name = "SPAN", value_parser = value::<Duration>)]
    pub(crate) deadline: Option<Duration>,

    #[command(flatten)]
    pub(crate) pg: PgArgs,

    #[command(flatten)]
    pub(crate) common: CommonArgs,
}

const AFTER_HELP: &str = "\
Examples:
  pso-pgstats                                  every section, as tables on a terminal
  pso-pgstats tables sizes                     two of them
  pso-pgstats statements --min-mean 200ms      what is slower than 200 ms on average
  pso-pgstats advice | pso-alert               advice as notices
  pso-pgstats advice | jq -r 'select(.kind == \"pg.advice\") | .sql // empty'

A role that sees everything: GRANT pg_read_all_stats TO sync_user

Exit codes:
  0  nothing to do
  1  an advice that should be followed (dead rows, transactions left open)
  3  a section could not be read, the server could not be reached, or bad usage";

/// Parses a flag the way the same value is parsed in the file.
fn value<T: ConfigValue>(text: &str) -> Result<T, String> {
    T::parse(text).ok_or_else(|| format!("expected {}", T::EXPECTED))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn an_unknown_section_is_named_with_the_valid_ones() {
        let error = Cli::try_parse_from(["pso-pgstats", "tabels"]).expect_err("unknown section").to_string();
        for word in ["tabels", "activity", "tables", "sizes", "indexes", "statements", "advice"] {
            assert!(error.contains(word), "{word} is missing in {error}");
        }
    }

    #[test]
    fn a_bad_span_says_what_was_expected() {
        let error = Cli::try_parse_from(["pso-pgstats", "--deadline", "soon"]).expect_err("bad span").to_string();
        assert!(error.contains("--deadline") && error.contains("such as 500ms"), "{error}");
    }
}
