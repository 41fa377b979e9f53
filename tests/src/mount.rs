//! Small and read-only file systems, for disks that are full or refuse. Mounting needs root.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// A tmpfs over a folder. Dropping it unmounts it; what was in it is gone.
#[derive(Debug)]
pub struct Mount {
    path: PathBuf,
}

impl Mount {
    /// Mounts a tmpfs of so many KiB at a folder, which is created where it is not there.
    ///
    /// # Errors
    /// When it cannot be mounted: not root, or a container without the right to.
    pub fn tmpfs(path: &Path, kib: u64) -> Result<Self> {
        fs::create_dir_all(path).with_context(|| format!("create {}", path.display()))?;
        run(Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={kib}k,mode=0755"), "pso-tests"])
            .arg(path))?;
        Ok(Self { path: path.to_owned() })
    }

    /// Nothing can be written any more.
    ///
    /// # Errors
    /// When the system refuses, because a file is open for writing for instance.
    pub fn read_only(&self) -> Result<()> {
        run(Command::new("mount").args(["-o", "remount,ro"]).arg(&self.path))
    }

    /// Another size, in KiB.
    ///
    /// # Errors
    /// When more than that is in it.
    pub fn resize(&self, kib: u64) -> Result<()> {
        run(Command::new("mount").args(["-o", &format!("remount,rw,size={kib}k")]).arg(&self.path))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Lazily: a server may still have a file open in it, and the test is over.
        let _ = Command::new("umount").arg("-l").arg(&self.path).output();
    }
}

fn run(command: &mut Command) -> Result<()> {
    let shown = format!("{command:?}");
    let output = command.output().with_context(|| format!("run {shown}"))?;
    ensure!(output.status.success(), "{shown}: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}
