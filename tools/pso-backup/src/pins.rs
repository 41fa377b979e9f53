//! Pins: `NAME.zip.keep` beside an archive keeps it from retention.

use std::fs::{self, OpenOptions};
use std::io::ErrorKind::NotFound;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use pso_archive::{NamedArchive, catalog, sync_folder};
use pso_common::{Run, Severity};

use crate::record::of_listed;

/// Where the pin of an archive is.
fn pin_path(archive: &Path) -> PathBuf {
    let mut path = archive.as_os_str().to_owned();
    path.push(".keep");
    path.into()
}

/// Whether retention leaves the archive alone. A pin that cannot be looked at is one.
pub(crate) fn is_pinned(archive: &Path) -> bool {
    !matches!(fs::symlink_metadata(pin_path(archive)), Err(error) if error.kind() == NotFound)
}

/// Pins an archive, or unpins it; one that is as wanted already is no error.
pub(crate) fn set(run: &mut Run<'_>, wanted: &str, folders: &[PathBuf], pinned: bool) -> anyhow::Result<()> {
    let path = catalog::find(wanted, folders)?;
    ensure!(
        NamedArchive::of_path(&path).is_some() && path.is_file(),
        "{} has not the name of an archive, so retention never sees it",
        path.display()
    );
    let pin = pin_path(&path);
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    if pinned {
        let file = OpenOptions::new().create(true).append(true).open(&pin).and_then(|file| file.sync_all());
        file.with_context(|| format!("pin {}", path.display()))?;
    } else {
        match fs::remove_file(&pin) {
            Err(error) if error.kind() != NotFound => {
                return Err(error).with_context(|| format!("unpin {}", path.display()));
            }
            _ => {}
        }
    }
    sync_folder(folder).with_context(|| format!("put {} on the disk", folder.display()))?;
    let folders = [folder.to_path_buf()];
    let listed = catalog::list(&folders)?.into_iter().find(|listed| listed.path.file_name() == path.file_name());
    let listed = listed.with_context(|| format!("{} has gone meanwhile", path.display()))?;
    let (name, body) = of_listed(&listed, run.now());
    run.emit(Severity::Ok, name, if pinned { "pinned" } else { "not pinned" }, body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_stands_beside_its_archive() {
        let folder = tempfile::tempdir().expect("a folder");
        let archive = folder.path().join("20261122_090000.zip");
        assert!(!is_pinned(&archive));
        fs::write(folder.path().join("20261122_090000.zip.keep"), "").expect("written");
        assert!(is_pinned(&archive));
    }
}
