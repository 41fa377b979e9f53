//! A folder that is held open while something in it is changed: whatever becomes of the path that led there, what is removed
//! is the file that was planned.
//!
//! Names are looked up one by one, and none may be a link (`openat(2)` with `O_NOFOLLOW`): who may write to a folder of logs
//! could otherwise have us, perhaps root, remove files elsewhere.

use std::ffi::OsStr;
use std::fmt;
use std::fs::{File, Metadata};
use std::io;
use std::path::{Component, Path};

use super::identity::Identity;

/// A file is not the one that was planned any more. It is in the error's chain ([`is_changed`]).
#[derive(Debug)]
struct Changed(&'static str);

impl fmt::Display for Changed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} since it was planned; nothing was done to it", self.0)
    }
}

impl std::error::Error for Changed {}

fn changed(what: &'static str) -> io::Error {
    io::Error::other(Changed(what))
}

/// Whether an error says that the file is not the one that was planned.
pub(crate) fn is_changed(error: &io::Error) -> bool {
    error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<Changed>)
}

impl Folder {
    /// Removes a file, if it still is the one that was planned.
    pub(crate) fn remove(&self, name: &OsStr, identity: &Identity) -> io::Result<()> {
        self.expect(name, identity)?;
        self.unlink(name)
    }

    /// Fails unless the file is there as it was planned.
    pub(crate) fn expect(&self, name: &OsStr, identity: &Identity) -> io::Result<()> {
        let metadata = self.look(name)?;
        if !metadata.is_file() {
            return Err(changed("it is no file any more"));
        }
        if Identity::of(&metadata) != *identity {
            return Err(changed("it was written to, or another file has come to its name,"));
        }
        Ok(())
    }
}

/// The plain names of a path below a folder.
fn names(below: &Path) -> io::Result<Vec<&OsStr>> {
    below
        .components()
        .map(|part| match part {
            Component::Normal(name) => Ok(name),
            _ => Err(io::Error::other("it is no plain path")),
        })
        .collect()
}

#[cfg(unix)]
mod held {
    use std::os::fd::OwnedFd;

    use rustix::fs::{AtFlags, Mode, OFlags, openat, renameat, unlinkat};

    use super::{File, Metadata, OsStr, Path, changed, io, names};

    /// The open folder.
    #[derive(Debug)]
    pub(crate) struct Folder(OwnedFd);

    const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
    // A pipe that has come to the name would be waited for without end.
    const FILE: OFlags = OFlags::NOFOLLOW.union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);
    /// To look at a file one need not be allowed to read it.
    #[cfg(target_os = "linux")]
    const LOOK: OFlags = OFlags::PATH;
    #[cfg(not(target_os = "linux"))]
    const LOOK: OFlags = OFlags::RDONLY;

    impl Folder {
        /// Opens the folder `below` a configured one, which may be reached by links.
        pub(crate) fn open(root: &Path, below: &Path) -> io::Result<Self> {
            let mut folder = rustix::fs::open(root, FOLDER, Mode::empty())?;
            for name in names(below)? {
                folder =
                    openat(&folder, name, FOLDER.union(OFlags::NOFOLLOW), Mode::empty()).map_err(
                        |error| match error {
                            rustix::io::Errno::LOOP | rustix::io::Errno::NOTDIR => {
                                changed("a folder on the way to it has become something else")
                            }
                            error => error.into(),
                        },
                    )?;
            }
            Ok(Self(folder))
        }

        /// What is known of a name; of a link itself.
        pub(crate) fn look(&self, name: &OsStr) -> io::Result<Metadata> {
            let file = openat(&self.0, name, LOOK.union(FILE), Mode::empty()).map_err(|error| match error {
                rustix::io::Errno::LOOP => changed("it has become a link"),
                error => error.into(),
            })?;
            File::from(file).metadata()
        }

        /// Opens a file to read it.
        pub(crate) fn read(&self, name: &OsStr) -> io::Result<File> {
            Ok(openat(&self.0, name, OFlags::RDONLY.union(FILE), Mode::empty())?.into())
        }

        /// Creates a file for its owner alone.
        pub(crate) fn create(&self, name: &OsStr) -> io::Result<File> {
            let flags = OFlags::RDWR.union(OFlags::CREATE).union(OFlags::EXCL).union(FILE);
            Ok(openat(&self.0, name, flags, Mode::RUSR.union(Mode::WUSR))?.into())
        }

        /// Gives a file another name that nothing has.
        pub(crate) fn rename(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
            #[cfg(target_os = "linux")]
            match rustix::fs::renameat_with(&self.0, from, &self.0, to, rustix::fs::RenameFlags::NOREPLACE) {
                // Some file systems cannot.
                Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS | rustix::io::Errno::NOTSUP) => {}
                result => return Ok(result?),
            }
            match self.look(to) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(renameat(&self.0, from, &self.0, to)?),
                Err(error) => Err(error),
                Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
            }
        }

        pub(crate) fn unlink(&self, name: &OsStr) -> io::Result<()> {
            Ok(unlinkat(&self.0, name, AtFlags::empty())?)
        }

        /// Puts the folder's names on the disk.
        pub(crate) fn sync(&self) -> io::Result<()> {
            Ok(rustix::fs::fsync(&self.0)?)
        }
    }
}

#[cfg(not(unix))]
mod held {
    use std::fs;
    use std::path::PathBuf;

    use super::{File, Metadata, OsStr, Path, changed, io, names};

    /// The folder's path: the library opens nothing relative to a folder here, so it is looked at each time.
    #[derive(Debug)]
    pub(crate) struct Folder(PathBuf);

    impl Folder {
        pub(crate) fn open(root: &Path, below: &Path) -> io::Result<Self> {
            let mut path = root.to_path_buf();
            for name in names(below)? {
                path.push(name);
                if !fs::symlink_metadata(&path)?.is_dir() {
                    return Err(changed("a folder on the way to it has become something else"));
                }
            }
            Ok(Self(path))
        }

        pub(crate) fn look(&self, name: &OsStr) -> io::Result<Metadata> {
            fs::symlink_metadata(self.0.join(name))
        }

        pub(crate) fn read(&self, name: &OsStr) -> io::Result<File> {
            File::open(self.0.join(name))
        }

        pub(crate) fn create(&self, name: &OsStr) -> io::Result<File> {
            File::options().read(true).write(true).create_new(true).open(self.0.join(name))
        }

        pub(crate) fn rename(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
            if fs::symlink_metadata(self.0.join(to)).is_ok() {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            fs::rename(self.0.join(from), self.0.join(to))
        }

        pub(crate) fn unlink(&self, name: &OsStr) -> io::Result<()> {
            fs::remove_file(self.0.join(name))
        }

        pub(crate) fn sync(&self) -> io::Result<()> {
            Ok(())
        }
    }
}

pub(crate) use held::Folder;
