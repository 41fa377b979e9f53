//! A run that is looked at while it runs: how long it took, how much memory each process needed, how much disk it held.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use walkdir::WalkDir;

/// How often is looked. The high-water mark of memory is the kernel's own, so only the very end can be missed.
const STEP: Duration = Duration::from_millis(50);

/// What a run needed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Watched {
    pub(crate) seconds: f64,
    /// The process's own `VmHWM` in bytes.
    pub(crate) memory: u64,
    /// The largest `VmHWM` of its children: `pg_dump`, `pg_restore`.
    pub(crate) children: u64,
    /// How much more than before lay in the folders at most, in bytes; files without a name that it held open included.
    pub(crate) disk: u64,
}

/// Runs a command to its end, which must be a success.
pub(crate) fn watched(command: &mut Command, folders: &[PathBuf]) -> Result<Watched> {
    let shown = format!("{command:?}");
    let output = tempfile::NamedTempFile::new().context("create a temporary file")?;
    let errors = output.reopen().context("open a temporary file")?;
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors);
    let before = held(folders);
    let started = Instant::now();
    let mut child = command.spawn().with_context(|| format!("run {shown}"))?;
    let mut watched = Watched::default();
    let status = loop {
        if let Some(status) = child.try_wait().with_context(|| format!("wait for {shown}"))? {
            break status;
        }
        let own = child.id();
        watched.memory = watched.memory.max(high_water(own));
        for id in descendants(own) {
            watched.children = watched.children.max(high_water(id));
        }
        watched.disk = watched.disk.max((held(folders) + nameless(own)).saturating_sub(before));
        std::thread::sleep(STEP);
    };
    watched.seconds = started.elapsed().as_secs_f64();
    watched.disk = watched.disk.max(held(folders).saturating_sub(before));
    ensure!(status.success(), "{shown} ended with {status}: {}", fs::read_to_string(output.path()).unwrap_or_default());
    Ok(watched)
}

/// A process's own `VmHWM` in bytes; 0 when it is gone.
pub(crate) fn high_water(id: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or_default() << 10
}

/// The processes that it has started, and theirs.
pub(crate) fn descendants(id: u32) -> Vec<u32> {
    let mut found = Vec::new();
    for task in fs::read_dir(format!("/proc/{id}/task")).into_iter().flatten().flatten() {
        let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
        for child in children.split_whitespace().filter_map(|text| text.parse().ok()) {
            found.push(child);
            found.extend(descendants(child));
        }
    }
    found
}

/// Bytes on the disk below the folders.
fn held(folders: &[PathBuf]) -> u64 {
    let files = folders.iter().flat_map(|folder| WalkDir::new(folder).into_iter().flatten());
    // What is renamed or removed meanwhile does not count.
    files.filter_map(|entry| entry.metadata().ok()).filter(fs::Metadata::is_file).map(|data| data.blocks() * 512).sum()
}

/// Bytes of files that a process holds open and that have no name any more.
fn nameless(id: u32) -> u64 {
    let open = fs::read_dir(Path::new("/proc").join(id.to_string()).join("fd")).into_iter().flatten().flatten();
    let data = open.filter_map(|entry| fs::metadata(entry.path()).ok());
    data.filter(|data| data.is_file() && data.nlink() == 0).map(|data| data.blocks() * 512).sum()
}
