//! One file that is followed.

use std::borrow::Cow;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use pso_common::{Run, Timestamp};

use crate::bookmark::entry::{Entry, absolute};
use crate::follow::lines::Pending;
use crate::follow::teller::{Input, Teller};
use crate::input::logfile::{Identity, LogFile, Positioned, fill};
use crate::input::prints::{PRINT_BYTES, Trace};
use crate::input::utf16::Decoder;
use crate::pass::reading::UNFINISHED;

/// Bytes that are read, and told, at a time.
const PIECE: usize = 64 << 10;
/// As many of the bytes before are compared before what comes after them is taken for their continuation.
const COMPARED: usize = 512;

/// A plain file that is held open, so that what is written to it is read even after it was renamed or removed.
pub(super) struct Source {
    /// Its path, absolute; it changes when it is renamed within a folder that is watched.
    pub(super) path: PathBuf,
    pub(super) input: Input,
    log: LogFile,
    /// What turns its bytes into text, if they are UTF-16.
    decoder: Option<Decoder>,
    /// Where the bytes end that were read, in the file.
    at: u64,
    /// The last of these.
    last: Vec<u8>,
    /// Its text that was read, that of an unfinished line included.
    trace: Trace,
    pending: Pending,
    /// Since when it is not to be found under the name by which it was followed, and quiet.
    pub(super) retired: Option<Instant>,
}

/// What became of a file since it was looked at last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Nothing,
    /// Lines were read, or parts of lines.
    Grown,
    /// It is shorter than it was, or begins anew.
    Truncated,
}

impl Source {
    /// Follows `log` from `offset` of its text on, which is a line's beginning.
    ///
    /// # Errors
    /// When it cannot be read that far, or is packed.
    pub(super) fn new(path: &Path, log: LogFile, offset: u64, max_line: usize, input: Input) -> std::io::Result<Self> {
        let pending = Pending::new(offset, max_line);
        let decoder = log.utf16().map(Decoder::new);
        let (at, trace) = match (log.plain(), log.utf16()) {
            (Some(skip), _) => (skip + offset, plain_trace(&log, skip, offset)?),
            (None, Some(_)) => utf16_trace(&log, offset)?,
            (None, None) => return Err(std::io::ErrorKind::Unsupported.into()),
        };
        let known = at.min(COMPARED as u64);
        let mut last = vec![0; usize::try_from(known).unwrap_or(COMPARED)];
        Positioned { file: log.file().clone(), at: at - known }.read_exact(&mut last)?;
        Ok(Self { path: absolute(path), input, log, decoder, at, last, trace, pending, retired: None })
    }

    /// Which file it is.
    pub(super) const fn identity(&self) -> &Identity {
        &self.log.identity
    }

    /// The first bytes of its text.
    pub(super) fn head(&self) -> &[u8] {
        self.trace.head()
    }

    /// Whether it can still be found under some name, as far as the system tells.
    pub(super) fn has_name(&self) -> bool {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt as _;
            self.log.file().metadata().is_ok_and(|metadata| metadata.nlink() > 0)
        }
        #[cfg(not(unix))]
        false
    }

    /// Reads and tells what was written since the last time.
    ///
    /// # Errors
    /// When stdout is closed or cannot be written. A file that cannot be read any more is told in its coverage.
    pub(super) fn poll(&mut self, run: &mut Run<'_>, teller: &mut Teller<'_>) -> anyhow::Result<Change> {
        if self.input.read.outcome.error.is_some() {
            return Ok(Change::Nothing);
        }
        match self.changed() {
            Ok(Change::Grown) => {}
            Ok(change) => {
                let idle = self.log.identity.idle(run.now());
                if change == Change::Nothing && idle.is_some_and(|idle| idle >= UNFINISHED) {
                    self.finish(run, teller)?;
                }
                return Ok(change);
            }
            Err(error) => {
                self.input.read.outcome.error = Some(error);
                return Ok(Change::Nothing);
            }
        }
        let mut piece = vec![0; PIECE];
        loop {
            let Self { input, pending, trace, decoder, at, last, .. } = self;
            let (filled, error) = fill(&mut Positioned { file: self.log.file().clone(), at: *at }, &mut piece);
            let read = &piece[..filled];
            last.extend_from_slice(&read[filled.saturating_sub(COMPARED)..]);
            last.drain(..last.len().saturating_sub(COMPARED));
            *at += filled as u64;
            input.read.read_bytes += filled as u64;
            let text = decoder.as_mut().map_or(Cow::Borrowed(read), |decoder| decoder.decode(read, false).into());
            trace.pass(&text);
            pending.push(&text, |lines| teller.tell(run, input, &lines))?;
            if error.is_some() {
                self.input.read.outcome.error = error;
            }
            // One that grows faster than it is read must not keep the others, or a signal, waiting.
            if filled < PIECE || run.cancel().is_cancelled() {
                return Ok(Change::Grown);
            }
        }
    }

    fn changed(&mut self) -> std::io::Result<Change> {
        let now = self.log.identity_now()?;
        let is_same = now.size == self.log.identity.size && now.modified == self.log.identity.modified;
        if is_same && now.size == self.at {
            return Ok(Change::Nothing);
        }
        if now.size < self.at {
            return Ok(Change::Truncated);
        }
        let mut there = vec![0; self.last.len()];
        let at = self.at - self.last.len() as u64;
        let (filled, error) = fill(&mut Positioned { file: self.log.file().clone(), at }, &mut there);
        if let Some(error) = error {
            return Err(error);
        }
        if there[..filled] != *self.last {
            return Ok(Change::Truncated);
        }
        self.log.identity = now;
        Ok(if now.size > self.at { Change::Grown } else { Change::Nothing })
    }

    /// Tells the line that is not finished: nobody will finish it.
    ///
    /// # Errors
    /// As [`Source::poll`].
    pub(super) fn finish(&mut self, run: &mut Run<'_>, teller: &mut Teller<'_>) -> anyhow::Result<()> {
        let Self { input, pending, .. } = self;
        pending.finish(|lines| teller.tell(run, input, &lines))
    }

    /// How far it was read and told; `None` as long as that is nothing, or it is no text.
    pub(super) fn entry(&self, now: Timestamp) -> Option<Entry> {
        let offset = self.pending.end();
        if offset == 0 || self.input.read.is_binary() {
            return None;
        }
        let tally = &self.input.read.outcome.tally;
        Some(Entry {
            path: self.path.clone(),
            identity: self.log.identity,
            prints: self.trace.prints(offset)?,
            offset,
            lines: tally.lines,
            left: self.pending.len() as u64,
            growing: self.retired.is_none(),
            record: tally.record.map(Into::into),
            seen_at: now,
        })
    }

    /// Gives what is to be said of it in the end.
    pub(super) fn into_input(mut self) -> Input {
        self.input.read.size = Some(self.log.identity.size);
        self.input.read.left = self.pending.len() as u64;
        self.input
    }
}

/// The trace of the first `offset` bytes of a plain text that begins at `skip` of its file.
fn plain_trace(log: &LogFile, skip: u64, offset: u64) -> std::io::Result<Trace> {
    let part = |from: u64, most: u64| {
        let mut bytes = vec![0; usize::try_from(most).unwrap_or(PRINT_BYTES)];
        Positioned { file: log.file().clone(), at: skip + from }.read_exact(&mut bytes).map(|()| bytes)
    };
    let most = offset.min(PRINT_BYTES as u64);
    Ok(Trace::resumed(part(0, most)?, part(offset - most, most)?, offset))
}

/// The same of a text in UTF-16, and where in the file they end: each of its lines has to be decoded to find out.
fn utf16_trace(log: &LogFile, offset: u64) -> std::io::Result<(u64, Trace)> {
    let (mut trace, mut units, mut piece) = (Trace::default(), 0, vec![0; PIECE]);
    let mut text = log.text()?.text.take(offset);
    loop {
        let (filled, error) = fill(&mut text, &mut piece);
        if let Some(error) = error {
            return Err(error);
        }
        trace.pass(&piece[..filled]);
        // As many as there are characters, and one more for each that is written as a pair: those of four bytes.
        let begins = piece[..filled].iter().filter(|&&byte| byte & 0xc0 != 0x80);
        units += begins.map(|&byte| 1 + u64::from(byte >= 0xf0)).sum::<u64>();
        if filled < PIECE {
            break;
        }
    }
    if trace.total() < offset {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    // The first unit is the byte order mark.
    Ok((2 + 2 * units, trace))
}
