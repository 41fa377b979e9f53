//! Which paths are looked at.

use std::path::PathBuf;

use pso_common::config::{Config, ListField, Paths};

/// A path whose file system is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DiskPath {
    pub(crate) path: PathBuf,
    /// Whether it was named, so that it must be there. A folder of the deployment's layout may not have been made yet.
    pub(crate) named: bool,
    /// Whether the deployment writes there all the time: a file system that takes no writes is a fault.
    pub(crate) written: bool,
}

impl DiskPath {
    /// The named paths, or else those in use: the deployment's folders, PostgreSQL's data folder where `PGDATA` says it, and
    /// the folder for temporary files.
    ///
    /// # Errors
    /// When the list holds a bad value.
    pub(crate) fn resolve(config: &Config, named: &ListField, paths: &Paths) -> anyhow::Result<Vec<Self>> {
        let named: Option<Vec<PathBuf>> = config.pick("maintenance.health.paths").file_list(named).optional()?;
        if let Some(named) = named {
            let mut all: Vec<Self> = Vec::new();
            for path in named.iter().map(|path| paths.join(path)) {
                let written = [&paths.logs, &paths.backups].into_iter().any(|folder| path.starts_with(folder));
                if all.iter().all(|known| known.path != path) {
                    all.push(Self { path, named: true, written });
                }
            }
            return Ok(all);
        }
        let env = config.env();
        let temporary =
            env.path("TMPDIR").filter(|path| !path.as_os_str().is_empty()).unwrap_or_else(std::env::temp_dir);
        let mut all: Vec<Self> = Vec::new();
        for (path, written) in [
            (Some(paths.root.clone()), false),
            (Some(paths.config.clone()), false),
            (Some(paths.logs.clone()), true),
            (Some(paths.plans.clone()), false),
            (Some(paths.backups.clone()), true),
            (env.path("PGDATA"), true),
            // Many a container is read-only as a whole and has no use for it.
            (Some(temporary), false),
        ] {
            let Some(path) = path else { continue };
            if !path.as_os_str().is_empty() && all.iter().all(|known| known.path != path) {
                all.push(Self { path, named: false, written });
            }
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use pso_common::io::Env;

    use super::*;

    #[test]
    fn paths_are_those_in_use() {
        let mut env = Env::default();
        env.set("PGDATA", "/var/lib/pg");
        env.set("TMPDIR", "/scratch");
        let config =
            Config::from_text("c.yaml", "maintenance: {root: /srv/ps, paths: {config: /srv/ps}}", env).expect("valid");
        let paths = Paths::resolve(&config).expect("valid");
        let all = DiskPath::resolve(&config, &None, &paths).expect("valid");
        let shown: Vec<(&str, bool)> = all.iter().map(|one| (one.path.to_str().expect("UTF-8"), one.written)).collect();
        let expected = [
            ("/srv/ps", false),
            ("/srv/ps/logs", true),
            ("/srv/ps/roadmaps/plans", false),
            ("/srv/ps/backups", true),
            ("/var/lib/pg", true),
            ("/scratch", false),
        ];
        assert_eq!(shown, expected);
        assert!(all.iter().all(|one| !one.named));
        let text = "maintenance: {health: {paths: [/srv/ps, backups/daily, /srv/ps]}}";
        let config = Config::from_text("c.yaml", text, Env::default()).expect("valid");
        let section: Named = config.section().expect("valid");
        let all = DiskPath::resolve(&config, &section.paths, &Paths::resolve(&config).expect("valid")).expect("valid");
        let shown: Vec<_> = all.iter().map(|one| (one.path.to_str().expect("UTF-8"), one.named, one.written)).collect();
        assert_eq!(shown, [("/srv/ps", true, false), ("backups/daily", true, true)]);
    }

    #[derive(Default, serde::Deserialize)]
    #[serde(default)]
    struct Named {
        paths: ListField,
    }

    impl pso_common::config::ToolSection for Named {
        const NAME: &'static str = "health";
    }
}
