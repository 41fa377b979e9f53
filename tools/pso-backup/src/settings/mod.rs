//! What a backup works with, resolved once.

mod encryption;
mod hooks;
mod retention;
mod section;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail, ensure};
use pso_archive::{Packing, RESTORE_LOCK, wanted};
use pso_common::config::{Config, Paths};
use pso_common::postgres::PgSettings;
use pso_common::qdrant::QdrantSettings;
use pso_common::record::Component;

pub(crate) use encryption::Encryption;
pub(crate) use hooks::Hooks;
use section::BackupSection;

use crate::cli::{ArchiveKind, Compression, CreateArgs, Globals};
use crate::retention::Policy;

/// What `create` works with.
pub(crate) struct Settings {
    pub(crate) kind: ArchiveKind,
    /// The components to capture, in the order of capture.
    pub(crate) components: Vec<Component>,
    /// Those without which there is an archive all the same.
    pub(crate) optional: Vec<Component>,
    /// Where the archive goes.
    pub(crate) folder: PathBuf,
    /// A second place that gets a copy of every archive; its folder of this series.
    pub(crate) copy_to: Option<PathBuf>,
    pub(crate) policy: Policy,
    pub(crate) compression: Compression,
    /// The databases to dump, in this order.
    pub(crate) databases: Vec<String>,
    pub(crate) globals: Globals,
    /// The collections to capture; none means all.
    pub(crate) collections: Vec<String>,
    pub(crate) hooks: Hooks,
    pub(crate) encryption: Encryption,
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
        let section: BackupSection = config.section()?;
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
        let optional: Vec<String> =
            config.pick("maintenance.backup.optional").file_list(&section.optional).or(Vec::new())?;
        let copy_to: Option<PathBuf> =
            config.pick("maintenance.backup.copy_to").env("PSO_BACKUP_COPY_TO").file(&section.copy_to).optional()?;
        let wanted = components(&names).context("maintenance.backup.components")?;
        ensure!(!wanted.is_empty(), "there is no component to back up; leave it out for all of them");
        let databases: Vec<String> = config
            .pick("maintenance.backup.databases")
            // Whoever names a database wants that one.
            .flag(args.postgres.pg_dbname.clone().map(|name| vec![name]))
            .file_list(&section.databases)
            .or(vec![postgres.dbname.clone()])?;
        let folder = args.to.clone().unwrap_or_else(|| paths.backups.join(args.kind.as_str()));
        let copy_to = copy_to.map(|path| paths.join(&path).join(args.kind.as_str()));
        ensure!(
            copy_to.as_ref() != Some(&folder),
            "maintenance.backup.copy_to is the backup folder itself; name a folder on another disk"
        );
        Ok(Self {
            kind: args.kind,
            restore_lock: paths.join(Path::new(RESTORE_LOCK)),
            components: wanted,
            optional: components(&optional).context("maintenance.backup.optional")?,
            folder,
            copy_to,
            policy: Policy::of_section(config, &section, args.kind, &args.retention)?,
            compression: config
                .pick("maintenance.backup.compression")
                .flag(args.compression)
                .env("PSO_BACKUP_COMPRESSION")
                .file(&section.compression)
                .or(Compression::Deflate)?,
            databases: distinct(databases).context("maintenance.backup.databases")?,
            globals: config.pick("maintenance.backup.globals").file(&section.globals).or(Globals::Auto)?,
            collections: config.pick("maintenance.backup.collections").file_list(&section.collections).or(Vec::new())?,
            hooks: Hooks::resolve(config, &section)?,
            encryption: Encryption::resolve(config, &paths, args.identity.clone())?,
            stall_timeout: config
                .pick("maintenance.backup.stall_timeout")
                .file(&section.stall_timeout)
                .or(Duration::from_secs(600))?,
            paths,
            postgres,
            qdrant,
        })
    }

    pub(crate) fn is_optional(&self, component: Component) -> bool {
        self.optional.contains(&component)
    }

    /// How entries are packed.
    pub(crate) const fn packing(&self) -> Packing {
        self.compression.packing()
    }
}

/// The components of these names, in the order of capture.
fn components(names: &[String]) -> anyhow::Result<Vec<Component>> {
    let wanted: Vec<Component> =
        names.iter().map(|name| name.parse()).collect::<Result<_, String>>().map_err(|reason| anyhow!(reason))?;
    Ok(Component::ALL.into_iter().filter(|component| wanted.contains(component)).collect())
}

/// Names that are all there, once each.
fn distinct(names: Vec<String>) -> anyhow::Result<Vec<String>> {
    ensure!(!names.is_empty(), "there is no database to back up; leave the key out, or postgres out of the components");
    for (at, name) in names.iter().enumerate() {
        ensure!(!name.is_empty(), "a database has no name");
        ensure!(!names[..at].contains(name), "the database {name} is listed twice");
    }
    Ok(names)
}

/// Where archives are looked for, and which series each folder holds. One that is named must be there: on a disk that is
/// not mounted there are archives all the same.
pub(crate) fn folders(config: &Config, to: Option<&Path>) -> anyhow::Result<Vec<PathBuf>> {
    if let Some(folder) = to.filter(|folder| !folder.is_dir()) {
        bail!("there is no folder {} (--to); is the disk mounted?", folder.display());
    }
    let paths = Paths::resolve(config)?;
    Ok(to.map_or_else(|| wanted::folders(&paths), |folder| vec![folder.to_path_buf()]))
}

/// What a restore into the deployment holds while it changes anything.
pub(crate) fn restore_lock(config: &Config) -> anyhow::Result<PathBuf> {
    Ok(Paths::resolve(config)?.join(Path::new(RESTORE_LOCK)))
}

/// With which key archives are read.
pub(crate) fn encryption(config: &Config, identity: Option<PathBuf>) -> anyhow::Result<Encryption> {
    Encryption::resolve(config, &Paths::resolve(config)?, identity)
}

/// Where PostgreSQL's programs are, if that is configured.
pub(crate) fn bin_dir(config: &Config) -> anyhow::Result<Option<PathBuf>> {
    let paths = Paths::resolve(config)?;
    Ok(PgSettings::resolve(config, &paths, &Default::default())?.bin_dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(text: &str) -> anyhow::Result<Settings> {
        let config = Config::from_text("config/config.yaml", text, Default::default())?;
        Settings::resolve(&config, &CreateArgs::default())
    }

    #[test]
    fn components_are_captured_in_one_order() {
        let settings = resolve("maintenance: {backup: {components: [plans, postgres]}}").expect("valid");
        assert_eq!(settings.components, [Component::Postgres, Component::Plans]);
        assert_eq!((settings.policy.keep_days, settings.folder), (7, PathBuf::from("backups/daily")));
        assert_eq!((settings.databases, settings.copy_to), (vec!["planning_sync".to_owned()], None));
    }

    #[test]
    fn a_database_that_is_named_is_the_one() {
        let text = "maintenance: {backup: {databases: [a, b], copy_to: /mnt/nas, compression: store, globals: no}}";
        let settings = resolve(text).expect("valid");
        assert_eq!(settings.databases, ["a", "b"]);
        assert_eq!(settings.copy_to, Some(PathBuf::from("/mnt/nas/daily")));
        assert_eq!((settings.compression, settings.globals), (Compression::Store, Globals::No));
        let config = Config::from_text("config/config.yaml", text, Default::default()).expect("valid");
        let mut args = CreateArgs::default();
        args.postgres.pg_dbname = Some("c".to_owned());
        assert_eq!(Settings::resolve(&config, &args).expect("valid").databases, ["c"]);
    }

    #[test]
    fn what_would_back_up_or_keep_nothing_is_refused() {
        for (text, said) in [
            ("components: [logs]", "`logs` is not a component"),
            ("components: []", "no component"),
            ("optional: [logs]", "`logs` is not a component"),
            ("databases: []", "no database"),
            ("databases: [a, a]", "listed twice"),
            ("copy_to: backups", "the backup folder itself"),
            ("compression: lzma", "expected deflate, zstd or store"),
            ("globals: perhaps", "expected auto, yes or no"),
            ("keep_days: 0", "keep nothing"),
            ("retention: {keep_day: 3}", "unknown field `keep_day`"),
            ("keep_day: 3", "unknown field `keep_day`"),
        ] {
            let text = format!("maintenance: {{backup: {{{text}}}}}");
            let message = resolve(&text).map_or_else(|error| format!("{error:#}"), |_| "no error".to_owned());
            assert!(message.contains(said), "{message}");
        }
    }
}
