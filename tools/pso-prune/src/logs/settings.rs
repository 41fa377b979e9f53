//! `maintenance.prune.logs`.

use std::path::PathBuf;
use std::time::Duration;

use pso_common::config::{Config, ConfigValue, Field, ListField, Paths};
use pso_common::output::bytes;
use serde::Deserialize;

/// The section of the file.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LogsSection {
    folders: ListField,
    compress_after: Field,
    compression: Field,
    max_total_size: Field,
}

/// What the code works with.
#[derive(Clone, Debug)]
pub(crate) struct LogsSettings {
    /// Where logs lie, with the folders below.
    pub(super) folders: Vec<PathBuf>,
    /// From which age on logs are compressed; `None` is never: people and the procedures search in plain files.
    pub(super) compress_after: Option<Duration>,
    pub(super) format: Format,
    /// How many bytes all of them may take together.
    pub(super) max_total_size: Option<u64>,
}

/// How logs are compressed. `pso-logscan` reads both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Zstd,
    Gzip,
}

impl Format {
    pub(super) const fn suffix(self) -> &'static str {
        match self {
            Self::Zstd => ".zst",
            Self::Gzip => ".gz",
        }
    }
}

impl ConfigValue for Format {
    const EXPECTED: &'static str = "zstd or gzip";

    fn parse(text: &str) -> Option<Self> {
        match text.trim() {
            "zstd" => Some(Self::Zstd),
            "gzip" => Some(Self::Gzip),
            _ => None,
        }
    }

    fn show(&self) -> String {
        match self {
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
        }
        .to_owned()
    }
}

/// A number of bytes.
struct Size(u64);

impl ConfigValue for Size {
    const EXPECTED: &'static str = "a size such as 500MiB or 2GiB";

    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let factor: u64 = match unit.trim() {
            "" | "B" => 1,
            "kB" | "KB" => 1000,
            "MB" => 1_000_000,
            "GB" => 1_000_000_000,
            "TB" => 1_000_000_000_000,
            "k" | "K" | "KiB" => 1 << 10,
            "M" | "MiB" => 1 << 20,
            "G" | "GiB" => 1 << 30,
            "T" | "TiB" => 1 << 40,
            _ => return None,
        };
        number.parse::<u64>().ok()?.checked_mul(factor).map(Self)
    }

    fn show(&self) -> String {
        bytes(self.0)
    }
}

impl LogsSettings {
    /// Where logs lie.
    pub(crate) fn folders(&self) -> &[PathBuf] {
        &self.folders
    }

    pub(crate) fn resolve(config: &Config, paths: &Paths, section: &LogsSection) -> anyhow::Result<Self> {
        let folders: Vec<PathBuf> =
            config.pick("maintenance.prune.logs.folders").file_list(&section.folders).or(vec![paths.logs.clone()])?;
        let folders = match &section.folders {
            Some(_) => folders.iter().map(|folder| paths.join(folder)).collect(),
            None => folders,
        };
        Ok(Self {
            folders,
            compress_after: config
                .pick("maintenance.prune.logs.compress_after")
                .file(&section.compress_after)
                .optional()?,
            format: config.pick("maintenance.prune.logs.compression").file(&section.compression).or(Format::Zstd)?,
            max_total_size: config
                .pick::<Size>("maintenance.prune.logs.max_total_size")
                .file(&section.max_total_size)
                .optional()?
                .map(|size| size.0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        let size = |text| Size::parse(text).map(|size| size.0);
        assert_eq!(size("500MiB"), Some(524_288_000));
        assert_eq!(size("2 GB"), Some(2_000_000_000));
        assert_eq!(size("1024"), Some(1024));
        assert_eq!(size("1G"), Some(1_073_741_824));
        for text in ["", "MiB", "1.5GiB", "-1", "2 parsecs", "99999999999TiB"] {
            assert_eq!(size(text), None, "{text}");
        }
    }
}
