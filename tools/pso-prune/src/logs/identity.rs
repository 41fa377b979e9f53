//! The very file that was planned, told from another that has come to its name since.

use std::fs::Metadata;
use std::time::SystemTime;

/// What a file is known by. Whoever writes to it, or puts another in its place, changes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    /// Device and inode; elsewhere than on Unix nothing that can be had without unstable parts of the library.
    #[cfg(unix)]
    pub(crate) inode: (u64, u64),
    pub(crate) size: u64,
    pub(crate) modified: SystemTime,
}

impl Identity {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        use std::os::unix::fs::MetadataExt as _;
        Self {
            #[cfg(unix)]
            inode: (metadata.dev(), metadata.ino()),
            size: metadata.len(),
            modified: metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH),
        }
    }
}
