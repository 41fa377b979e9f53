//! Small, read-only and silent file systems, for disks that are full, refuse or hang. Mounting needs root.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
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

    /// Mounts a file system whose server takes every question and answers none, as sshfs does whose far end is gone. Who looks at
    /// the folder hangs until this is dropped, and cannot be killed.
    ///
    /// # Errors
    /// As [`Mount::silent`].
    pub fn deaf(path: &Path) -> Result<Self> {
        fs::create_dir_all(path).with_context(|| format!("create {}", path.display()))?;
        let mut device = fs::File::options().read(true).write(true).open("/dev/fuse").context("open /dev/fuse")?;
        let options = "fd=0,rootmode=40000,user_id=0,group_id=0";
        let mut mount = Command::new("mount");
        mount.args(["-t", "fuse", "-o", options, "pso-tests"]).arg(path);
        run(mount.stdin(device.try_clone().context("share /dev/fuse")?))?;
        let mount = Self { path: path.to_owned(), silent: None };
        let mut question = vec![0; 1 << 20];
        let length = device.read(&mut question).context("read the first question")?;
        ensure!(length >= 16, "the first question of FUSE is too short");
        device.write_all(&welcome(&question[8..16])).context("answer the first question")?;
        // Until it is unmounted, or this process ends: then all who hang get an error.
        std::thread::spawn(move || while device.read(&mut question).is_ok() {});
        Ok(mount)
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
        // What hangs gets an error; a lazy end alone would let it hang.
        let _ = Command::new("umount").arg("-f").arg(&self.path).output();
        // Lazily: a server may still have a file open in it, and the test is over.
        let _ = Command::new("umount").arg("-l").arg(&self.path).output();
    }
}

/// The answer to `FUSE_INIT`, the only one that is given: `struct fuse_out_header` and `struct fuse_init_out` of
/// `linux/fuse.h`, version 7.31, for the question of that number.
fn welcome(number: &[u8]) -> Vec<u8> {
    const LENGTH: usize = 80;
    let mut answer = Vec::with_capacity(LENGTH);
    answer.extend(80_u32.to_ne_bytes());
    answer.extend(0_i32.to_ne_bytes());
    answer.extend(number);
    for word in [7_u32, 31, 0, 0, 0x0009_000c, 131_072, 1] {
        answer.extend(word.to_ne_bytes());
    }
    answer.resize(LENGTH, 0);
    answer
}

fn run(command: &mut Command) -> Result<()> {
    let shown = format!("{command:?}");
    let output = command.output().with_context(|| format!("run {shown}"))?;
    ensure!(output.status.success(), "{shown}: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}
