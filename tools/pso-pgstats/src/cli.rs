//! The command line.

use std::path::PathBuf;

use clap::Parser;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use pso_common::CommonArgs;
use pso_common::postgres::PgArgs;

use crate::sections::{SECTIONS, Section};
use crate::settings::LimitArgs;

/// What PostgreSQL says about one database, and what to do about it.
///
/// Looks through one read-only connection that never waits for a lock, and changes nothing: advice carries the SQL, you
/// decide.
#[derive(Clone, Debug, Parser)]
#[command(name = "pso-pgstats", version, after_help = AFTER_HELP)]
pub struct Cli {
    /// The sections to show, in this order [default: all; `changes` only with --baseline]
    #[arg(value_name = "SECTION", value_parser = section())]
    pub(crate) sections: Vec<&'static Section>,

    /// List the sections and what each shows, and stop
    #[arg(long)]
    pub(crate) list: bool,

    /// Ask no server: show the records of an earlier run (JSON lines; `-` is stdin) and judge them anew
    #[arg(long, value_name = "FILE")]
    pub(crate) input: Option<PathBuf>,

    /// Also show what has changed since an earlier run: rates of counters and growth (its JSON lines)
    #[arg(long, value_name = "FILE")]
    pub(crate) baseline: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) limits: LimitArgs,

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
  pso-pgstats --format jsonl > pg.jsonl        keep what is there now, and look at it later with
  pso-pgstats --input pg.jsonl tables advice   other limits, without a server
  pso-pgstats --baseline pg.jsonl changes      what has changed since: rates and growth
  pso-pgstats advice | jq -r 'select(.kind == \"pg.advice\") | .sql // empty'

No superuser is needed: GRANT pg_monitor, pg_read_all_data TO sync_user; what it still cannot see is
said with the GRANT for it, and the README has them all. CREATE EXTENSION pg_stat_statements gives
the statements, CREATE EXTENSION pgstattuple what --exact reads.

Exit codes:
  0  nothing to do
  1  advice that should be followed
  2  advice that cannot wait (a sequence past 90 %, transaction ids running out, …)
  3  a section could not be read, the server could not be reached, or bad usage";

/// A section by its name.
fn section() -> impl TypedValueParser<Value = &'static Section> {
    let values = SECTIONS.iter().map(|section| PossibleValue::new(section.name).help(section.about));
    PossibleValuesParser::new(values).try_map(|name| Section::find(&name).ok_or("no such section"))
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
