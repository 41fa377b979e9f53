//! The settings of a run, resolved once.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pso_common::config::{Config, Field, ListField, Paths, ServiceSettings, ToolSection};
use pso_common::output::Format;
use pso_common::postgres::PgSettings;
use pso_common::qdrant::QdrantSettings;
use pso_common::record::Component;
use serde::Deserialize;

use crate::check::Check;
use crate::checks::backups::BackupsSection;
use crate::checks::certificates::{self, End};
use crate::checks::disk::DiskPath;
use crate::checks::logs::{LogFiles, LogsSection};
use crate::checks::metrics::Expected;
use crate::checks::targets::{Piped, TargetSection, Targets};
use crate::cli::Cli;
use crate::limits::{Limits, LimitsSection};
use crate::{checks, selected};

/// How long a check may take where nobody says.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The same for Nagios: its guidelines give the whole plugin 10 seconds, after which its answer is lost.
const NAGIOS_TIMEOUT: Duration = Duration::from_secs(8);

/// What is checked, where, and how long it may take.
pub(crate) struct Settings {
    /// The checks to run, in the order of their records.
    pub(crate) checks: Vec<Arc<dyn Check>>,
    /// How long each check may take; no time-out within one is longer.
    pub(crate) timeout: Duration,
    /// How often a check whose probe fails is tried again.
    pub(crate) retries: u32,
    /// How many checks run at once.
    pub(crate) jobs: usize,
    /// The span between the beginnings of two rounds; none is a single round.
    pub(crate) every: Option<Duration>,
    /// Rounds after which it ends; none is until a signal comes.
    pub(crate) count: Option<u64>,
    /// Where counters are kept between runs.
    pub(crate) state: Option<PathBuf>,
    pub(crate) limits: Limits,
    /// The numbers that `/metrics` must have: when one is missing, that is a finding.
    pub(crate) expected_metrics: Vec<Expected>,
    pub(crate) paths: Vec<DiskPath>,
    pub(crate) logs: LogFiles,
    /// What a backup must hold to count.
    pub(crate) backup_components: Vec<Component>,
    /// The deployment's folders.
    pub(crate) folders: Paths,
    pub(crate) service: ServiceSettings,
    pub(crate) postgres: PgSettings,
    pub(crate) qdrant: QdrantSettings,
    /// Where certificates are looked at.
    pub(crate) tls_ends: Vec<End>,
    /// What came through the pipe and cannot be a target, one sentence each.
    pub(crate) refused: Vec<String>,
}

impl Settings {
    /// Resolves the settings; `piped` are the targets that came through stdin.
    ///
    /// # Errors
    /// When a layer holds a bad value.
    pub(crate) fn resolve(cli: &Cli, config: &Config, piped: Vec<Piped>) -> anyhow::Result<Self> {
        let section: HealthSection = config.section()?;
        let paths = Paths::resolve(config)?;
        let timeout: Duration = config
            .pick("maintenance.health.timeout")
            .flag(cli.timeout)
            .env("PSO_HEALTH_TIMEOUT")
            .file(&section.timeout)
            .or(if cli.common.format == Format::Nagios { NAGIOS_TIMEOUT } else { TIMEOUT })?;
        anyhow::ensure!(
            (Duration::from_millis(1)..=Duration::from_secs(3600)).contains(&timeout),
            "the time-out of a check (--timeout, PSO_HEALTH_TIMEOUT or maintenance.health.timeout) must lie between 1ms \
             and 1h"
        );
        let chosen: Option<Vec<String>> = config
            .pick("maintenance.health.checks")
            .flag(Some(cli.only.clone()).filter(|only| !only.is_empty()))
            .env("PSO_HEALTH_CHECKS")
            .file_list(&section.checks)
            .optional()?;
        // The list has them all, for somebody who is about to choose.
        let chosen = chosen.filter(|_| !cli.list);
        let targets = Targets::resolve(config, section.targets.as_deref().unwrap_or_default(), piped, &paths)?;
        let all = [checks::built_in(), targets.checks].concat();
        let checks = selected::of(all, chosen.as_deref())?;
        let every: Option<Duration> =
            config.pick("maintenance.health.every").flag(cli.every).env("PSO_HEALTH_EVERY").optional()?;
        anyhow::ensure!(
            every.is_none_or(|every| every >= Duration::from_millis(100)),
            "the span between two rounds (--every or PSO_HEALTH_EVERY) must be at least 100ms"
        );
        anyhow::ensure!(cli.count.is_none() || every.is_some(), "--count needs --every: a single run is one round");
        anyhow::ensure!(
            every.is_none() || !matches!(cli.common.format, Format::Openmetrics | Format::Nagios),
            "--every writes records round by round; for OpenMetrics add --textfile FILE, for Nagios leave --every out"
        );
        let jobs: usize =
            config.pick("maintenance.health.jobs").flag(cli.jobs).env("PSO_HEALTH_JOBS").file(&section.jobs).or(128)?;
        anyhow::ensure!((1..=4096).contains(&jobs), "--jobs must lie between 1 and 4096");
        let retries: u32 = config
            .pick("maintenance.health.retries")
            .flag(cli.retries)
            .env("PSO_HEALTH_RETRIES")
            .file(&section.retries)
            .or(0)?;
        anyhow::ensure!(retries <= 10, "--retries must not be more than 10");
        let state: Option<PathBuf> = config
            .pick("maintenance.health.state")
            .flag(cli.state.clone())
            .env("PSO_HEALTH_STATE")
            .file(&section.state)
            .optional()?;
        let mut postgres = PgSettings::resolve(config, &paths, &cli.pg)?;
        let mut qdrant = QdrantSettings::resolve(config, &paths, cli.qdrant_url.clone())?;
        for own in [
            &mut postgres.connect_timeout,
            &mut postgres.statement_timeout,
            &mut qdrant.connect_timeout,
            &mut qdrant.timeout,
        ] {
            *own = timeout.min(*own);
        }
        let service = ServiceSettings::resolve(config, &paths, cli.service_url.clone(), None)?;
        let tls_ends =
            certificates::resolve(config, &section.certificates, &service, &qdrant, &postgres, targets.secure)?;
        Ok(Self {
            checks,
            timeout,
            retries,
            jobs,
            every,
            count: cli.count,
            state: state.map(|path| paths.join(&path)),
            limits: Limits::resolve(
                &cli.limit,
                config,
                &section.limits.unwrap_or_default(),
                &paths.config.join("alerts.yaml"),
            )?,
            expected_metrics: config
                .pick("maintenance.health.expected_metrics")
                .file_list(&section.expected_metrics)
                .or(Expected::default())?,
            paths: DiskPath::resolve(config, &section.paths, &paths)?,
            backup_components: section.backups.unwrap_or_default().resolve(config)?,
            logs: LogFiles::resolve(config, &section.logs.unwrap_or_default(), &paths)?,
            service,
            tls_ends,
            postgres,
            qdrant,
            refused: targets.refused,
            folders: paths,
        })
    }
}

/// `maintenance.health`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct HealthSection {
    timeout: Field,
    retries: Field,
    jobs: Field,
    state: Field,
    checks: ListField,
    targets: Option<Vec<TargetSection>>,
    certificates: ListField,
    paths: ListField,
    logs: Option<LogsSection>,
    backups: Option<BackupsSection>,
    expected_metrics: ListField,
    limits: Option<LimitsSection>,
}

impl ToolSection for HealthSection {
    const NAME: &'static str = "health";
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use pso_common::io::Env;

    use super::*;

    fn resolve(text: &str, args: &[&str]) -> anyhow::Result<Settings> {
        let config = Config::from_text("c.yaml", text, Env::default()).expect("valid");
        Settings::resolve(&Cli::try_parse_from([&["pso-health"], args].concat()).expect("valid"), &config, Vec::new())
    }

    #[test]
    fn every_time_out_lies_within_that_of_the_check() {
        let text = "maintenance: {health: {timeout: 2s, checks: [qdrant, service]}, qdrant: {timeout: 1s}}";
        let settings = resolve(text, &[]).expect("valid");
        assert_eq!(settings.postgres.connect_timeout, Duration::from_secs(2));
        assert_eq!(settings.qdrant.timeout, Duration::from_secs(1));
        assert_eq!(settings.checks.iter().map(|check| check.name()).collect::<Vec<_>>(), ["service", "qdrant"]);
        assert_eq!(resolve(text, &["--only", "disk", "--timeout", "5"]).expect("valid").checks.len(), 1);
    }

    #[test]
    fn a_plugin_of_nagios_ends_in_time() {
        let timeout = |args: &[&str]| resolve("", args).expect("valid").timeout;
        assert_eq!(timeout(&[]), Duration::from_secs(10));
        assert_eq!(timeout(&["--format", "nagios"]), Duration::from_secs(8));
        assert_eq!(timeout(&["--format", "nagios", "--timeout", "20s"]), Duration::from_secs(20));
    }

    #[test]
    fn paths_are_those_of_the_layout_or_the_named_ones() {
        let settings = resolve("maintenance: {root: /srv/ps}", &[]).expect("valid");
        assert!(settings.paths.contains(&DiskPath { path: "/srv/ps/backups".into(), named: false, written: true }));
        let settings = resolve("maintenance: {root: /srv/ps, health: {paths: [/var, data]}}", &[]).expect("valid");
        let expected = ["/var", "/srv/ps/data"].map(|path| DiskPath { path: path.into(), named: true, written: false });
        assert_eq!(settings.paths, expected);
    }

    #[test]
    fn bad_settings_are_named() {
        let error =
            |text: &str| resolve(text, &[]).map_or_else(|error| format!("{error:#}"), |_| "no error".to_owned());
        assert!(error("maintenance:\n  health:\n    time: 3\n").contains("c.yaml:3: unknown field `time`"));
        assert!(error("maintenance: {health: {checks: [disk, dusk]}}").contains("there is no check \"dusk\""));
        assert!(error("maintenance: {health: {checks: []}}").contains("name at least one check"));
        assert!(error("maintenance: {health: {timeout: 0s}}").contains("between 1ms and 1h"));
    }
}
