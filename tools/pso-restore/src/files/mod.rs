//! The files: staged on the same file system, compared, and swapped one by one; what they replace is kept.

mod owner;
mod swap;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use pso_archive::{Archive, Entry, hash_file};
use pso_common::io::Cancel;
use pso_common::record::Component;
use walkdir::WalkDir;

use crate::settings::{Settings, UNDO};
use crate::steps::Step;
use owner::on_same_device;
pub(crate) use swap::{Files, swap_back};

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
    /// The SHA-256 of the one that is there, where it could be read.
    pub(crate) now: Option<String>,
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
        let hash = match now {
            Some(_) => hash_file(&folder.join(&path), cancel).ok().map(|(_, sha256)| sha256),
            None => None,
        };
        cancel.check()?;
        if now == Some(entry.size) && hash.as_ref() == Some(&entry.sha256) {
            plan.same += 1;
        } else {
            plan.changes.push(Change { path: path.clone(), replaces: now.is_some(), now: hash, entry: entry.clone() });
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

/// The folders in which restores keep what they replace: the deployment's, and those on other file systems.
pub(crate) fn undo_folders(settings: &Settings) -> Vec<PathBuf> {
    let paths = &settings.paths;
    let mut folders = vec![settings.undo_folder()];
    for folder in [&paths.config, &paths.scripts, &paths.plans] {
        let undo = on_same_device(folder, settings.undo_folder());
        if !folders.contains(&undo) {
            folders.push(undo);
        }
    }
    folders
}

impl FilesPlan {
    /// Bytes of the new files.
    pub(crate) fn size(&self) -> u64 {
        self.changes.iter().map(|change| change.entry.size).sum()
    }

    /// What changes when the files do, for the plan's hash.
    pub(crate) fn present(&self) -> Vec<String> {
        let changes = self.changes.iter().map(|change| {
            let now = change.now.as_deref().unwrap_or(if change.replaces { "not readable" } else { "there is none" });
            format!("{} {now}", change.entry.name)
        });
        changes.chain([format!("{} are right", self.same)]).collect()
    }

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
            .size(self.size())
            .says(message)
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

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
