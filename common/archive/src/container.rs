//! The file that an archive is, as it lies on the disk or decrypted.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;

use crate::durable::open_file;
use crate::encryption::{Identities, check_header, is_encrypted};

/// What a ZIP file is read from.
pub(crate) trait Handle: Read + Seek + Send {}

impl<T: Read + Seek + Send> Handle for T {}

/// An open file, from which any number of readers read side by side, each with a position of its own.
#[derive(Clone, Debug)]
pub(crate) struct Container {
    path: PathBuf,
    file: Arc<File>,
    size: u64,
    /// Present where the file is encrypted.
    identities: Option<Identities>,
}

impl Container {
    /// # Errors
    /// When the file cannot be opened, or is encrypted and there is no key for it.
    pub(crate) fn new(path: &Path, identities: &Identities) -> anyhow::Result<Self> {
        let file = open_file(path)?;
        let metadata = file.metadata()?;
        let identities = is_encrypted(path).then(|| identities.clone());
        let container = Self { path: path.to_path_buf(), file: Arc::new(file), size: metadata.len(), identities };
        if container.identities.is_some() {
            check_header(container.raw()).context("decrypt it")?;
        }
        container.open().map(|_| container)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes of the file, as it lies on the disk.
    pub(crate) const fn size(&self) -> u64 {
        self.size
    }

    pub(crate) fn metadata(&self) -> io::Result<std::fs::Metadata> {
        self.file.metadata()
    }

    /// A reader of its own over the ZIP file.
    ///
    /// # Errors
    /// When it is encrypted and cannot be decrypted.
    pub(crate) fn open(&self) -> anyhow::Result<Box<dyn Handle>> {
        let raw = self.raw();
        Ok(match &self.identities {
            None => Box::new(raw),
            Some(identities) => Box::new(identities.decrypt(BufReader::new(raw)).context("decrypt it")?),
        })
    }

    /// A reader over the file as it lies on the disk.
    pub(crate) fn raw(&self) -> Positioned {
        Positioned { file: Arc::clone(&self.file), position: 0, size: self.size }
    }
}

/// A position in a file that others read too. Never mapped: somebody may cut the file off.
#[derive(Debug)]
pub(crate) struct Positioned {
    file: Arc<File>,
    position: u64,
    size: u64,
}

impl Read for Positioned {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = read_at(&self.file, buffer, self.position)?;
        self.position += read as u64;
        Ok(read)
    }
}

impl Seek for Positioned {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
            SeekFrom::End(by) => self.size.checked_add_signed(by),
        };
        self.position = position.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.position)
    }
}

#[cfg(unix)]
fn read_at(file: &File, buffer: &mut [u8], position: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, position)
}

#[cfg(windows)]
fn read_at(file: &File, buffer: &mut [u8], position: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, position)
}
