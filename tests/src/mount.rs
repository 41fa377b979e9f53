//! Small, read-only and silent file systems, for disks that are full, refuse or hang. Mounting needs root.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

/// A file system over a folder. Dropping it unmounts it; what was in it is gone.
#[derive(Debug)]
pub struct Mount {
    path: PathBuf,
    /// Who should serve it, and does not.
    silent: Option<Child>,
}

impl Mount {
    /// Mounts a tmpfs of so many KiB at a folder, which is created where it is not there.
    ///
    /// # Errors
    /// When it cannot be mounted: not root, or a container without the right to.
    pub fn tmpfs(path: &Path, kib: u64) -> Result<Self> {
        Self::of(path, &format!("size={kib}k,mode=0755"))
    }

    /// Mounts a tmpfs that can hold so many files, folders and links at a folder; its root is one of them.
    ///
    /// # Errors
    /// As [`Mount::tmpfs`].
    pub fn tmpfs_of_files(path: &Path, files: u64) -> Result<Self> {
        Self::of(path, &format!("size=1024k,nr_inodes={files},mode=0755"))
    }

    fn of(path: &Path, options: &str) -> Result<Self> {
        fs::create_dir_all(path).with_context(|| format!("create {}", path.display()))?;
        run(Command::new("mount").args(["-t", "tmpfs", "-o", options, "pso-tests"]).arg(path))?;
        Ok(Self { path: path.to_owned(), silent: None })
    }

    /// Mounts a file system that never answers, as that of a server that is gone: FUSE, with nobody behind it. Who looks at
    /// the folder hangs until this is dropped, or is killed.
    ///
    /// # Errors
    /// When it cannot be mounted: not root, no FUSE, or a container without the right to.
    pub fn silent(path: &Path) -> Result<Self> {
        fs::create_dir_all(path).with_context(|| format!("create {}", path.display()))?;
        // Whoever holds the device open is the one who should answer; `cat` waits for us to let it go. If we are killed,
        // it sees the end of the pipe too, and all who hang get an error.
        let script = "exec 3<>/dev/fuse && mount -t fuse -o fd=3,rootmode=40000,user_id=0,group_id=0 pso-tests \"$1\" \
                      && echo mounted && exec cat";
        let mut child = Command::new("sh")
            .args(["-c", script, "sh"])
            .arg(path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("run sh")?;
        let mut line = String::new();
        let said = child.stdout.take().map(|pipe| BufReader::new(pipe).read_line(&mut line));
        if line != "mounted\n" {
            let _ = child.kill();
            let status = child.wait().context("wait for sh")?;
            bail!("mount a silent file system at {}: {status}, {said:?}", path.display());
        }
        Ok(Self { path: path.to_owned(), silent: Some(child) })
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
        if let Some(mut child) = self.silent.take() {
            drop(child.stdin.take());
            let _ = child.wait();
        }
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
