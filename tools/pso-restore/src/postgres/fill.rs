//! Restoring a dump into a new database: definitions, then rows by several sessions, then indexes and constraints.

use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use pso_archive::custom::Toc;
use pso_archive::load::{self, Load};
use pso_archive::{Archive, Running, command};
use pso_common::Run;
use pso_common::postgres::PgSettings;
use tempfile::NamedTempFile;

use super::target::APPLICATION;
use super::{PgPlan, feed, text};

/// Restores everything that the plan lists.
///
/// `folder` is for files that nobody needs when this is killed.
pub(super) fn fill(
    run: &Run<'_>,
    own: &PgSettings,
    archive: &mut Archive,
    plan: &PgPlan,
    folder: &Path,
) -> anyhow::Result<()> {
    let result = match &plan.toc {
        _ if plan.is_text() => text::execute(own, archive, &plan.entry, run.cancel()),
        Some(toc) => in_parallel(run, own, archive, plan, (toc, folder)),
        None => piped(run, own, archive, plan, folder),
    };
    result.with_context(|| format!("restore into {}", own.dbname))
}

/// One `pg_restore` that reads the dump as it comes: what is understood always.
fn piped(run: &Run<'_>, own: &PgSettings, archive: &mut Archive, plan: &PgPlan, folder: &Path) -> anyhow::Result<()> {
    let list = listed(folder, &plan.list)?;
    let mut command = command(plan.pg_restore()?, Some((own, APPLICATION)), run.env());
    command.args(["--exit-on-error", "--no-password"]).arg("--use-list").arg(list.path());
    if !plan.keep_owners {
        command.arg("--no-owner");
    }
    let running = Running::start(command, run.cancel(), None)?;
    feed(archive, &plan.entry, running, run.cancel())
}

fn in_parallel(
    run: &Run<'_>,
    own: &PgSettings,
    archive: &mut Archive,
    plan: &PgPlan,
    (toc, folder): (&Toc, &Path),
) -> anyhow::Result<()> {
    let (before, after) = load::before_and_after(&plan.list, toc);
    let program = Program { run, own, plan, folder };
    program.restore((toc.bytes(), None), &before, 1).context("make the tables")?;
    let load = Load { own, application: APPLICATION, entry: &plan.entry, toc, jobs: plan.jobs };
    let loaded = load.run(archive, run.cancel())?;
    let (bytes, length) = load::definitions(toc, &loaded.sizes);
    program.restore((&bytes, Some(length)), &after, plan.jobs).context("make the indexes and constraints")
}

/// `pg_restore`, and what it works on.
struct Program<'a, 'io> {
    run: &'a Run<'io>,
    own: &'a PgSettings,
    plan: &'a PgPlan,
    folder: &'a Path,
}

impl Program<'_, '_> {
    /// Runs it on a file that is a dump without data.
    fn restore(&self, (toc, length): (&[u8], Option<u64>), list: &str, jobs: usize) -> anyhow::Result<()> {
        if list.is_empty() {
            return Ok(());
        }
        let mut file = NamedTempFile::new_in(self.folder).context("create a temporary file")?;
        file.write_all(toc).context("write the table of contents of the dump")?;
        if let Some(length) = length.filter(|_| cfg!(unix)) {
            // The size of the last table is what is between its offset and the end; elsewhere a hole would take room. It
            // only decides what is done first.
            let _ = file.as_file().set_len(length);
        }
        let list = listed(self.folder, list)?;
        let mut command = command(self.plan.pg_restore()?, Some((self.own, APPLICATION)), self.run.env());
        command.args(["--exit-on-error", "--no-password"]).arg("--use-list").arg(list.path());
        if jobs > 1 {
            command.arg(format!("--jobs={jobs}"));
        }
        if !self.plan.keep_owners {
            command.arg("--no-owner");
        }
        command.arg(file.path());
        Running::start(command, self.run.cancel(), None)?.finish()
    }
}

/// A list for `--use-list`.
pub(super) fn listed(folder: &Path, list: &str) -> anyhow::Result<NamedTempFile> {
    let mut file = NamedTempFile::new_in(folder).context("create a temporary file")?;
    file.write_all(list.as_bytes()).context("write the list of what to restore")?;
    Ok(file)
}
