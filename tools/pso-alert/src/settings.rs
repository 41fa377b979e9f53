//! Flags, environment and file, resolved once.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use pso_common::config::{Config, Field, Paths, ToolSection};
use pso_common::record::ConfigSettingRecord;
use pso_common::{Run, Severity};
use serde::Deserialize;

use crate::alerts_file::{self, Alerts};
use crate::cli::Cli;
use crate::delivery::Limits;

/// What the code works with.
#[derive(Debug)]
pub(crate) struct Settings {
    /// Where channels and thresholds were looked for.
    pub(crate) file: PathBuf,
    pub(crate) alerts: Arc<Alerts>,
    /// Records without a rule of their own become notices from here up.
    pub(crate) min_severity: Severity,
    /// How long delivering may take at the end of a run; what is left then waits for the next one.
    pub(crate) deadline: Duration,
    /// How long one attempt may take, and how soon there is another.
    pub(crate) limits: Limits,
    /// What is remembered from run to run.
    pub(crate) state: PathBuf,
    /// The name of this pipe.
    pub(crate) source: String,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct AlertSection {
    file: Field,
    min_severity: Field,
    delivery_deadline: Field,
    attempt_timeout: Field,
    retry_max: Field,
    report_after: Field,
    state: Field,
    source: Field,
}

impl ToolSection for AlertSection {
    const NAME: &'static str = "alert";
}

impl Settings {
    /// Resolves the settings of a run; `file` is the one that `check` was given.
    pub(crate) fn resolve(cli: &Cli, file: Option<PathBuf>, config: &Config) -> anyhow::Result<Self> {
        let section: AlertSection = config.section()?;
        let paths = Paths::resolve(config)?;
        let pick = || config.pick::<PathBuf>("maintenance.alert.file");
        let flag = file.or_else(|| cli.alerts.clone());
        let from_flag = flag.is_some();
        let named = pick().flag(flag).env("PSO_ALERTS_FILE").file(&section.file).optional()?;
        let is_named = named.is_some();
        let file = match named {
            // What somebody types means the folder they are in; what a file says means the deployment's.
            Some(file) if from_flag => file,
            Some(file) => paths.join(&file),
            None => pick().or(paths.config.join("alerts.yaml"))?,
        };
        let deadline = config
            .pick("maintenance.alert.delivery_deadline")
            .flag(cli.delivery_deadline)
            .env("PSO_ALERT_DELIVERY_DEADLINE")
            .file(&section.delivery_deadline)
            .or(Duration::from_secs(10))?;
        ensure!(!deadline.is_zero(), "maintenance.alert.delivery_deadline must be longer than nothing, such as 10s");
        let span = |key: &str, env: &str, field: &Field, default: Duration| -> anyhow::Result<Duration> {
            let key = format!("maintenance.alert.{key}");
            let span = config.pick(key.clone()).env(env).file(field).or(default)?;
            ensure!(!span.is_zero(), "{key} must be longer than nothing, such as 5s");
            Ok(span)
        };
        let usual = Limits::default();
        let limits = Limits {
            attempt: span("attempt_timeout", "PSO_ALERT_ATTEMPT_TIMEOUT", &section.attempt_timeout, usual.attempt)?,
            longest_wait: span("retry_max", "PSO_ALERT_RETRY_MAX", &section.retry_max, usual.longest_wait)?,
            report_after: span("report_after", "PSO_ALERT_REPORT_AFTER", &section.report_after, usual.report_after)?,
        };
        let min_severity = config
            .pick("maintenance.alert.min_severity")
            .flag(cli.min_severity)
            .env("PSO_ALERT_MIN_SEVERITY")
            .file(&section.min_severity)
            .or(Severity::High)?;
        let pick = || config.pick::<PathBuf>("maintenance.alert.state");
        let from_flag = cli.state.is_some();
        let state = pick().flag(cli.state.clone()).env("PSO_ALERT_STATE").file(&section.state).optional()?;
        let state = match state {
            Some(state) if from_flag => state,
            Some(state) => paths.join(&state),
            None => pick().or(paths.root.join(".pso-alert/state.db"))?,
        };
        let source = config
            .pick("maintenance.alert.source")
            .flag(cli.source.clone())
            .env("PSO_ALERT_SOURCE")
            .file(&section.source)
            .or("stdin".to_owned())?;
        let alerts = alerts_file::load(&file, is_named, config.env(), &paths.root)?;
        let alerts = Arc::new(alerts);
        Ok(Self { file, alerts, min_severity, deadline, limits, state, source })
    }

    /// With `--print-config`: writes the values of both files and says that the run is done.
    pub(crate) fn printed(&self, run: &mut Run<'_>) -> anyhow::Result<bool> {
        let printed = run.printed_config()?;
        if printed {
            self.print_alerts(run)?;
        }
        Ok(printed)
    }

    /// Writes the values of the alerts file.
    pub(crate) fn print_alerts(&self, run: &mut Run<'_>) -> anyhow::Result<()> {
        for value in &self.alerts.effective {
            let body = ConfigSettingRecord { setting: value.shown.clone(), source: value.source.clone() };
            run.emit(Severity::Ok, value.key.clone(), "", body)?;
        }
        Ok(())
    }

    /// Says on stderr what of the alerts file cannot be used. A problem makes the run `unknown`: with it somebody will
    /// not be told.
    pub(crate) fn warn(&self, run: &mut Run<'_>) {
        for problem in &self.alerts.problems {
            run.warn(format_args!("{} will not be told: {}", problem.channel, problem.reason));
            run.note(Severity::Unknown);
        }
    }
}
