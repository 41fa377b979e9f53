//! The command line.

use clap::Parser;
use pso_common::CommonArgs;
use pso_common::postgres::PgArgs;
use pso_common::record::Component;

const AFTER_HELP: &str = "\
Examples:
  pso-restore latest --dry-run               what would be put where; changes nothing
  pso-restore latest --yes                   everything, without asking
  pso-restore 20261122_090000 --only plans
  pso-backup | pso-restore - --dry-run       the archive that was just made

What is there is kept until everything is back: the database as <name>_before_<time>, where the
role may create databases, and replaced files below .pso-restore/. Whatever fails is undone.

Exit codes:
  0  restored and compared with the manifest; or: the plan was printed
  1  the same, with warnings (the service is not healthy, for instance)
  2  the restore failed and everything is as it was; if not, a critical record says what lies where
  3  nothing was attempted: usage, configuration, a damaged archive, no connection, no consent";

/// Puts an archive back, all or part, or says what it would do; what fails is undone
#[derive(Debug, Parser)]
#[command(name = "pso-restore", version, after_help = AFTER_HELP)]
pub struct Cli {
    /// A path, a name from `pso-backup list`, `latest`, or `-` for the last `backup.archive` record on stdin
    #[arg(value_name = "ARCHIVE", required_unless_present_any = ["print_config", "schema"])]
    pub(crate) archive: Option<String>,

    /// Restore only these: postgres, qdrant, config, scripts, plans [default: all that the archive has]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(crate) only: Vec<Component>,

    /// Print the plan and stop
    #[arg(long, conflicts_with = "yes")]
    pub(crate) dry_run: bool,

    /// Do it without asking
    #[arg(long)]
    pub(crate) yes: bool,

    /// Qdrant's base URL [env: `PSO_QDRANT_URL`] [default: <http://localhost:6333>]
    #[arg(long, value_name = "URL", help_heading = "Qdrant")]
    pub(crate) qdrant_url: Option<String>,

    /// The service whose /health is asked at the end [env: `PSO_SERVICE_URL`] [default: <http://localhost:8080>]
    #[arg(long, value_name = "URL", help_heading = "Service")]
    pub(crate) service_url: Option<String>,

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
        assert!(Cli::try_parse_from(["pso-restore"]).is_err(), "no archive");
        assert!(Cli::try_parse_from(["pso-restore", "x", "--yes", "--dry-run"]).is_err());
        assert!(Cli::try_parse_from(["pso-restore", "--schema"]).is_ok());
    }
}
