//! The archives that are there, by the time that their manifests name.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use pso_common::Timestamp;
use pso_common::record::Component;

use crate::names::NamedArchive;
use crate::reader::Archive;

/// One file that has an archive's name.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Its path.
    pub path: PathBuf,
    /// Its size in bytes.
    pub size: u64,
    /// What its name says.
    pub named: NamedArchive,
    /// What its manifest says, or why that cannot be read.
    pub content: Result<Summary, String>,
}

/// What a listing needs of a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// When the backup was begun.
    pub taken_at: Timestamp,
    /// The components in it.
    pub components: Vec<Component>,
}

impl Listed {
    /// The time of the manifest, or, where it cannot be read, of the name.
    #[must_use]
    pub fn taken_at(&self) -> Timestamp {
        self.content.as_ref().map_or(self.named.at, |summary| summary.taken_at)
    }
}

/// The archives in some folders, newest first. A folder that is not there has none; files with other names do not
/// count.
///
/// # Errors
/// When a folder cannot be read.
pub fn list(folders: &[PathBuf]) -> anyhow::Result<Vec<Listed>> {
    let mut all = Vec::new();
    for folder in folders {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error).with_context(|| format!("read the folder {}", folder.display())),
        };
        for entry in entries {
            let path = entry.with_context(|| format!("read the folder {}", folder.display()))?.path();
            let Some(named) = NamedArchive::of_path(&path) else { continue };
            // One that is removed meanwhile was not there.
            let Ok(metadata) = fs::metadata(&path) else { continue };
            let content = Archive::open(&path).map_err(|error| format!("{error:#}")).map(|archive| {
                let manifest = archive.manifest();
                Summary { taken_at: manifest.taken_at, components: manifest.components.clone() }
            });
            all.push(Listed { path, size: metadata.len(), named, content });
        }
    }
    all.sort_by_cached_key(|listed| std::cmp::Reverse((listed.taken_at(), listed.named.clone())));
    Ok(all)
}

/// The archive that somebody means: `latest`, a path, or the name of one in the folders, with or without `.zip`.
///
/// # Errors
/// When there is none; the message says where it was looked for.
pub fn find(wanted: &str, folders: &[PathBuf]) -> anyhow::Result<PathBuf> {
    if wanted == "latest" {
        return latest(folders);
    }
    let path = Path::new(wanted);
    if path.exists() {
        return Ok(path.to_path_buf());
    }
    let by_name = folders.iter().flat_map(|folder| [folder.join(wanted), folder.join(format!("{wanted}.zip"))]);
    let is_plain = path.file_name().is_some_and(|name| name == path.as_os_str());
    if let Some(found) = by_name.into_iter().find(|path| is_plain && path.is_file()) {
        return Ok(found);
    }
    bail!("there is no archive {wanted}; `pso-backup list` shows those in {}", shown(folders));
}

/// The newest archive, whether it can be read or not: to go on with an older one in silence would be wrong.
fn latest(folders: &[PathBuf]) -> anyhow::Result<PathBuf> {
    let newest = list(folders)?.into_iter().next();
    let newest =
        newest.with_context(|| format!("there is no archive in {}; `pso-backup` makes one", shown(folders)))?;
    Ok(newest.path)
}

fn shown(folders: &[PathBuf]) -> String {
    folders.iter().map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(" and ")
}
