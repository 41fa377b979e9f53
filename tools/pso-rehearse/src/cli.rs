//! The command line.

use std::path::PathBuf;

use clap::Parser;
use pso_common::CommonArgs;
use pso_common::record::Component;

const AFTER_HELP: &str = "\
Examples:
  pso-rehearse latest                        restore the newest archive somewhere harmless, and say what that proves
  pso-backup | pso-rehearse - | pso-alert    each night: the archive that was just made
  pso-rehearse latest --only qdrant          the vectors only
  pso-rehearse latest --trend rehearsals.jsonl --records rehearsals.jsonl
                                             and compare with earlier rehearsals: has a table shrunk?

It takes initdb, postgres and pg_restore of PostgreSQL on this machine, and no server: the scratch cluster
listens on a socket in a private folder and is gone at the end. Qdrant's engine is built in.

Exit codes:
  0  the archive can be restored
  1  the same, with warnings (a table has shrunk, for instance)
  2  it cannot be restored: the record says what does not hold
  3  it could not be told: no PostgreSQL programs, no room, no key, stopped by a signal";

/// Proves a backup by restoring it somewhere harmless, with no server
#[derive(Debug, Parser)]
#[command(name = "pso-rehearse", version, after_help = AFTER_HELP)]
pub struct Cli {
    /// A path, a name from `pso-backup list`, `latest`, or `-` for the last `backup.archive` record on stdin
    #[arg(value_name = "ARCHIVE", required_unless_present_any = ["print_config", "schema", "engine"])]
    pub(crate) archive: Option<String>,

    /// Rehearse only these: postgres, qdrant, config, scripts, plans [default: all that the archive has]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(crate) only: Vec<Component>,

    /// Sessions that load rows and make indexes at once [default: the number of cores, at most 4]
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<u32>,

    /// Keep the private folder with what was restored, and say where it is
    #[arg(long)]
    pub(crate) keep: bool,

    /// Results of earlier rehearsals, as this tool writes them: a table that has shrunk since is a warning
    #[arg(long, value_name = "FILE")]
    pub(crate) trend: Option<PathBuf>,

    /// With --trend: the share of its rows or points that may be gone, in percent [default: 50]
    #[arg(long, value_name = "PERCENT", requires = "trend")]
    pub(crate) max_shrink: Option<f64>,

    /// Where the private folder is made [env: `PSO_REHEARSE_TEMP_DIR`] [default: the system's, TMPDIR]
    #[arg(long, value_name = "DIR")]
    pub(crate) temp_dir: Option<PathBuf>,

    /// How much this yields to other processes, 0 to 19 (nice) [default: 10]
    #[arg(long, value_name = "N")]
    pub(crate) nice: Option<u8>,

    /// The age identity that opens an encrypted archive [env: `PSO_BACKUP_IDENTITY_FILE`]
    #[arg(long, value_name = "FILE")]
    pub(crate) identity: Option<PathBuf>,

    /// Make the scratch database on this server instead of a cluster of its own: a URL or `host=… user=…`, without
    /// password (PGPASSWORD or .pgpass has it); it is dropped at the end
    #[arg(long, value_name = "DSN", help_heading = "PostgreSQL")]
    pub(crate) server: Option<String>,

    /// The user that the scratch cluster runs as when this runs as root [default: postgres, else nobody]
    #[arg(long, value_name = "NAME", help_heading = "PostgreSQL")]
    pub(crate) user: Option<String>,

    /// The child that Qdrant's engine runs in: reads its work on stdin
    #[arg(long, value_name = "FOLDER", hide = true)]
    pub(crate) engine: Option<PathBuf>,

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
        assert!(Cli::try_parse_from(["pso-rehearse"]).is_err(), "no archive");
        assert!(Cli::try_parse_from(["pso-rehearse", "--schema"]).is_ok());
        assert!(Cli::try_parse_from(["pso-rehearse", "latest", "--max-shrink", "20"]).is_err(), "of what");
        let cli = Cli::try_parse_from(["pso-rehearse", "-", "--only", "qdrant,plans"]).expect("valid");
        assert_eq!(cli.only, [Component::Qdrant, Component::Plans]);
    }
}
