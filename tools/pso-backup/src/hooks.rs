//! Runs the operator's own commands around a backup. What they print goes to our stderr, never among the records.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Read};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use pso_archive::end_all;
use pso_common::config::CommandLine;
use pso_common::io::Cancel;
use pso_common::output::printable;
use pso_common::{Run, Severity};

use crate::settings::Hooks;

const STEP: Duration = Duration::from_millis(20);
/// How long what a hook has left behind may hold its pipes open.
const AFTER: Duration = Duration::from_millis(500);
/// So many lines wait to be told; then whoever prints them waits.
const LINES: usize = 256;
/// A longer line is told in pieces (bytes).
const LINE_BYTES: u64 = 4096;

impl Hooks {
    /// Runs `before`.
    ///
    /// # Errors
    /// When it fails, takes too long, or the run is to stop.
    pub(crate) fn before(&self, run: &mut Run<'_>) -> anyhow::Result<()> {
        let Some(command) = &self.before else { return Ok(()) };
        let cancel = run.cancel().clone();
        self.run(run, "before", command, &[("PSO_BACKUP_STATUS", "starting".into())], &cancel)
    }

    /// Runs `after_success`; its failure is a warning, because there is an archive.
    pub(crate) fn after_success(&self, run: &mut Run<'_>, archive: &Path, status: Severity) {
        let status = if status >= Severity::Warning { "warning" } else { "success" };
        let env = [("PSO_BACKUP_STATUS", status.into()), ("PSO_BACKUP_ARCHIVE", archive.into())];
        self.after(run, "after_success", self.after_success.as_ref(), &env);
    }

    /// Runs `after_failure`; its own failure is one more warning.
    pub(crate) fn after_failure(&self, run: &mut Run<'_>) {
        self.after(run, "after_failure", self.after_failure.as_ref(), &[("PSO_BACKUP_STATUS", "failed".into())]);
    }

    fn after(&self, run: &mut Run<'_>, name: &str, command: Option<&CommandLine>, env: &[(&str, OsString)]) {
        let Some(command) = command else { return };
        // The signal that ended the backup does not keep the service from being let go.
        if let Err(error) = self.run(run, name, command, env, &Cancel::default()) {
            run.warn(format_args!("{error:#}"));
            run.note(Severity::Warning);
        }
    }

    fn run(
        &self,
        run: &mut Run<'_>,
        name: &str,
        command: &CommandLine,
        env: &[(&str, OsString)],
        cancel: &Cancel,
    ) -> anyhow::Result<()> {
        run.progress(format_args!("hook {name}: {command}"));
        let key = format!("maintenance.backup.hooks.{name}");
        let status = supervise(run, name, command.command(), env, self.timeout, cancel)
            .with_context(|| format!("run the hook {name} ({key})"))?;
        ensure!(status.success(), "the hook {name} failed ({status}); see above what it said, and {key}");
        Ok(())
    }
}

/// Runs it to its end, telling what it prints line by line.
fn supervise(
    run: &mut Run<'_>,
    name: &str,
    mut command: Command,
    env: &[(&str, OsString)],
    timeout: Duration,
    cancel: &Cancel,
) -> anyhow::Result<ExitStatus> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // What an outer backup may have said.
    command.env_remove("PSO_BACKUP_ARCHIVE").env_remove("PSO_BACKUP_STATUS").envs(env.iter().cloned());
    // A Ctrl-C is for us; and what it has started can be ended with it.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut child = command.spawn().context("start it")?;
    let (sender, lines) = mpsc::sync_channel(LINES);
    read_lines(child.stdout.take(), sender.clone());
    read_lines(child.stderr.take(), sender);
    let started = Instant::now();
    let status = loop {
        tell(run, name, &lines, STEP);
        if let Some(status) = child.try_wait().context("wait for it")? {
            break status;
        }
        if let Err(cancelled) = cancel.check() {
            end_all(&mut child);
            bail!(cancelled);
        }
        if started.elapsed() >= timeout {
            end_all(&mut child);
            bail!("it did not end within {timeout:?} and was stopped; see maintenance.backup.hooks.timeout");
        }
    };
    tell(run, name, &lines, AFTER);
    Ok(status)
}

/// Tells the lines that come within `limit`; returns soon when no more can come.
fn tell(run: &mut Run<'_>, name: &str, lines: &Receiver<String>, limit: Duration) {
    let until = Instant::now() + limit;
    // One that never stops printing has an end all the same.
    while Instant::now() < until {
        match lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(line) => run.warn(format_args!("hook {name}: {}", printable(&line))),
            Err(RecvTimeoutError::Timeout) => return,
            Err(RecvTimeoutError::Disconnected) => {
                // Nothing is left to wait for but its end.
                thread::sleep(until.saturating_duration_since(Instant::now()).min(STEP));
                return;
            }
        }
    }
}

fn read_lines(pipe: Option<impl Read + Send + 'static>, lines: SyncSender<String>) {
    let Some(pipe) = pipe else { return };
    thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        let mut line = Vec::new();
        while matches!(pipe.by_ref().take(LINE_BYTES).read_until(b'\n', &mut line), Ok(read) if read > 0) {
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            line.clear();
            if lines.send(text).is_err() {
                return;
            }
        }
    });
}
