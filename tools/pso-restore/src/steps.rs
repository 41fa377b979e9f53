//! One `restore.step` record a step.

use std::time::Instant;

use pso_common::io::elapsed_ms;
use pso_common::record::{Component, RestoreStepRecord, StepState};
use pso_common::{Run, Severity};

/// A step: what is done to what, and how much of it there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) step: &'static str,
    pub(crate) component: Option<Component>,
    pub(crate) object: String,
    pub(crate) rows: Option<u64>,
    pub(crate) files: Option<u64>,
    pub(crate) size_bytes: Option<u64>,
    /// Of what is there now, in a plan.
    pub(crate) hash: Option<String>,
    /// One sentence for people.
    pub(crate) message: String,
}

impl Step {
    pub(crate) fn new(step: &'static str, component: impl Into<Option<Component>>, object: impl Into<String>) -> Self {
        Self {
            step,
            component: component.into(),
            object: object.into(),
            rows: None,
            files: None,
            size_bytes: None,
            hash: None,
            message: String::new(),
        }
    }

    pub(crate) const fn rows(mut self, rows: u64) -> Self {
        self.rows = Some(rows);
        self
    }

    pub(crate) const fn files(mut self, files: u64) -> Self {
        self.files = Some(files);
        self
    }

    pub(crate) const fn size(mut self, bytes: u64) -> Self {
        self.size_bytes = Some(bytes);
        self
    }

    pub(crate) fn says(mut self, message: impl Into<String>) -> Self {
        self.message = message.into();
        self
    }

    /// Writes the step as planned.
    pub(crate) fn planned(&self, run: &mut Run<'_>) -> anyhow::Result<()> {
        self.emit(run, Severity::Ok, StepState::Planned, &self.message, None)
    }

    /// Writes the step as done since `started`.
    pub(crate) fn done(&self, run: &mut Run<'_>, started: Instant) -> anyhow::Result<()> {
        self.emit(run, Severity::Ok, StepState::Done, &self.message, Some(started))
    }

    /// Writes the step as done, with something that somebody should look at.
    pub(crate) fn done_with(
        &self,
        run: &mut Run<'_>,
        started: Instant,
        severity: Severity,
        message: &str,
    ) -> anyhow::Result<()> {
        self.emit(run, severity, StepState::Done, message, Some(started))
    }

    /// Writes the step as one for which there is nothing to do.
    pub(crate) fn skipped(&self, run: &mut Run<'_>) -> anyhow::Result<()> {
        self.emit(run, Severity::Ok, StepState::Skipped, &self.message, None)
    }

    /// Writes the step as undone.
    pub(crate) fn rolled_back(&self, run: &mut Run<'_>, message: &str) -> anyhow::Result<()> {
        self.emit(run, Severity::Info, StepState::RolledBack, message, None)
    }

    /// Writes the step as failed.
    pub(crate) fn failed(&self, run: &mut Run<'_>, severity: Severity, message: &str) -> anyhow::Result<()> {
        self.emit(run, severity, StepState::Failed, message, None)
    }

    /// Does `work` and writes whether it was done.
    pub(crate) fn run<T>(
        self,
        run: &mut Run<'_>,
        work: impl FnOnce(&mut Run<'_>, &mut Self) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let started = Instant::now();
        let mut step = self;
        run.progress(format_args!("{} {}", step.step, step.object));
        match work(run, &mut step) {
            Ok(value) => step.done(run, started).map(|()| value),
            Err(error) => {
                step.failed(run, Severity::High, &format!("{error:#}"))?;
                Err(error)
            }
        }
    }

    fn emit(
        &self,
        run: &mut Run<'_>,
        severity: Severity,
        state: StepState,
        message: &str,
        started: Option<Instant>,
    ) -> anyhow::Result<()> {
        let name = match self.component {
            Some(component) => format!("{component}:{}", self.object),
            None => self.object.clone(),
        };
        let body = RestoreStepRecord {
            step: self.step.to_owned(),
            component: self.component,
            object: self.object.clone(),
            state,
            rows: self.rows,
            files: self.files,
            size_bytes: self.size_bytes,
            hash: self.hash.clone().filter(|_| state == StepState::Planned),
            elapsed_ms: started.map(elapsed_ms),
        };
        run.emit(severity, name, message, body)
    }
}
