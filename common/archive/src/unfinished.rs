//! A restore that was begun and has not come to its end, seen from outside.

use std::fs::File;
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
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
///
/// # Errors
/// When there is a journal that cannot be read or understood: what lies there may be half of a restore all the same.
pub fn unfinished_restore(root: &Path) -> anyhow::Result<Option<Unfinished>> {
    let path = root.join(RESTORE_JOURNAL);
    let context = || format!("read the journal of a restore, {}; `pso-restore --rollback` says more", path.display());
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(context),
    };
    let (mut line, mut reader) = (Vec::new(), BufReader::new(file.take(MAX_LINE_BYTES)));
    reader.read_until(b'\n', &mut line).with_context(context)?;
    // Without a whole first line nothing was done.
    let Some(whole) = line.strip_suffix(b"\n") else { return Ok(None) };
    match serde_json::from_slice(whole) {
        Ok(found) => Ok(Some(found)),
        // A power cut may leave anything in the place of the first line, and then nothing follows it.
        Err(_) if reader.fill_buf().with_context(context)?.is_empty() => Ok(None),
        Err(error) => Err(error).with_context(context),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_first_line_is_no_restore() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(RESTORE_JOURNAL);
        let found = || unfinished_restore(folder.path()).expect("readable");
        assert_eq!(found(), None);
        std::fs::create_dir(path.parent().expect("a folder")).expect("created");
        let line =
            "{\"event\":\"begun\",\"archive\":\"/a.zip\",\"at\":\"2026-11-22T09:00:00Z\",\"pid\":7,\"more\":1}\n";
        for cut in 0..line.len() {
            std::fs::write(&path, &line[..cut]).expect("written");
            assert_eq!(found(), None, "{cut}");
        }
        std::fs::write(&path, format!("{line}{{\"ev")).expect("written");
        assert_eq!(found().map(|found| found.pid), Some(7));
        std::fs::write(&path, "garbage\n").expect("written");
        assert_eq!(found(), None);
        std::fs::write(&path, format!("garbage\n{line}")).expect("written");
        assert!(unfinished_restore(folder.path()).is_err(), "it may be half of a restore");
    }
}
