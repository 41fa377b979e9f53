//! A command that came through a pipe and that nobody here has allowed.

use std::borrow::Cow;

use pso_common::Severity;
use pso_common::config::CommandLine;
use pso_common::record::HealthCheckRecord;

use super::spec::Common;
use crate::check::{Check, Context};
use crate::finding::{Finding, Findings, shown};

pub(super) struct Withheld {
    pub(super) common: Common,
    pub(super) command: CommandLine,
}

impl Check for Withheld {
    fn name(&self) -> &str {
        &self.common.check
    }

    fn about(&self) -> Cow<'_, str> {
        format!("nothing: {} came through a pipe, and --allow-commands was not given", shown(&self.command.to_string()))
            .into()
    }

    fn run(&self, _context: &Context, findings: &Findings<'_>) {
        let message = format!(
            "{} was not run: what a pipe carries is run with --allow-commands only; or name it in \
             maintenance.health.targets",
            super::program(&self.command)
        );
        findings.push(Finding::check(Severity::Unknown, self.name(), message, HealthCheckRecord::default()));
    }
}
