//! The settings of a run, resolved once.

use std::path::PathBuf;
use std::time::Duration;

use pso_common::config::{Config, Field, ListField, Paths, ServiceSettings, ToolSection};
use pso_common::postgres::PgSettings;
use pso_common::qdrant::QdrantSettings;
use serde::Deserialize;

use crate::checks::{ALL, Check, Selected};
use crate::cli::Cli;
use crate::limits::{Limits, LimitsSection, Quantity};

/// What is checked, where, and how long it may take.
pub(crate) struct Settings {
    /// The checks to run, in the order of [`ALL`].
    pub(crate) checks: Vec<&'static dyn Check>,
    /// How long each check may take; no time-out within one is longer.
    pub(crate) timeout: Duration,
    pub(crate) limits: Limits,
    /// The numbers that `/metrics` must have: when one is missing, that is a finding.
    pub(crate) expected_metrics: Vec<Quantity>,
    pub(crate) paths: Vec<DiskPath>,
    pub(crate) service: ServiceSettings,
    pub(crate) postgres: PgSettings,
    pub(crate) qdrant: QdrantSettings,
}

/// A path whose file system is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DiskPath {
    pub(crate) path: PathBuf,
    /// Whether it was named, so that it must be there. A folder of the deployment's layout may not have been made yet.
    pub(crate) named: bool,
}

impl Settings {
    /// Resolves the settings.
    ///
    /// # Errors
    /// When a layer holds a bad value.
    pub(crate) fn resolve(cli: &Cli, config: &Config) -> anyhow::Result<Self> {
        let section: HealthSection = config.section()?;
        let paths = Paths::resolve(config)?;
        let timeout: Duration = config
            .pick("maintenance.health.timeout")
            .flag(cli.timeout)
            .env("PSO_HEALTH_TIMEOUT")
            .file(&section.timeout)
            .or(Duration::from_secs(10))?;
        anyhow::ensure!(
            (Duration::from_millis(1)..=Duration::from_secs(3600)).contains(&timeout),
            "the time-out of a check (--timeout, PSO_HEALTH_TIMEOUT or maintenance.health.timeout) must lie between 1ms \
             and 1h"
        );
        let chosen: Vec<Selected> = config
            .pick("maintenance.health.checks")
            .flag(Some(cli.only.clone()).filter(|only| !only.is_empty()))
            .env("PSO_HEALTH_CHECKS")
            .file_list(&section.checks)
            .or(ALL.iter().map(|check| Selected(*check)).collect())?;
        let is_chosen = |check: &dyn Check| chosen.iter().any(|one| one.0.name() == check.name());
        let checks: Vec<_> = ALL.iter().copied().filter(|check| is_chosen(*check)).collect();
        anyhow::ensure!(!checks.is_empty(), "maintenance.health.checks is empty: name at least one check");
        let named: Option<Vec<PathBuf>> =
            config.pick("maintenance.health.paths").file_list(&section.paths).optional()?;
        let disk_paths = match named {
            Some(named) => {
                named.iter().map(|path| DiskPath { path: paths.join(path), named: true }).collect::<Vec<_>>()
            }
            None => [&paths.root, &paths.logs, &paths.plans, &paths.backups]
                .map(|path| DiskPath { path: path.clone(), named: false })
                .to_vec(),
        };
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
        Ok(Self {
            checks,
            timeout,
            limits: Limits::resolve(config, &section.limits.unwrap_or_default(), &paths.config.join("alerts.yaml"))?,
            expected_metrics: config
                .pick("maintenance.health.expected_metrics")
                .file_list(&section.expected_metrics)
                .or(vec![Quantity::CpuUsage, Quantity::MemoryUsage, Quantity::ErrorRate])?,
            paths: disk_paths,
            service: ServiceSettings::resolve(config, &paths, cli.service_url.clone(), None)?,
            postgres,
            qdrant,
        })
    }
}

/// `maintenance.health`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct HealthSection {
    timeout: Field,
    checks: ListField,
    paths: ListField,
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
        Settings::resolve(&Cli::try_parse_from([&["pso-health"], args].concat()).expect("valid"), &config)
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
    fn paths_are_those_of_the_layout_or_the_named_ones() {
        let settings = resolve("maintenance: {root: /srv/ps}", &[]).expect("valid");
        assert!(settings.paths.contains(&DiskPath { path: "/srv/ps/backups".into(), named: false }));
        let settings = resolve("maintenance: {root: /srv/ps, health: {paths: [/var, data]}}", &[]).expect("valid");
        let expected = ["/var", "/srv/ps/data"].map(|path| DiskPath { path: path.into(), named: true });
        assert_eq!(settings.paths, expected);
    }

    #[test]
    fn bad_settings_are_named() {
        let error =
            |text: &str| resolve(text, &[]).map_or_else(|error| format!("{error:#}"), |_| "no error".to_owned());
        assert!(error("maintenance:\n  health:\n    time: 3\n").contains("c.yaml:3: unknown field `time`"));
        assert!(
            error("maintenance: {health: {checks: [disk, dusk]}}").contains("a check that `pso-health --list` shows")
        );
        assert!(error("maintenance: {health: {checks: []}}").contains("name at least one check"));
        assert!(error("maintenance: {health: {timeout: 0s}}").contains("between 1ms and 1h"));
    }
}
