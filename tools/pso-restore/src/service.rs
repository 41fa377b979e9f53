//! The service's own stop and start commands around the switch.

use std::io;
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use pso_archive::end_all;
use pso_common::config::{CommandField, CommandLine, Config, Field};
use pso_common::io::Cancel;
use pso_common::{Run, Severity};
use serde::{Deserialize, Serialize};

use crate::journal::{Action, Journal, undisturbed};
use crate::settings::Settings;
use crate::steps::Step;

/// How often a command is looked at.
const STEP: Duration = Duration::from_millis(20);

/// `maintenance.restore.service`.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ServiceSection {
    stop: CommandField,
    start: CommandField,
    timeout: Field,
}

/// How the service is stopped before the switch and started after it. The journal keeps them, because the restore may
/// replace the configuration that they come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Commands {
    stop: CommandLine,
    start: CommandLine,
    timeout: Duration,
}

impl Commands {
    pub(crate) fn resolve(config: &Config, section: Option<&ServiceSection>) -> anyhow::Result<Option<Self>> {
        let Some(section) = section else { return Ok(None) };
        let key = |name: &str| format!("maintenance.restore.service.{name}");
        let stop = config.pick(key("stop")).file_command(&section.stop).optional()?;
        let start = config.pick(key("start")).file_command(&section.start).optional()?;
        let timeout = config.pick(key("timeout")).file(&section.timeout).or(Duration::from_secs(60))?;
        match (stop, start) {
            (Some(stop), Some(start)) => Ok(Some(Self { stop, start, timeout })),
            (None, None) => Ok(None),
            (stop, _) => {
                let missing = key(if stop.is_none() { "stop" } else { "start" });
                bail!("{missing} is missing: what is stopped must be started again; give both commands, or none")
            }
        }
    }

    pub(crate) fn stop_step(&self) -> Step {
        Step::new("stop", None, "service").says(self.stop.to_string())
    }

    pub(crate) fn start_step(&self) -> Step {
        Step::new("start", None, "service").says(self.start.to_string())
    }

    /// Stops the service. From here on it is started again whatever happens.
    pub(crate) fn stop(&self, run: &mut Run<'_>, settings: &Settings, journal: &mut Journal) -> anyhow::Result<()> {
        let id = journal.will(Action::Stop(self.clone()))?;
        let cancel = run.cancel().clone();
        self.stop_step()
            .run(run, |_, _| execute(&self.stop, settings, self.timeout, &cancel).context("stop the service"))?;
        journal.did(id)
    }

    /// Starts it. That this fails undoes nothing, and somebody has to look at it at once.
    pub(crate) fn start(&self, run: &mut Run<'_>, settings: &Settings) -> anyhow::Result<()> {
        let (step, started) = (self.start_step(), Instant::now());
        run.progress(format_args!("start service"));
        match execute(&self.start, settings, self.timeout, &undisturbed()) {
            Ok(()) => step.done(run, started),
            Err(error) => {
                let message = format!("the service was not started: {error:#}; run: {}", self.start);
                run.warn(&message);
                step.failed(run, Severity::Critical, &message)
            }
        }
    }
}

/// Runs a command to its end, in the deployment's folder. What it prints goes to stderr: stdout is for records. It is not
/// piped through us: what a start command leaves behind must be able to write when we are gone.
fn execute(line: &CommandLine, settings: &Settings, timeout: Duration, cancel: &Cancel) -> anyhow::Result<()> {
    let mut command = line.command();
    command.stdin(Stdio::null()).stdout(io::stderr()).stderr(Stdio::inherit()).current_dir(&settings.paths.root);
    // A group of its own: Ctrl-C is meant for us, and a service that is started must not get it.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut child = command.spawn().with_context(|| format!("run {line}"))?;
    let status = wait(&mut child, timeout, cancel);
    let status = status.with_context(|| format!("run {line}"))?;
    ensure!(status.success(), "{line} failed ({status})");
    Ok(())
}

fn wait(child: &mut Child, timeout: Duration, cancel: &Cancel) -> anyhow::Result<ExitStatus> {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        let result = if started.elapsed() > timeout {
            Err(anyhow::anyhow!("it did not end within {timeout:?} (maintenance.restore.service.timeout)"))
        } else {
            cancel.check().map_err(anyhow::Error::from)
        };
        if let Err(error) = result {
            end_all(child);
            return Err(error);
        }
        std::thread::sleep(STEP);
    }
}
