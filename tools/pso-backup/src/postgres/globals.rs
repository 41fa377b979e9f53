//! What belongs to the cluster and to no database: roles without their passwords, memberships, tablespaces.

use std::io::Read as _;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use pso_archive::{ArchiveWriter, Entry, NewEntry, Packing, Running, command};
use pso_common::Run;
use pso_common::postgres::{PgSettings, Program, find_program};
use pso_common::record::Component;

use super::APPLICATION;

const ENTRY: &str = "postgres/globals.sql";
/// More is no list of roles (bytes).
const MAX_BYTES: u64 = 16 << 20;

/// Lets `pg_dumpall` write them, into memory: where the role may not, the archive knows nothing of it.
pub(super) fn read(
    settings: &PgSettings,
    pg_dump: &Program,
    stall: Duration,
    run: &Run<'_>,
) -> anyhow::Result<Vec<u8>> {
    let (env, cancel) = (run.env().clone(), run.cancel().clone());
    let folder = pg_dump.path.parent().filter(|folder| !folder.as_os_str().is_empty());
    // It insists on a pg_dump of its own version beside it.
    let program = find_program("pg_dumpall", pg_dump.major, folder.or(settings.bin_dir.as_deref()), &env)?;
    let mut command = command(&program, Some((settings, APPLICATION)), &env);
    // The database in the connection string does not count for it.
    command.args(["--globals-only", "--no-role-passwords", "--no-password"]).arg("--database").arg(&settings.dbname);
    let mut running = Running::start(command, &cancel, Some(stall))?;
    let stdout = running.take_stdout().context("pg_dumpall has no output")?;
    let mut text = Vec::new();
    stdout.take(MAX_BYTES + 1).read_to_end(&mut text).context("read from pg_dumpall")?;
    ensure!(text.len() as u64 <= MAX_BYTES, "pg_dumpall wrote more than {} MiB", MAX_BYTES >> 20);
    running.finish()?;
    Ok(text)
}

/// Stores them.
pub(super) fn add(
    settings: &PgSettings,
    text: &[u8],
    packing: Packing,
    archive: &mut ArchiveWriter,
    run: &Run<'_>,
) -> anyhow::Result<Entry> {
    let new = NewEntry {
        name: ENTRY.to_owned(),
        component: Component::Postgres,
        source: settings.shown(),
        captured_at: run.now(),
        modified_at: None,
        mode: None,
        packing,
    };
    let (entry, ()) = archive.add(new, |out| Ok(out.write_all(text)?))?;
    Ok(entry)
}
