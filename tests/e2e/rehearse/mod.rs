//! pso-rehearse end to end: archives of a real deployment, whole, damaged and made to look whole, restored somewhere harmless.

mod altered;
mod bad_input;
mod dumps;
mod leftovers;
mod listing;
mod postgres;
mod postgres_failures;
mod postgres_server;
mod qdrant;
mod qdrant_process;
mod space;
mod stopped;
mod tampered;
mod told;
mod trend;
mod whole;

use std::path::Path;

use pso_tests::tool::{Outcome, Tool};

use crate::parts::{Parts, checked};

/// What every test here has: a deployment with one archive, and a folder of its own for what is temporary.
pub(crate) struct Rehearsed {
    pub(crate) parts: Parts,
    pub(crate) archive: std::path::PathBuf,
    pub(crate) temp: tempfile::TempDir,
}

impl Rehearsed {
    pub(crate) fn start(name: &str) -> Self {
        let parts = Parts::start(name);
        let archive = parts.archive();
        Self { parts, archive, temp: open_folder() }
    }

    pub(crate) fn tool(&self, args: &[&str]) -> Tool {
        self.parts.tool("pso-rehearse", args).env("TMPDIR", self.temp.path())
    }

    /// A rehearsal that leaves nothing behind, whatever it comes to.
    #[track_caller]
    pub(crate) fn rehearse(&self, args: &[&str]) -> Outcome {
        let outcome = checked(self.tool(args));
        assert_empty(self.temp.path(), &outcome);
        outcome
    }
}

/// A folder for what is temporary. The cluster runs as another user where the tests run as root, and has to get there.
pub(crate) fn open_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o711);
    std::fs::set_permissions(folder.path(), open).expect("mode");
    folder
}

#[track_caller]
pub(crate) fn assert_empty(folder: &Path, outcome: &Outcome) {
    let left: Vec<_> = std::fs::read_dir(folder).expect("a folder").flatten().map(|entry| entry.path()).collect();
    assert!(left.is_empty(), "{left:?} is left behind\n{outcome}");
}
