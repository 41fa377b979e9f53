//! Standard input and named pipes: their lines come when somebody writes them.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use pso_common::Run;

use crate::follow::lines::Pending;
use crate::follow::teller::{Input, Teller};
use crate::input::decode::{Decoded, decode};

/// Bytes that are read at a time.
const PIECE: usize = 64 << 10;

/// What a reading thread sends: bytes of a stream, none at its end, or why there are no more.
type Piece = (usize, io::Result<Vec<u8>>);

/// Streams that are followed.
pub(super) struct Streams {
    streams: Vec<Stream>,
    sender: SyncSender<Piece>,
    pieces: Receiver<Piece>,
}

struct Stream {
    path: PathBuf,
    input: Input,
    pending: Pending,
    ended: bool,
}

impl Default for Streams {
    fn default() -> Self {
        let (sender, pieces) = sync_channel(4);
        Self { streams: Vec::new(), sender, pieces }
    }
}

impl Streams {
    /// Whether `path` is that of a stream.
    pub(super) fn is_one(&self, path: &Path) -> bool {
        self.streams.iter().any(|stream| stream.path == path)
    }

    /// Follows what `open` opens, which may wait for a writer.
    pub(super) fn add(
        &mut self,
        path: &Path,
        input: Input,
        max_line: usize,
        open: impl FnOnce() -> io::Result<Box<dyn Read + Send>> + Send + 'static,
    ) {
        let (number, sender) = (self.streams.len(), self.sender.clone());
        // Left behind when the run ends: a read that waits for a writer cannot be ended.
        thread::spawn(move || {
            // Nobody listens any more when the run has ended.
            let _ = send(number, &sender, open).or_else(|error| sender.send((number, Err(error))));
        });
        let pending = Pending::new(0, max_line);
        self.streams.push(Stream { path: path.to_path_buf(), input, pending, ended: false });
    }

    /// Waits for `time`, or for what comes before that, and tells it; says whether a stream is still open.
    ///
    /// # Errors
    /// When stdout is closed or cannot be written.
    pub(super) fn wait(&mut self, time: Duration, run: &mut Run<'_>, teller: &mut Teller<'_>) -> anyhow::Result<bool> {
        match self.pieces.recv_timeout(time) {
            Ok(piece) => self.take(piece, run, teller)?,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
        }
        Ok(self.streams.iter().any(|stream| !stream.ended))
    }

    fn take(&mut self, (number, piece): Piece, run: &mut Run<'_>, teller: &mut Teller<'_>) -> anyhow::Result<()> {
        let Some(Stream { input, pending, ended, .. }) = self.streams.get_mut(number) else { return Ok(()) };
        match piece {
            Ok(bytes) if !bytes.is_empty() => {
                input.read.read_bytes += bytes.len() as u64;
                pending.push(&bytes, |lines| teller.tell(run, input, &lines))
            }
            last => {
                *ended = true;
                input.read.outcome.error = last.err();
                pending.finish(|lines| teller.tell(run, input, &lines))
            }
        }
    }

    /// What is to be said of them in the end.
    pub(super) fn into_inputs(self) -> impl Iterator<Item = Input> {
        self.streams.into_iter().map(|stream| stream.input)
    }
}

/// Reads to the end, and sends what comes as it comes.
fn send(
    number: usize,
    sender: &SyncSender<Piece>,
    open: impl FnOnce() -> io::Result<Box<dyn Read + Send>>,
) -> io::Result<()> {
    let Decoded { mut text, .. } = decode(open()?)?;
    loop {
        let mut piece = vec![0; PIECE];
        let read = match text.read(&mut piece) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        piece.truncate(read);
        if sender.send((number, Ok(piece))).is_err() || read == 0 {
            return Ok(());
        }
    }
}

/// Opens a named pipe.
pub(super) fn pipe(path: PathBuf) -> impl FnOnce() -> io::Result<Box<dyn Read + Send>> + Send + 'static {
    move || Ok(Box::new(File::open(path)?))
}
