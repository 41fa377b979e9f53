//! An archive gets its name: whole, with its `.sha256`, and never in another's place.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use pso_common::Timestamp;

use crate::durable::{private_file, read_small, sync_folder};
use crate::encryption::{SUFFIX, is_encrypted};
use crate::names::NamedArchive;
use crate::status::{Status, status_path};
use crate::writer::Written;

/// What stands between the name-to-be and the process id in temporary names: `.20261122_090000.zip.partial-4711`.
const PARTIAL: &str = ".partial-";
/// A longer hash file is none (bytes).
const MAX_SIDECAR_BYTES: u64 = 64 << 10;

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

/// The hash in `NAME.zip.sha256`; `None` where there is no such file.
pub(crate) fn noted_hash(archive: &Path) -> io::Result<Option<String>> {
    let text = match read_small(&sidecar_path(archive), MAX_SIDECAR_BYTES) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok(Some(String::from_utf8_lossy(&text).split_whitespace().next().unwrap_or_default().to_owned()))
}

impl Written {
    /// Publishes the archive as the next free name of the moment when it was taken. Its hash file and its status appear
    /// just before it, so that an archive that can be seen can be checked. It has been verified just now.
    ///
    /// # Errors
    /// When the disk fails. Nothing can be seen then.
    pub fn publish(self, folder: &Path, mut status: Status, now: Timestamp) -> anyhow::Result<Published> {
        status.verified_at = Some(now);
        let (name, path) = free_name(folder, status.taken_at, is_encrypted(self.path()))?;
        let context = || format!("publish {}", path.display());
        let mut beside = Beside(Vec::new());
        beside
            .put(folder, &sidecar_path(&path), format!("{}  {name}\n", status.sha256).as_bytes())
            .with_context(context)?;
        let text = serde_json::to_string_pretty(&status).with_context(context)? + "\n";
        beside.put(folder, &status_path(&path), text.as_bytes()).with_context(context)?;
        // The order holds through a power cut too.
        sync_folder(folder).with_context(context)?;
        self.partial.rename(&path).with_context(context)?;
        if let Err(error) = sync_folder(folder) {
            // It would be there, or not, after a power cut; and the run says that nothing was published.
            let _ = fs::remove_file(&path);
            return Err(error).with_context(context);
        }
        beside.0.clear();
        Ok(Published { path, size: status.size, sha256: status.sha256 })
    }
}

/// Files that go again when the archive that they describe does not appear: alone they would say something about a file
/// that is not there.
struct Beside(Vec<PathBuf>);

impl Beside {
    fn put(&mut self, folder: &Path, path: &Path, text: &[u8]) -> io::Result<()> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let (temporary, mut file) = Partial::create(folder, &name)?;
        file.write_all(text)?;
        file.sync_all()?;
        drop(file);
        temporary.rename(path)?;
        self.0.push(path.to_path_buf());
        Ok(())
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        for path in &self.0 {
            let _ = fs::remove_file(path);
        }
    }
}

/// The folder is locked, so a name that is free stays free.
fn free_name(folder: &Path, at: Timestamp, is_encrypted: bool) -> anyhow::Result<(String, PathBuf)> {
    let is_free = |path: &Path| {
        [path, &sidecar_path(path), &status_path(path)].iter().all(|path| fs::symlink_metadata(path).is_err())
    };
    for number in 1..1000 {
        let plain = NamedArchive::file_name(at, number);
        let encrypted = format!("{plain}{SUFFIX}");
        if is_free(&folder.join(&plain)) && is_free(&folder.join(&encrypted)) {
            let name = if is_encrypted { encrypted } else { plain };
            let path = folder.join(&name);
            return Ok((name, path));
        }
    }
    bail!("{} is full of archives of {at}; is the clock standing still?", folder.display());
}

/// A file under a temporary name, removed when it is dropped; one of a killed process [`remove_leftovers`] removes.
#[derive(Debug)]
pub struct Partial(Option<PathBuf>);

impl Partial {
    /// The name that `name` has in `folder` until it is whole.
    pub(crate) fn path_in(folder: &Path, name: &str) -> PathBuf {
        folder.join(format!(".{name}{PARTIAL}{}", std::process::id()))
    }

    pub(crate) const fn new(path: PathBuf) -> Self {
        Self(Some(path))
    }

    /// Creates the file that is to be `name` in `folder`, for its owner only.
    ///
    /// # Errors
    /// When it cannot be created.
    pub fn create(folder: &Path, name: &str) -> io::Result<(Self, File)> {
        let path = Self::path_in(folder, name);
        let file = private_file(&path)?;
        Ok((Self::new(path), file))
    }

    /// Where it lies for now.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.as_deref().unwrap_or_else(|| Path::new(""))
    }

    /// Gives it its name; whoever has that name is replaced.
    ///
    /// # Errors
    /// When the disk fails; it is removed then.
    pub fn rename(mut self, to: &Path) -> io::Result<()> {
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

/// The names of what runs that were killed have left in `folder`, as long as nobody holds its lock: temporary files, and
/// files that describe an archive that is not there.
///
/// # Errors
/// When the folder cannot be read.
pub fn leftovers(folder: &Path) -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("read the folder {}", folder.display()))? {
        let entry = entry.with_context(|| format!("read the folder {}", folder.display()))?;
        let name = entry.file_name();
        names.extend(name.to_str().filter(|name| is_leftover(folder, name)).map(str::to_owned));
    }
    names.sort();
    Ok(names)
}

/// Removes the [`leftovers`] in `folder`, which must be locked. Gives the removed names.
///
/// # Errors
/// When the folder cannot be read, or a leftover cannot be removed.
pub fn remove_leftovers(folder: &Path) -> anyhow::Result<Vec<String>> {
    let names = leftovers(folder)?;
    for name in &names {
        let path = folder.join(name);
        fs::remove_file(&path).with_context(|| format!("remove the leftover {}", path.display()))?;
    }
    Ok(names)
}

fn is_leftover(folder: &Path, name: &str) -> bool {
    if let Some((stem, pid)) = name.strip_prefix('.').and_then(|rest| rest.rsplit_once(PARTIAL)) {
        let stem = described(stem).unwrap_or(stem);
        return NamedArchive::parse(stem).is_some() && pid.parse::<u32>().is_ok();
    }
    let archive = described(name).filter(|archive| NamedArchive::parse(archive).is_some());
    // One that cannot be looked at may be there.
    archive.is_some_and(|archive| is_gone(&folder.join(archive)))
}

fn is_gone(path: &Path) -> bool {
    fs::symlink_metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

/// The archive that a file of that name describes.
fn described(name: &str) -> Option<&str> {
    [".sha256", ".json", ".keep"].iter().find_map(|suffix| name.strip_suffix(suffix))
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
            ".20261122_090000.zip.age.partial-5",
            ".20261122_090000.zip.json.partial-5",
            "20261122_100000.zip.sha256",
            "20261122_110000.zip.age.sha256",
            "20261122_100000.zip.json",
        ];
        let others = [
            "20261122_090000.zip",
            "20261122_090000.zip.sha256",
            "20261122_090000.zip.json",
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
