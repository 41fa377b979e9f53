//! What a backup works with, resolved once.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow, ensure};
use pso_archive::RESTORE_LOCK;
use pso_common::config::{Config, Field, ListField, Paths};
use pso_common::postgres::PgSettings;
use pso_common::qdrant::QdrantSettings;
use pso_common::record::Component;
use serde::Deserialize;

use crate::cli::{ArchiveKind, CreateArgs};

#[derive(Default, Deserialize)]
#[serde(default)]
struct FileConfig {
    maintenance: Option<Maintenance>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Maintenance {
    backup: Option<BackupSection>,
}

/// `maintenance.backup`.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct BackupSection {
    components: ListField,
    keep_days: Field,
    weekly_keep_days: Field,
    stall_timeout: Field,
}

/// What `create` works with.
pub(crate) struct Settings {
    pub(crate) kind: ArchiveKind,
    /// The components to capture, in the order of capture.
    pub(crate) components: Vec<Component>,
    /// Where the archive goes.
    pub(crate) folder: PathBuf,
    pub(crate) keep_days: u32,
    /// What a restore into the deployment holds while it changes anything.
    pub(crate) restore_lock: PathBuf,
    /// How long `pg_dump` may be silent.
    pub(crate) stall_timeout: Duration,
    pub(crate) paths: Paths,
    pub(crate) postgres: PgSettings,
    pub(crate) qdrant: QdrantSettings,
}

impl Settings {
    pub(crate) fn resolve(config: &Config, args: &CreateArgs) -> anyhow::Result<Self> {
        let section =
            config.read::<FileConfig>()?.maintenance.and_then(|maintenance| maintenance.backup).unwrap_or_default();
        let paths = Paths::resolve(config)?;
        let postgres = PgSettings::resolve(config, &paths, &args.postgres)?;
        let qdrant = QdrantSettings::resolve(config, &paths, args.qdrant_url.clone())?;
        let only: Vec<String> = args.only.iter().map(ToString::to_string).collect();
        let names: Vec<String> = config
            .pick("maintenance.backup.components")
            .flag(Some(only).filter(|only| !only.is_empty()))
            .env("PSO_BACKUP_COMPONENTS")
            .file_list(&section.components)
            .or(Component::ALL.map(|component| component.to_string()).to_vec())?;
        let (key, variable, field, default) = match args.kind {
            ArchiveKind::Daily => ("maintenance.backup.keep_days", "PSO_BACKUP_KEEP_DAYS", &section.keep_days, 7),
            ArchiveKind::Weekly => {
                ("maintenance.backup.weekly_keep_days", "PSO_BACKUP_WEEKLY_KEEP_DAYS", &section.weekly_keep_days, 35)
            }
        };
        let keep_days: u32 = config.pick(key).flag(args.keep_days).env(variable).file(field).or(default)?;
        ensure!(keep_days > 0, "{key} is 0, which would keep nothing; give the number of days to keep archives");
        Ok(Self {
            kind: args.kind,
            restore_lock: paths.join(Path::new(RESTORE_LOCK)),
            components: components(&names).context("maintenance.backup.components")?,
            folder: args.to.clone().unwrap_or_else(|| paths.backups.join(args.kind.as_str())),
            keep_days,
            stall_timeout: config
                .pick("maintenance.backup.stall_timeout")
                .file(&section.stall_timeout)
                .or(Duration::from_secs(600))?,
            paths,
            postgres,
            qdrant,
        })
    }

    pub(crate) fn captures(&self, component: Component) -> bool {
        self.components.contains(&component)
    }
}

/// The components of these names, in the order of capture.
fn components(names: &[String]) -> anyhow::Result<Vec<Component>> {
    let wanted: Vec<Component> =
        names.iter().map(|name| name.parse()).collect::<Result<_, String>>().map_err(|reason| anyhow!(reason))?;
    ensure!(!wanted.is_empty(), "there is no component to back up; leave it out for all of them");
    Ok(Component::ALL.into_iter().filter(|component| wanted.contains(component)).collect())
}

/// Where archives are looked for.
pub(crate) fn folders(config: &Config, to: Option<&Path>) -> anyhow::Result<Vec<PathBuf>> {
    let backups = Paths::resolve(config)?.backups;
    Ok(to.map_or_else(|| vec![backups.join("daily"), backups.join("weekly")], |folder| vec![folder.to_path_buf()]))
}

/// Where PostgreSQL's programs are, if that is configured.
pub(crate) fn bin_dir(config: &Config) -> anyhow::Result<Option<PathBuf>> {
    let paths = Paths::resolve(config)?;
    Ok(PgSettings::resolve(config, &paths, &Default::default())?.bin_dir)
}

#[cfg(test)]
mod tests {
    use pso_common::io::Env;

    use super::*;

    fn resolve(text: &str) -> anyhow::Result<Settings> {
        let config = Config::from_text("config/config.yaml", text, Default::default())?;
        Settings::resolve(&config, &CreateArgs::default())
    }

    #[test]
    fn components_are_captured_in_one_order() {
        let settings = resolve("maintenance: {backup: {components: [plans, postgres]}}").expect("valid");
        assert_eq!(settings.components, [Component::Postgres, Component::Plans]);
        assert_eq!((settings.keep_days, settings.folder), (7, PathBuf::from("backups/daily")));
    }

    #[test]
    fn each_series_has_a_variable_of_its_own() {
        let mut env = Env::default();
        env.set("PSO_BACKUP_KEEP_DAYS", "3");
        let config = Config::from_text("config/config.yaml", "{}", env).expect("valid");
        let keep = |kind| Settings::resolve(&config, &CreateArgs { kind, ..CreateArgs::default() }).expect("valid");
        assert_eq!((keep(ArchiveKind::Daily).keep_days, keep(ArchiveKind::Weekly).keep_days), (3, 35));
    }

    #[test]
    fn what_would_back_up_or_keep_nothing_is_refused() {
        for (text, said) in [
            ("maintenance: {backup: {components: [logs]}}", "`logs` is not a component"),
            ("maintenance: {backup: {components: []}}", "no component"),
            ("maintenance: {backup: {keep_days: 0}}", "keep nothing"),
            ("maintenance: {backup: {keep_day: 3}}", "unknown field `keep_day`"),
        ] {
            let message = resolve(text).map_or_else(|error| format!("{error:#}"), |_| "no error".to_owned());
            assert!(message.contains(said), "{message}");
        }
    }
}
