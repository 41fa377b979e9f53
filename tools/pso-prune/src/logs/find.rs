//! The logs that are there.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::identity::Identity;
use super::name::{self, LogName};

/// A log.
#[derive(Clone, Debug)]
pub(super) struct Found {
    /// The configured folder.
    pub(super) root: PathBuf,
    /// The path below it.
    pub(super) below: PathBuf,
    pub(super) identity: Identity,
    pub(super) name: LogName,
    /// How many names it has.
    pub(super) links: u64,
    /// Who owns it.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "asked for where /proc is"))]
    pub(super) owner: u32,
}

impl Found {
    pub(super) fn path(&self) -> PathBuf {
        self.root.join(&self.below)
    }

    /// As records show it: what is no text is shown as near as can be.
    pub(super) fn shown(&self) -> String {
        self.path().display().to_string()
    }

    pub(super) fn name(&self) -> &OsStr {
        self.below.file_name().unwrap_or_default()
    }

    /// The folder that it lies in, below the configured one.
    pub(super) fn folder(&self) -> &Path {
        self.below.parent().unwrap_or_else(|| Path::new(""))
    }
}

/// Something that could not be looked at: its path, and why.
pub(super) type Unseen = (String, String);

/// Finds the logs below some folders, a file once however many of them it is below. Links are not followed but where a folder
/// itself is one, other file systems not entered, and the backups left alone.
pub(super) fn find(folders: &[PathBuf], backups: &Path) -> (Vec<Found>, Vec<Unseen>) {
    let (mut all, mut unseen): (Vec<Found>, Vec<Unseen>) = (Vec::new(), Vec::new());
    let mut known = HashSet::new();
    let backups = fs::canonicalize(backups).ok();
    for root in folders {
        let real = match fs::canonicalize(root) {
            Ok(real) => real,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => {
                unseen.push((root.display().to_string(), error.to_string()));
                continue;
            }
        };
        if real.parent().is_none() {
            unseen.push((root.display().to_string(), "it is the whole file system, not a folder of logs".to_owned()));
            continue;
        }
        // From the real path, because links above it are nobody's trick: they were configured.
        let walk = WalkDir::new(&real).follow_links(false).same_file_system(true).sort_by_file_name();
        for entry in walk.into_iter().filter_entry(|entry| backups.as_deref() != Some(entry.path())) {
            let looked =
                entry.map_err(|error| (error.path().map(Path::to_path_buf), error.to_string())).and_then(|entry| {
                    if !entry.file_type().is_file() {
                        return Ok(None);
                    }
                    let Some(name) = name::of(entry.file_name()) else { return Ok(None) };
                    if !known.insert(entry.path().to_path_buf()) {
                        return Ok(None);
                    }
                    let metadata =
                        entry.metadata().map_err(|error| (Some(entry.path().to_path_buf()), error.to_string()))?;
                    let below = entry.path().strip_prefix(&real).unwrap_or_else(|_| entry.path()).to_path_buf();
                    let (links, owner) = links_and_owner(&metadata);
                    let identity = Identity::of(&metadata);
                    Ok(Some(Found { root: root.clone(), below, identity, name, links, owner }))
                });
            match looked {
                Ok(found) => all.extend(found),
                Err((path, error)) => {
                    let path = path.map_or_else(|| root.display().to_string(), |path| path.display().to_string());
                    unseen.push((path, error));
                }
            }
        }
    }
    (all, unseen)
}

#[cfg(unix)]
fn links_and_owner(metadata: &fs::Metadata) -> (u64, u32) {
    use std::os::unix::fs::MetadataExt as _;
    (metadata.nlink(), metadata.uid())
}

#[cfg(not(unix))]
fn links_and_owner(_metadata: &fs::Metadata) -> (u64, u32) {
    (1, 0)
}
