//! `maintenance.audit.postgres`: what the server cannot know itself.

use pso_common::config::{Config, ConfigValue, Field, ListField};
use serde::Deserialize;

/// `maintenance.audit.postgres`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct PostgresSection {
    newest: ListField,
    unsupported: ListField,
    deployment_role: Field,
}

/// What the rules are given beside what the server says.
#[derive(Clone, Debug, Default)]
pub(crate) struct PostgresSettings {
    /// The newest version of each major version, as far as somebody has said it. Nothing is fetched from the internet.
    pub(crate) newest: Vec<Version>,
    /// Major versions that get no more corrections.
    pub(crate) unsupported: Vec<u32>,
    /// The role with which planning-sync-server works; the audit itself may run as another.
    pub(crate) deployment_role: String,
}

impl PostgresSettings {
    /// Resolves the settings.
    ///
    /// # Errors
    /// When the file holds a bad value.
    pub(crate) fn resolve(section: &PostgresSection, config: &Config) -> anyhow::Result<Self> {
        let server: ServerFile = config.read()?;
        Ok(Self {
            newest: config.pick("maintenance.audit.postgres.newest").file_list(&section.newest).or(Vec::new())?,
            unsupported: config
                .pick("maintenance.audit.postgres.unsupported")
                .file_list(&section.unsupported)
                .or(Vec::new())?,
            deployment_role: config
                .pick("maintenance.audit.postgres.deployment_role")
                .file(&section.deployment_role)
                .file_at("database.postgres.user", &server.database.postgres.user)
                .or("sync_user".to_owned())?,
        })
    }
}

/// The part of the server's own configuration that says as whom it works.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ServerFile {
    database: ServerDatabase,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ServerDatabase {
    postgres: ServerPostgres,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ServerPostgres {
    user: Field,
}

/// A version of PostgreSQL as people write it: `15.12`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version {
    pub(crate) major: u32,
    pub(crate) minor: u32,
}

impl Version {
    /// From `server_version_num`: 150012 is 15.12.
    pub(crate) fn of_number(number: i32) -> Self {
        let number = u32::try_from(number).unwrap_or_default();
        Self { major: number / 10_000, minor: number % 10_000 }
    }
}

impl ConfigValue for Version {
    const EXPECTED: &'static str = "a version of PostgreSQL such as 15.12";

    fn parse(text: &str) -> Option<Self> {
        let (major, minor) = text.trim().split_once('.')?;
        Some(Self { major: major.parse().ok()?, minor: minor.parse().ok()? })
    }

    fn show(&self) -> String {
        format!("{}.{}", self.major, self.minor)
    }
}

#[cfg(test)]
mod tests {
    use pso_common::config::parse_yaml;

    use super::*;

    fn resolve(text: &str) -> anyhow::Result<PostgresSettings> {
        let section: PostgresSection = parse_yaml(std::path::Path::new("c.yaml"), text)?;
        let server = "database: {postgres: {user: app}}";
        PostgresSettings::resolve(&section, &Config::from_text("c.yaml", server, pso_common::io::Env::default())?)
    }

    #[test]
    fn versions_are_texts_not_numbers() {
        let settings = resolve("newest: [15.2, 16.10]\nunsupported: [12]\n").expect("valid");
        let version = |major, minor| Version { major, minor };
        assert_eq!(settings.newest, [version(15, 2), version(16, 10)]);
        assert!(version(16, 10) > version(16, 9) && Version::of_number(150_012) == version(15, 12));
        assert_eq!((settings.unsupported.as_slice(), settings.deployment_role.as_str()), (&[12][..], "app"));
        let error = resolve("newest: [15]\n").expect_err("no minor version");
        assert!(format!("{error:#}").contains("expected a version of PostgreSQL such as 15.12"), "{error:#}");
    }
}
