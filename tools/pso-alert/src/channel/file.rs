//! A file of records: each message is appended as whole lines.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::post::fingerprint;
use super::{Channel, Digest, Outcome, records};

/// Notices in one message.
const MAX_NOTICES: usize = 500;

/// How soon to ask again for a lock that another run holds.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// The file. It is opened for each message, so that it may be rotated at any time.
#[derive(Debug)]
pub(crate) struct LogFile {
    pub(crate) path: PathBuf,
}

impl Channel for LogFile {
    fn kind(&self) -> &'static str {
        "file"
    }

    fn capacity(&self) -> usize {
        MAX_NOTICES
    }

    fn is_for_people(&self) -> bool {
        false
    }

    fn fingerprint(&self) -> String {
        fingerprint([self.path.to_string_lossy().as_ref()])
    }

    fn send(&self, digest: &Digest<'_>, timeout: Duration) -> Outcome {
        let path = self.path.display();
        match fs::metadata(&self.path) {
            // Opening a pipe would wait for its reader.
            Ok(about) if !about.is_file() => {
                return Outcome::Unusable { status: None, reason: format!("{path} is no file") };
            }
            _ => {}
        }
        let written = records::lines(digest)
            .map_err(io::Error::other)
            .and_then(|lines| append(&self.path, &lines, Instant::now() + timeout));
        match written {
            Ok(()) => {
                let said = format!("appended to {path}");
                Outcome::Sent { status: None, said, pause: Duration::ZERO, complaint: None }
            }
            // A full disk, a folder that is not mounted yet: all of it may pass.
            Err(error) => {
                Outcome::Again { status: None, after: Duration::ZERO, reason: format!("append to {path}: {error}") }
            }
        }
    }
}

/// All of the lines or none.
fn append(path: &Path, lines: &[u8], deadline: Instant) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    lock(&file, deadline)?;
    let before = file.metadata()?.len();
    // What was cut off in the middle of a line must not swallow ours.
    let mut last = [b'\n'];
    if before > 0 {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    let text = if last == *b"\n" { lines.to_vec() } else { [b"\n", lines].concat() };
    let result = file.write_all(&text).and_then(|()| file.sync_data());
    if result.is_err() {
        // Another attempt will write them; a part of a line would be no record.
        file.set_len(before)?;
    }
    result
}

/// The lock goes with the file's handle.
fn lock(file: &File, deadline: Instant) -> io::Result<()> {
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if Instant::now() >= deadline => {
                return Err(io::Error::other("another program holds its lock"));
            }
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOOK_AGAIN),
        }
    }
}
