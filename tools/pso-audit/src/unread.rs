//! Paths that could not be looked at: the first few by name, the others by number.

use std::path::Path;

use crate::finding::Found;
use crate::shell::shown;

/// Paths that are named one by one.
const MAX_NAMED: u64 = 5;

/// How many there were so far.
#[derive(Debug, Default)]
pub(crate) struct Unread(u64);

impl Unread {
    /// One more; one that has gone meanwhile is none: logs rotate and backups are pruned.
    pub(crate) fn add(&mut self, found: &mut Found, path: &Path, error: &std::io::Error) {
        if error.kind() == std::io::ErrorKind::NotFound {
            return;
        }
        self.0 += 1;
        if self.0 <= MAX_NAMED {
            found.unknown(format!("{}: {error}", shown(path)));
        }
    }

    /// Tells those that were not named; `what` follows their number.
    pub(crate) fn end(self, found: &mut Found, what: &str) {
        if self.0 > MAX_NAMED {
            found.unknown(format!("{} more {what}", self.0 - MAX_NAMED));
        }
    }
}
