//! The files: configuration, scripts and plans.

use std::fs::{self, File, Metadata};
use std::io::ErrorKind::NotFound;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use pso_archive::{ArchiveWriter, NewEntry, Packing, Skipped, check_entry_name, copy_hashed};
use pso_common::config::Paths;
use pso_common::io::Cancel;
use pso_common::record::Component;
use pso_common::{Run, Timestamp};
use walkdir::WalkDir;

/// Files up to this size are read whole before they are stored, again if they change meanwhile (bytes).
const WHOLE_BYTES: u64 = 4 << 20;
/// Files beyond this size are stored as they are: nothing written by hand is so large, and an archive with a large file
/// that unpacks from next to nothing would be refused as a bomb (bytes).
const PACKED_BYTES: u64 = 64 << 20;
/// How often a file that changes is read.
const READS: u32 = 3;
/// The folder in which `pso-restore` keeps what it replaced.
const RESTORE_FOLDER: &str = ".pso-restore";

/// The files of one component, found and not yet read.
pub(crate) struct FileSource {
    pub(crate) component: Component,
    pub(crate) folder: PathBuf,
    files: Vec<Found>,
    skipped: Vec<Skipped>,
}

struct Found {
    path: PathBuf,
    name: String,
}

/// What was captured.
pub(crate) struct Captured {
    pub(crate) entries: u64,
    pub(crate) size: u64,
    /// What was found and not taken.
    pub(crate) skipped: Vec<Skipped>,
}

/// A file's content and what it was when it was read.
enum Content {
    Whole(Vec<u8>, Metadata),
    Streamed(File, Metadata),
    Gone,
}

impl FileSource {
    /// Looks what is there. A folder that is missing is an error: the backup of a disk that is not mounted is empty.
    pub(crate) fn find(component: Component, paths: &Paths) -> anyhow::Result<Self> {
        let (folder, depth) = match component {
            Component::Config => (&paths.config, 1),
            Component::Scripts => (&paths.scripts, usize::MAX),
            Component::Plans => (&paths.plans, usize::MAX),
            Component::Postgres | Component::Qdrant => bail!("{component} is not made of files"),
        };
        let mut source = Self { component, folder: folder.clone(), files: Vec::new(), skipped: Vec::new() };
        ensure!(
            folder.is_dir(),
            "the folder {} of the component {component} does not exist; set maintenance.paths.{component}, or leave the component out with --only",
            folder.display()
        );
        let walk = WalkDir::new(folder).max_depth(depth).sort_by_file_name().into_iter();
        for entry in walk.filter_entry(|entry| entry.file_name() != RESTORE_FOLDER) {
            match entry {
                Ok(entry) => source.take(&entry)?,
                // What is removed meanwhile was not there.
                Err(error) if error.depth() > 0 && error.io_error().is_some_and(|error| error.kind() == NotFound) => {}
                Err(error) => return Err(error).with_context(|| format!("read the folder {}", folder.display())),
            }
        }
        ensure!(
            component != Component::Config || !source.files.is_empty(),
            "there is no *.yaml in {}; set maintenance.paths.config, or leave config out with --only",
            folder.display()
        );
        Ok(source)
    }

    fn take(&mut self, entry: &walkdir::DirEntry) -> anyhow::Result<()> {
        let kind = entry.file_type();
        if entry.depth() == 0 || kind.is_dir() {
            return Ok(());
        }
        if self.component == Component::Config && !is_yaml(entry.path()) {
            return Ok(());
        }
        if !kind.is_file() {
            let reason = if kind.is_symlink() { "a link, which is not followed" } else { "not a regular file" };
            self.skip(entry.path(), reason);
            return Ok(());
        }
        let relative = entry.path().strip_prefix(&self.folder).context("a file outside its folder")?;
        let parts: Option<Vec<&str>> = relative.iter().map(|part| part.to_str()).collect();
        let parts = parts.with_context(|| format!("the name of {} is not UTF-8; rename it", entry.path().display()))?;
        let name = format!("{}/{}", self.component, parts.join("/"));
        // Before the databases are dumped for nothing.
        check_entry_name(&name).with_context(|| format!("store {}; rename it", entry.path().display()))?;
        self.files.push(Found { path: entry.path().to_path_buf(), name });
        Ok(())
    }

    fn skip(&mut self, path: &Path, reason: &str) {
        self.skipped.push(Skipped { path: path.display().to_string(), reason: reason.to_owned() });
    }

    /// Stores all of them.
    pub(crate) fn capture(
        mut self,
        archive: &mut ArchiveWriter,
        packing: Packing,
        run: &mut Run<'_>,
    ) -> anyhow::Result<Captured> {
        let (mut entries, mut size) = (0, 0);
        for found in std::mem::take(&mut self.files) {
            let at = run.now();
            match open(&found.path).with_context(|| format!("read {}", found.path.display()))? {
                Content::Gone => self.skip(&found.path, "it was removed while the backup ran"),
                Content::Whole(content, metadata) => {
                    let new = found.entry(self.component, at, &metadata, packing);
                    archive.add(new, |out| Ok(out.write_all(&content)?))?;
                    (entries, size) = (entries + 1, size + content.len() as u64);
                }
                Content::Streamed(mut file, metadata) => {
                    let new = found.entry(self.component, at, &metadata, packing);
                    // The archive looks at the signal on every write.
                    let (entry, _) = archive.add(new, |out| Ok(copy_hashed(&mut file, out, &Cancel::default())?))?;
                    if !is_same(&metadata, &file.metadata()?) {
                        self.skip(&found.path, "it changed while it was read; what was read is in the archive");
                    }
                    (entries, size) = (entries + 1, size + entry.size);
                }
            }
        }
        Ok(Captured { entries, size, skipped: self.skipped })
    }
}

impl Found {
    fn entry(&self, component: Component, at: Timestamp, metadata: &Metadata, packing: Packing) -> NewEntry {
        NewEntry {
            name: self.name.clone(),
            component,
            source: self.path.display().to_string(),
            captured_at: at,
            modified_at: metadata.modified().ok().map(|time| Timestamp::new(time.into())),
            mode: mode(metadata),
            packing: if metadata.len() > PACKED_BYTES { Packing::Store } else { packing },
        }
    }
}

/// Reads a small file until it is the same before and after; hands a large one over.
fn open(path: &Path) -> anyhow::Result<Content> {
    for read in 1.. {
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == NotFound => return Ok(Content::Gone),
            Err(error) => return Err(error.into()),
        };
        let before = file.metadata()?;
        ensure!(before.is_file(), "it has become something else than a file");
        if before.len() > WHOLE_BYTES {
            return Ok(Content::Streamed(file, before));
        }
        let mut content = Vec::new();
        // A file that grows faster than it is read would have no end.
        file.by_ref().take(WHOLE_BYTES + 1).read_to_end(&mut content)?;
        let after = match fs::metadata(path) {
            Ok(after) => after,
            Err(error) if error.kind() == NotFound => return Ok(Content::Gone),
            Err(error) => return Err(error.into()),
        };
        let stable = content.len() as u64 == before.len() && is_same(&before, &after);
        if stable || (read == READS && content.len() as u64 <= WHOLE_BYTES) {
            return Ok(Content::Whole(content, before));
        }
        ensure!(read < READS, "it grew while it was read, {READS} times");
    }
    unreachable!("the loop ends by returning")
}

fn is_same(before: &Metadata, after: &Metadata) -> bool {
    before.len() == after.len() && before.modified().ok() == after.modified().ok()
}

fn is_yaml(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("yaml") || extension.eq_ignore_ascii_case("yml"))
}

#[cfg(unix)]
fn mode(metadata: &Metadata) -> Option<u32> {
    Some(std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777)
}

#[cfg(not(unix))]
const fn mode(_: &Metadata) -> Option<u32> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(root: &Path) -> Paths {
        Paths {
            root: root.to_path_buf(),
            config: root.join("config"),
            logs: root.join("logs"),
            plans: root.join("roadmaps/plans"),
            scripts: root.join("scripts"),
            backups: root.join("backups"),
        }
    }

    #[test]
    fn only_yaml_is_configuration_and_links_are_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let paths = paths(folder.path());
        assert!(FileSource::find(Component::Config, &paths).is_err(), "a missing folder");
        fs::create_dir_all(paths.config.join("old")).expect("created");
        assert!(FileSource::find(Component::Config, &paths).is_err(), "nothing to back up");
        for name in ["config.yaml", "Alerts.YML", "api-token.txt", "old/x.yaml"] {
            fs::write(paths.config.join(name), "a: 1").expect("written");
        }
        #[cfg(unix)]
        std::os::unix::fs::symlink("/etc/passwd", paths.config.join("link.yaml")).expect("linked");
        let source = FileSource::find(Component::Config, &paths).expect("found");
        let names: Vec<&str> = source.files.iter().map(|found| found.name.as_str()).collect();
        assert_eq!(names, ["config/Alerts.YML", "config/config.yaml"]);
        assert_eq!(source.skipped.len(), usize::from(cfg!(unix)));
    }

    #[test]
    fn names_have_slashes_and_what_restore_keeps_is_not_taken() {
        let folder = tempfile::tempdir().expect("a folder");
        let paths = paths(folder.path());
        for name in ["é/a 🚀.md", ".pso-restore/x/a.md", "b.md"] {
            let path = paths.plans.join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("created");
            fs::write(path, "x").expect("written");
        }
        let source = FileSource::find(Component::Plans, &paths).expect("found");
        let names: Vec<&str> = source.files.iter().map(|found| found.name.as_str()).collect();
        assert_eq!(names, ["plans/b.md", "plans/é/a 🚀.md"]);
    }
}
