//! What do the logs say: errors by type, unresolved conflicts, validation errors, security events, and what lines have
//! in common.
//!
//! Reads files, folders (`*.log` and their rotations, gzip and zstd too, UTF-8 or UTF-16) or, with `-`, lines on standard
//! input; without any of these the configured logs folder. It changes nothing but its own bookmark file.
//!
//! Writes `log.coverage` for each input (what was read of it, and what was not), `log.event` for the last lines of
//! each class, `log.count` for each class, each of its types and, with `--by`, each span of time, and with `--templates`
//! `log.template` and `log.line`. "0 errors" and "read nothing" do not look alike. `merge` folds the records of many runs.
//!
//! Exit codes: 0 ok or info · 1 unresolved conflicts, a class of its own beyond its threshold, a new template of errors ·
//! 2 more errors than `--max-errors` · 3 something that was asked for was not read, or a usage or configuration error.
//!
//! ```text
//! { pso-health; pso-pgstats advice; pso-logscan --since 24h logs; } | pso-alert
//! ```
//!
//! How it works: `pass` has `input` find and open the logs (`bookmark` says from where on), `scan` counts their lines with
//! what `stamps` and `search` know, `report` turns the tallies into records. `follow` does the same with lines as they come.

mod bookmark;
mod cli;
mod follow;
#[cfg(any(fuzzing, test))]
pub mod fuzzing;
mod input;
mod merge;
mod pass;
mod report;
mod scan;
mod search;
mod settings;
mod stamps;
mod templates;

#[cfg(test)]
mod tests;

use std::sync::atomic::Ordering;

use pso_common::output::Format;
use pso_common::record::{
    Kind as _, LogCountRecord, LogCoverageRecord, LogEventRecord, LogLineRecord, LogTemplateRecord,
};
use pso_common::{Io, Severity, Tool};

use crate::cli::Command;
use crate::input::chunks::Sizes;
use crate::settings::{MergeSettings, Settings};

pub use crate::cli::Cli;

/// What the frame of a run must know of this tool.
pub const TOOL: Tool = Tool {
    name: "pso-logscan",
    version: env!("CARGO_PKG_VERSION"),
    kinds: &[
        LogEventRecord::KIND,
        LogCountRecord::KIND,
        LogTemplateRecord::KIND,
        LogLineRecord::KIND,
        LogCoverageRecord::KIND,
    ],
};

/// Threads beyond this many do not pay: they wait for the memory, not for each other.
const MAX_THREADS: usize = 8;

/// Scans the logs that `cli` names.
///
/// # Errors
/// When the configuration is bad, a signal asked to stop, or stdout cannot be written. A log that cannot be read is no
/// error but a `log.coverage` record of severity `unknown`.
pub fn run(cli: Cli, io: &mut Io) -> anyhow::Result<Severity> {
    let refused = bookmark::watch::watch(&mut io.stdout);
    let at_once = cli.common.format.resolve(io.stdout_is_terminal) == Format::Jsonl;
    let mut bookmark = None;
    let severity = pso_common::run::session(&TOOL, &cli.common, io, |run| {
        cli.refuse_misplaced_flags()?;
        if let Some(Command::Merge(args)) = &cli.command {
            let settings = MergeSettings::resolve(&cli, run.config())?;
            return if run.printed_config()? { Ok(()) } else { merge::run(run, args, &settings) };
        }
        let settings = Settings::resolve(&cli, run.config(), run.now())?;
        if run.printed_config()? {
            return Ok(());
        }
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS);
        bookmark = if settings.follow {
            follow::follow(run, &settings, Sizes::default(), at_once)?
        } else {
            pass::scan_all(run, &settings, Sizes::default(), threads)?
        };
        Ok(())
    })?;
    // A record that nobody has taken is to be told again.
    if let Some(bookmark) = bookmark.filter(|_| !refused.load(Ordering::Relaxed)) {
        bookmark.commit()?;
    }
    Ok(severity)
}
