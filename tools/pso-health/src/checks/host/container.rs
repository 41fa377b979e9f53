//! The memory that a container may use. A limit is a container's where it stands at the root of what we see of the
//! control groups: the root of a whole machine has none.

use std::fs;
use std::path::Path;

/// Where control groups are seen.
pub(super) const ROOT: &str = "/sys/fs/cgroup";

/// A container's memory in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Memory {
    pub(super) limit: u64,
    /// Without the cache of files that nobody has used for a while, which gives way: what Kubernetes calls the working set.
    pub(super) used: u64,
}

impl Memory {
    /// The limit and what is in use, of version 2 or 1; `None` where there is no limit.
    pub(super) fn read(root: &Path) -> Option<Self> {
        Self::of(root, "memory.max", "memory.current", "inactive_file").or_else(|| {
            // Version 1 says 2^63 rounded to pages where there is none, which is more than any machine has.
            Self::of(&root.join("memory"), "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        })
    }

    fn of(folder: &Path, limit: &str, used: &str, cache: &str) -> Option<Self> {
        let number = |name: &str| fs::read_to_string(folder.join(name)).ok()?.trim().parse::<u64>().ok();
        // `max` is no number, and no limit.
        let (limit, used) = (number(limit)?, number(used)?);
        let stat = fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
        let cache = stat.lines().filter_map(|line| line.split_once(' ')).find(|(key, _)| *key == cache);
        let cache = cache.and_then(|(_, value)| value.parse::<u64>().ok()).unwrap_or(0);
        (limit > 0).then_some(Self { limit, used: used.saturating_sub(cache) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("memory")).expect("a folder");
        for (name, text) in files {
            fs::write(folder.path().join(name), text).expect("written");
        }
        folder
    }

    #[test]
    fn both_versions_are_understood() {
        let second = root(&[
            ("memory.max", "1073741824\n"),
            ("memory.current", "536870912\n"),
            ("memory.stat", "anon 1\nfile 2\ninactive_file 36870912\nactive_file 9\n"),
        ]);
        assert_eq!(Memory::read(second.path()), Some(Memory { limit: 1 << 30, used: 500_000_000 }));
        let first = root(&[
            ("memory/memory.limit_in_bytes", "1000\n"),
            ("memory/memory.usage_in_bytes", "600\n"),
            ("memory/memory.stat", "inactive_file 1\ntotal_inactive_file 100\n"),
        ]);
        assert_eq!(Memory::read(first.path()), Some(Memory { limit: 1000, used: 500 }));
    }

    #[test]
    fn where_there_is_no_limit_the_machine_counts() {
        for files in [
            &[][..],
            &[("memory.max", "max\n"), ("memory.current", "5\n")],
            &[("memory.max", "5\n")],
            &[("memory.max", "0\n"), ("memory.current", "0\n")],
            &[("memory.max", "\u{fffd}"), ("memory.current", "-1")],
        ] {
            assert_eq!(Memory::read(root(files).path()), None, "{files:?}");
        }
    }
}
