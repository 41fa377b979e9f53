//! The files: staged on the same file system, compared, and swapped one by one; what they replace is kept.

use std::fs::{self, File, FileTimes};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use pso_archive::{Archive, Entry, hash_file, private_file, private_folder, sync_folder};
use pso_common::Run;
use pso_common::Severity;
use pso_common::io::Cancel;
use pso_common::record::Component;
use walkdir::WalkDir;

use crate::settings::{STAGED, Settings, UNDO};
use crate::steps::Step;

/// What is to be done with the files of one component.
pub(crate) struct FilesPlan {
    pub(crate) component: Component,
    /// The folder that they go into.
    pub(crate) folder: PathBuf,
    /// Where new and replaced files lie meanwhile: on the same file system, since files can be renamed within one only.
    pub(crate) undo: PathBuf,
    /// Files that are not there, or differ.
    pub(crate) changes: Vec<Change>,
    /// Files that are there as they should be.
    pub(crate) same: u64,
    /// Files that are there and not in the archive: they stay.
    pub(crate) others: u64,
}

/// One file to put in its place.
#[derive(Clone)]
pub(crate) struct Change {
    /// Its path below the folder.
    pub(crate) path: PathBuf,
    /// Whether another one is there.
    pub(crate) replaces: bool,
    entry: Entry,
}

/// Plans the restore of one component's files; changes nothing.
pub(crate) fn plan(
    component: Component,
    settings: &Settings,
    archive: &Archive,
    cancel: &Cancel,
) -> anyhow::Result<FilesPlan> {
    let paths = &settings.paths;
    let folder = match component {
        Component::Config => &paths.config,
        Component::Scripts => &paths.scripts,
        Component::Plans => &paths.plans,
        Component::Postgres | Component::Qdrant => bail!("{component} is not made of files"),
    };
    let undo = on_same_device(folder, settings.undo_folder());
    let mut plan = FilesPlan { component, folder: folder.clone(), undo, changes: Vec::new(), same: 0, others: 0 };
    let mut ours = std::collections::BTreeSet::new();
    for entry in archive.manifest().entries_of(component) {
        let name = entry.name.strip_prefix(component.as_str()).and_then(|rest| rest.strip_prefix('/'));
        let path: PathBuf = name.with_context(|| format!("{} is not of {component}", entry.name))?.split('/').collect();
        let now = look(folder, &path)?;
        let is_same = now == Some(entry.size)
            && hash_file(&folder.join(&path), cancel).is_ok_and(|(_, sha256)| sha256 == entry.sha256);
        if is_same {
            plan.same += 1;
        } else {
            plan.changes.push(Change { path: path.clone(), replaces: now.is_some(), entry: entry.clone() });
        }
        ours.insert(path);
    }
    plan.others = others(component, folder, &ours);
    Ok(plan)
}

/// The size of the file that is there; `None` when none is. What is neither is refused, and so is every folder on the
/// way that is a link: what is behind it was not backed up.
fn look(folder: &Path, path: &Path) -> anyhow::Result<Option<u64>> {
    let mut place = folder.to_path_buf();
    let mut parts = path.iter().peekable();
    while let Some(part) = parts.next() {
        place.push(part);
        let metadata = match fs::symlink_metadata(&place) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("look at {}", place.display())),
        };
        let is_last = parts.peek().is_none();
        if is_last && metadata.is_file() {
            return Ok(Some(metadata.len()));
        }
        ensure!(
            !is_last && metadata.is_dir(),
            "{} is in the way: {} stands where a {} has to be; move it away",
            place.display(),
            kind(&metadata),
            if is_last { "file" } else { "folder" }
        );
    }
    Ok(None)
}

fn kind(metadata: &fs::Metadata) -> &'static str {
    if metadata.is_symlink() {
        "a link"
    } else if metadata.is_dir() {
        "a folder"
    } else if metadata.is_file() {
        "a file"
    } else {
        "something that is no file"
    }
}

/// How many files are there that the archive does not have. For configuration only those of its kind count.
fn others(component: Component, folder: &Path, ours: &std::collections::BTreeSet<PathBuf>) -> u64 {
    let depth = if component == Component::Config { 1 } else { usize::MAX };
    let files = WalkDir::new(folder).max_depth(depth).into_iter().filter_entry(|entry| entry.file_name() != UNDO);
    let is_other = |entry: &walkdir::DirEntry| {
        let yaml = || entry.path().extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
        entry.file_type().is_file()
            && (component != Component::Config || yaml())
            && entry.path().strip_prefix(folder).is_ok_and(|path| !ours.contains(path))
    };
    files.flatten().filter(is_other).count() as u64
}

impl FilesPlan {
    /// The step that this plan will take.
    pub(crate) fn step(&self) -> Step {
        let replaced = self.changes.iter().filter(|change| change.replaces).count();
        let mut message = format!("{} missing, {replaced} different", self.changes.len() - replaced);
        if replaced > 0 {
            message.push_str(&format!(" (kept in {UNDO}/)"));
        }
        message.push_str(&format!(", {} already right, {} others left alone", self.same, self.others));
        Step::new("restore", self.component, self.folder.display().to_string())
            .files(self.changes.len() as u64)
            .size(self.changes.iter().map(|change| change.entry.size).sum())
            .says(message)
    }
}

/// The files of one component, as far as they have come.
pub(crate) struct Files {
    component: Component,
    folder: PathBuf,
    /// Where the new ones wait.
    staged: PathBuf,
    /// Where the old ones go.
    kept: PathBuf,
    /// What was put in its place: the path below the folder, and whether another one was there.
    swapped: Vec<(PathBuf, bool)>,
    /// Folders that were created, in that order.
    created: Vec<PathBuf>,
}

impl Files {
    /// Nothing is done yet. `at` names this restore's own folder below the plan's.
    pub(crate) fn new(plan: &FilesPlan, at: &str) -> Self {
        let (work, name) = (plan.undo.join(at), plan.component.as_str());
        Self {
            component: plan.component,
            folder: plan.folder.clone(),
            staged: work.join(STAGED).join(name),
            kept: work.join("replaced").join(name),
            swapped: Vec::new(),
            created: Vec::new(),
        }
    }

    /// Copies the new files to where they can be renamed from.
    pub(crate) fn prepare(&self, run: &Run<'_>, plan: &FilesPlan, archive: &mut Archive) -> anyhow::Result<()> {
        for change in &plan.changes {
            run.cancel().check()?;
            let path = self.staged.join(&change.path);
            stage(archive, &change.entry, &path, run.cancel())
                .and_then(|file| Ok(give_to_owner_of(&file, &self.folder.join(&change.path))?))
                .with_context(|| format!("write {}", path.display()))?;
        }
        Ok(())
    }

    /// Puts the new files in their places.
    pub(crate) fn switch(&mut self, run: &mut Run<'_>, plan: &FilesPlan) -> anyhow::Result<()> {
        if plan.changes.is_empty() {
            return plan.step().skipped(run);
        }
        plan.step().run(run, |run, step| {
            for change in &plan.changes {
                run.cancel().check()?;
                self.swap(&change.path).with_context(|| format!("put {} in its place", change.path.display()))?;
            }
            let _ = fs::remove_dir_all(&self.staged);
            let folders: std::collections::BTreeSet<&Path> =
                plan.changes.iter().filter_map(|change| change.path.parent()).collect();
            for folder in folders {
                let folder = self.folder.join(folder);
                sync_folder(&folder).with_context(|| format!("put {} on the disk", folder.display()))?;
            }
            let replaced = self.swapped.iter().filter(|(_, replaced)| *replaced).count();
            let kept =
                if replaced == 0 { String::new() } else { format!("; the old ones are in {}", self.kept.display()) };
            step.message = format!(
                "{} new, {replaced} replaced, {} were right, {} others left alone{kept}",
                self.swapped.len() - replaced,
                plan.same,
                plan.others
            );
            Ok(())
        })
    }

    fn swap(&mut self, path: &Path) -> anyhow::Result<()> {
        let (target, kept) = (self.folder.join(path), self.kept.join(path));
        self.create_folders(target.parent().context("a file without a folder")?)?;
        let replaces = look(&self.folder, path)?.is_some();
        if replaces {
            private_folder(kept.parent().context("a file without a folder")?)?;
            // A link, so that there is no moment without the file. Where the file system has none, a copy.
            fs::hard_link(&target, &kept).or_else(|_| fs::copy(&target, &kept).map(drop))?;
        }
        // Noted first: undoing a renaming that did not take place does no harm.
        self.swapped.push((path.to_path_buf(), replaces));
        Ok(fs::rename(self.staged.join(path), &target)?)
    }

    fn create_folders(&mut self, folder: &Path) -> anyhow::Result<()> {
        let missing: Vec<PathBuf> =
            folder.ancestors().take_while(|folder| !folder.exists()).map(Path::to_path_buf).collect();
        for folder in missing.into_iter().rev().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir(&folder)
                .and_then(|()| give_folder_to_owner_of(&folder, folder.parent().unwrap_or(&folder)))
                .with_context(|| format!("create the folder {}", folder.display()))?;
            self.created.push(folder);
        }
        Ok(())
    }

    /// Brings back what was there. Goes on after a failure and tells each.
    pub(crate) fn undo(&mut self, run: &mut Run<'_>) -> anyhow::Result<()> {
        let step = Step::new("restore", self.component, self.folder.display().to_string());
        let (mut undone, mut failed) = (0, Vec::new());
        for (path, replaced) in std::mem::take(&mut self.swapped).into_iter().rev() {
            let (target, kept) = (self.folder.join(&path), self.kept.join(&path));
            let result = if replaced {
                fs::rename(&kept, &target)
            } else if self.staged.join(&path).exists() {
                // It was never put there.
                Ok(())
            } else {
                fs::remove_file(&target)
            };
            match result {
                Ok(()) => undone += 1,
                Err(error) if replaced => {
                    failed.push(format!("{} (the old one is {}): {error}", target.display(), kept.display()));
                }
                Err(error) => failed.push(format!("{} (it was not there before): {error}", target.display())),
            }
        }
        for folder in self.created.drain(..).rev() {
            // One that somebody has put something into stays.
            let _ = fs::remove_dir(folder);
        }
        let _ = fs::remove_dir_all(&self.staged);
        if failed.is_empty() {
            return if undone == 0 { Ok(()) } else { step.files(undone).rolled_back(run, "as before") };
        }
        step.failed(run, Severity::Critical, &format!("not brought back: {}", failed.join("; ")))?;
        bail!("{} files of {} were not brought back", failed.len(), self.component)
    }
}

/// `undo`, or a folder like it inside of the target, or of where that will be, where that is another file system.
fn on_same_device(target: &Path, undo: PathBuf) -> PathBuf {
    match (device(target), device(&undo)) {
        (Some(of_target), Some(of_undo)) if of_target != of_undo => {
            target.ancestors().find(|place| place.is_dir()).unwrap_or(target).join(UNDO)
        }
        _ => undo,
    }
}

/// The device of a place, or of where it would be created.
#[cfg(unix)]
fn device(path: &Path) -> Option<u64> {
    let there = path.ancestors().find_map(|place| {
        let place = if place.as_os_str().is_empty() { Path::new(".") } else { place };
        fs::metadata(place).ok()
    });
    there.as_ref().map(std::os::unix::fs::MetadataExt::dev)
}

#[cfg(not(unix))]
const fn device(_: &Path) -> Option<u64> {
    None
}

/// Gives a file or folder to the owner of what it replaces, or of the nearest folder that is there: a restore by root
/// must not take the plans away from the service.
#[cfg(unix)]
fn give_to_owner_of(file: &File, place: &Path) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, fchown};
    let Some(model) = place.ancestors().find_map(|place| fs::symlink_metadata(place).ok()) else { return Ok(()) };
    let now = file.metadata()?;
    if (model.uid(), model.gid()) == (now.uid(), now.gid()) {
        return Ok(());
    }
    match fchown(file, Some(model.uid()), Some(model.gid())) {
        // Only root can; for others everything is theirs anyway.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        result => result,
    }
}

#[cfg(unix)]
fn give_folder_to_owner_of(folder: &Path, place: &Path) -> io::Result<()> {
    give_to_owner_of(&File::open(folder)?, place)
}

/// Windows opens no folders, and what is created in one belongs to whom the folder's permissions say.
#[cfg(not(unix))]
fn give_to_owner_of(_: &File, _: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(not(unix))]
fn give_folder_to_owner_of(_: &Path, _: &Path) -> io::Result<()> {
    Ok(())
}

/// Writes one file with its time and mode, compared with the manifest and on the disk.
fn stage(archive: &mut Archive, entry: &Entry, path: &Path, cancel: &Cancel) -> anyhow::Result<File> {
    private_folder(path.parent().context("a file without a folder")?)?;
    let mut file = private_file(path)?;
    archive.copy(entry, &mut file, cancel)?;
    if let Some(at) = entry.modified_at {
        // A file system that keeps no such times keeps the content all the same.
        let _ = file.set_times(FileTimes::new().set_modified(at.to_utc().into()));
    }
    set_mode(&file, entry.mode)?;
    file.sync_all()?;
    Ok(file)
}

#[cfg(unix)]
fn set_mode(file: &File, mode: Option<u32>) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(fs::Permissions::from_mode(mode.unwrap_or(0o644) & 0o777))
}

#[cfg(not(unix))]
const fn set_mode(_: &File, _: Option<u32>) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn another_file_system_has_its_own_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        let undo = folder.path().join(UNDO);
        // Neither has to be there.
        assert_eq!(on_same_device(&folder.path().join("a/b"), undo.clone()), undo);
        if device(Path::new("/proc")) != device(folder.path()) {
            assert_eq!(on_same_device(Path::new("/proc/sys/x/y"), undo), Path::new("/proc/sys").join(UNDO));
        }
    }

    #[test]
    fn what_is_in_the_way_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        fs::create_dir_all(root.join("a/b")).expect("created");
        fs::write(root.join("a/file"), "four").expect("written");
        std::os::unix::fs::symlink("/etc", root.join("link")).expect("linked");
        let at = |path: &str| look(root, Path::new(path));
        assert_eq!(at("a/file").expect("a file"), Some(4));
        assert_eq!(at("a/new").expect("nothing"), None);
        assert_eq!(at("x/y/z").expect("nothing"), None);
        for path in ["a/b", "a/file/x", "link/passwd", "link"] {
            assert!(at(path).is_err(), "{path}");
        }
    }
}
