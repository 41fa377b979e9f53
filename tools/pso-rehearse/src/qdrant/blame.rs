//! Whose fault it is when the engine fails: the snapshot's, or the machine's.

use std::io::ErrorKind;

#[cfg(unix)]
use rustix::io::Errno;

/// What the operating system says of itself and not of a file: no memory, no room, no descriptors, no threads, a disk that
/// fails, a system that cannot do it. The engine turns errors into text, so that the number in it is all that is left.
#[cfg(unix)]
const ERRORS: [Errno; 16] = [
    Errno::PERM,
    Errno::IO,
    Errno::AGAIN,
    Errno::NOMEM,
    Errno::ACCESS,
    Errno::NODEV,
    Errno::NFILE,
    Errno::MFILE,
    Errno::FBIG,
    Errno::NOSPC,
    Errno::ROFS,
    Errno::NOSYS,
    Errno::OPNOTSUPP,
    Errno::STALE,
    Errno::TIMEDOUT,
    Errno::DQUOT,
];

/// Whether an error is of the machine: whatever the snapshot is, this would have failed.
pub(super) fn is_machines(error: &anyhow::Error) -> bool {
    let by_kind = error.chain().any(|cause| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|error| {
            matches!(
                error.kind(),
                ErrorKind::StorageFull
                    | ErrorKind::QuotaExceeded
                    | ErrorKind::FileTooLarge
                    | ErrorKind::OutOfMemory
                    | ErrorKind::PermissionDenied
                    | ErrorKind::ReadOnlyFilesystem
            )
        })
    });
    by_kind || is_machines_text(&format!("{error:#}"))
}

/// The same of what is left of one as text.
pub(super) fn is_machines_text(text: &str) -> bool {
    has_number(text) || text.contains("Out of memory, free:")
}

#[cfg(unix)]
fn has_number(text: &str) -> bool {
    ERRORS.iter().any(|error| text.contains(&format!("(os error {})", error.raw_os_error())))
}

/// Windows: no memory (8, 14, 1455), no room (39, 112), no handles (4), no access (5), a disk that fails (23, 1117).
#[cfg(not(unix))]
fn has_number(text: &str) -> bool {
    [4, 5, 8, 14, 23, 39, 112, 1117, 1455].iter().any(|number| text.contains(&format!("(os error {number})")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_the_machines_and_a_wrong_magic_number_is_not() {
        let full = anyhow::Error::from(std::io::Error::from(ErrorKind::StorageFull)).context("unpack a");
        assert!(is_machines(&full));
        assert!(is_machines(&anyhow::anyhow!("Service runtime error: No space left on device (os error 28)")));
        // A limit on processes (`ulimit -u`, `pids.max`): the engine's threads cannot be started.
        #[cfg(target_os = "linux")]
        assert!(is_machines_text("called `Result::unwrap()`: Resource temporarily unavailable (os error 11)"));
        assert!(!is_machines(&anyhow::anyhow!(
            "Service runtime error: failed to load segment: No such file (os error 2)"
        )));
    }
}
