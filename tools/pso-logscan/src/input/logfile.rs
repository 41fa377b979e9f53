//! A log as it lies on the disk: which file it is, and its text from any reader's point of view.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use pso_common::Timestamp;
use serde::{Deserialize, Serialize};

use crate::input::chunks::read_at;
use crate::input::decode::{Decoded, decode};
use crate::input::lead::{Lead, head};
use crate::input::prints::{PRINT_BYTES, Print, Prints};
use crate::input::utf16::ByteOrder;

/// Which file it is, and whether it was written to: a hint, never a proof.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    /// Device and inode; zero where the system does not tell.
    pub(crate) device: u64,
    pub(crate) inode: u64,
    /// Bytes on the disk.
    pub(crate) size: u64,
    /// Nanoseconds since 1970 when it was last written to; zero where the system does not tell.
    pub(crate) modified: u64,
}

impl Identity {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        let (device, inode) = {
            use std::os::unix::fs::MetadataExt as _;
            (metadata.dev(), metadata.ino())
        };
        #[cfg(not(unix))]
        let (device, inode) = (0, 0);
        let modified = metadata.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        let modified = modified.and_then(|at| u64::try_from(at.as_nanos()).ok()).unwrap_or(0);
        Self { device, inode, size: metadata.len(), modified }
    }

    /// Whether it is the same file, whatever was done to its content.
    pub(crate) const fn is_file(&self, other: &Self) -> bool {
        self.inode != 0 && self.inode == other.inode && self.device == other.device
    }

    /// Whether nothing says that it is another file.
    pub(crate) const fn is_same(&self, other: &Self) -> bool {
        self.inode == 0 || self.is_file(other)
    }

    /// How long nobody has written to it at `now`; `None` where the system does not tell, or the clocks differ.
    pub(crate) fn idle(&self, now: Timestamp) -> Option<Duration> {
        let idle = now.to_utc().unix_timestamp_nanos() - i128::from(self.modified);
        (self.modified != 0).then(|| u64::try_from(idle).ok().map(Duration::from_nanos))?
    }

    /// Whether nobody wrote to it meanwhile, as far as can be seen from outside.
    pub(crate) fn is_untouched(&self, other: &Self) -> bool {
        self.is_file(other) && self.modified != 0 && self == other
    }
}

/// A file as it was when it was found. Its inode alone does not tell it from others: that of a file that was removed is
/// soon another's.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) identity: Identity,
    head: Print,
}

impl Seen {
    /// A file whose text begins with `head`.
    pub(crate) fn new(identity: Identity, head: &[u8]) -> Self {
        Self { identity, head: Print::of(head) }
    }

    /// Whether `log` is that file, whatever was written to it since.
    pub(crate) fn is(&self, log: &LogFile) -> bool {
        self.identity.is_same(&log.identity) && log.head().is_ok_and(|(head, _)| self.head.begins(&head))
    }

    /// Whether there was nothing in it, so that any file of its inode may be it.
    pub(crate) const fn was_empty(&self) -> bool {
        self.head.bytes == 0
    }
}

/// A regular file that was opened.
pub(crate) struct LogFile {
    file: Arc<File>,
    pub(crate) identity: Identity,
    lead: Lead,
}

impl LogFile {
    /// Opens a file, if it is one.
    ///
    /// # Errors
    /// When it is missing, must not be read, or is a folder; or is to be read as a stream (`InvalidInput`): a pipe, or a
    /// file of the system that has no size (`/proc/version`).
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let kind = std::fs::metadata(path)?;
        if kind.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        // Opening a pipe would wait for its writer.
        if !kind.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a file"));
        }
        let file = Arc::new(File::open(path)?);
        let metadata = file.metadata()?;
        let first = head(&mut Positioned { file: Arc::clone(&file), at: 0 })?;
        // Asked again: somebody may have begun to write to it.
        if metadata.len() == 0 && !first.is_empty() && file.metadata()?.len() == 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it has no size"));
        }
        Ok(Self { file, identity: Identity::of(&metadata), lead: Lead::of(&first) })
    }

    /// Where its text begins, if its bytes are its text: then an offset of the text is one of the file.
    pub(crate) const fn plain(&self) -> Option<u64> {
        if let Lead::Plain(skip) = self.lead { Some(skip) } else { None }
    }

    /// How it is written, if it is neither packed nor plain.
    pub(crate) const fn utf16(&self) -> Option<ByteOrder> {
        if let Lead::Utf16(order) = self.lead { Some(order) } else { None }
    }

    /// Whether it is packed; then nobody goes on writing to it.
    pub(crate) const fn is_packed(&self) -> bool {
        matches!(self.lead, Lead::Gzip | Lead::Zstd | Lead::Foreign(_))
    }

    /// The file, to be read at offsets.
    pub(crate) fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// Its size and times as they are now.
    ///
    /// # Errors
    /// When the system does not tell.
    pub(crate) fn identity_now(&self) -> io::Result<Identity> {
        self.file.metadata().map(|metadata| Identity::of(&metadata))
    }

    /// Its text, to be read from the beginning; independent of other readers of it.
    ///
    /// # Errors
    /// When it cannot be read, or is packed in a way that is not read.
    pub(crate) fn text(&self) -> io::Result<Decoded> {
        decode(Box::new(Positioned { file: Arc::clone(&self.file), at: 0 }))
    }

    /// The first bytes of its text, and why there are no more if that is an error.
    ///
    /// # Errors
    /// When it is packed in a way that is not read.
    pub(crate) fn head(&self) -> io::Result<(Vec<u8>, Option<io::Error>)> {
        let mut bytes = vec![0; PRINT_BYTES];
        let (filled, error) = fill(&mut self.text()?.text, &mut bytes);
        bytes.truncate(filled);
        Ok((bytes, error))
    }

    /// The prints of its text up to `offset`, where that is part of a plain file.
    ///
    /// # Errors
    /// When it cannot be read, or has become shorter.
    pub(crate) fn prints(&self, skip: u64, offset: u64) -> io::Result<Prints> {
        let most = offset.min(PRINT_BYTES as u64);
        let print = |from: u64| {
            let mut bytes = vec![0; usize::try_from(most).unwrap_or(PRINT_BYTES)];
            Positioned { file: Arc::clone(&self.file), at: skip + from }.read_exact(&mut bytes)?;
            Ok::<_, io::Error>(Print::of(&bytes))
        };
        Ok(Prints { head: print(0)?, tail: print(offset - most)? })
    }

    /// Whether its text, whose head is known to fit, has the tail of `prints` before `offset`.
    ///
    /// # Errors
    /// When it cannot be read that far.
    pub(crate) fn has_tail(&self, prints: &Prints, offset: u64) -> io::Result<bool> {
        let length = usize::try_from(prints.tail.bytes).unwrap_or(usize::MAX).min(PRINT_BYTES);
        let Some(from) = offset.checked_sub(prints.tail.bytes) else { return Ok(false) };
        let mut tail = vec![0; length];
        let (filled, error) = if let Some(skip) = self.plain() {
            fill(&mut Positioned { file: Arc::clone(&self.file), at: skip + from }, &mut tail)
        } else {
            let mut text = self.text()?.text;
            let passed = io::copy(&mut text.by_ref().take(from), &mut io::sink())?;
            if passed < from {
                return Ok(false);
            }
            fill(&mut text, &mut tail)
        };
        if filled < length {
            return error.map_or(Ok(false), Err);
        }
        Ok(Print::of(&tail) == prints.tail)
    }
}

/// Reads until `buffer` is full, the input ends or fails; how many bytes came, and why not more.
pub(crate) fn fill(input: &mut impl Read, buffer: &mut [u8]) -> (usize, Option<io::Error>) {
    let mut filled = 0;
    while filled < buffer.len() {
        match input.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (filled, Some(error)),
        }
    }
    (filled, None)
}

/// Reads a file from an offset on, whatever others do with it.
pub(crate) struct Positioned {
    pub(crate) file: Arc<File>,
    pub(crate) at: u64,
}

impl Read for Positioned {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = read_at(&self.file, buffer, self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    #[test]
    fn another_file_with_the_same_inode_is_another_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.log");
        std::fs::write(&path, "one\n").expect("written");
        let log = LogFile::open(&path).expect("opened");
        let seen = Seen::new(log.identity, b"one\n");
        std::fs::write(&path, "one\ntwo\n").expect("written");
        assert!(seen.is(&LogFile::open(&path).expect("opened")) && !seen.was_empty());
        // As if the inode had been used again.
        std::fs::write(&path, "another\n").expect("written");
        assert!(!seen.is(&LogFile::open(&path).expect("opened")));
    }

    #[test]
    fn a_text_is_known_again_when_it_is_packed() {
        let folder = tempfile::tempdir().expect("a folder");
        let text: Vec<u8> = (0..2000).flat_map(|n| format!("{n} line\n").into_bytes()).collect();
        let mut gz = GzEncoder::new(Vec::new(), Compression::default());
        gz.write_all(&text).expect("in memory");
        let open = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).expect("written");
            LogFile::open(&path).expect("opened")
        };
        let plain = open("a.log", &text);
        let marked = open("m.log", &[b"\xef\xbb\xbf", &text[..]].concat());
        let packed = open("a.log.gz", &gz.finish().expect("in memory"));
        let zst = open("a.log.zst", &zstd::encode_all(&text[..], 3).expect("in memory"));
        let other = open("b.log", &text[..9000]);
        assert_eq!((plain.plain(), marked.plain(), packed.plain()), (Some(0), Some(3), None));
        for offset in [4, 4096, 10_000, text.len() as u64] {
            let prints = plain.prints(0, offset).expect("read");
            for file in [&plain, &marked, &packed, &zst] {
                assert!(prints.head.begins(&file.head().expect("read").0));
                assert!(file.has_tail(&prints, offset).expect("read"), "{offset}");
                assert!(!file.has_tail(&prints, offset + 5).expect("read"));
            }
            assert_eq!(other.has_tail(&prints, offset).expect("read"), offset < 9000);
        }
        assert!(plain.prints(0, text.len() as u64 + 1).is_err());
    }
}
