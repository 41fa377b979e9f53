//! A restore that was begun and has not come to its end, seen from outside.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use pso_common::Timestamp;
use serde::Deserialize;

/// The journal of a restore, by its path below the deployment's folder. It is there while a restore is under way, and
/// stays where one was killed.
pub const RESTORE_JOURNAL: &str = ".pso-restore/journal.jsonl";

/// A first line longer than this is not one (bytes).
const MAX_LINE_BYTES: u64 = 1 << 20;

/// What an unfinished restore says about itself.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Unfinished {
    /// The archive.
    pub archive: PathBuf,
    /// When it was begun.
    pub at: Timestamp,
    /// The process.
    pub pid: u32,
}

/// The restore into a deployment's folder that is not finished. Whether it still runs, the lock says
/// ([`crate::Lock::refuse_held`]); if not, it was interrupted, and what is there may be half of one state and half of
/// another.
#[must_use]
pub fn unfinished_restore(root: &Path) -> Option<Unfinished> {
    let mut line = Vec::new();
    let file = File::open(root.join(RESTORE_JOURNAL)).ok()?;
    BufReader::new(file.take(MAX_LINE_BYTES)).read_until(b'\n', &mut line).ok()?;
    // Without a whole first line nothing was done.
    serde_json::from_slice(line.strip_suffix(b"\n")?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_first_line_is_no_restore() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(RESTORE_JOURNAL);
        assert_eq!(unfinished_restore(folder.path()), None);
        std::fs::create_dir(path.parent().expect("a folder")).expect("created");
        let line =
            "{\"event\":\"begun\",\"archive\":\"/a.zip\",\"at\":\"2026-11-22T09:00:00Z\",\"pid\":7,\"more\":1}\n";
        for cut in 0..line.len() {
            std::fs::write(&path, &line[..cut]).expect("written");
            assert_eq!(unfinished_restore(folder.path()), None, "{cut}");
        }
        std::fs::write(&path, format!("{line}{{\"ev")).expect("written");
        assert_eq!(unfinished_restore(folder.path()).map(|found| found.pid), Some(7));
    }
}
