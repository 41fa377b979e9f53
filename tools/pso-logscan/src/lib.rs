//! What do the logs say: errors by type, unresolved conflicts, validation errors, security events.
//!
//! Reads files, folders (`*.log` and their rotations, gzip too, UTF-8 or UTF-16) or, with `-`, lines on standard
//! input; without any of these the configured logs folder. It changes nothing.
//!
//! Writes `log.coverage` for each input (what was read of it, and what was not), `log.event` for the last lines of
//! each class, and `log.count` for each class and each of its types. "0 errors" and "read nothing" do not look alike.
//!
//! Exit codes: 0 ok or info · 1 unresolved conflicts · 2 more errors than `--max-errors` · 3 something that was asked
//! for was not read, or a usage or configuration error.
//!
//! ```text
//! { pso-health; pso-pgstats advice; pso-logscan --since 24h logs; } | pso-alert
//! ```
//!
//! How it works: `files` finds the inputs, `open` makes `chunks` of whole lines of each, `pipeline` has several threads
//! `scan` them and adds up their `tally` in order, `report` turns that into records.

mod cli;
mod input;
mod report;
mod scan;
mod search;
mod settings;
mod stamps;

#[cfg(test)]
mod tests;

use pso_common::record::{Kind as _, LogCountRecord, LogCoverageRecord, LogEventRecord};
use pso_common::{Io, Run, Severity, Tool};

use crate::input::chunks::Sizes;
use crate::input::files::Found;
use crate::input::{files, open};
use crate::report::Extent;
use crate::scan::Rules;
use crate::scan::pipeline::{self, Job};
use crate::scan::tally::{Counts, FileTally};
use crate::search::finder::Finder;
use crate::settings::Settings;
use crate::stamps::reader::Reader;

pub use crate::cli::Cli;

/// What the frame of a run must know of this tool.
pub const TOOL: Tool = Tool {
    name: "pso-logscan",
    version: env!("CARGO_PKG_VERSION"),
    kinds: &[LogEventRecord::KIND, LogCountRecord::KIND, LogCoverageRecord::KIND],
};

/// Threads beyond this many do not pay: they wait for the memory, not for each other.
const MAX_THREADS: usize = 8;

/// Scans the logs that `cli` names.
///
/// # Errors
/// When the configuration is bad, a signal asked to stop, or stdout cannot be written. A log that cannot be read is no
/// error but a `log.coverage` record of severity `unknown`.
pub fn run(cli: Cli, io: &mut Io) -> anyhow::Result<Severity> {
    pso_common::run::session(&TOOL, &cli.common, io, |run| {
        let settings = Settings::resolve(&cli, run.config(), run.now())?;
        if run.printed_config()? {
            return Ok(());
        }
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS);
        scan_all(run, settings, Sizes::default(), threads)
    })
}

fn scan_all(run: &mut Run<'_>, settings: Settings, sizes: Sizes, threads: usize) -> anyhow::Result<()> {
    let rules = Rules { finder: Finder::new()?, window: settings.window, keep: settings.events.clone() };
    let reader = Reader { zone: settings.zone.0 };
    let inputs = files::find(&settings.paths);
    let (mut counts, mut extent) = (Counts::default(), Extent::default());
    for (file, found) in inputs.iter().enumerate() {
        let opened = match found {
            Found::Not { severity, reason, .. } => {
                extent.unread += u64::from(*severity == Severity::Unknown);
                report::unread(run, found.shown(), None, *severity, reason.clone())?;
                continue;
            }
            Found::Stdin => open::stream(Box::new(run.take_stdin()), sizes).map(|input| (input, None)),
            Found::File(path) => open::file(path, sizes, run.cancel()),
        };
        let (input, size) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                extent.unread += 1;
                let reason = format!("it cannot be read: {error}");
                report::unread(run, found.shown(), found.size(), Severity::Unknown, reason)?;
                continue;
            }
        };
        // What fits a chunk is counted before a second thread would have begun.
        let threads = if size.is_some_and(|size| size <= sizes.chunk as u64) { 1 } else { threads };
        let before = FileTally::default();
        let job = Job { chunks: input.chunks(), file, rules: &rules, reader: &reader, before, threads };
        let outcome = pipeline::count(job, run.cancel(), &mut counts)?;
        extent.read += 1;
        extent.lines += outcome.tally.lines;
        extent.inside += outcome.tally.lines - outcome.tally.outside;
        let severity = report::coverage(run, found.shown(), size, input.read_bytes(), &outcome, &settings)?;
        extent.unread += u64::from(severity == Severity::Unknown);
    }
    let paths: Vec<String> = inputs.iter().map(Found::shown).collect();
    report::classes(run, counts, &paths, extent, &settings)
}
