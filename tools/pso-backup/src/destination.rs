//! Where archives lie: the backup folder, and perhaps a second place. Only folders for now; an object store can be one.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use pso_archive::catalog::{self, Listed};
use pso_archive::{
    BACKUP_LOCK, Lock, Partial, Published, copy_hashed, hash_file, remove_leftovers, sidecar_path, status_path,
    sync_folder,
};
use pso_common::Run;
use pso_common::io::Cancel;

use crate::create::trust;
use crate::record::name_of;
use crate::retention::{Confirmed, Plan};
use crate::settings::Settings;

/// A place for the archives of one series.
pub(crate) trait Destination {
    /// Puts an archive there with what lies beside it: whole and compared, or not at all.
    ///
    /// # Errors
    /// When the place cannot be written, has another archive of that name, or the run is to stop.
    fn put(&self, archive: &Published, cancel: &Cancel) -> anyhow::Result<()>;

    /// The archives that are there, newest first.
    ///
    /// # Errors
    /// When the place cannot be read.
    fn list(&self) -> anyhow::Result<Vec<Listed>>;

    /// Removes an archive with what lies beside it.
    ///
    /// # Errors
    /// When the archive cannot be removed.
    fn remove(&self, archive: &Listed) -> anyhow::Result<()>;
}

/// A folder: the backup folder, another disk, a share. Whoever changes it has locked it.
pub(crate) struct FolderDestination {
    folder: PathBuf,
}

impl FolderDestination {
    pub(crate) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_path_buf() }
    }

    pub(crate) fn lock(&self) -> anyhow::Result<Lock> {
        Lock::acquire(&self.folder.join(BACKUP_LOCK), &format!("backup into {}", self.folder.display()))
    }

    /// Creates the folder of the series, but not what it is in: that may be a disk that is not mounted.
    fn create(&self) -> anyhow::Result<()> {
        let above = self.folder.parent().filter(|above| !above.as_os_str().is_empty());
        if let Some(above) = above {
            ensure!(above.is_dir(), "there is no folder {}; is the disk mounted?", above.display());
        }
        match fs::create_dir(&self.folder) {
            Err(error) if !self.folder.is_dir() => {
                Err(error).with_context(|| format!("create the folder {}", self.folder.display()))
            }
            _ => Ok(()),
        }
    }

    /// Copies one file under a temporary name, of the form that the next run recognises and removes.
    fn copy(&self, from: &Path, cancel: &Cancel) -> anyhow::Result<(Partial, String)> {
        let context = || format!("copy {} to {}", from.display(), self.folder.display());
        let (temporary, mut to) = Partial::create(&self.folder, &name_of(from)).with_context(context)?;
        let mut source = File::open(from).with_context(context)?;
        let (_, sha256) = copy_hashed(&mut source, &mut to, cancel).with_context(context)?;
        to.sync_all().with_context(context)?;
        Ok((temporary, sha256))
    }
}

impl Destination for FolderDestination {
    fn put(&self, archive: &Published, cancel: &Cancel) -> anyhow::Result<()> {
        let target = self.folder.join(name_of(&archive.path));
        if target.exists() {
            let (_, sha256) = hash_file(&target, cancel).with_context(|| format!("read {}", target.display()))?;
            ensure!(sha256 == archive.sha256, "{} is another archive; move it away", target.display());
            return Ok(());
        }
        let free = fs4::available_space(&self.folder).unwrap_or(u64::MAX);
        if free < archive.size {
            bail!("the archive has {} bytes, and {free} are free in {}", archive.size, self.folder.display());
        }
        let (temporary, sha256) = self.copy(&archive.path, cancel)?;
        ensure!(sha256 == archive.sha256, "{} has changed since it was published", archive.path.display());
        // What the other disk gives back counts, not what was sent to it.
        let (_, sha256) = hash_file(temporary.path(), cancel).with_context(|| format!("read {}", target.display()))?;
        ensure!(
            sha256 == archive.sha256,
            "the copy in {} is not what was written; check that disk",
            self.folder.display()
        );
        let context = || format!("publish {}", target.display());
        for beside in beside(&archive.path).into_iter().filter(|path| path.exists()) {
            let (copy, _) = self.copy(&beside, cancel)?;
            copy.rename(&self.folder.join(name_of(&beside))).with_context(context)?;
        }
        if let Err(error) = temporary.rename(&target) {
            // Alone they would say something about a file that is not there.
            beside_removed(&target);
            return Err(error).with_context(context);
        }
        sync_folder(&self.folder).with_context(context)
    }

    fn list(&self) -> anyhow::Result<Vec<Listed>> {
        catalog::list(std::slice::from_ref(&self.folder))
    }

    fn remove(&self, archive: &Listed) -> anyhow::Result<()> {
        let path = &archive.path;
        fs::remove_file(path).with_context(|| format!("remove {}", path.display()))?;
        beside_removed(path);
        sync_folder(&self.folder).with_context(|| format!("put {} on the disk", self.folder.display()))
    }
}

/// Copies a new archive to the second place, and applies retention there too.
pub(crate) fn copy(run: &mut Run<'_>, settings: &Settings, folder: &Path, archive: &Published) -> anyhow::Result<()> {
    let (place, cancel) = (FolderDestination::new(folder), run.cancel().clone());
    place.create()?;
    // By another name the lock would be our own.
    ensure!(
        !is_same_folder(folder, &settings.folder),
        "{} is the backup folder itself; name a folder on another disk in maintenance.backup.copy_to",
        folder.display()
    );
    let _lock = place.lock()?;
    remove_leftovers(folder)?;
    run.progress(format_args!("copying the archive to {}", folder.display()));
    place.put(archive, &cancel)?;
    let (consent, now) = (Confirmed::by_publication(archive), run.now());
    let pruned = trust(settings, archive)
        .and_then(|trust| Plan::of(&place, &settings.policy, &trust, now, run))
        .and_then(|plan| plan.apply(run, &consent));
    pruned.context("the archive is copied, but old copies were not removed")
}

fn is_same_folder(one: &Path, other: &Path) -> bool {
    matches!((fs::canonicalize(one), fs::canonicalize(other)), (Ok(one), Ok(other)) if one == other)
}

/// What lies beside an archive and says something about it.
fn beside(archive: &Path) -> Vec<PathBuf> {
    vec![sidecar_path(archive), status_path(archive)]
}

/// Removes what lies beside an archive that is gone; the next run removes it if this one cannot.
fn beside_removed(archive: &Path) {
    for path in beside(archive) {
        let _ = fs::remove_file(path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn published(folder: &Path, content: &str) -> Published {
        let path = folder.join("20261122_090000.zip");
        fs::write(&path, content).expect("written");
        let (size, sha256) = hash_file(&path, &Cancel::default()).expect("readable");
        fs::write(sidecar_path(&path), format!("{sha256}  20261122_090000.zip\n")).expect("written");
        Published { path, size, sha256 }
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).expect("a folder").flatten().map(|entry| name_of(&entry.path())).collect();
        names.sort();
        names
    }

    #[test]
    fn a_copy_is_whole_or_not_there() {
        let (here, there) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let place = FolderDestination::new(&there.path().join("daily"));
        place.create().expect("created");
        place.create().expect("there already");
        let archive = published(here.path(), "content");
        let both = ["20261122_090000.zip", "20261122_090000.zip.sha256"];
        let cancel = Cancel::default();
        // It was changed after it was published.
        fs::write(&archive.path, "CONTENT").expect("written");
        assert!(place.put(&archive, &cancel).expect_err("changed").to_string().contains("has changed since"));
        assert_eq!(names(&place.folder), [""; 0]);
        cancel.cancel(15);
        let archive = published(here.path(), "content");
        assert!(place.put(&archive, &cancel).is_err());
        assert_eq!(names(&place.folder), [""; 0]);
        let cancel = Cancel::default();
        place.put(&archive, &cancel).expect("copied");
        place.put(&archive, &cancel).expect("there already");
        assert_eq!(names(&place.folder), both);
        let other = published(here.path(), "other content");
        assert!(place.put(&other, &cancel).expect_err("another").to_string().contains("another archive"));
        let listed = place.list().expect("listed");
        assert_eq!(listed.len(), 1);
        place.remove(&listed[0]).expect("removed");
        assert_eq!(names(&place.folder), [""; 0]);
    }

    #[test]
    fn a_disk_that_is_not_mounted_is_not_filled() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = FolderDestination::new(&folder.path().join("mnt/daily"));
        assert!(place.create().expect_err("missing").to_string().contains("is the disk mounted?"));
        assert!(!folder.path().join("mnt").exists());
    }
}
