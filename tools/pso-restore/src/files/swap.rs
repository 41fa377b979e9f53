//! Putting new files in the places of old ones, and the old ones back.

use std::collections::BTreeSet;
use std::fs::{self, File, FileTimes};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, ensure};
use pso_archive::{Archive, Entry, private_file, private_folder, sync_folder};
use pso_common::Run;
use pso_common::io::Cancel;

use super::owner::{give_folder_to_owner_of, give_to_owner_of, set_mode};
use super::{FilesPlan, look};
use crate::journal::{Action, Journal, Swapping, not_undone};
use crate::settings::STAGED;
use crate::steps::Step;

/// The files of one component on their way. What was put in its place, the journal knows.
pub(crate) struct Files {
    folder: PathBuf,
    /// Where the new ones wait.
    staged: PathBuf,
    /// Where the old ones go.
    kept: PathBuf,
}

impl Files {
    /// Nothing is done yet. `at` names this restore's own folder below the plan's.
    pub(crate) fn new(plan: &FilesPlan, at: &str) -> anyhow::Result<Self> {
        let (work, name) = (absolute(&plan.undo)?.join(at), plan.component.as_str());
        Ok(Self {
            folder: absolute(&plan.folder)?,
            staged: work.join(STAGED).join(name),
            kept: work.join("replaced").join(name),
        })
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
        sync_folders(&self.staged, plan.changes.iter().map(|change| change.path.as_path()))?;
        if plan.changes.is_empty() { Ok(()) } else { sync_above(&self.staged) }
    }

    /// Puts the new files in their places.
    pub(crate) fn switch(&self, run: &mut Run<'_>, plan: &FilesPlan, journal: &mut Journal) -> anyhow::Result<()> {
        if plan.changes.is_empty() {
            return plan.step().skipped(run);
        }
        plan.step().run(run, |run, step| {
            let swapping = self.look_at_targets(plan)?;
            let id = journal.will(Action::Files(swapping.clone()))?;
            self.keep(run.cancel(), &swapping)?;
            self.swap(run.cancel(), &swapping)?;
            journal.did(id)?;
            let replaced = swapping.files.iter().filter(|(_, replaced)| *replaced).count();
            let kept =
                if replaced == 0 { String::new() } else { format!("; the old ones are in {}", self.kept.display()) };
            step.message = format!(
                "{} new, {replaced} replaced, {} were right, {} others left alone{kept}",
                swapping.files.len() - replaced,
                plan.same,
                plan.others
            );
            Ok(())
        })
    }

    fn look_at_targets(&self, plan: &FilesPlan) -> anyhow::Result<Swapping> {
        let mut files = Vec::new();
        let mut created: Vec<PathBuf> = Vec::new();
        for change in &plan.changes {
            files.push((change.path.clone(), look(&self.folder, &change.path)?.is_some()));
            let target = self.folder.join(&change.path);
            let folder = target.parent().context("a file without a folder")?;
            let missing: Vec<&Path> = folder.ancestors().take_while(|folder| !folder.exists()).collect();
            for folder in missing.into_iter().rev() {
                if !created.iter().any(|known| known == folder) {
                    created.push(folder.to_path_buf());
                }
            }
        }
        Ok(Swapping {
            component: plan.component,
            folder: self.folder.clone(),
            staged: self.staged.clone(),
            kept: self.kept.clone(),
            files,
            created,
        })
    }

    /// Keeps the files that are there under a second name, on the disk before the first of them loses its own.
    fn keep(&self, cancel: &Cancel, swapping: &Swapping) -> anyhow::Result<()> {
        let replaced = || swapping.files.iter().filter(|(_, replaced)| *replaced).map(|(path, _)| path.as_path());
        for path in replaced() {
            cancel.check()?;
            let (target, kept) = (self.folder.join(path), self.kept.join(path));
            let keep = || -> anyhow::Result<()> {
                private_folder(kept.parent().context("a file without a folder")?)?;
                // A link, so that there is no moment without the file. Where the file system has none, a copy.
                if fs::hard_link(&target, &kept).is_err() {
                    fs::copy(&target, &kept)?;
                    File::open(&kept)?.sync_all()?;
                }
                Ok(())
            };
            keep().with_context(|| format!("keep {} as {}", target.display(), kept.display()))?;
        }
        sync_folders(&self.kept, replaced())?;
        if replaced().next().is_some() { sync_above(&self.kept) } else { Ok(()) }
    }

    fn swap(&self, cancel: &Cancel, swapping: &Swapping) -> anyhow::Result<()> {
        for folder in &swapping.created {
            fs::create_dir(folder)
                .and_then(|()| give_folder_to_owner_of(folder, folder.parent().unwrap_or(folder)))
                .with_context(|| format!("create the folder {}", folder.display()))?;
        }
        for (path, replaced) in &swapping.files {
            cancel.check()?;
            let put = || -> anyhow::Result<()> {
                ensure!(look(&self.folder, path)?.is_some() == *replaced, "somebody else has changed what is there");
                Ok(fs::rename(self.staged.join(path), self.folder.join(path))?)
            };
            put().with_context(|| format!("put {} in its place", path.display()))?;
        }
        sync_folders(&self.folder, swapping.files.iter().map(|(path, _)| path.as_path()))?;
        for folder in swapping.created.iter().filter_map(|folder| folder.parent()) {
            sync_folder(folder).with_context(|| format!("put {} on the disk", folder.display()))?;
        }
        Ok(())
    }
}

/// Puts the folders of some files on the disk, and those above them.
fn sync_folders<'a>(below: &Path, files: impl Iterator<Item = &'a Path>) -> anyhow::Result<()> {
    let folders: BTreeSet<&Path> = files.flat_map(|path| path.ancestors().skip(1)).collect();
    for folder in folders {
        let folder = below.join(folder);
        sync_folder(&folder).with_context(|| format!("put {} on the disk", folder.display()))?;
    }
    Ok(())
}

/// Puts the names of our own folders above one on the disk: `<undo>/<time>/new/<component>` has three.
fn sync_above(folder: &Path) -> anyhow::Result<()> {
    let mut above = folder.ancestors().skip(1).take(3);
    above.try_for_each(sync_folder).with_context(|| format!("put the folders above {} on the disk", folder.display()))
}

/// The journal is read wherever the next run stands.
fn absolute(path: &Path) -> anyhow::Result<PathBuf> {
    std::path::absolute(path).with_context(|| format!("find out where {} is", path.display()))
}

/// Brings back what was there. What the journal says was to be done, the disk says how far it came: a new file that
/// still waits was not put in its place.
pub(crate) fn swap_back(run: &mut Run<'_>, swapping: &Swapping) -> anyhow::Result<()> {
    let step = Step::new("restore", swapping.component, swapping.folder.display().to_string());
    let (mut undone, mut failed) = (0, Vec::new());
    for (path, replaced) in swapping.files.iter().rev() {
        let target = swapping.folder.join(path);
        let (staged, kept) = (swapping.staged.join(path), swapping.kept.join(path));
        let is_there = |path: &Path| fs::symlink_metadata(path).is_ok();
        let result = if is_there(&staged) {
            // It was never put there.
            let _ = fs::remove_file(&kept);
            continue;
        } else if *replaced && is_there(&kept) {
            fs::rename(&kept, &target)
        } else if !replaced && is_there(&target) {
            fs::remove_file(&target)
        } else {
            // An undoing that was killed had come as far.
            continue;
        };
        match result {
            Ok(()) => undone += 1,
            Err(error) if *replaced => {
                failed.push(format!("{} (the old one is {}): {error}", target.display(), kept.display()));
            }
            Err(error) => failed.push(format!("{} (it was not there before): {error}", target.display())),
        }
    }
    for folder in swapping.created.iter().rev() {
        // One that somebody has put something into stays.
        let _ = fs::remove_dir(folder);
    }
    if !failed.is_empty() {
        let error = anyhow!("{} files of {} were not brought back", failed.len(), swapping.component);
        return not_undone(run, &step, error, &failed.join("; "));
    }
    if undone == 0 { Ok(()) } else { step.files(undone).rolled_back(run, "as before") }
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

#[cfg(all(test, unix))]
mod tests {
    use pso_common::record::Component;
    use pso_common::{CommonArgs, Io};

    use super::*;

    /// Two files that are replaced, one that is new, and one in a folder that is new.
    fn swapping(root: &Path) -> Swapping {
        let files = [("a", true), ("sub/b", true), ("c", false), ("new/deep/d", false)];
        let (folder, staged, kept) = (root.join("plans"), root.join("new/plans"), root.join("replaced/plans"));
        for (path, replaced) in files {
            for (below, content) in [(&staged, "new"), (&folder, "old")] {
                if replaced || below == &staged {
                    fs::create_dir_all(below.join(path).parent().expect("a folder")).expect("created");
                    fs::write(below.join(path), format!("{content} {path}")).expect("written");
                }
            }
        }
        let created = vec![folder.join("new"), folder.join("new/deep")];
        let files = files.map(|(path, replaced)| (PathBuf::from(path), replaced)).to_vec();
        Swapping { component: Component::Plans, folder, staged, kept, files, created }
    }

    fn content(folder: &Path) -> Vec<(PathBuf, String)> {
        let entries = walkdir::WalkDir::new(folder).sort_by_file_name().into_iter().flatten();
        entries
            .map(|entry| (entry.path().to_path_buf(), fs::read_to_string(entry.path()).unwrap_or_default()))
            .collect()
    }

    #[test]
    fn however_far_it_came_it_is_undone_and_undoing_twice_does_no_harm() {
        // Killed after so many second names, and then after so many renamings.
        for (names, renamed) in [(0, 0), (1, 0), (2, 0), (2, 1), (2, 2), (2, 3), (2, 4)] {
            let root = tempfile::tempdir().expect("a folder");
            let all = swapping(root.path());
            let before = content(&all.folder);
            let part = |count: usize| Swapping { files: all.files[..count].to_vec(), ..all.clone() };
            let files = Files { folder: all.folder.clone(), staged: all.staged.clone(), kept: all.kept.clone() };
            files.keep(&Cancel::default(), &part(names)).expect("kept");
            if renamed > 0 {
                files.swap(&Cancel::default(), &part(renamed)).expect("swapped");
                assert_ne!(content(&all.folder), before, "{renamed}");
            }
            for _ in 0..2 {
                let mut io = Io::for_test("", std::io::sink(), std::io::sink());
                let result =
                    pso_common::run::session(&crate::TOOL, &CommonArgs::default(), &mut io, |run| swap_back(run, &all));
                assert!(result.is_ok(), "{names} {renamed}: {result:?}");
                assert_eq!(content(&all.folder), before, "{names} {renamed}");
                assert!(content(&all.kept).iter().all(|(path, _)| path.is_dir()), "nothing is kept");
            }
        }
    }
}
