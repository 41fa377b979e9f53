//! What a server is to be like, before it is there.

use std::path::PathBuf;

use anyhow::Result;

use super::{TempPg, install, versions};

/// Made by [`TempPg::builder`].
#[derive(Debug, Clone, Default)]
pub struct Builder {
    version: Option<u32>,
    programs: Option<PathBuf>,
    settings: Vec<(String, String)>,
}

impl Builder {
    /// A major version, instead of the installed one.
    #[must_use]
    pub fn version(mut self, major: u32) -> Self {
        self.version = Some(major);
        self
    }

    /// An installation elsewhere: the folder with `initdb` and `postgres`. It wins over the version.
    #[must_use]
    pub fn programs(mut self, folder: impl Into<PathBuf>) -> Self {
        self.programs = Some(folder.into());
        self
    }

    /// One more setting as in `postgresql.conf`. It wins over the harness's own.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// `pg_stat_statements` is not preloaded, which it is otherwise where the installation has it.
    #[must_use]
    pub fn without_statements(self) -> Self {
        self.setting("shared_preload_libraries", "")
    }

    /// Makes the server and starts it.
    ///
    /// # Errors
    /// When that version is missing (the message says how to get it) or does not start (the message has its last words).
    pub fn start(&self) -> Result<TempPg> {
        let programs = match (&self.programs, self.version) {
            (Some(programs), _) => programs.clone(),
            (None, Some(major)) => versions::programs_of(major)?,
            (None, None) => install::server_programs()?,
        };
        super::on_a_free_port(|| TempPg::create(&programs, &self.settings))
    }
}
