//! A copy of every record as a JSON line, at the end of a file (`--records`).

use std::fs::File;
use std::io::{self, Write as _};
use std::path::PathBuf;

/// The file, which others may append to as well.
pub(super) struct Copy {
    path: PathBuf,
    /// `None` until it could be opened.
    file: Option<File>,
    /// The disk was full in the middle of a line: the next one begins on a line of its own.
    cut: bool,
}

impl Copy {
    pub(super) const fn new(path: PathBuf) -> Self {
        Self { path, file: None, cut: false }
    }

    /// Opens the file. A disk that is full now may have room for later records: that is no error here, but of each record
    /// until then.
    pub(super) fn open(&mut self) -> Result<(), String> {
        use io::ErrorKind::{QuotaExceeded, ReadOnlyFilesystem, StorageFull};
        match File::options().create(true).append(true).open(&self.path) {
            Ok(file) => self.file = Some(file),
            Err(error) if matches!(error.kind(), StorageFull | QuotaExceeded | ReadOnlyFilesystem) => {}
            Err(error) => return Err(format!("open {} (--records) to append to it: {error}", self.path.display())),
        }
        Ok(())
    }

    /// Appends a line. After a failure it is tried again with the next one.
    pub(super) fn append(&mut self, line: &[u8]) -> Result<(), String> {
        let said = |error: io::Error| format!("append to {} (--records): {error}", self.path.display());
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(File::options().create(true).append(true).open(&self.path).map_err(said)?),
        };
        // One write a line, so that several runs may append to one file.
        let result = if self.cut { file.write_all(&[b"\n", line].concat()) } else { file.write_all(line) };
        self.cut = result.is_err();
        result.map_err(said)
    }
}
