//! Why an archive cannot be opened: a damaged one is another matter than one that only we cannot read.

use std::fmt;
use std::io;

/// What stands in the way. It is in the error of [`crate::Archive::open_with`]: [`Obstacle::of`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// It is encrypted, and there is no key, or another's.
    Key,
    /// It is of a newer schema than this version reads.
    Newer,
    /// It is not there, not a file, or the system does not let us read it.
    Unreachable,
    /// It is a whole ZIP file without a manifest.
    NoManifest,
    /// It is not, or not whole, what it should be.
    Damaged,
}

impl Obstacle {
    /// What an error of opening an archive says.
    #[must_use]
    pub fn of(error: &anyhow::Error) -> Self {
        for cause in error.chain() {
            if let Some(blocked) = cause.downcast_ref::<Blocked>() {
                return blocked.obstacle;
            }
            if cause.downcast_ref::<io::Error>().is_some_and(is_of_the_system) {
                return Self::Unreachable;
            }
        }
        Self::Damaged
    }
}

/// Whether the system refused, rather than what was read being wrong. What is no file is `Unsupported` ([`crate::durable`]).
pub(crate) fn is_of_the_system(error: &io::Error) -> bool {
    error.raw_os_error().is_some() || error.kind() == io::ErrorKind::Unsupported
}

/// An error that says which obstacle it is.
#[derive(Clone, Debug)]
pub(crate) struct Blocked {
    obstacle: Obstacle,
    text: String,
}

impl Blocked {
    pub(crate) fn error(obstacle: Obstacle, text: impl Into<String>) -> anyhow::Error {
        anyhow::Error::new(Self { obstacle, text: text.into() })
    }
}

impl fmt::Display for Blocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Blocked {}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::{Archive, Identities};

    #[test]
    fn who_is_to_blame_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let obstacle = |path: &std::path::Path| {
            Obstacle::of(&Archive::open_with(path, &Identities::default()).expect_err("no archive"))
        };
        assert_eq!(obstacle(&folder.path().join("none.zip")), Obstacle::Unreachable);
        assert_eq!(obstacle(folder.path()), Obstacle::Unreachable);
        let path = folder.path().join("a.zip");
        fs::write(&path, "PK\u{3}\u{4} and no more").expect("written");
        assert_eq!(obstacle(&path), Obstacle::Damaged);
        let mut zip = zip::ZipWriter::new(fs::File::create(&path).expect("created"));
        zip.start_file("a.txt", zip::write::SimpleFileOptions::default()).expect("begun");
        zip.finish().expect("written");
        assert_eq!(obstacle(&path), Obstacle::NoManifest);
        fs::write(&path, "age-encryption.org/v1\n-> X25519 a\nb\n--- c\n").expect("written");
        assert_eq!(obstacle(&path), Obstacle::Key, "nobody has a key");
        fs::write(&path, "age-encryption.org/v1\n-> X25519 a\n").expect("written");
        assert_eq!(obstacle(&path), Obstacle::Damaged, "cut off");
    }
}
