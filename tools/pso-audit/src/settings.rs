//! The settings of a run, resolved once. Each section has its own part, in its own file.

use std::path::PathBuf;
use std::time::Duration;

use pso_common::config::{Config, Field, ListField, Paths, ServiceSettings, ToolSection};
use pso_common::postgres::PgSettings;
use pso_common::qdrant::QdrantSettings;
use serde::Deserialize;

use crate::accept::{AcceptSection, Acceptances};
use crate::cli::Cli;
use crate::sections::events::{EventsSection, EventsSettings};
use crate::sections::files::{FilesSection, FilesSettings};
use crate::sections::ports::{PortsSection, PortsSettings};
use crate::sections::postgres::{PostgresSection, PostgresSettings};
use crate::sections::secrets::{SecretsSection, SecretsSettings};
use crate::sections::token::{TokenSection, TokenSettings};
use crate::sections::{SECTIONS, Section, Selected};

/// What is looked at, and how long that may take.
pub(crate) struct Settings {
    /// The sections to look at, in the order of [`SECTIONS`].
    pub(crate) sections: Vec<&'static dyn Section>,
    /// How long each section may take.
    pub(crate) timeout: Duration,
    /// Whether records come on stdin.
    pub(crate) reads_stdin: bool,
    pub(crate) paths: Paths,
    pub(crate) service: ServiceSettings,
    pub(crate) postgres: PgSettings,
    pub(crate) qdrant: QdrantSettings,
    pub(crate) audit_ports: PortsSettings,
    /// What the rules about PostgreSQL are told beside what the server says.
    pub(crate) audit_postgres: PostgresSettings,
    pub(crate) token: TokenSettings,
    pub(crate) files: FilesSettings,
    pub(crate) events: EventsSettings,
    /// Findings that somebody has accepted.
    pub(crate) accept: Acceptances,
    /// The earlier run that this one is compared with.
    pub(crate) baseline: Option<PathBuf>,
    pub(crate) secrets: SecretsSettings,
}

/// `maintenance.audit`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct AuditSection {
    timeout: Field,
    sections: ListField,
    ports: PortsSection,
    postgres: PostgresSection,
    token: TokenSection,
    files: FilesSection,
    events: EventsSection,
    accept: Option<Vec<AcceptSection>>,
    secrets: SecretsSection,
}

impl ToolSection for AuditSection {
    const NAME: &'static str = "audit";
}

impl Settings {
    /// Resolves the settings.
    ///
    /// # Errors
    /// When a layer holds a bad value.
    pub(crate) fn resolve(cli: &Cli, config: &Config) -> anyhow::Result<Self> {
        let section: AuditSection = config.section()?;
        let paths = Paths::resolve(config)?;
        let timeout: Duration = config
            .pick("maintenance.audit.timeout")
            .flag(cli.timeout)
            .env("PSO_AUDIT_TIMEOUT")
            .file(&section.timeout)
            .or(Duration::from_secs(60))?;
        anyhow::ensure!(
            (Duration::from_millis(100)..=Duration::from_secs(3600)).contains(&timeout),
            "the time-out of a section (--timeout, PSO_AUDIT_TIMEOUT or maintenance.audit.timeout) must lie between \
             100ms and 1h"
        );
        let chosen: Vec<Selected> = config
            .pick("maintenance.audit.sections")
            .flag(Some(cli.only.clone()).filter(|only| !only.is_empty()))
            .env("PSO_AUDIT_SECTIONS")
            .file_list(&section.sections)
            .or(SECTIONS.iter().map(|section| Selected(*section)).collect())?;
        let is_chosen = |section: &dyn Section| chosen.iter().any(|one| one.0.name() == section.name());
        let sections: Vec<_> = SECTIONS.iter().copied().filter(|section| is_chosen(*section)).collect();
        anyhow::ensure!(!sections.is_empty(), "maintenance.audit.sections is empty: name at least one section");
        anyhow::ensure!(
            cli.input.is_none() || cli.baseline.as_deref() != Some(std::path::Path::new("-")),
            "stdin cannot hold both the events (-) and the earlier run (--baseline -): name a file for one of them"
        );
        Ok(Self {
            sections,
            timeout,
            reads_stdin: cli.input.is_some(),
            service: ServiceSettings::resolve(config, &paths, cli.service_url.clone(), None)?,
            audit_ports: PortsSettings::resolve(&section.ports, config)?,
            audit_postgres: PostgresSettings::resolve(&section.postgres, config)?,
            postgres: PgSettings::resolve(config, &paths, &cli.pg)?,
            qdrant: QdrantSettings::resolve(config, &paths, cli.qdrant_url.clone())?,
            token: TokenSettings::resolve(config, &section.token)?,
            accept: Acceptances::resolve(config, section.accept.as_deref().unwrap_or_default())?,
            baseline: cli.baseline.clone(),
            events: EventsSettings::resolve(config, &section.events)?,
            secrets: SecretsSettings::resolve(config, &paths, &section.secrets)?,
            // Last: it looks at the paths that the others have picked.
            files: FilesSettings::resolve(config, &paths, &section.files)?,
            paths,
        })
    }
}
