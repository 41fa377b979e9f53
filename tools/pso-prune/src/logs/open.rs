//! Which files a process has open: a log that is removed under its writer takes all later lines with it.
//!
//! Linux tells it in `/proc/PID/fd`, and of processes of other users to root alone. Windows refuses an exclusive open. Other
//! systems do not tell it to a program as this one; there a file counts as open for a day after it was last written.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::time::{Duration, Instant};

use super::find::Found;

/// What was found out is good for so long.
const FRESH: Duration = Duration::from_secs(1);

/// Whether a file may be touched.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// Nobody has it open, as far as can be seen.
    No,
    /// Somebody has, who is named.
    By(String),
    /// Somebody may have, and it cannot be told.
    Perhaps(&'static str),
}

/// The open files, looked at again when that was too long ago.
pub(super) struct OpenFiles {
    names: HashSet<OsString>,
    seen: Option<(Instant, Seen)>,
}

/// What was seen.
#[derive(Default)]
struct Seen {
    /// The process that has a file open, by device and inode.
    held: HashMap<(u64, u64), u32>,
    /// There are processes whose files cannot be seen.
    blind: bool,
}

impl OpenFiles {
    /// Looks for files of these names only: of the others not even the state is asked for, which a dead network folder would
    /// not give.
    pub(super) fn of<'a>(files: impl Iterator<Item = &'a Found>) -> Self {
        Self { names: files.map(|file| file.name().to_owned()).collect(), seen: None }
    }

    #[cfg(target_os = "linux")]
    pub(super) fn held(&mut self, file: &Found) -> Held {
        if self.seen.as_ref().is_none_or(|(at, _)| at.elapsed() > FRESH) {
            self.seen = Some((Instant::now(), look(&self.names)));
        }
        let Some((_, seen)) = &self.seen else { return Held::Perhaps("/proc was not read") };
        if let Some(process) = seen.held.get(&file.identity.inode) {
            return Held::By(format!("process {process}"));
        }
        // The writer of a file is most likely its owner, and ours can be seen.
        if seen.blind && !file.name.is_rotated && file.owner != rustix::process::geteuid().as_raw() {
            return Held::Perhaps(
                "it belongs to another user, whose open files only root can see; run this as root or as that user",
            );
        }
        Held::No
    }

    #[cfg(windows)]
    pub(super) fn held(&mut self, file: &Found) -> Held {
        use std::os::windows::fs::OpenOptionsExt as _;
        // ERROR_SHARING_VIOLATION: https://learn.microsoft.com/windows/win32/debug/system-error-codes--0-499-
        match std::fs::File::options().read(true).share_mode(0).open(file.path()) {
            Err(error) if error.raw_os_error() == Some(32) => Held::By("a process".to_owned()),
            _ => Held::No,
        }
    }

    #[cfg(not(any(target_os = "linux", windows)))]
    pub(super) fn held(&mut self, file: &Found) -> Held {
        const QUIET: Duration = Duration::from_secs(86_400);
        match file.identity.modified.elapsed() {
            Ok(age) if age > QUIET => Held::No,
            _ => Held::Perhaps("it was written to within a day, and this system does not tell who has it open"),
        }
    }
}

#[cfg(target_os = "linux")]
fn look(names: &HashSet<OsString>) -> Seen {
    use std::fs;
    use std::os::unix::fs::MetadataExt as _;
    let mut seen = Seen::default();
    let Ok(processes) = fs::read_dir("/proc") else { return Seen { blind: true, ..seen } };
    // With hidepid processes of others are not even listed.
    seen.blind = !rustix::process::geteuid().is_root();
    for process in processes.flatten() {
        let Some(id) = process.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let files = match fs::read_dir(process.path().join("fd")) {
            Ok(files) => files,
            // One that has ended has nothing open.
            Err(error) => {
                seen.blind |= error.kind() == std::io::ErrorKind::PermissionDenied;
                continue;
            }
        };
        for file in files.flatten() {
            let path = file.path();
            let is_wanted =
                fs::read_link(&path).is_ok_and(|target| target.file_name().is_some_and(|name| names.contains(name)));
            if is_wanted && let Ok(metadata) = fs::metadata(&path) {
                seen.held.insert((metadata.dev(), metadata.ino()), id);
            }
        }
    }
    seen
}
