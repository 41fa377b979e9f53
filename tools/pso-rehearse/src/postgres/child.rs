//! Programs that have children of their own: all of them end with us, and before anything is removed.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use pso_common::io::Cancel;

/// How often we look whether it has ended.
const STEP: Duration = Duration::from_millis(10);
/// How long those that were killed may take to vanish.
const VANISH: Duration = Duration::from_secs(5);

/// How a program ended, and where its words are.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    /// What it wrote to stderr: its beginning, where the first error is.
    pub(super) said: String,
}

/// How much of a program's stderr is read, in bytes: what comes after that is what the first error has caused.
const SAID: u64 = 64 << 10;

/// Runs a program to its end; what it writes to stderr goes into the file `log`.
///
/// # Errors
/// When it cannot be started, or the run is to stop. Then it has ended, with all that it had started.
pub(super) fn run(mut command: Command, log: &Path, cancel: &Cancel) -> anyhow::Result<Ended> {
    let name = command.get_program().to_owned();
    let context = || format!("run {}", name.display());
    let file = File::create(log).with_context(|| format!("write {}", log.display()))?;
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file);
    lead_a_group(&mut command);
    let mut group = Group(command.spawn().with_context(context)?);
    let status = loop {
        if let Some(status) = group.0.try_wait().with_context(context)? {
            break status;
        }
        cancel.check()?;
        thread::sleep(STEP);
    };
    cancel.check()?;
    Ok(Ended { status, said: beginning(log, SAID)? })
}

/// The beginning of a file as text. It may lie where another user can put what he likes: a link is not followed, and a pipe not
/// waited for.
pub(super) fn beginning(path: &Path, most: u64) -> anyhow::Result<String> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    let mut options = File::options();
    options.read(true);
    #[cfg(unix)]
    {
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        let flags = i32::try_from(flags.bits()).unwrap_or_default();
        std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, flags);
    }
    let file = options.open(path).with_context(|| format!("read {}", path.display()))?;
    anyhow::ensure!(file.metadata().is_ok_and(|is| is.is_file()), "{} is no file", path.display());
    file.take(most).read_to_end(&mut bytes).with_context(|| format!("read {}", path.display()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A program that leads a process group. Nothing of the group is left when this is dropped.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        // Its id is its own as long as it was not waited for, and the group's as long as there is a member.
        pso_archive::end_all(&mut self.0);
        wait_for_group(self.0.id());
    }
}

/// Those who were killed may still be writing, into a folder that is about to be removed.
#[cfg(unix)]
fn wait_for_group(id: u32) {
    let Some(group) = i32::try_from(id).ok().and_then(rustix::process::Pid::from_raw) else { return };
    let deadline = Instant::now() + VANISH;
    while rustix::process::test_kill_process_group(group).is_ok() && Instant::now() < deadline {
        thread::sleep(STEP);
    }
}

#[cfg(not(unix))]
fn wait_for_group(_id: u32) {}

/// Makes the program the first of a process group, so that a signal to ours does not reach it, and all of it can be ended.
pub(super) fn lead_a_group(command: &mut Command) {
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    #[cfg(not(unix))]
    let _ = command;
}
