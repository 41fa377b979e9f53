//! One `prune.step` record a step.

use std::time::Instant;

use pso_common::io::elapsed_ms;
use pso_common::record::{PrunePart, PruneStepRecord, StepState};
use pso_common::{Run, Severity};

/// A step: what is done to what, and how much of it there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) step: &'static str,
    pub(crate) part: PrunePart,
    pub(crate) object: String,
    pub(crate) rows: Option<u64>,
    pub(crate) files: Option<u64>,
    pub(crate) size_bytes: Option<u64>,
    /// One sentence for people.
    pub(crate) message: String,
    pub(crate) severity: Severity,
    /// How far it has come with the plan alone: what is only told is skipped or has failed already.
    pub(crate) planned_as: StepState,
}

impl Step {
    pub(crate) fn new(part: PrunePart, step: &'static str, object: impl Into<String>) -> Self {
        Self {
            step,
            part,
            object: object.into(),
            rows: None,
            files: None,
            size_bytes: None,
            message: String::new(),
            severity: Severity::Ok,
            planned_as: StepState::Planned,
        }
    }

    /// With what people should know.
    pub(crate) fn says(mut self, severity: Severity, message: impl Into<String>) -> Self {
        (self.severity, self.message) = (severity, message.into());
        self
    }

    /// One that the plan tells and nothing is to be done for.
    pub(crate) fn already(mut self, state: StepState) -> Self {
        self.planned_as = state;
        self
    }

    /// Writes the step, in a state that it has had since `started`.
    pub(crate) fn emit(&self, run: &mut Run<'_>, state: StepState, started: Option<Instant>) -> anyhow::Result<()> {
        let record = PruneStepRecord {
            step: self.step.to_owned(),
            component: self.part,
            object: self.object.clone(),
            state,
            rows: self.rows,
            files: self.files,
            size_bytes: self.size_bytes,
            elapsed_ms: started.map(elapsed_ms),
        };
        run.emit(self.severity, format!("{}:{}", self.part.as_str(), self.object), &self.message, record)
    }
}
