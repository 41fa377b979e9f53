//! The flags of `create`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use pso_archive::Packing;
use pso_common::config::ConfigValue;
use pso_common::postgres::PgArgs;
use pso_common::record::Component;

#[derive(Args, Clone, Debug, Default)]
pub(crate) struct CreateArgs {
    /// Which series the archive belongs to: its folder below `backups/`, and how long it is kept
    #[arg(long, value_enum, default_value_t, value_name = "KIND")]
    pub(crate) kind: ArchiveKind,

    /// Put the archive into DIR instead
    #[arg(long, value_name = "DIR")]
    pub(crate) to: Option<PathBuf>,

    /// Back up only these: postgres, qdrant, config, scripts, plans [env: `PSO_BACKUP_COMPONENTS`] [default: all]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(crate) only: Vec<Component>,

    /// How the archive is compressed: `deflate` opens everywhere, `zstd` is faster, `store` is not compressed
    /// [env: `PSO_BACKUP_COMPRESSION`] [default: deflate]
    #[arg(long, value_enum, value_name = "HOW")]
    pub(crate) compression: Option<Compression>,

    /// The age identity that opens encrypted archives, where older ones go because of them; none is needed to make one
    /// [env: `PSO_BACKUP_IDENTITY_FILE`]
    #[arg(long, value_name = "FILE")]
    pub(crate) identity: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) retention: RetentionArgs,

    /// Qdrant's base URL [env: `PSO_QDRANT_URL`] [default: <http://localhost:6333>]
    #[arg(long, value_name = "URL", help_heading = "Qdrant")]
    pub(crate) qdrant_url: Option<String>,

    #[command(flatten)]
    pub(crate) postgres: PgArgs,
}

/// Which archives stay. After a success the rules are applied to the archive's folder.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
#[command(next_help_heading = "Retention")]
pub(crate) struct RetentionArgs {
    /// Keep all archives of so many days [env: `PSO_BACKUP_KEEP_DAYS`, weekly `PSO_BACKUP_WEEKLY_KEEP_DAYS`]
    /// [default: 7, weekly 35, unless another rule is set]
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) keep_days: Option<u32>,

    /// Keep the newest archive of each day (UTC), for N days that have one
    #[arg(long, value_name = "N")]
    pub(crate) keep_daily: Option<u32>,

    /// Keep the newest archive of each week
    #[arg(long, value_name = "N")]
    pub(crate) keep_weekly: Option<u32>,

    /// Keep the newest archive of each month
    #[arg(long, value_name = "N")]
    pub(crate) keep_monthly: Option<u32>,

    /// Never go below N good archives of any component [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) minimum: Option<u32>,

    /// Only what `pso-rehearse` has restored counts as good: other archives replace none
    #[arg(long)]
    pub(crate) rehearsed_only: bool,
}

/// The series of an archive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ArchiveKind {
    #[default]
    Daily,
    Weekly,
}

impl ArchiveKind {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Daily => "daily",
            Self::Weekly => "weekly",
        }
    }

    /// The series that a folder of this name holds.
    pub(crate) fn of_folder(folder: &std::path::Path) -> Self {
        if folder.file_name().is_some_and(|name| name == "weekly") { Self::Weekly } else { Self::Daily }
    }
}

/// How an archive is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Compression {
    Deflate,
    Zstd,
    Store,
}

impl Compression {
    /// How the archive packs its entries.
    pub(crate) const fn packing(self) -> Packing {
        match self {
            Self::Deflate => Packing::Deflate,
            Self::Zstd => Packing::Zstd,
            Self::Store => Packing::Store,
        }
    }
}

impl ConfigValue for Compression {
    const EXPECTED: &'static str = "deflate, zstd or store";

    fn parse(text: &str) -> Option<Self> {
        <Self as ValueEnum>::from_str(text.trim(), false).ok()
    }

    fn show(&self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

/// Whether the roles and tablespaces of the cluster are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Globals {
    /// Where the role may read them.
    Auto,
    /// Without them there is no backup.
    Yes,
    No,
}

impl ConfigValue for Globals {
    const EXPECTED: &'static str = "auto, yes or no";

    fn parse(text: &str) -> Option<Self> {
        match text.trim() {
            "auto" => Some(Self::Auto),
            other => bool::parse(other).map(|wanted| if wanted { Self::Yes } else { Self::No }),
        }
    }

    fn show(&self) -> String {
        match self {
            Self::Auto => "auto",
            Self::Yes => "yes",
            Self::No => "no",
        }
        .to_owned()
    }
}

impl CreateArgs {
    /// Whether none of the flags was given.
    pub(super) fn is_empty(&self) -> bool {
        let PgArgs { pg_host, pg_port, pg_dbname, pg_user } = &self.postgres;
        self.kind == ArchiveKind::default()
            && self.to.is_none()
            && self.only.is_empty()
            && self.compression.is_none()
            && self.identity.is_none()
            && self.retention == RetentionArgs::default()
            && self.qdrant_url.is_none()
            && pg_host.is_none()
            && pg_port.is_none()
            && pg_dbname.is_none()
            && pg_user.is_none()
    }
}
