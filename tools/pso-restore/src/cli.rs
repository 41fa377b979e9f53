//! The command line.

use std::path::PathBuf;

use clap::Parser;
use pso_common::CommonArgs;
use pso_common::postgres::PgArgs;
use pso_common::record::Component;

const AFTER_HELP: &str = "\
Examples:
  pso-restore latest --dry-run               what would be put where; changes nothing
  pso-restore latest --yes                   everything, without asking
  pso-restore 20261122_090000 --only plans
  pso-restore latest --table public.tasks    one table, beside the live one, to look at
  pso-backup | pso-restore - --dry-run       the archive that was just made
  pso-restore latest --yes --plan-hash HASH  only if nothing has changed since the --dry-run with that hash
  pso-restore --rollback                     a restore was killed: everything as it was before it
  pso-restore --rollback 20261122_093000     it was the wrong archive: as before that restore
  pso-restore --drop-previous --dry-run      what earlier restores have kept, and how much that is

What is there is kept until --drop-previous: the database as <name>_before_<time>, where the role
may create databases, and replaced files and snapshots of collections below .pso-restore/<time>/.
Whatever fails is undone, and a restore that is killed is undone (--rollback) or brought to its
end (--resume) by another run.

Exit codes:
  0  restored and compared with the manifest; or: the plan was printed
  1  the same, with warnings (the service is not healthy, for instance)
  2  the restore failed and everything is as it was; if not, or if the service was not started
     again, a critical record says so and what to do
  3  nothing was attempted: usage, configuration, a damaged archive, no connection, no consent";

/// Puts an archive back, all or part, or says what it would do; what fails is undone
#[derive(Debug, Parser)]
#[command(name = "pso-restore", version, after_help = AFTER_HELP)]
pub struct Cli {
    /// A path, a name from `pso-backup list`, `latest`, or `-` for the last `backup.archive` record on stdin
    #[arg(value_name = "ARCHIVE", required_unless_present_any = ["print_config", "schema", "resume", "rollback", "drop_previous"])]
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

    /// The age identity that opens an encrypted archive [env: `PSO_BACKUP_IDENTITY_FILE`]
    #[arg(long, value_name = "FILE")]
    pub(crate) identity: Option<PathBuf>,

    /// Refuse if the target or the archive has changed since the plan with this `hash` (--dry-run prints it)
    #[arg(long, value_name = "HASH", conflicts_with_all = ["resume", "rollback", "drop_previous", "table"])]
    pub(crate) plan_hash: Option<String>,

    /// Bring an interrupted restore to its end
    #[arg(long, conflicts_with_all = ["archive", "only", "rollback", "drop_previous"], help_heading = "After a restore")]
    pub(crate) resume: bool,

    /// Put everything back as it was before an interrupted restore; or, with the TIME of the last one that came to its
    /// end, before that, as long as what it has replaced is kept
    #[arg(long, value_name = "TIME", conflicts_with_all = ["archive", "only", "drop_previous"], help_heading = "After a restore")]
    pub(crate) rollback: Option<Option<String>>,

    /// Drop the databases and remove the files that earlier restores have replaced and kept
    #[arg(long, conflicts_with_all = ["archive", "only"], help_heading = "After a restore")]
    pub(crate) drop_previous: bool,

    /// Sessions that load rows and make indexes at once [default: the number of cores, at most 4]
    #[arg(long, value_name = "N", help_heading = "PostgreSQL")]
    pub(crate) jobs: Option<u32>,

    /// Restore only this table, into a schema `pso_restored_TIME` of the live database; can be given several times
    #[arg(long, value_name = "SCHEMA.NAME", conflicts_with_all = ["only", "in_place", "plan_hash", "resume", "rollback", "drop_previous"], help_heading = "PostgreSQL")]
    pub(crate) table: Vec<String>,

    /// Restore the database in one transaction, even where one could be made beside it
    #[arg(long, help_heading = "PostgreSQL")]
    pub(crate) in_place: bool,

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
        for mode in ["--resume", "--rollback", "--drop-previous"] {
            assert!(Cli::try_parse_from(["pso-restore", mode, "--yes"]).is_ok(), "{mode}");
            assert!(Cli::try_parse_from(["pso-restore", "latest", mode]).is_err(), "{mode} is not of an archive");
        }
        assert!(Cli::try_parse_from(["pso-restore", "--resume", "--rollback"]).is_err());
        let named = Cli::try_parse_from(["pso-restore", "--rollback", "20261122_093000", "--yes"]).expect("valid");
        assert_eq!(named.rollback, Some(Some("20261122_093000".to_owned())));
    }
}
