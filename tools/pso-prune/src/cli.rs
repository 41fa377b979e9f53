//! The command line.

use std::time::Duration;

use clap::Parser;
use pso_common::CommonArgs;
use pso_common::config::flag_value;
use pso_common::postgres::PgArgs;
use pso_common::record::PrunePart;

const AFTER_HELP: &str = "\
Examples:
  pso-prune --dry-run                        what would be deleted, counted; changes nothing
  pso-prune --yes | pso-alert                each week: all parts, without asking
  pso-prune rows --retention-days 60         only rows; operations are kept for 60 days
  pso-prune vacuum --vacuum-budget 30m --yes tables that need it, as long as half an hour lasts

Exit codes:
  0  done and counted; or: the plan was printed
  1  the same, with warnings
  2  a step failed; what was done before it stays done, and the next run goes on from there
  3  nothing was attempted (usage, configuration, no consent, no recent backup), or a part could not be looked at";

/// Deletes what is past its retention, and lets database and vectors tidy up; after a plan, and never without a backup
#[derive(Debug, Parser)]
#[command(name = "pso-prune", version, after_help = AFTER_HELP)]
pub struct Cli {
    /// Only these parts [default: all]
    #[arg(value_name = "PART", value_enum)]
    pub(crate) parts: Vec<PrunePart>,

    /// Print the plan and stop
    #[arg(long, conflicts_with = "yes")]
    pub(crate) dry_run: bool,

    /// Do it without asking
    #[arg(long)]
    pub(crate) yes: bool,

    /// How many days logs and rows of sync_operations are kept [env: `PSO_PRUNE_RETENTION_DAYS`] [default: 30]
    #[arg(long, value_name = "DAYS")]
    pub(crate) retention_days: Option<u32>,

    /// Delete even where it is more than `max_share` of a table
    #[arg(long)]
    pub(crate) force: bool,

    /// Delete although no verified backup is recent enough
    #[arg(long)]
    pub(crate) without_backup: bool,

    /// Vacuum all tables, not only those that need it
    #[arg(long)]
    pub(crate) all_tables: bool,

    /// How long VACUUM may take in all [default: 30m]
    #[arg(long, value_name = "DURATION", value_parser = flag_value::<Duration>)]
    pub(crate) vacuum_budget: Option<Duration>,

    #[command(flatten)]
    pub(crate) postgres: PgArgs,

    #[command(flatten)]
    pub(crate) common: CommonArgs,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
        let cli = Cli::try_parse_from(["pso-prune", "rows", "logs", "--yes"]).expect("valid");
        assert_eq!(cli.parts, [PrunePart::Rows, PrunePart::Logs]);
        assert!(Cli::try_parse_from(["pso-prune", "--yes", "--dry-run"]).is_err());
        assert!(Cli::try_parse_from(["pso-prune", "everything"]).is_err());
    }
}
