//! What `pg_restore` says of a dump.

use std::io::Read as _;
use std::thread;

use anyhow::{Context as _, ensure};
use pso_common::io::{Cancel, Env};
use pso_common::postgres::Program;

use crate::process::{Running, command};
use crate::reader::Archive;

/// A table of contents longer than this is not one (bytes): some 300,000 objects.
const MAX_LIST_BYTES: u64 = 32 << 20;

/// The dump's table of contents, as `pg_restore --list` prints it.
///
/// # Errors
/// When `pg_restore` does not understand the dump, or the run is to stop.
pub fn dump_list(
    archive: &mut Archive,
    entry: &str,
    program: &Program,
    env: &Env,
    cancel: &Cancel,
) -> anyhow::Result<String> {
    let mut command = command(program, None, env);
    command.arg("--list");
    let mut running = Running::start(command, cancel, None)?;
    let stdout = running.take_stdout().context("pg_restore has no output")?;
    // It reads the table of contents to its end before it prints, and what it prints may be more than a pipe holds.
    let printed = thread::spawn(move || {
        let mut text = String::new();
        stdout.take(MAX_LIST_BYTES).read_to_string(&mut text).map(|_| text)
    });
    let mut stdin = running.take_stdin().context("pg_restore has no input")?;
    let mut reader = archive.entry(entry)?;
    // It stops reading after the table of contents, which is no error; one of its own it tells by its exit code.
    let _ = std::io::copy(&mut reader, &mut stdin);
    drop(stdin);
    running.finish().with_context(|| format!("read the table of contents of {entry}"))?;
    let text = printed.join().ok().context("read from pg_restore")?.context("read from pg_restore")?;
    ensure!((text.len() as u64) < MAX_LIST_BYTES, "the table of contents of {entry} is too long");
    Ok(text)
}
