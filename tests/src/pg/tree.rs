//! Copies of folders: of a data folder for a standby, and of programs that PostgreSQL's user cannot reach where they are.

use std::fs;
use std::io;
use std::os::unix::fs::{chown, lchown, symlink};
use std::path::Path;

use anyhow::{Context, Result};
use walkdir::WalkDir;

use crate::supervised::Owner;

/// Copies a folder with all that `wanted` (of its path below the folder) says yes to, folders and links included, and gives it to `owner`. Files
/// that vanish meanwhile are left out: a running server removes some.
pub(super) fn copy(from: &Path, to: &Path, owner: Option<Owner>, wanted: impl Fn(&Path) -> bool) -> Result<()> {
    let below = |path: &Path| path.strip_prefix(from).map(Path::to_owned).unwrap_or_default();
    for entry in WalkDir::new(from).into_iter().filter_entry(|entry| wanted(&below(entry.path()))) {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) if error.io_error().is_some_and(vanished) && error.depth() > 0 => continue,
            Err(error) => return Err(error).with_context(|| format!("copy {}", from.display())),
        };
        let target = to.join(below(entry.path()));
        match one(&entry, &target, owner) {
            Err(error) if vanished(&error) && entry.depth() > 0 => {}
            done => done.with_context(|| format!("copy {} to {}", entry.path().display(), target.display()))?,
        }
    }
    Ok(())
}

fn one(entry: &walkdir::DirEntry, target: &Path, owner: Option<Owner>) -> io::Result<()> {
    let (uid, gid) = (owner.map(|owner| owner.uid), owner.map(|owner| owner.gid));
    if entry.file_type().is_symlink() {
        symlink(fs::read_link(entry.path())?, target)?;
        return lchown(target, uid, gid);
    }
    if entry.file_type().is_dir() {
        fs::create_dir_all(target)?;
        fs::set_permissions(target, fs::metadata(entry.path())?.permissions())?;
    } else {
        fs::copy(entry.path(), target)?;
    }
    chown(target, uid, gid)
}

fn vanished(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}
