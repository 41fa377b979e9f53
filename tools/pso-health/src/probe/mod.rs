//! One round of checks side by side: each in its thread, each with its time-out, the records in a fixed order.

mod task;

use std::collections::VecDeque;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use pso_common::config::ConfigValue as _;
use pso_common::io::elapsed_ms;
use pso_common::record::HealthCheckRecord;
use pso_common::{Run, Severity};

use self::task::{Probe, State, Task};
use crate::check::Context;
use crate::finding::Finding;
use crate::settings::Settings;

/// How often a signal is looked for while nothing comes.
const TICK: Duration = Duration::from_millis(50);

/// A thread of a check needs little; what it does not touch takes no memory.
const STACK_BYTES: usize = 1 << 20;

type Queue = Arc<Mutex<VecDeque<Task>>>;

/// The checks, and what has become of them in earlier rounds.
pub(crate) struct Prober {
    settings: Arc<Settings>,
    /// Probes that were given up and may still hang: their checks are not begun again as long as they do.
    left_behind: Vec<Arc<Probe>>,
}

/// What a round came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Round {
    /// The worst of its findings.
    pub(crate) worst: Severity,
    /// Checks that were begun.
    pub(crate) checks: u64,
    /// Checks that were not, because they still hang from an earlier round.
    pub(crate) hanging: u64,
}

/// Writes findings and remembers the worst.
struct Writer<'r, 'io> {
    run: &'r mut Run<'io>,
    worst: Severity,
}

impl Writer<'_, '_> {
    fn write(&mut self, finding: Finding) -> anyhow::Result<()> {
        self.worst = self.worst.max(finding.severity);
        finding.emit(self.run)
    }
}

impl Prober {
    pub(crate) const fn new(settings: Arc<Settings>) -> Self {
        Self { settings, left_behind: Vec::new() }
    }

    /// Runs the chosen checks and writes what they find. `pulse` is called about every [`TICK`].
    ///
    /// # Errors
    /// When a signal comes, or stdout cannot be written.
    pub(crate) fn round(
        &mut self,
        context: Context,
        run: &mut Run<'_>,
        pulse: &mut dyn FnMut(),
    ) -> anyhow::Result<Round> {
        self.left_behind.retain(|probe| probe.state() == State::Running);
        let context = Arc::new(context);
        let settings = Arc::clone(&self.settings);
        let mut places = Vec::new();
        let queue = Queue::default();
        for check in &settings.checks {
            let hanging = self.left_behind.iter().find(|probe| probe.check.name() == check.name());
            places.push(match hanging {
                Some(probe) => Err(Arc::clone(probe)),
                None => {
                    let (sender, findings) = mpsc::channel();
                    let probe = Arc::new(Probe::new(Arc::clone(check), &settings));
                    lock(&queue).push_back(Task::new(Arc::clone(&probe), sender));
                    Ok((probe, findings))
                }
            });
        }
        let mut round = Round { worst: Severity::Ok, checks: lock(&queue).len() as u64, hanging: 0 };
        for _ in 0..settings.jobs.min(lock(&queue).len()) {
            start_worker(&queue, &context)?;
        }
        let mut writer = Writer { run, worst: Severity::Ok };
        for place in places {
            match place {
                Ok((probe, findings)) => {
                    if gather(&probe, &findings, &mut writer, pulse)? == State::Running {
                        self.left_behind.push(probe);
                        if !lock(&queue).is_empty() {
                            start_worker(&queue, &context)?;
                        }
                    }
                }
                Err(probe) => {
                    round.hanging += 1;
                    let message = format!(
                        "an earlier round's probe still hangs, since {}; it is not begun again before that one ends",
                        probe.age().show()
                    );
                    writer.write(given_up(&probe, probe.check.silence(), message))?;
                }
            }
        }
        round.worst = writer.worst;
        Ok(round)
    }
}

fn lock(queue: &Queue) -> std::sync::MutexGuard<'_, VecDeque<Task>> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A thread that takes checks until none is left. One that is left behind ends with the process.
fn start_worker(queue: &Queue, context: &Arc<Context>) -> anyhow::Result<()> {
    let (queue, context) = (Arc::clone(queue), Arc::clone(context));
    thread::Builder::new()
        .name("probe".to_owned())
        .stack_size(STACK_BYTES)
        .spawn(move || {
            loop {
                let Some(task) = lock(&queue).pop_front() else { return };
                task.run(&context);
            }
        })
        .context("start a thread for a check")?;
    Ok(())
}

/// Writes a check's findings as they come, until it ends or its time is over.
fn gather(
    probe: &Probe,
    findings: &Receiver<Finding>,
    writer: &mut Writer<'_, '_>,
    pulse: &mut dyn FnMut(),
) -> anyhow::Result<State> {
    loop {
        writer.run.cancel().check()?;
        pulse();
        let left = probe.left();
        match findings.recv_timeout(left.min(TICK)) {
            Ok(finding) => writer.write(finding)?,
            Err(RecvTimeoutError::Timeout) if left.is_zero() => {
                let message = format!("no answer within {}", probe.timeout.show());
                writer.write(given_up(probe, probe.check.silence(), message))?;
                return Ok(State::Running);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                if probe.state() == State::Panicked {
                    let message = "the check itself failed; this is a mistake in pso-health".to_owned();
                    writer.write(given_up(probe, Severity::Unknown, message))?;
                }
                return Ok(probe.state());
            }
        }
    }
}

fn given_up(probe: &Probe, severity: Severity, message: String) -> Finding {
    let record = HealthCheckRecord { elapsed_ms: elapsed_ms(probe.started()), ..HealthCheckRecord::default() };
    Finding::check(severity, probe.check.name(), message, record)
}

#[cfg(test)]
mod tests;
