//! Who can, by a file's mode, its group's members, and the folders above it.

use std::collections::HashMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::{Right, Who, people};

/// As many folders are remembered; with more it begins anew.
const MAX_FOLDERS: usize = 10_000;

/// Who gets as far as into a folder, by the search rights of all folders from `/` to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    Everybody,
    Group(u32),
    Nobody,
}

/// Answers who can, and remembers folders.
#[derive(Debug, Default)]
pub(crate) struct Access {
    people: people::People,
    reach: HashMap<PathBuf, Reach>,
}

impl Access {
    /// With the users and groups of this machine, and groups that somebody trusts.
    pub(crate) fn of_this_machine(trusted_groups: &[String]) -> Self {
        Self { people: people::People::of_this_machine(trusted_groups), reach: HashMap::new() }
    }

    pub(crate) const fn people(&self) -> &people::People {
        &self.people
    }

    /// Who can, besides owner and root; `path` is absolute and without links in its folders.
    pub(crate) fn who(&mut self, path: &Path, metadata: &Metadata, right: Right) -> Who {
        let bit = match right {
            Right::Read => 0o4,
            // Names in a folder are changed by who may also search it.
            Right::Write if metadata.is_dir() => 0o3,
            Right::Write => 0o2,
        };
        let (mode, group) = (metadata.mode(), metadata.gid());
        let reach = path.parent().map_or(Reach::Everybody, |folder| self.reach(folder));
        let group = match (mode & bit == bit, mode & (bit << 3) == bit << 3, reach) {
            (true, _, Reach::Everybody) => return Who::World,
            (true, _, Reach::Group(group)) => group,
            (_, true, Reach::Everybody) => group,
            (_, true, Reach::Group(above)) if above == group => group,
            _ => return Who::Owner,
        };
        if self.people.is_private(group, metadata.uid()) { Who::Owner } else { Who::Group(self.people.group(group)) }
    }

    fn reach(&mut self, folder: &Path) -> Reach {
        if let Some(known) = self.reach.get(folder) {
            return *known;
        }
        let above = folder.parent().map_or(Reach::Everybody, |parent| self.reach(parent));
        let reach = match std::fs::metadata(folder) {
            // Whoever looks cannot tell; the stricter answer would hide something.
            Err(_) => above,
            Ok(metadata) => {
                let (all, group) = (metadata.mode() & 0o1 != 0, metadata.mode() & 0o10 != 0);
                match above {
                    Reach::Everybody if all => Reach::Everybody,
                    Reach::Everybody if group => Reach::Group(metadata.gid()),
                    Reach::Group(gid) if all || group && gid == metadata.gid() => above,
                    _ => Reach::Nobody,
                }
            }
        };
        if self.reach.len() >= MAX_FOLDERS {
            self.reach.clear();
        }
        self.reach.insert(folder.to_path_buf(), reach);
        reach
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn who(folders: &[u32], mode: u32, right: Right) -> Who {
        let top = tempfile::tempdir().expect("a folder");
        let mut path = top.path().canonicalize().expect("a path");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("mode");
        let mut made = Vec::new();
        for (at, mode) in folders.iter().enumerate() {
            path.push(at.to_string());
            fs::create_dir(&path).expect("made");
            made.push((path.clone(), *mode));
        }
        path.push("file");
        fs::write(&path, "x").expect("written");
        for (path, mode) in [(path.clone(), mode)].into_iter().chain(made.into_iter().rev()) {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("mode");
        }
        let metadata = fs::metadata(&path).expect("there");
        // A group with a stranger in it, whoever runs the test.
        let mut access = Access::default();
        let found = access.who(&path, &metadata, right);
        fs::set_permissions(top.path(), fs::Permissions::from_mode(0o700)).expect("mode");
        found
    }

    #[test]
    fn a_mode_counts_as_far_as_the_folders_above_let_one() {
        assert_eq!(who(&[0o755, 0o755], 0o644, Right::Read), Who::World);
        assert_eq!(who(&[0o755, 0o755], 0o644, Right::Write), Who::Owner);
        assert_eq!(who(&[0o700, 0o777], 0o666, Right::Write), Who::Owner);
        assert!(matches!(who(&[0o750, 0o755], 0o644, Right::Read), Who::Group(_)));
        assert!(matches!(who(&[0o755], 0o660, Right::Write), Who::Group(_)));
        assert!(matches!(who(&[0o750], 0o660, Right::Write), Who::Group(_)));
        assert_eq!(who(&[0o700], 0o660, Right::Write), Who::Owner);
    }
}
