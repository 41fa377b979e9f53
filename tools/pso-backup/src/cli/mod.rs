//! The command line.

mod archives;
mod create;

use anyhow::ensure;
use clap::{Parser, Subcommand};
use pso_common::CommonArgs;

pub(crate) use archives::{ListArgs, PinArgs, PruneArgs, VerifyArgs};
pub(crate) use create::{ArchiveKind, Compression, CreateArgs, Globals, RetentionArgs};

const AFTER_HELP: &str = "\
Examples:
  pso-backup                                 everything, into backups/daily
  pso-backup --kind weekly                   the same, into backups/weekly
  pso-backup --only plans,config --to /mnt/usb
  pso-backup list
  pso-backup verify latest
  pso-backup verify --all --sample 10%       a tenth of every archive
  pso-backup pin 20261122_090000             retention leaves it alone
  pso-backup prune --keep-daily 7 --keep-monthly 12        what would go, and why
  pso-backup prune --keep-daily 7 --keep-monthly 12 --yes
  pso-backup prune --rehearsed-only          the same, and only rehearsed archives replace older ones
  pso-backup | pso-restore - --dry-run       what restoring it would do

Exit codes:
  0  the archive is published and was read back; or: the archives are as they were made, or gone as planned
  1  the same, with warnings: an optional component is missing, a copy failed
  2  the backup failed and nothing was published; or: an archive is damaged
  3  nothing was attempted: usage, configuration, no connection, no space, another backup or a restore is running; or:
     the one archive to verify cannot be opened at all, or only with another key";

/// One verified archive of the database, the vector store and the files; lists, verifies and prunes archives
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
    Create(Box<CreateArgs>),
    /// List the archives that are there, newest first
    List(ListArgs),
    /// Compare archives with their hash files and their manifests, entry by entry
    Verify(VerifyArgs),
    /// Say which archives are past their retention; with --yes, remove them
    Prune(PruneArgs),
    /// Keep an archive from retention, whatever its age
    Pin(PinArgs),
    /// Leave an archive to retention again
    Unpin(PinArgs),
}

/// What is to be done.
pub(crate) enum Command {
    Create(Box<CreateArgs>),
    List(ListArgs),
    Verify(VerifyArgs),
    Prune(PruneArgs),
    Pin(PinArgs, bool),
}

impl Cli {
    /// The subcommand, or `create` with the flags that stand without one.
    pub(crate) fn chosen(&self) -> anyhow::Result<Command> {
        let Some(command) = &self.command else { return Ok(Command::Create(Box::new(self.create.clone()))) };
        ensure!(self.create.is_empty(), "flags of `create` stand before another subcommand; put them after it");
        Ok(match command {
            Subcommands::Create(args) => Command::Create(args.clone()),
            Subcommands::List(args) => Command::List(args.clone()),
            Subcommands::Verify(args) => Command::Verify(args.clone()),
            Subcommands::Prune(args) => Command::Prune(args.clone()),
            Subcommands::Pin(args) => Command::Pin(args.clone(), true),
            Subcommands::Unpin(args) => Command::Pin(args.clone(), false),
        })
    }
}

#[cfg(test)]
mod tests {
    use pso_common::config::Percent;
    use pso_common::record::Component;

    use super::*;

    fn command(args: &[&str]) -> anyhow::Result<Command> {
        Cli::try_parse_from([&["pso-backup"], args].concat())?.chosen()
    }

    #[test]
    fn the_command_line_is_consistent() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn create_is_the_default() {
        let create = command(&["--only", "plans,config", "--format", "jsonl"]).expect("create");
        assert!(matches!(create, Command::Create(args) if args.only == [Component::Plans, Component::Config]));
        let verify = command(&["--format", "jsonl", "verify"]).expect("verify");
        assert!(matches!(verify, Command::Verify(args) if args.wanted() == "latest"));
        for wrong in
            [&["--only", "plans", "list"][..], &["--keep-daily", "3", "verify"], &["--compression", "store", "list"]]
        {
            assert!(command(wrong).is_err(), "a flag that would be ignored: {wrong:?}");
        }
        assert!(command(&["--keep-days", "0"]).is_err(), "a retention that keeps nothing");
        assert!(command(&["--only", "logs"]).is_err());
        assert!(command(&["--compression", "lzma"]).is_err());
    }

    #[test]
    fn what_is_verified() {
        let Ok(Command::Verify(args)) = command(&["verify", "--all", "--sample", "10%"]) else {
            panic!("not verify");
        };
        assert!(args.all && args.sample == Some(Percent(10.0)));
        assert!(command(&["verify", "--all", "latest"]).is_err());
        assert!(command(&["verify", "--deep", "--sample", "10%"]).is_err());
        assert!(command(&["verify", "--sample", "0%"]).is_err() && command(&["verify", "--sample", "x"]).is_err());
    }
}
