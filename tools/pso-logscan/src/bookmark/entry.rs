//! What is remembered of a file.

use std::path::{Path, PathBuf};

use pso_common::Timestamp;
use serde::{Deserialize, Serialize};

use crate::input::logfile::Identity;
use crate::input::prints::Prints;
use crate::input::rotation;
use crate::scan::tally::{Carried, FileTally};
use crate::stamps::Moment;
use crate::stamps::window::Window;

/// How far one file was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    /// Where it was, absolute; for messages, and to know whether it was asked for.
    pub(crate) path: PathBuf,
    pub(crate) identity: Identity,
    pub(crate) prints: Prints,
    /// Bytes of its text (unpacked, as UTF-8, without a byte order mark) that were read.
    pub(crate) offset: u64,
    /// The lines that these are.
    pub(crate) lines: u64,
    /// Bytes behind them that were there and were not read.
    pub(crate) left: u64,
    /// Whether somebody may have written to it after it was read: rotation had not taken it.
    pub(crate) growing: bool,
    /// The record that the next line may belong to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) record: Option<SavedRecord>,
    /// When the file was last there.
    pub(crate) seen_at: Timestamp,
}

/// [`Carried`] without what depends on a run's window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SavedRecord {
    /// Its stamp in microseconds since 1970; absent where nothing dates the lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at_us: Option<i64>,
    lines: u64,
    bytes: u64,
}

impl From<Carried> for SavedRecord {
    fn from(carried: Carried) -> Self {
        Self { at_us: carried.at.map(|at| at.0), lines: carried.lines, bytes: carried.bytes }
    }
}

impl Entry {
    /// What a scan that goes on behind it begins with.
    pub(crate) fn before(&self, window: &Window) -> FileTally {
        let record = self.record.map(|SavedRecord { at_us, lines, bytes }| {
            let at = at_us.map(Moment);
            Carried { at, inside: at.is_none_or(|at| window.contains(at)), lines, bytes }
        });
        FileTally { lines: self.lines, record, ..FileTally::default() }
    }

    /// Once it was told that the rest is lost: nothing more is expected of it.
    pub(crate) fn given_up(self) -> Self {
        Self { left: 0, growing: false, ..self }
    }

    /// The folder that it was in and the log that it belongs to.
    pub(crate) fn group(&self) -> (PathBuf, String) {
        group(&self.path)
    }
}

/// The folder and the log of a path.
pub(crate) fn group(path: &Path) -> (PathBuf, String) {
    (path.parent().map(Path::to_path_buf).unwrap_or_default(), rotation::any(&name(path)).0)
}

/// The name of a file as text.
pub(crate) fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The absolute path of something that may not be there.
pub(crate) fn absolute(path: &Path) -> PathBuf {
    if let Ok(path) = path.canonicalize() {
        return path;
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match (folder.canonicalize(), path.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf()),
    }
}
