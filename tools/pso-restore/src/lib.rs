//! `pso-restore`: puts an archive back, all or part, or says what it would do.
//!
//! - Reads: an archive, `latest`, or with `-` the last `backup.archive` record on stdin (all records are passed on).
//! - Writes: PostgreSQL, Qdrant, `config/*.yaml`, `scripts/`, `roadmaps/plans/`; what it replaces is kept. On stdout
//!   `restore.plan` and `restore.step` records.
//! - Exit codes: 0 restored and compared (or only planned), 1 with warnings, 2 failed and undone, 3 nothing attempted.
//!
//! What it is about to do stands in a journal first, so that a restore that was killed is undone (`--rollback`) or brought
//! to its end (`--resume`) by another run. It stays with what was replaced, so that `--rollback TIME` takes back the
//! last restore too, until `--drop-previous` removes what restores have kept.
//!
//! Nothing is touched before the whole archive was compared with its manifest and every target answers. The database is
//! restored beside the old one and swapped by renaming; where that is not possible, in one transaction.
//! `--table` puts single tables into a schema of their own beside what is there. Archives of the specification's own
//! `backup-daily.ps1`, which carry no manifest, are restored too, with a warning.
//!
//! ```text
//! pso-backup | pso-restore - --dry-run
//! ```

mod apply;
mod cli;
mod files;
mod finished;
mod health;
mod journal;
mod lock;
mod plan;
mod postgres;
mod present;
mod previous;
mod qdrant;
mod service;
mod settings;
mod source;
mod space;
mod steps;
mod tables;
mod unfinished;

use anyhow::Context as _;
use pso_common::record::{Kind as _, RestorePlanRecord, RestoreStepRecord, Severity};
use pso_common::run::Intent;
use pso_common::{Io, Tool};

pub use cli::Cli;
use plan::Detail;
use settings::Settings;

/// What the frame of a run must know of this tool.
pub const TOOL: Tool = Tool {
    name: "pso-restore",
    version: env!("CARGO_PKG_VERSION"),
    kinds: &[RestorePlanRecord::KIND, RestoreStepRecord::KIND],
};

/// Plans a restore, and carries it out where that was asked for.
///
/// # Errors
/// When nothing was attempted (exit code 3), or the restore failed and was undone (2); the message says which and why.
pub fn run(cli: Cli, io: &mut Io) -> anyhow::Result<Severity> {
    pso_common::run::session(&TOOL, &cli.common, io, |run| {
        let settings = Settings::resolve(run.config(), &cli)?;
        if run.printed_config()? {
            return Ok(());
        }
        let intent = Intent::of(cli.dry_run, cli.yes, run, cli.archive.as_deref() != Some("-"));
        if intent != Intent::Show {
            // A reader that leaves must not end it in the middle, nor before it has begun: that would look like success.
            run.must_finish();
        }
        if cli.resume {
            return unfinished::resume(run, settings, intent);
        }
        if let Some(which) = &cli.rollback {
            return match which {
                None => unfinished::roll_back(run, &settings, intent),
                Some(time) => finished::roll_back(run, &settings, time, intent),
            };
        }
        if cli.drop_previous {
            return previous::drop_previous(run, &settings, intent);
        }
        let wanted = cli.archive.as_deref().context("name an archive, or `latest`")?;
        let path = pso_archive::wanted::find(run, wanted, &settings.backup_folders())?;
        let _lock = lock::take(&settings, intent)?;
        unfinished::refuse(&settings, intent)?;
        let mut archive = source::open(run, &settings, &path)?;
        if !cli.table.is_empty() {
            return tables::restore(run, &settings, &mut archive, &cli.table, intent);
        }
        let detail = if cli.dry_run || cli.plan_hash.is_some() { Detail::Hashed } else { Detail::Usual };
        let plan = plan::plan(run, &settings, &mut archive, detail)?;
        plan.emit(run)?;
        plan.ensure_hash(cli.plan_hash.as_deref())?;
        match intent.confirm(run, &plan.question())? {
            Some(consent) => apply::apply(run, &settings, &mut archive, &plan, consent),
            None => Ok(()),
        }
    })
}
