//! pso-health: what can be seen on this machine itself.

mod disks;

use std::fs;
use std::path::{Path, PathBuf};

use pso_tests::tool::{Outcome, Tool};
use tempfile::TempDir;

/// A deployment's folder, empty.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn path(&self, below: &str) -> PathBuf {
        self.0.path().join(below)
    }

    /// A file with its folders.
    fn write(&self, below: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(below);
        fs::create_dir_all(path.parent().expect("a folder")).expect("created");
        fs::write(&path, text).expect("written");
        path
    }

    fn config(&self, health: &str) {
        self.write("config/config.yaml", format!("maintenance: {{health: {health}}}\n"));
    }

    /// The tool with some checks only.
    fn tool(&self, checks: &str) -> Tool {
        tool(self.0.path(), checks)
    }

    fn run(&self, checks: &str) -> Outcome {
        self.tool(checks).run().expect("ends")
    }
}

fn tool(folder: &Path, checks: &str) -> Tool {
    Tool::new("pso-health").expect("built").args(["--only", checks]).folder(folder)
}
