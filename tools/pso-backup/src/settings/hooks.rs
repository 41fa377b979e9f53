//! Commands of the operator's own around a backup.

use std::time::Duration;

use pso_common::config::{CommandField, CommandLine, Config};

use super::section::BackupSection;

/// What is run around a backup: to quiesce the service, to let it go on.
#[derive(Clone, Debug)]
pub(crate) struct Hooks {
    /// Before anything is captured; when it fails, nothing is.
    pub(crate) before: Option<CommandLine>,
    /// Once the archive is published.
    pub(crate) after_success: Option<CommandLine>,
    /// When nothing was published although `before`, or the capture, was begun.
    pub(crate) after_failure: Option<CommandLine>,
    /// How long each of them may run.
    pub(crate) timeout: Duration,
}

impl Hooks {
    pub(super) fn resolve(config: &Config, section: &BackupSection) -> anyhow::Result<Self> {
        let none = Default::default();
        let hooks = section.hooks.as_ref().unwrap_or(&none);
        let pick = |name: &str, field: &CommandField| {
            config.pick(format!("maintenance.backup.hooks.{name}")).file_command(field).optional()
        };
        Ok(Self {
            before: pick("before", &hooks.before)?,
            after_success: pick("after_success", &hooks.after_success)?,
            after_failure: pick("after_failure", &hooks.after_failure)?,
            timeout: config
                .pick("maintenance.backup.hooks.timeout")
                .file(&hooks.timeout)
                .or(Duration::from_secs(600))?,
        })
    }
}
