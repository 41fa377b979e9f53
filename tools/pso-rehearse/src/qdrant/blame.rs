//! Whose fault it is when the engine fails: the snapshot's, or the machine's.

use std::io::ErrorKind;

/// What the operating system says of itself and not of a file: no memory, no room, no descriptors, a disk that fails. The
/// engine turns errors into text, so that the number in it is all that is left.
const NUMBERS: [&str; 8] = [
    "(os error 5)",
    "(os error 12)",
    "(os error 13)",
    "(os error 23)",
    "(os error 24)",
    "(os error 28)",
    "(os error 30)",
    "(os error 122)",
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
    NUMBERS.iter().any(|number| text.contains(number)) || text.contains("Out of memory, free:")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_the_machines_and_a_wrong_magic_number_is_not() {
        let full = anyhow::Error::from(std::io::Error::from(ErrorKind::StorageFull)).context("unpack a");
        assert!(is_machines(&full));
        assert!(is_machines(&anyhow::anyhow!("Service runtime error: No space left on device (os error 28)")));
        assert!(!is_machines(&anyhow::anyhow!(
            "Service runtime error: failed to load segment: No such file (os error 2)"
        )));
    }
}
