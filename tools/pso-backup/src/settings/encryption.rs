//! Who can read the archives, and with which key we read them.

use std::path::PathBuf;

use anyhow::Context as _;
use pso_archive::{Identities, Recipients, wanted};
use pso_common::config::{Config, Paths};

use super::section::BackupSection;

/// `maintenance.backup.encryption`. No key is in it, only where keys are: recipients are public.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Encryption {
    /// `age1…`; with `recipients_file`, who can read new archives.
    pub(crate) recipients: Vec<String>,
    /// More of them, one a line.
    pub(crate) recipients_file: Option<PathBuf>,
    /// The private key, to verify what is in archives. None is needed to make, list and prune them.
    pub(crate) identity_file: Option<PathBuf>,
}

impl Encryption {
    /// `identity` is the flag.
    pub(crate) fn resolve(config: &Config, paths: &Paths, identity: Option<PathBuf>) -> anyhow::Result<Self> {
        let section: BackupSection = config.section()?;
        let encryption = section.encryption.unwrap_or_default();
        let file = |path: Option<PathBuf>| path.map(|path| paths.join(&path));
        Ok(Self {
            recipients: config
                .pick("maintenance.backup.encryption.recipients")
                .file_list(&encryption.recipients)
                .or(Vec::new())?,
            recipients_file: file(
                config
                    .pick("maintenance.backup.encryption.recipients_file")
                    .file(&encryption.recipients_file)
                    .optional()?,
            ),
            identity_file: wanted::identity_file(config, paths, identity.as_deref())?,
        })
    }

    /// Who can read new archives, and what reads them back. Nobody in particular where nothing is encrypted.
    ///
    /// # Errors
    /// When a key is none, or a file of them cannot be read.
    pub(crate) fn for_writing(&self) -> anyhow::Result<(Recipients, Identities)> {
        let mut recipients = Recipients::parse(self.recipients.iter().map(String::as_str))
            .context("maintenance.backup.encryption.recipients")?;
        if let Some(file) = &self.recipients_file {
            recipients = recipients.and(Recipients::read(file)?);
        }
        if recipients.is_empty() {
            return Ok((recipients, Identities::default()));
        }
        // The private keys need not be on this machine: what was written is read back with a key of its own.
        let (us, identities) = Identities::of_this_run();
        Ok((recipients.and(us), identities))
    }

    /// The private keys, where there are any.
    ///
    /// # Errors
    /// When their file cannot be read.
    pub(crate) fn for_reading(&self) -> anyhow::Result<Identities> {
        self.identity_file.as_deref().map_or_else(|| Ok(Identities::default()), Identities::read)
    }
}
