//! pso-health: what can be seen on this machine itself.

mod backups;
mod disks;
mod files;
mod machine;
mod ports;
mod whole;

use std::fs;
use std::path::{Path, PathBuf};

use pso_tests::tool::{Outcome, Tool, built_binary};
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

/// A folder that everybody may look at, and the tool run as somebody who is not root: root may read everything.
fn as_nobody(folder: &Folder, checks: &str) -> Outcome {
    use std::os::unix::fs::PermissionsExt as _;

    fs::set_permissions(folder.0.path(), fs::Permissions::from_mode(0o755)).expect("permitted");
    let binary = built_binary("pso-health").expect("built");
    // The folder of the build may be closed to others.
    let own = folder.path("pso-health");
    fs::copy(&binary, &own).expect("copied");
    Tool::program("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(own)
        .args(["--only", checks])
        .folder(folder.0.path())
        .run()
        .expect("ends")
}

fn tool(folder: &Path, checks: &str) -> Tool {
    Tool::new("pso-health").expect("built").args(["--only", checks]).folder(folder)
}
