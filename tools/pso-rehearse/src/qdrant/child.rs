//! The process in which the engine runs: what a corrupt snapshot can do, it does here.
//!
//! It reads its work from stdin, says what it finds on stdout, and ends when its stdin does: with the process that
//! started it, however that ended.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;

use anyhow::Context as _;
use pso_common::output::printable;
use pso_common::{Io, Severity};

use super::limits;
use super::message::{Said, Work};
use super::snapshot::{Fault, Snapshot};

/// Opens the snapshot that is named on stdin in `folder`, and writes what was found to stdout.
///
/// # Errors
/// When the work cannot be read, or nobody listens.
pub(crate) fn serve(folder: &Path, io: &mut Io) -> anyhow::Result<Severity> {
    let mut stdin = BufReader::new(std::mem::replace(&mut io.stdin, Box::new(std::io::empty())));
    let mut line = String::new();
    stdin.read_line(&mut line).context("read the work")?;
    let work: Work = serde_json::from_str(&line).context("read the work")?;
    std::thread::spawn(move || end_with(stdin));
    limits::limit_memory(work.memory).context("limit the memory")?;
    // What a panic says is part of what is found; nobody reads it here.
    panic::set_hook(Box::new(|_| {}));
    let cancel = io.cancel.clone();
    let stdout = &mut io.stdout;
    examine(&work, folder, true, &mut |said| {
        cancel.check()?;
        let mut line = serde_json::to_string(&said)?;
        line.push('\n');
        stdout.write_all(line.as_bytes())?;
        Ok(stdout.flush()?)
    })?;
    Ok(Severity::Ok)
}

/// Waits for the end of what it reads, and is the end of this process.
#[expect(clippy::exit, reason = "the engine may be in the middle of anything, and nobody is there to be told")]
fn end_with(mut stdin: impl Read) {
    let mut rest = [0; 64];
    while stdin.read(&mut rest).is_ok_and(|read| read > 0) {}
    std::process::exit(3);
}

/// Does the work; a panic of the engine is what it says of the snapshot. With `is_alone` this process does nothing else,
/// and may be limited.
///
/// # Errors
/// When nobody listens.
pub(super) fn examine(
    work: &Work,
    folder: &Path,
    is_alone: bool,
    say: &mut dyn FnMut(Said) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let folder = folder.canonicalize().context("look at the folder")?;
    let mut snapshot = Snapshot { work, folder: &folder, is_alone, say };
    let result = panic::catch_unwind(AssertUnwindSafe(|| snapshot.examine()));
    // Names of folders on this machine are nobody's business.
    let told = |text: String| {
        let here = format!("{}{}", folder.display(), std::path::MAIN_SEPARATOR);
        printable(&text.replace(&here, "")).into_owned()
    };
    let said = match result {
        Ok(Ok(())) => None,
        Ok(Err(Fault::File(error))) if super::blame::is_machines(&error) => Some(Said::Unclear(format!("{error:#}"))),
        Ok(Err(Fault::File(error))) => Some(Said::Broken(format!("{error:#}"))),
        Ok(Err(Fault::Engine(error))) => Some(Said::Refuted(format!("Qdrant's engine refuses it: {error:#}"))),
        Ok(Err(Fault::Server(error))) => Some(Said::Refuted(format!("a server refuses it: {error:#}"))),
        Ok(Err(Fault::Other(error))) => Some(Said::Unclear(format!("{error:#}"))),
        Err(payload) => {
            let text = payload.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("it does not say why");
            Some(if super::blame::is_machines_text(text) {
                Said::Unclear(format!("Qdrant's engine gave up: {text}"))
            } else {
                Said::Refuted(format!("Qdrant's engine panics on it: {text}"))
            })
        }
    };
    match said {
        Some(Said::Unclear(text)) => say(Said::Unclear(told(text)))?,
        Some(Said::Broken(text)) => say(Said::Broken(told(text)))?,
        Some(Said::Refuted(text)) => say(Said::Refuted(told(text)))?,
        _ => {}
    }
    say(Said::Done)
}
