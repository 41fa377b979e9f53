//! The archives that are there, by the time that their manifests name.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use pso_common::Timestamp;
use pso_common::record::Component;

use crate::encryption::{SUFFIX, is_encrypted};
use crate::names::NamedArchive;
use crate::reader::Archive;
use crate::status::Status;

/// One file that has an archive's name.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Its path.
    pub path: PathBuf,
    /// Its size in bytes.
    pub size: u64,
    /// What its name says.
    pub named: NamedArchive,
    /// What its manifest says, or, where it is encrypted, what was noted of it; or why that cannot be read.
    pub content: Result<Summary, String>,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// Whether there is a [`Status`] of it: nothing was noted by pso-tools 0.1.
    pub is_noted: bool,
    /// When all of it was last compared with its manifest; not once it was found to be damaged.
    pub verified_at: Option<Timestamp>,
    /// When it was last restored somewhere harmless.
    pub rehearsed_at: Option<Timestamp>,
}

/// What a listing needs of a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// When the backup was begun.
    pub taken_at: Timestamp,
    /// `daily` or `weekly`.
    pub kind: String,
    /// The components in it.
    pub components: Vec<Component>,
    /// The components that failed, where the configuration calls them optional.
    pub missing: Vec<Component>,
    /// The clusters that its databases come from, where they could be told.
    pub system_identifiers: Vec<String>,
}

impl From<Status> for Summary {
    fn from(status: Status) -> Self {
        Self {
            taken_at: status.taken_at,
            kind: status.kind,
            components: status.components,
            missing: status.missing,
            system_identifiers: status.system_identifiers,
        }
    }
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
            all.push(look(path, metadata.len(), named));
        }
    }
    all.sort_by_cached_key(|listed| std::cmp::Reverse((listed.taken_at(), listed.named.clone())));
    Ok(all)
}

fn look(path: PathBuf, size: u64, named: NamedArchive) -> Listed {
    let (mut status, encrypted) = (Status::read(&path), is_encrypted(&path));
    let content = if encrypted {
        let unknown = "it is encrypted, and there is no .json file of its own beside it that says what it holds";
        // Its name is all that can be compared without a key: archives are named after their moment.
        status = status.filter(|status| status.taken_at.compact() == named.at.compact());
        status.clone().map(Summary::from).ok_or_else(|| unknown.to_owned())
    } else {
        let archive = Archive::open(&path).map_err(|error| format!("{error:#}"));
        // What was noted of another archive says nothing of this one.
        status = status.filter(|status| archive.as_ref().is_ok_and(|archive| status.agrees_with(archive.manifest())));
        archive.map(|archive| Status::new(archive.manifest(), size, "").into())
    };
    let is_noted = status.is_some();
    let (verified_at, rehearsed_at) = status.map_or((None, None), |status| (status.verified_at, status.rehearsed_at));
    Listed { path, size, named, content, encrypted, is_noted, verified_at, rehearsed_at }
}

/// The archive that somebody means: `latest`, a path, or the name of one in the folders, with or without `.zip` or `.zip.age`.
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
    let names = [wanted.to_owned(), format!("{wanted}.zip"), format!("{wanted}.zip{SUFFIX}")];
    let mut by_name = folders.iter().flat_map(|folder| names.iter().map(|name| folder.join(name)));
    let is_plain = path.file_name().is_some_and(|name| name == path.as_os_str());
    if let Some(found) = by_name.find(|path| is_plain && path.is_file()) {
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
