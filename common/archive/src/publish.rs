//! An archive gets its name: whole, with its `.sha256`, and never in another's place.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use pso_common::Timestamp;

use crate::durable::{private_file, sync_folder};
use crate::names::NamedArchive;
use crate::writer::Written;

/// What stands between the name-to-be and the process id in temporary names: `.20261122_090000.zip.partial-4711`.
const PARTIAL: &str = ".partial-";

/// A published archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// Its path.
    pub path: PathBuf,
    /// Its size in bytes.
    pub size: u64,
    /// SHA-256 of the file, hex.
    pub sha256: String,
}

/// `NAME.zip.sha256`.
#[must_use]
pub fn sidecar_path(archive: &Path) -> PathBuf {
    let mut path = archive.as_os_str().to_owned();
    path.push(".sha256");
    path.into()
}

impl Written {
    /// Publishes the archive as the next free name of the moment `at`. Its hash file appears just before it, so that
    /// an archive that can be seen can be checked.
    ///
    /// # Errors
    /// When the disk fails. Nothing can be seen then.
    pub fn publish(self, folder: &Path, at: Timestamp, size: u64, sha256: &str) -> anyhow::Result<Published> {
        let (name, path) = free_name(folder, at)?;
        let sidecar = sidecar_path(&path);
        let context = || format!("publish {}", path.display());
        let temporary = Partial::new(Partial::path_in(folder, &format!("{name}.sha256")));
        let mut file = private_file(temporary.path()).with_context(context)?;
        writeln!(file, "{sha256}  {name}").and_then(|()| file.sync_all()).with_context(context)?;
        drop(file);
        temporary.rename(&sidecar).with_context(context)?;
        if let Err(error) = self.partial.rename(&path) {
            // Alone it would say something about a file that is not there.
            let _ = fs::remove_file(&sidecar);
            return Err(error).with_context(context);
        }
        sync_folder(folder).with_context(context)?;
        Ok(Published { path, size, sha256: sha256.to_owned() })
    }
}

/// The folder is locked, so a name that is free stays free.
fn free_name(folder: &Path, at: Timestamp) -> anyhow::Result<(String, PathBuf)> {
    for number in 1..1000 {
        let name = NamedArchive::file_name(at, number);
        let path = folder.join(&name);
        if fs::symlink_metadata(&path).is_err() && fs::symlink_metadata(sidecar_path(&path)).is_err() {
            return Ok((name, path));
        }
    }
    bail!("{} is full of archives of {at}; is the clock standing still?", folder.display());
}

/// A file under a temporary name, removed when it is dropped.
#[derive(Debug)]
pub(crate) struct Partial(Option<PathBuf>);

impl Partial {
    pub(crate) fn path_in(folder: &Path, name: &str) -> PathBuf {
        folder.join(format!(".{name}{PARTIAL}{}", std::process::id()))
    }

    pub(crate) const fn new(path: PathBuf) -> Self {
        Self(Some(path))
    }

    pub(crate) const fn none() -> Self {
        Self(None)
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.as_deref().unwrap_or_else(|| Path::new(""))
    }

    fn rename(mut self, to: &Path) -> std::io::Result<()> {
        fs::rename(self.path(), to)?;
        self.0 = None;
        Ok(())
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            // The next run removes what cannot be removed now.
            let _ = fs::remove_file(path);
        }
    }
}

/// Removes what runs that were killed have left in `folder`, which must be locked: temporary files, and hash files
/// without their archive. Gives the removed names.
///
/// # Errors
/// When the folder cannot be read, or a leftover cannot be removed.
pub fn remove_leftovers(folder: &Path) -> anyhow::Result<Vec<String>> {
    let mut removed = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("read the folder {}", folder.display()))? {
        let entry = entry.with_context(|| format!("read the folder {}", folder.display()))?;
        let name = entry.file_name();
        let Some(name) = name.to_str().filter(|name| is_leftover(folder, name)) else { continue };
        fs::remove_file(entry.path()).with_context(|| format!("remove the leftover {}", entry.path().display()))?;
        removed.push(name.to_owned());
    }
    removed.sort();
    Ok(removed)
}

fn is_leftover(folder: &Path, name: &str) -> bool {
    if let Some((stem, pid)) = name.strip_prefix('.').and_then(|rest| rest.rsplit_once(PARTIAL)) {
        let stem = stem.strip_suffix(".sha256").unwrap_or(stem);
        return NamedArchive::parse(stem).is_some() && pid.parse::<u32>().is_ok();
    }
    let archive = name.strip_suffix(".sha256").filter(|archive| NamedArchive::parse(archive).is_some());
    archive.is_some_and(|archive| !folder.join(archive).exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_leftovers_go() {
        let folder = tempfile::tempdir().expect("a folder");
        let ours = [
            ".20261122_090000.zip.partial-1",
            ".20261122_090000_2.zip.sha256.partial-77",
            "20261122_100000.zip.sha256",
        ];
        let others = [
            "20261122_090000.zip",
            "20261122_090000.zip.sha256",
            ".notes.zip.partial-1",
            ".20261122_090000.zip.partial-x",
            "notes.zip.sha256",
            "report.txt",
        ];
        for name in ours.iter().chain(&others) {
            fs::write(folder.path().join(name), "x").expect("written");
        }
        let mut expected = ours.map(str::to_owned).to_vec();
        expected.sort();
        assert_eq!(remove_leftovers(folder.path()).expect("removed"), expected);
        assert!(others.iter().all(|name| folder.path().join(name).exists()));
    }
}
