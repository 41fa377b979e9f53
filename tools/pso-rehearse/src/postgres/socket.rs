//! The way into the scratch cluster: a socket in a folder that nobody else can enter.

use std::path::{Path, PathBuf};

use anyhow::ensure;

/// The port, which is only part of the socket's name.
pub(super) const PORT: u16 = 5432;
/// `sun_path` holds 108 bytes with the last 0, 104 outside of Linux.
const MOST: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// One folder, and how it is called by the server, by us, and by programs that are started in it.
#[derive(Debug)]
pub(super) struct Socket {
    /// The folder itself.
    pub(super) folder: PathBuf,
    /// What the server is told: it lives in its data folder.
    pub(super) of_server: String,
    /// What we connect to.
    pub(super) of_us: String,
    /// What programs connect to that run in `folder`.
    pub(super) of_programs: String,
    /// Held so that `of_us` leads there.
    _held: Option<std::fs::File>,
}

impl Socket {
    /// The socket in `folder`, which lies beside the data folder. The name of a socket is short, and that of a temporary
    /// folder may be long: then each of the three goes there on a way that is short.
    ///
    /// # Errors
    /// When there is no such way.
    pub(super) fn new(folder: &Path) -> anyhow::Result<Self> {
        let length = folder.as_os_str().len() + format!("/.s.PGSQL.{PORT}").len();
        let path = folder.to_str();
        // A comma would part it into two folders, a quote or a space at its end would be taken off.
        let is_plain = path.is_some_and(|path| !path.contains([',', '"', '\'']) && !path.ends_with(' '));
        if let Some(path) = path.filter(|_| is_plain && length <= MOST) {
            let path = path.to_owned();
            let folder = folder.to_owned();
            return Ok(Self { folder, of_server: path.clone(), of_us: path.clone(), of_programs: path, _held: None });
        }
        ensure!(
            cfg!(target_os = "linux"),
            "the path {} is too long, or too strange, for a socket; give a shorter folder with --temp-dir",
            folder.display()
        );
        let held = std::fs::File::open(folder)?;
        let of_us = format!("/proc/self/fd/{}", descriptor(&held));
        let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(Self {
            folder: folder.to_owned(),
            of_server: format!("../{name}"),
            of_us,
            of_programs: "/proc/self/cwd".to_owned(),
            _held: Some(held),
        })
    }
}

#[cfg(unix)]
fn descriptor(file: &std::fs::File) -> i32 {
    std::os::fd::AsRawFd::as_raw_fd(file)
}

#[cfg(not(unix))]
fn descriptor(_file: &std::fs::File) -> i32 {
    0
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_long_path_is_walked_around() {
        let folder = tempfile::tempdir().expect("a folder");
        let short = Socket::new(folder.path()).expect("short");
        assert_eq!(short.of_us, folder.path().to_str().expect("UTF-8"));
        assert_eq!(short.of_server, short.of_us);
        let long = folder.path().join("x".repeat(100)).join("socket");
        std::fs::create_dir_all(&long).expect("made");
        let socket = Socket::new(&long).expect("walked around");
        assert_eq!((socket.of_server.as_str(), socket.of_programs.as_str()), ("../socket", "/proc/self/cwd"));
        std::fs::write(long.join("here"), "").expect("written");
        assert!(Path::new(&socket.of_us).join("here").is_file(), "{}", socket.of_us);
        let odd = folder.path().join("a, b/socket");
        std::fs::create_dir_all(&odd).expect("made");
        assert_eq!(Socket::new(&odd).expect("walked around").of_server, "../socket");
    }
}
