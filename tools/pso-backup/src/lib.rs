//! `pso-backup`: one verified archive of the database, the vector store and the files; or none.
//!
//! - Reads: PostgreSQL (`pg_dump`, and row counts in the same snapshot), Qdrant (collections, aliases, snapshots),
//!   `config/*.yaml`, `scripts/`, `roadmaps/plans/`.
//! - Writes: `backups/daily/<YYYYMMDD_HHMMSS>.zip` with its `.sha256`, a line in `logs/backup.log`; removes archives
//!   past their retention. On stdout `backup.component` and `backup.archive` records.
//! - Exit codes: 0 published and read back, 1 with warnings, 2 failed (nothing was published; or an archive is damaged),
//!   3 nothing was attempted.
//!
//! ```text
//! pso-backup | pso-alert
//! ```

mod cli;
mod create;
mod files;
mod list;
mod log;
mod pending;
mod postgres;
mod qdrant;
mod retention;
mod settings;
mod verify;

use pso_common::record::{BackupArchiveRecord, BackupComponentRecord, Kind as _, Severity};
use pso_common::{Io, Tool};

pub use cli::Cli;
use cli::Command;
use settings::{Settings, folders};

/// What the frame of a run must know of this tool.
pub const TOOL: Tool = Tool {
    name: "pso-backup",
    version: env!("CARGO_PKG_VERSION"),
    kinds: &[BackupComponentRecord::KIND, BackupArchiveRecord::KIND],
};

/// Makes an archive, or lists or verifies those that are there.
///
/// # Errors
/// When nothing was attempted (exit code 3), or nothing was published (2); the message says which and why.
pub fn run(cli: Cli, io: &mut Io) -> anyhow::Result<Severity> {
    pso_common::run::session(&TOOL, &cli.common, io, |run| match cli.chosen()? {
        Command::Create(args) => {
            let settings = Settings::resolve(run.config(), &args)?;
            if run.printed_config()? {
                return Ok(());
            }
            create::create(run, &settings)
        }
        Command::List(args) => {
            let folders = folders(run.config(), args.to.as_deref())?;
            if run.printed_config()? {
                return Ok(());
            }
            list::list(run, &folders)
        }
        Command::Verify(args) => {
            let folders = folders(run.config(), args.to.as_deref())?;
            let bin_dir = settings::bin_dir(run.config())?;
            if run.printed_config()? {
                return Ok(());
            }
            verify::verify(run, &args.archive, &folders, bin_dir.as_deref())
        }
    })
}
