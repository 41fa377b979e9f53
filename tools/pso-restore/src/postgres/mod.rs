//! The database: restored beside the old one and swapped by renaming, or, where that is not possible, in place in one
//! transaction that is committed when everything else is back.

mod beside;
mod check;
mod fill;
mod globals;
mod in_place;
mod place;
mod plan;
mod present;
mod properties;
mod swap;
mod tables;
mod target;
mod text;
mod toc;

use std::io;
use std::path::PathBuf;

use anyhow::Context as _;
use pso_archive::{Archive, Database, Entry, Running, custom, private_folder};
use pso_common::Run;
use pso_common::io::Cancel;
use pso_common::postgres::{PgSettings, Program};
use pso_common::record::Component;

use crate::journal::{Journal, Swap};
use crate::settings::STAGED;
use crate::steps::Step;
use in_place::InPlace;
pub(crate) use in_place::{Uncertain, is_committed, roll_back, take_back_commit};
pub(crate) use place::{drop_kept, kept, local_data_folder, system_identifier};
pub(crate) use plan::plan;
use plan::{choose, shortened};
pub(crate) use present::present;
pub(crate) use swap::{drop_unfinished, finish_swap, has_swapped, rename_back};
pub(crate) use tables::plan_tables;
use target::Shape;

/// The longest name of a database in bytes; PostgreSQL cuts longer ones off.
const MAX_NAME_BYTES: usize = 63;

/// What is to be done with the database.
pub(crate) struct PgPlan {
    /// The database that will hold the content of the archive.
    pub(crate) database: String,
    pub(crate) strategy: Strategy,
    /// Whether objects get the owners that they had; only a superuser can do that. Else they belong to the role.
    pub(crate) keep_owners: bool,
    /// What somebody should know first.
    warning: Option<String>,
    /// Objects of the dump that are not restored.
    pub(crate) left_out: Vec<String>,
    source: Database,
    entry: Entry,
    /// For `pg_restore --use-list`.
    list: String,
    /// The dump's table of contents, where its rows can be loaded by several sessions.
    toc: Option<custom::Toc>,
    /// How many sessions load rows and make indexes at once.
    jobs: usize,
    /// Absent where the dump is SQL.
    pg_restore: Option<Program>,
}

/// How the database gets its new content.
pub(crate) enum Strategy {
    /// Into a new database, which then gets the name.
    Beside {
        new: String,
        /// The name that the old one is kept under; absent when there is none.
        kept: Option<String>,
        shape: Shape,
    },
    /// In one transaction, where a database beside the old one is not possible, and why not.
    InPlace { psql: Program, reason: String },
}

/// The new content, complete and compared, and not yet to be seen by anybody.
pub(crate) enum Prepared {
    Beside(Swap),
    InPlace(InPlace),
}

impl PgPlan {
    /// Whether the dump is SQL.
    const fn is_text(&self) -> bool {
        self.pg_restore.is_none()
    }

    fn pg_restore(&self) -> anyhow::Result<&Program> {
        self.pg_restore.as_ref().context("the dump is SQL, which pg_restore does not read")
    }

    /// Bytes of the dump.
    pub(crate) const fn size(&self) -> u64 {
        self.entry.size
    }

    /// How the database gets its new content, without names that change from run to run.
    pub(crate) const fn way(&self) -> &'static str {
        match self.strategy {
            Strategy::Beside { .. } => "beside",
            Strategy::InPlace { .. } => "in place",
        }
    }

    /// What somebody should know before, and do if nothing is restored.
    pub(crate) fn warning(&self) -> Option<&str> {
        self.warning.as_deref()
    }

    /// The steps that this plan will take.
    pub(crate) fn steps(&self) -> Vec<Step> {
        let rows = self.source.rows.values().sum();
        let step = |name| Step::new(name, Component::Postgres, self.database.as_str());
        let (restore, swap) = match &self.strategy {
            Strategy::Beside { new, kept: Some(kept), .. } => (
                format!("into the new database {new}, beside the one that is there"),
                format!("sessions are ended; the one that is there is kept as {kept}"),
            ),
            Strategy::Beside { new, kept: None, .. } => {
                (format!("into the new database {new}"), "there is no such database yet".to_owned())
            }
            Strategy::InPlace { reason, .. } => (
                format!("in place, in one transaction that keeps others out until its end: {reason}"),
                "what is there is replaced and not kept; other tables are left alone".to_owned(),
            ),
        };
        let mut notes: Vec<String> = self.warning.iter().cloned().chain([restore]).collect();
        if !self.left_out.is_empty() {
            notes.push(format!("without {}", self.left_out.join(", ")));
        }
        vec![step("restore").rows(rows).size(self.entry.size).says(notes.join("; ")), step("swap").says(swap)]
    }

    /// Brings the content into the server where nobody sees it yet, and compares it. The journal knows what it does.
    pub(crate) fn prepare(
        &self,
        run: &mut Run<'_>,
        settings: &PgSettings,
        archive: &mut Archive,
        journal: &mut Journal,
    ) -> anyhow::Result<Prepared> {
        let settings = &settings.with_dbname(&self.database);
        match &self.strategy {
            Strategy::Beside { new, kept, shape } => {
                let names = beside::Names { new, kept: kept.as_deref(), shape };
                beside::prepare(run, settings, archive, self, &names, journal).map(Prepared::Beside)
            }
            Strategy::InPlace { psql, .. } => {
                in_place::prepare(run, settings, archive, self, psql, journal).map(Prepared::InPlace)
            }
        }
    }
}

/// Makes the new content the databases'. What is committed in place comes last, because unlike a renaming it cannot be
/// undone. A failure leaves the rest to the journal.
pub(crate) fn switch(
    run: &mut Run<'_>,
    settings: &PgSettings,
    prepared: Vec<Prepared>,
    journal: &mut Journal,
) -> anyhow::Result<()> {
    let mut swaps = Vec::new();
    let mut transactions = Vec::new();
    for one in prepared {
        match one {
            Prepared::Beside(swap) => swaps.push(swap),
            Prepared::InPlace(transaction) => transactions.push(transaction),
        }
    }
    swap::switch(run, settings, journal, swaps)?;
    transactions.into_iter().try_for_each(|transaction| {
        let settings = settings.with_dbname(transaction.database());
        transaction.switch(run, &settings, journal)
    })
}

/// A folder for what nobody needs when the restore is killed; whoever ends it removes it.
fn scratch(journal: &Journal) -> anyhow::Result<PathBuf> {
    let work = journal.begun().work.first().context("a restore without a folder")?;
    let folder = work.join(STAGED).join(Component::Postgres.as_str());
    private_folder(&folder).with_context(|| format!("create {}", folder.display()))?;
    Ok(folder)
}

/// Feeds a dump to `pg_restore` and waits for its end.
fn feed(archive: &mut Archive, entry: &Entry, mut running: Running, cancel: &Cancel) -> anyhow::Result<()> {
    let mut stdin = running.take_stdin().context("pg_restore has no input")?;
    let fed = archive.copy(entry, &mut stdin, cancel);
    drop(stdin);
    // If it failed, its own words say more than the pipe that broke.
    running.finish()?;
    match fed {
        Err(error) if is_broken_pipe(&error) => Ok(()),
        fed => fed,
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    causes.any(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
