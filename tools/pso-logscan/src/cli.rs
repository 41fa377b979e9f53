//! The flags.

mod help;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use pso_common::CommonArgs;
use pso_common::config::ConfigValue;

use crate::scan::buckets::Buckets;
use crate::settings::classes::ClassFlag;
use crate::stamps::window::When;

/// Say what the logs say: errors by type, unresolved conflicts, validation errors, security events, and how much was
/// read to find them
#[derive(Clone, Debug, Default, Parser)]
#[command(name = "pso-logscan", version, after_help = help::SCAN)]
pub struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    /// Files, folders (*.log and rotations, .gz and .zst too), or `-` for lines on standard input [default: the logs folder]
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,

    /// Only what is not older: a span (24h, 7d), a time (2025-06-12T09:00:00Z, 2025-06-12), today or yesterday
    #[arg(long, value_name = "WHEN", value_parser = when, help_heading = "What is read")]
    pub(crate) since: Option<When>,

    /// Only what is older: a span or a time, as with --since
    #[arg(long, value_name = "WHEN", value_parser = when, help_heading = "What is read")]
    pub(crate) until: Option<When>,

    /// Zone of stamps that name none: Europe/Paris, +02:00, UTC or local [default: maintenance.logscan.zones, UTC]
    #[arg(long, value_name = "ZONE", allow_hyphen_values = true, help_heading = "What is read")]
    pub tz: Option<String>,

    /// Only what no earlier run with the same FILE has read; it is written when all records are
    #[arg(long, value_name = "FILE", help_heading = "What is read")]
    pub(crate) bookmark: Option<PathBuf>,

    /// Go on with what is written from now on, also to rotated files; each event is written at once
    #[arg(long, help_heading = "What is read")]
    pub(crate) follow: bool,

    /// Read files wholly even where they are in the order of time and --since or --until would leave most of them out
    #[arg(long, help_heading = "What is read")]
    pub(crate) whole: bool,

    /// Look for one more class: lines that match REGEX; may be repeated, and goes before the configuration
    #[arg(
        long = "class",
        value_name = "NAME[:SEVERITY[:THRESHOLD]]=REGEX",
        value_parser = ClassFlag::parse,
        global = true,
        help_heading = "What is looked for"
    )]
    pub(crate) classes: Vec<ClassFlag>,

    /// More errors than this are high [default: 50]
    #[arg(long, value_name = "N", global = true, help_heading = "What is looked for")]
    pub max_errors: Option<u64>,

    /// Group all records by what they have in common, parameters shown as <*>
    #[arg(long, help_heading = "What is looked for")]
    pub(crate) templates: bool,

    /// Write events of these classes only (error,conflict,validation,security and added ones), or `none`
    #[arg(long, value_name = "CLASS,…", value_delimiter = ',', help_heading = "What is written")]
    pub events: Option<Vec<String>>,

    /// Write the last N events of each class, 100000 at most [default: 20 error, 10 conflict, 15 validation, 10 security,
    /// 10 others; 1000 of a class that --events names]
    #[arg(long, value_name = "N", help_heading = "What is written")]
    pub last: Option<usize>,

    /// Count each class and type by spans of time too: minute, hour, day, 15m, 6h, 7d, …
    #[arg(long, value_name = "SPAN", value_parser = by, help_heading = "What is written")]
    pub(crate) by: Option<Buckets>,

    /// Write only the N most frequent types of each class, and templates; the others are counted together
    #[arg(long, value_name = "N", help_heading = "What is written")]
    pub(crate) top: Option<usize>,

    /// Write which template each record belongs to (implies --templates)
    #[arg(long, help_heading = "What is written")]
    pub(crate) assign: bool,

    /// The flags that every tool has.
    #[command(flatten)]
    pub common: CommonArgs,
}

/// What to do instead of scanning.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Command {
    /// Fold the records of many hosts or parts into one result (to scan a folder of that name, write ./merge)
    Merge(MergeArgs),
}

/// Where the records of `merge` come from.
#[derive(Args, Clone, Debug)]
#[command(after_help = help::MERGE)]
pub(crate) struct MergeArgs {
    /// Files with records, or `-` for standard input [default: -]
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,

    /// So many runs should come in; fewer are unknown: a host that was not reached writes nothing at all
    #[arg(long, value_name = "N")]
    pub(crate) expect: Option<u64>,
}

impl Cli {
    /// Flags of the scan mean nothing to `merge`; clap would take them in silence.
    ///
    /// # Errors
    /// When there are such flags before a subcommand.
    pub(crate) fn refuse_misplaced_flags(&self) -> anyhow::Result<()> {
        let lists = !self.paths.is_empty() || self.events.is_some();
        let values = self.since.is_some() || self.until.is_some() || self.tz.is_some() || self.bookmark.is_some();
        let numbers = self.last.is_some() || self.by.is_some() || self.top.is_some();
        let switches = self.follow || self.whole || self.templates || self.assign;
        anyhow::ensure!(
            self.command.is_none() || !(lists || values || numbers || switches),
            "paths and the flags of a scan mean nothing to `merge`, which goes by --max-errors and --class only; leave them \
             out before it, or write ./merge for a folder of that name"
        );
        Ok(())
    }
}

fn when(text: &str) -> Result<When, String> {
    When::parse(text).ok_or_else(|| format!("expected {}", When::EXPECTED))
}

fn by(text: &str) -> Result<Buckets, String> {
    Buckets::parse(text).ok_or_else(|| format!("expected {}", Buckets::EXPECTED))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn cli(args: &[&str]) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(std::iter::once("pso-logscan").chain(args.iter().copied()))
    }

    #[test]
    fn the_flags_are_consistent() {
        Cli::command().debug_assert();
        assert!(cli(&["--by", "7m"]).is_err() && cli(&["--class", "oom"]).is_err());
    }

    #[test]
    fn tables_in_the_help_are_narrower_than_the_page() {
        for line in help::SCAN.lines().chain(help::MERGE.lines()) {
            let is_table = line.starts_with("   ") || line.trim_start().contains("  ");
            // Clap wraps at 100 columns, which would tear a table's columns apart.
            assert!(!is_table || line.chars().count() <= 98, "{line}");
        }
    }

    #[test]
    fn merge_is_a_command_and_may_be_a_folder() {
        let files = |args: &[&str]| {
            let cli = cli(args).expect("valid");
            cli.refuse_misplaced_flags().expect("nothing misplaced");
            cli.command.map(|Command::Merge(merge)| (merge.files.len(), cli.max_errors, cli.classes.len()))
        };
        assert_eq!(files(&["merge"]), Some((0, None, 0)));
        assert_eq!(files(&["--max-errors", "5", "merge", "a", "-"]), Some((2, Some(5), 0)));
        assert_eq!(files(&["merge", "--max-errors", "5", "--class", "oom=x"]), Some((0, Some(5), 1)));
        assert_eq!(files(&["./merge"]), None);
        assert_eq!(cli(&["--", "merge"]).expect("valid").paths, [PathBuf::from("merge")]);
        assert_eq!(cli(&["logs", "merge"]).expect("valid").paths.len(), 2);
        for misplaced in [&["--since", "1h", "merge"][..], &["--assign", "merge"], &["--top", "3", "merge"]] {
            let misplaced = cli(misplaced).expect("parsed");
            assert!(misplaced.command.is_some() && misplaced.refuse_misplaced_flags().is_err());
        }
        assert!(cli(&["merge", "--since", "1h"]).is_err());
    }
}
