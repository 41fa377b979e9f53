//! Files and folders that only their owner reads, and that are on the disk when it matters.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::path::Path;

/// Creates a file that only its owner may read (0600 on Unix).
///
/// # Errors
/// When it exists, or cannot be created.
pub fn private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Opens a file to read it, and nothing else: a pipe of that name would be waited for without end, and no signal ends
/// such a wait.
///
/// # Errors
/// When it is missing, no file, or must not be read.
pub(crate) fn open_file(path: &Path) -> io::Result<File> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::Unsupported, "it is not a file"));
    }
    File::open(path)
}

/// Reads a file that is to be small (bytes).
///
/// # Errors
/// As [`open_file`]; and when it is larger than `most`.
pub(crate) fn read_small(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    open_file(path)?.take(most + 1).read_to_end(&mut content)?;
    if content.len() as u64 > most {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("it has more than {most} bytes")));
    }
    Ok(content)
}

/// Creates a folder that only its owner may enter (0700 on Unix), with the folders above it. One that is there stays.
///
/// # Errors
/// When it cannot be created.
pub fn private_folder(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Puts a folder's names on the disk: what was created, renamed or removed in it survives a power cut.
///
/// # Errors
/// When the disk fails. Windows has nothing of the kind, and does not need it for renames.
pub fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(unix) {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        File::open(path)?.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_small_file_is_not_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a");
        fs::write(&path, "123").expect("written");
        assert_eq!(read_small(&path, 3).expect("small"), b"123");
        assert!(read_small(&path, 2).is_err() && read_small(folder.path(), 9).is_err());
        #[cfg(unix)]
        {
            let pipe = folder.path().join("pipe");
            let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo");
            assert!(made.success());
            assert_eq!(open_file(&pipe).expect_err("a pipe").to_string(), "it is not a file");
        }
    }
}
