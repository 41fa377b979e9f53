//! `pso-backup`: one verified archive of the databases, the vector store and the files; or none.
//!
//! - Reads: PostgreSQL (`pg_dump`, row counts in the same snapshot, `pg_dumpall` for roles), Qdrant (collections, aliases,
//!   snapshots), `config/*.yaml`, `scripts/`, `roadmaps/plans/`.
//! - Writes: `backups/daily/<YYYYMMDD_HHMMSS>.zip` (`.zip.age` where it is encrypted) with its `.sha256` and `.json`, a
//!   copy in a second place, a line in `logs/backup.log`; removes archives past their retention. Runs the operator's
//!   hooks. On stdout `backup.component` and `backup.archive` records.
//! - Exit codes: 0 published and read back, 1 with warnings (an optional component is missing, a copy failed), 2 failed
//!   (nothing was published; or an archive is damaged), 3 nothing was attempted.
//!
//! ```text
//! pso-backup | pso-alert
//! ```

mod capture;
mod cli;
mod create;
mod destination;
mod files;
mod hooks;
mod list;
mod log;
mod pins;
mod postgres;
mod progress;
mod qdrant;
mod record;
mod retention;
mod settings;
mod space;
mod verify;

use pso_archive::verify::Depth;
use pso_common::record::{BackupArchiveRecord, BackupComponentRecord, Kind as _, Severity};
use pso_common::{Io, Run, Tool};

pub use cli::Cli;
use cli::{ArchiveKind, Command, PinArgs, PruneArgs, VerifyArgs};
use retention::{Confirmed, Policy, Trust};
use settings::{Settings, folders};

/// What the frame of a run must know of this tool.
pub const TOOL: Tool = Tool {
    name: "pso-backup",
    version: env!("CARGO_PKG_VERSION"),
    kinds: &[BackupComponentRecord::KIND, BackupArchiveRecord::KIND],
};

/// Makes an archive, or looks at, verifies, pins or prunes those that are there.
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
        Command::Verify(args) => verify(run, &args),
        Command::Prune(args) => prune(run, &args),
        Command::Pin(args, pinned) => pin(run, &args, pinned),
    })
}

fn verify(run: &mut Run<'_>, args: &VerifyArgs) -> anyhow::Result<()> {
    let folders = folders(run.config(), args.to.as_deref())?;
    let bin_dir = settings::bin_dir(run.config())?;
    let encryption = settings::encryption(run.config(), args.identity.clone())?;
    if run.printed_config()? {
        return Ok(());
    }
    let depth = match args.sample {
        Some(share) => Depth::Sample(whole_percent(share.0)),
        None if args.deep => Depth::Content,
        None => Depth::Packed,
    };
    let look = verify::Look { depth, identities: encryption.for_reading()?, bin_dir };
    verify::verify(run, args, &folders, &look)
}

/// From 1 to 100.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is between 1 and 100 by then")]
fn whole_percent(share: f64) -> u8 {
    share.ceil().clamp(1.0, 100.0) as u8
}

fn prune(run: &mut Run<'_>, args: &PruneArgs) -> anyhow::Result<()> {
    let folders = folders(run.config(), args.to.as_deref())?;
    let policy = |folder: &std::path::PathBuf| {
        let policy = Policy::resolve(run.config(), ArchiveKind::of_folder(folder), &args.retention)?;
        anyhow::Ok((folder.clone(), policy))
    };
    let series: Vec<_> = folders.iter().map(policy).collect::<Result<_, _>>()?;
    let restore_lock = settings::restore_lock(run.config())?;
    let encryption = settings::encryption(run.config(), None)?;
    if run.printed_config()? {
        return Ok(());
    }
    let trust = Trust { identities: encryption.for_reading()?, proven: None };
    retention::prune(run, &series, &restore_lock, &trust, Confirmed::by_flag(args).as_ref())
}

fn pin(run: &mut Run<'_>, args: &PinArgs, pinned: bool) -> anyhow::Result<()> {
    let folders = folders(run.config(), args.to.as_deref())?;
    if run.printed_config()? {
        return Ok(());
    }
    pins::set(run, &args.archive, &folders, pinned)
}
