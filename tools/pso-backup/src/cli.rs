//! The command line.

use std::path::PathBuf;

use anyhow::ensure;
use clap::{Args, Parser, Subcommand, ValueEnum};
use pso_common::CommonArgs;
use pso_common::postgres::PgArgs;
use pso_common::record::Component;

const AFTER_HELP: &str = "\
Examples:
  pso-backup                                 everything, into backups/daily
  pso-backup --kind weekly                   the same, into backups/weekly
  pso-backup --only plans,config --to /mnt/usb
  pso-backup list
  pso-backup verify latest
  pso-backup | pso-restore - --dry-run       what restoring it would do

Exit codes:
  0  the archive is published and was read back; or: the archive is as it was made
  1  the same, with warnings
  2  the backup failed and nothing was published; or: the archive is damaged
  3  nothing was attempted: usage, configuration, no connection, another backup or a restore is running";

/// One verified archive of the database, the vector store and the files; lists and verifies archives
#[derive(Debug, Parser)]
#[command(name = "pso-backup", version, after_help = AFTER_HELP)]
pub struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Subcommands>,

    #[command(flatten)]
    pub(crate) create: CreateArgs,

    #[command(flatten)]
    pub(crate) common: CommonArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Subcommands {
    /// Make an archive, and remove those past their retention (the default)
    Create(CreateArgs),
    /// List the archives that are there, newest first
    List(ListArgs),
    /// Compare an archive with its hash file and its manifest, entry by entry
    Verify(VerifyArgs),
}

#[derive(Args, Clone, Debug, Default)]
pub(crate) struct CreateArgs {
    /// Which series the archive belongs to: its folder below `backups/`, and how long it is kept
    #[arg(long, value_enum, default_value_t, value_name = "KIND")]
    pub(crate) kind: ArchiveKind,

    /// Put the archive into DIR instead
    #[arg(long, value_name = "DIR")]
    pub(crate) to: Option<PathBuf>,

    /// Back up only these: postgres, qdrant, config, scripts, plans [env: `PSO_BACKUP_COMPONENTS`] [default: all]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(crate) only: Vec<Component>,

    /// After success, remove archives of this folder that are older, but never the last good one of a component
    /// [env: `PSO_BACKUP_KEEP_DAYS`, weekly `PSO_BACKUP_WEEKLY_KEEP_DAYS`] [default: 7, weekly 35]
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) keep_days: Option<u32>,

    /// Qdrant's base URL [env: `PSO_QDRANT_URL`] [default: <http://localhost:6333>]
    #[arg(long, value_name = "URL", help_heading = "Qdrant")]
    pub(crate) qdrant_url: Option<String>,

    #[command(flatten)]
    pub(crate) postgres: PgArgs,
}

#[derive(Args, Clone, Debug, Default)]
pub(crate) struct ListArgs {
    /// Look into DIR instead of `backups/daily` and `backups/weekly`
    #[arg(long, value_name = "DIR")]
    pub(crate) to: Option<PathBuf>,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct VerifyArgs {
    /// A path, a name from `pso-backup list`, or `latest`
    #[arg(value_name = "ARCHIVE", default_value = "latest")]
    pub(crate) archive: String,

    /// Look into DIR instead of `backups/daily` and `backups/weekly`
    #[arg(long, value_name = "DIR")]
    pub(crate) to: Option<PathBuf>,
}

/// The series of an archive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ArchiveKind {
    #[default]
    Daily,
    Weekly,
}

impl ArchiveKind {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Daily => "daily",
            Self::Weekly => "weekly",
        }
    }
}

/// What is to be done.
pub(crate) enum Command {
    Create(CreateArgs),
    List(ListArgs),
    Verify(VerifyArgs),
}

impl Cli {
    /// The subcommand, or `create` with the flags that stand without one.
    pub(crate) fn chosen(&self) -> anyhow::Result<Command> {
        let Some(command) = &self.command else { return Ok(Command::Create(self.create.clone())) };
        ensure!(self.create.is_empty(), "flags of `create` stand before another subcommand; put them after it");
        Ok(match command {
            Subcommands::Create(args) => Command::Create(args.clone()),
            Subcommands::List(args) => Command::List(args.clone()),
            Subcommands::Verify(args) => Command::Verify(args.clone()),
        })
    }
}

impl CreateArgs {
    fn is_empty(&self) -> bool {
        let PgArgs { pg_host, pg_port, pg_dbname, pg_user } = &self.postgres;
        self.kind == ArchiveKind::default()
            && self.to.is_none()
            && self.only.is_empty()
            && self.keep_days.is_none()
            && self.qdrant_url.is_none()
            && pg_host.is_none()
            && pg_port.is_none()
            && pg_dbname.is_none()
            && pg_user.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn create_is_the_default() {
        let command = |args: &[&str]| Cli::try_parse_from([&["pso-backup"], args].concat()).map(|cli| cli.chosen());
        let create = command(&["--only", "plans,config", "--format", "jsonl"]).expect("parsed").expect("create");
        assert!(matches!(create, Command::Create(args) if args.only == [Component::Plans, Component::Config]));
        let verify = command(&["--format", "jsonl", "verify"]).expect("parsed").expect("verify");
        assert!(matches!(verify, Command::Verify(args) if args.archive == "latest"));
        assert!(command(&["--only", "plans", "list"]).expect("parsed").is_err(), "a flag that would be ignored");
        assert!(command(&["--keep-days", "0"]).is_err(), "a retention that keeps nothing");
        assert!(command(&["--only", "logs"]).is_err());
    }
}
