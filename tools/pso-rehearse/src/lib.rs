//! `pso-rehearse`: proves a backup by restoring it somewhere harmless.
//!
//! - Reads: an archive, `latest`, or with `-` the last `backup.archive` record on stdin (all records are passed on);
//!   with `--trend` the results of earlier rehearsals.
//! - Writes: a private temporary folder that is removed at the end, and into `NAME.zip.json` beside the archive when it
//!   was rehearsed. On stdout `rehearse.component` and `rehearse.result` records.
//! - Exit codes: 0 it can be restored, 1 the same with warnings, 2 it cannot be restored, 3 it could not be told.
//!
//! The database goes into a PostgreSQL cluster that lives in that folder and nowhere else, each Qdrant snapshot into
//! Qdrant's own engine, in a process of its own. No configured server is ever connected to.
//!
//! ```text
//! pso-backup | pso-rehearse - | pso-alert
//! ```

mod cli;
mod files;
mod opened;
mod postgres;
mod proof;
mod qdrant;
mod rehearsal;
mod result;
mod scratch;
mod settings;
mod side_by_side;
mod task;
mod trend;
mod whole;

use anyhow::Context as _;
use pso_common::record::{Kind as _, RehearseComponentRecord, RehearseResultRecord, Severity};
use pso_common::{Io, Tool};

pub use cli::Cli;
use settings::Settings;

/// What the frame of a run must know of this tool.
pub const TOOL: Tool = Tool {
    name: "pso-rehearse",
    version: env!("CARGO_PKG_VERSION"),
    kinds: &[RehearseComponentRecord::KIND, RehearseResultRecord::KIND],
};

/// Restores an archive into a place of its own, and says what that proves.
///
/// # Errors
/// When nothing could be rehearsed (exit code 3): usage, configuration, no archive, no room.
pub fn run(cli: Cli, io: &mut Io) -> anyhow::Result<Severity> {
    if let Some(folder) = &cli.engine {
        return qdrant::child::serve(folder, io);
    }
    pso_common::run::session(&TOOL, &cli.common, io, |run| {
        let settings = Settings::resolve(run.config(), &cli)?;
        if run.printed_config()? {
            return Ok(());
        }
        let wanted = cli.archive.as_deref().context("name an archive, or `latest`")?;
        let path = pso_archive::wanted::find(run, wanted, &settings.folders)?;
        rehearsal::rehearse(run, &settings, result::Findings::of(&path))
    })
}
