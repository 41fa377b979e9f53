//! The flags of what looks at archives that are there.

use std::path::PathBuf;

use clap::Args;
use pso_common::config::{ConfigValue as _, Percent};

use super::create::RetentionArgs;

#[derive(Args, Clone, Debug, Default)]
pub(crate) struct ListArgs {
    /// Look into DIR instead of `backups/daily` and `backups/weekly`
    #[arg(long, value_name = "DIR")]
    pub(crate) to: Option<PathBuf>,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct VerifyArgs {
    /// A path, a name from `pso-backup list`, or `latest` [default: latest]
    #[arg(value_name = "ARCHIVE", conflicts_with = "all")]
    pub(crate) archive: Option<String>,

    /// Verify every archive, newest first
    #[arg(long)]
    pub(crate) all: bool,

    /// Read only about this share of each archive's content, chosen by chance, and not the whole file
    #[arg(long, value_name = "PERCENT", value_parser = share)]
    pub(crate) sample: Option<Percent>,

    /// Unpack every entry and compare its content too, not only what is stored
    #[arg(long, conflicts_with = "sample")]
    pub(crate) deep: bool,

    /// The age identity that opens encrypted archives [env: `PSO_BACKUP_IDENTITY_FILE`]
    #[arg(long, value_name = "FILE")]
    pub(crate) identity: Option<PathBuf>,

    /// Look into DIR instead of `backups/daily` and `backups/weekly`
    #[arg(long, value_name = "DIR")]
    pub(crate) to: Option<PathBuf>,
}

impl VerifyArgs {
    /// The one archive that is meant.
    pub(crate) fn wanted(&self) -> &str {
        self.archive.as_deref().unwrap_or("latest")
    }
}

#[derive(Args, Clone, Debug)]
pub(crate) struct PruneArgs {
    /// Do it; without, only what would go is said
    #[arg(long)]
    pub(crate) yes: bool,

    /// Look into DIR instead of `backups/daily` and `backups/weekly`
    #[arg(long, value_name = "DIR")]
    pub(crate) to: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) retention: RetentionArgs,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct PinArgs {
    /// A path, a name from `pso-backup list`, or `latest`
    #[arg(value_name = "ARCHIVE")]
    pub(crate) archive: String,

    /// Look into DIR instead of `backups/daily` and `backups/weekly`
    #[arg(long, value_name = "DIR")]
    pub(crate) to: Option<PathBuf>,
}

fn share(text: &str) -> Result<Percent, String> {
    Percent::parse(text)
        .filter(|share| share.0 > 0.0)
        .ok_or_else(|| format!("expected a percentage above 0 and up to 100, found {text:?}"))
}
