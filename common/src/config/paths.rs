//! Where the deployment's files are.

use std::path::{Path, PathBuf};

use super::Config;
use super::file::FileConfig;

/// The folders of a deployment, joined with its root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// The deployment's folder: `maintenance.root`, or the folder that holds `config/`, or the current one.
    pub root: PathBuf,
    /// `config/`.
    pub config: PathBuf,
    /// `logs/`.
    pub logs: PathBuf,
    /// `roadmaps/plans/`.
    pub plans: PathBuf,
    /// `scripts/`.
    pub scripts: PathBuf,
    /// `backups/`, with `daily/` and `weekly/` in it.
    pub backups: PathBuf,
}

impl Paths {
    /// Resolves the folders.
    ///
    /// # Errors
    /// When the file holds a bad value.
    pub fn resolve(config: &Config) -> anyhow::Result<Self> {
        let maintenance = config.read::<FileConfig>()?.maintenance.unwrap_or_default();
        let section = maintenance.paths.unwrap_or_default();
        let root = config
            .pick::<PathBuf>("maintenance.root")
            .env("PSO_ROOT")
            .file(&maintenance.root)
            .other("the folder above the configuration file", root_of(config.path()))
            .or(PathBuf::from("."))?;
        let folder = |name: &str, env: &str, field: &super::Field, default: &str| {
            let path =
                config.pick::<PathBuf>(format!("maintenance.paths.{name}")).env(env).file(field).or(default.into())?;
            anyhow::Ok(if root == Path::new(".") { path } else { root.join(path) })
        };
        Ok(Self {
            config: folder("config", "PSO_CONFIG_DIR", &section.config, "config")?,
            logs: folder("logs", "PSO_LOGS", &section.logs, "logs")?,
            plans: folder("plans", "PSO_PLANS", &section.plans, "roadmaps/plans")?,
            scripts: folder("scripts", "PSO_SCRIPTS", &section.scripts, "scripts")?,
            backups: folder("backups", "PSO_BACKUPS", &section.backups, "backups")?,
            root,
        })
    }

    /// A path of the deployment: relative ones are joined with the root.
    #[must_use]
    pub fn join(&self, path: &Path) -> PathBuf {
        if self.root == Path::new(".") { path.to_path_buf() } else { self.root.join(path) }
    }

    /// The file with root certificates that a key names: the variable's, then the file's. The word `system` is no path, and
    /// stays as it is.
    ///
    /// # Errors
    /// When a layer holds a bad value.
    pub fn ca_file(
        &self,
        config: &Config,
        key: &str,
        env: Option<&str>,
        field: &super::Field,
    ) -> anyhow::Result<Option<PathBuf>> {
        let pick = config.pick::<PathBuf>(key);
        let pick = match env {
            Some(name) => pick.env(name),
            None => pick,
        };
        Ok(pick.file(field).optional()?.map(|path| if path == Path::new("system") { path } else { self.join(&path) }))
    }
}

/// The folder above `config/`, where the file in use lies in a folder of that name.
fn root_of(config: Option<&Path>) -> Option<PathBuf> {
    let folder = config?.parent()?;
    if folder.file_name()? != "config" {
        return None;
    }
    folder.parent().filter(|root| !root.as_os_str().is_empty()).map(Path::to_path_buf)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::Env;

    fn paths(file: &str, text: &str) -> Paths {
        Paths::resolve(&Config::from_text(file, text, Env::default()).expect("valid")).expect("valid")
    }

    #[test]
    fn the_root_follows_the_configuration_file() {
        assert_eq!(paths("/srv/ps/config/config.yaml", "").logs, Path::new("/srv/ps/logs"));
        assert_eq!(paths("config/config.yaml", "").plans, Path::new("roadmaps/plans"));
        assert_eq!(paths("/etc/pso.yaml", "").backups, Path::new("backups"));
        let text = "maintenance: {root: /data, paths: {logs: /var/log/ps}}";
        let set = paths("/etc/pso.yaml", text);
        assert_eq!((set.logs, set.config), (PathBuf::from("/var/log/ps"), PathBuf::from("/data/config")));
    }
}
