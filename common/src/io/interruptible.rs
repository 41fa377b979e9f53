//! Reading that a signal can end.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use super::Cancel;

/// How long a signal may wait to be noticed.
const NOTICE: Duration = Duration::from_millis(50);

/// A reader that stops waiting for its source when the run is cancelled.
///
/// A blocked read goes on after a signal's handler has returned, so a tool that waits on a silent pipe would not hear
/// SIGTERM. The source is therefore read in a thread, which is left behind when nobody wants its bytes any more.
pub struct Interruptible {
    chunks: Receiver<io::Result<Vec<u8>>>,
    chunk: io::Cursor<Vec<u8>>,
    cancel: Cancel,
}

impl Interruptible {
    /// Opens a file. Opening a pipe that has a name waits for its writer, so that is left to the reading thread.
    ///
    /// # Errors
    /// When it is not there, or cannot be opened; of what is no file, reading says the latter.
    pub fn open(path: &Path, cancel: Cancel) -> io::Result<Self> {
        let mut late = Late { path: path.to_path_buf(), file: None };
        if fs::metadata(path)?.is_file() {
            late.open()?;
        }
        Ok(Self::new(Box::new(late), cancel))
    }

    /// Reads from `source` until it ends or `cancel` is set.
    #[must_use]
    pub fn new(mut source: Box<dyn Read + Send>, cancel: Cancel) -> Self {
        let (sender, chunks) = sync_channel(2);
        thread::spawn(move || {
            loop {
                let mut chunk = vec![0; 64 << 10];
                let read = match source.read(&mut chunk) {
                    Ok(read) => {
                        chunk.truncate(read);
                        Ok(chunk)
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => Err(error),
                };
                let last = !matches!(&read, Ok(chunk) if !chunk.is_empty());
                if sender.send(read).is_err() || last {
                    return;
                }
            }
        });
        Self { chunks, chunk: io::Cursor::default(), cancel }
    }
}

/// A file that is opened when it is first read.
struct Late {
    path: PathBuf,
    file: Option<File>,
}

impl Late {
    fn open(&mut self) -> io::Result<&mut File> {
        Ok(match &mut self.file {
            Some(file) => file,
            none => none.insert(File::open(&self.path)?),
        })
    }
}

impl Read for Late {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.open()?.read(buffer)
    }
}

impl Read for Interruptible {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            self.cancel.check().map_err(io::Error::other)?;
            let read = self.chunk.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            match self.chunks.recv_timeout(NOTICE) {
                Ok(chunk) => self.chunk = io::Cursor::new(chunk?),
                Err(RecvTimeoutError::Timeout) => {}
                // The thread has seen the end.
                Err(RecvTimeoutError::Disconnected) => return Ok(0),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_every_byte_and_then_the_end() {
        let bytes: Vec<u8> = (0..300_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        let mut reader = Interruptible::new(Box::new(io::Cursor::new(bytes.clone())), Cancel::default());
        let mut read = Vec::new();
        reader.read_to_end(&mut read).expect("readable");
        assert_eq!(read, bytes);
    }

    #[test]
    fn a_signal_ends_the_wait_for_a_silent_pipe() {
        let (pipe, _writer) = io::pipe().expect("a pipe");
        let cancel = Cancel::default();
        let mut reader = Interruptible::new(Box::new(pipe), cancel.clone());
        cancel.cancel(15);
        let error = reader.read(&mut [0; 8]).expect_err("cancelled");
        assert_eq!(error.to_string(), "stopped by SIGTERM");
    }
}
