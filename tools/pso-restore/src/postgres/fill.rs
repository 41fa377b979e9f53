//! Restoring a dump into a new database: definitions, then rows by several sessions, then indexes and constraints.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use pso_archive::custom::{Section, Toc, TocEntry};
use pso_archive::{Archive, Running, command};
use pso_common::Run;
use pso_common::postgres::PgSettings;
use tempfile::NamedTempFile;

use super::load::Load;
use super::target::APPLICATION;
use super::{PgPlan, feed, text};

/// Kinds of indexes that take much longer to make than others, as `CREATE INDEX` names them; and how much: a GIN index over
/// JSON took 20 times as long per byte of its table as a B-tree.
const SLOW: [&str; 3] = [" USING gin ", " USING gist ", " USING spgist "];
const SLOWER: u64 = 20;

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
    let (definitions, rest) = phases(&plan.list, toc);
    let program = Program { run, own, plan, folder };
    program.restore((toc.bytes(), None), &definitions, 1).context("make the tables")?;
    let load =
        Load { own, entry: &plan.entry, toc, statements: &statements(toc), large_objects: true, jobs: plan.jobs };
    let sizes = load.run(archive, run.cancel())?;
    let (bytes, length) = toc.bytes_with_sizes(&weights(toc, &sizes));
    program.restore((&bytes, Some(length)), &rest, plan.jobs).context("make the indexes and constraints")
}

/// Whether the rows of this dump can be loaded by us: each table's by a COPY.
pub(super) fn check(toc: &Toc) -> anyhow::Result<()> {
    for entry in toc.entries.iter().filter(|entry| entry.has_data) {
        let is_known = match entry.desc.as_str() {
            "TABLE DATA" => copy_statement(&entry.copy, &toc.encoding).is_some(),
            desc => desc == "BLOBS",
        };
        ensure!(is_known, "it holds {} {} in another form than COPY", entry.desc, entry.tag);
    }
    Ok(())
}

/// The statements that take the rows of the tables.
fn statements(toc: &Toc) -> BTreeMap<u32, Arc<str>> {
    let data = toc.entries.iter().filter(|entry| entry.has_data);
    data.filter_map(|entry| Some((entry.id, copy_statement(&entry.copy, &toc.encoding)?.into()))).collect()
}

/// The dump's own statement, with the dump's own encoding: that of the session stays as it is.
pub(super) fn copy_statement(copy: &str, encoding: &str) -> Option<String> {
    let head = copy.trim_end().strip_suffix("FROM stdin;").filter(|head| head.starts_with("COPY "))?;
    Some(format!("{head}FROM stdin WITH (ENCODING '{encoding}')"))
}

/// The list of what comes before the rows, and of what comes after them. Privileges come last: an owner may have taken
/// from himself what loading the rows needs.
fn phases(list: &str, toc: &Toc) -> (String, String) {
    let first: BTreeSet<u32> = toc
        .entries
        .iter()
        // The OIDs of large objects stand with the data since PostgreSQL 17.
        .filter(|entry| entry.section == Section::PreData || entry.desc == "BLOB METADATA")
        .map(|entry| entry.id)
        .collect();
    let loaded: BTreeSet<u32> = toc.entries.iter().filter(|entry| entry.has_data).map(|entry| entry.id).collect();
    let (mut before, mut after) = (String::new(), String::new());
    for line in list.lines() {
        let Some(id) = line.split(';').next().and_then(|id| id.parse::<u32>().ok()) else { continue };
        let phase = if first.contains(&id) { &mut before } else { &mut after };
        if !loaded.contains(&id) {
            phase.push_str(line);
            phase.push('\n');
        }
    }
    (before, after)
}

/// How much work the indexes of each table are, by the id of its data: `pg_restore --jobs` begins with those of the largest
/// table, which leaves one core without work at the end where a smaller table has an index of the slow kind.
fn weights(toc: &Toc, sizes: &BTreeMap<u32, u64>) -> BTreeMap<u32, u64> {
    let is_slow = |entry: &&TocEntry| entry.desc == "INDEX" && SLOW.iter().any(|kind| entry.definition.contains(kind));
    let slow: BTreeSet<u32> =
        toc.entries.iter().filter(is_slow).flat_map(|entry| entry.dependencies.iter().copied()).collect();
    let tables = toc.entries.iter().filter(|entry| slow.contains(&entry.id));
    let slow: BTreeSet<(&str, &str)> = tables.map(|entry| (entry.namespace.as_str(), entry.tag.as_str())).collect();
    let weight = |(id, size): (&u32, &u64)| {
        let is_slow = toc.entry(*id).is_some_and(|data| slow.contains(&(data.namespace.as_str(), data.tag.as_str())));
        // Only the order counts, and a file cannot be of any size.
        (*id, (if is_slow { size.saturating_mul(SLOWER) } else { *size } >> 10) + 1)
    };
    sizes.iter().map(weight).collect()
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
