//! A deployment's files with their modes, in a folder that others get into as they would get into /srv.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use pso_tests::tool::{Outcome, Tool, built_binary};
use tempfile::TempDir;

pub(crate) struct Deployment {
    folder: TempDir,
}

impl Deployment {
    /// As it should be: folders 0750, files 0640, secrets 0600, scripts 0755.
    pub(crate) fn sane() -> Self {
        let deployment = Self { folder: tempfile::tempdir().expect("a folder") };
        deployment.mode("", 0o755);
        for folder in ["config", "scripts", "logs", "backups", "backups/daily", "roadmaps", "roadmaps/plans"] {
            fs::create_dir(deployment.path(folder)).expect("made");
            deployment.mode(folder, 0o755);
        }
        deployment.write("config/config.yaml", "sync: {workers: 4}\n", 0o640);
        deployment.write("config/alerts.yaml", "alerts: []\n", 0o640);
        deployment.write("scripts/run.sh", "#!/bin/sh\necho run\n", 0o755);
        deployment.write("logs/sync-engine.log", "2025-06-12T09:00:00Z INFO started\n", 0o640);
        deployment.write("backups/daily/20251112_090000.zip", "PK\u{3}\u{4}\0\0", 0o600);
        deployment.write("roadmaps/plans/plan.md", "# Plan\n", 0o644);
        deployment
    }

    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: impl AsRef<Path>, text: impl AsRef<[u8]>, mode: u32) {
        fs::write(self.path(&name), text).expect("written");
        self.mode(name, mode);
    }

    pub(crate) fn mode(&self, name: impl AsRef<Path>, mode: u32) {
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).expect("mode");
    }

    pub(crate) fn tool(&self, args: &[&str]) -> Tool {
        Tool::new("pso-audit").expect("built").args(args).folder(self.root())
    }

    pub(crate) fn run(&self, args: &[&str]) -> Outcome {
        self.tool(args).run().expect("ends")
    }

    /// By somebody to whom modes mean something: root may read everything.
    pub(crate) fn run_as_nobody(&self, args: &[&str]) -> Outcome {
        let program = built_binary("pso-audit").expect("built");
        let tool = if is_root() {
            // The tool may lie where only root may go.
            let copy = self.path("tool");
            fs::copy(program, &copy).expect("copied");
            self.mode("tool", 0o755);
            Tool::program("setpriv").args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(copy)
        } else {
            Tool::program(program)
        };
        tool.args(args).folder(self.root()).run().expect("ends")
    }
}

pub(crate) fn is_root() -> bool {
    Command::new("id").arg("-u").output().expect("id").stdout == b"0\n"
}
