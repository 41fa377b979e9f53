//! `pso-prune`: deletes what is past its retention, and lets the database and the vector store tidy up.
//!
//! - Reads: PostgreSQL, Qdrant, the log folders, what is noted of the archives in `backups/`.
//! - Writes: removes rows, log files, snapshots and temporary files; compresses logs; `VACUUM (ANALYZE)`; Qdrant's
//!   optimiser. On stdout `prune.step` records: the whole plan first, then what was done.
//! - Exit codes: 0 done (or only planned), 1 with warnings, 2 a step failed, 3 nothing was attempted, or a part could not be
//!   looked at.
//!
//! The parts know nothing of one another: each is planned without changing anything, then, with consent and only where a
//! verified backup is recent, done. A part that cannot be planned keeps none of the others from being done.
//!
//! ```text
//! pso-prune --yes | pso-alert
//! ```

mod backup;
mod cleaning;
mod cli;
mod lock;
mod logs;
mod qdrant;
mod rows;
mod settings;
mod step;
mod tmp;
mod vacuum;

use pso_common::record::{Kind as _, PruneStepRecord, Severity};
use pso_common::run::Intent;
use pso_common::{Io, Tool};

pub use cli::Cli;
use settings::Settings;

/// What the frame of a run must know of this tool.
pub const TOOL: Tool = Tool { name: "pso-prune", version: env!("CARGO_PKG_VERSION"), kinds: &[PruneStepRecord::KIND] };

/// Plans the parts that were asked for, and does them where that is wanted.
///
/// # Errors
/// When nothing was attempted (exit code 3): usage, configuration, no recent backup, no consent.
pub fn run(cli: Cli, io: &mut Io) -> anyhow::Result<Severity> {
    pso_common::run::session(&TOOL, &cli.common, io, |run| {
        let settings = Settings::resolve(run.config(), &cli)?;
        if run.printed_config()? {
            return Ok(());
        }
        let intent = Intent::of(cli.dry_run, cli.yes, run, true);
        cleaning::clean(run, &settings, intent)
    })
}
