//! One input, counted by several threads and put together in order.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

use pso_common::io::{Cancel, Cancelled};

use crate::input::chunks::{Chunk, Chunks};
use crate::scan::tally::{ChunkTally, Counts, FileTally};
use crate::scan::{Rules, scan};
use crate::stamps::reader::Reader;

/// How much may wait in memory for the thread that is behind; bytes.
const MAX_WAITING_BYTES: usize = 16 << 20;

/// What came of one input.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) tally: FileTally,
    /// Lines of which only the beginning was looked at.
    pub(crate) cut_lines: u64,
    /// Whether the first bytes hold a NUL.
    pub(crate) has_nul: bool,
    /// Why the rest could not be read.
    pub(crate) error: Option<io::Error>,
}

/// What a thread made of a chunk. Its lines are still where they were read to.
struct Counted {
    buffer: Vec<u8>,
    chunk: Chunk,
    tally: ChunkTally,
    has_nul: bool,
}

/// An input that is to be counted.
pub(crate) struct Job<'a> {
    pub(crate) chunks: &'a dyn Chunks,
    /// Which input it is.
    pub(crate) file: usize,
    pub(crate) rules: &'a Rules,
    pub(crate) reader: &'a Reader,
    /// What was counted of it before, in an earlier run: lines, and the record that the next line may belong to.
    pub(crate) before: FileTally,
    /// Threads that count side by side.
    pub(crate) threads: usize,
}

/// Counts an input; what it holds goes to `counts`.
///
/// # Errors
/// When a signal asked to stop. An input that cannot be read is no error here.
pub(crate) fn count(job: Job<'_>, cancel: &Cancel, counts: &mut Counts) -> Result<Outcome, Cancelled> {
    let Job { chunks, threads, before, .. } = job;
    let state = State {
        next: 0,
        waiting: BTreeMap::new(),
        waiting_bytes: 0,
        blocked: 0,
        spare: Vec::new(),
        outcome: Outcome { tally: before, ..Outcome::default() },
        counts,
    };
    let Job { file, rules, reader, .. } = job;
    let shared =
        Shared { file, rules, reader, state: Mutex::new(state), moved: Condvar::new(), stop: AtomicBool::new(false) };
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(|| shared.work(chunks, cancel));
        }
        shared.work(chunks, cancel);
    });
    cancel.check()?;
    Ok(shared.state.into_inner().unwrap_or_else(PoisonError::into_inner).outcome)
}

struct Shared<'a> {
    file: usize,
    rules: &'a Rules,
    reader: &'a Reader,
    state: Mutex<State<'a>>,
    /// Signalled when a chunk was put in its place.
    moved: Condvar,
    stop: AtomicBool,
}

struct State<'a> {
    /// The chunk that is put in its place next.
    next: u64,
    waiting: BTreeMap<u64, io::Result<Counted>>,
    waiting_bytes: usize,
    /// Threads that wait for room in `waiting`.
    blocked: usize,
    /// Buffers of chunks that waited.
    spare: Vec<Vec<u8>>,
    outcome: Outcome,
    counts: &'a mut Counts,
}

impl Shared<'_> {
    fn work(&self, chunks: &dyn Chunks, cancel: &Cancel) {
        let _guard = StopOnPanic(self);
        let mut buffer = Vec::new();
        while !self.stop.load(Ordering::Relaxed) && !cancel.is_cancelled() {
            match chunks.next(&mut buffer) {
                Ok(Some(chunk)) => {
                    let text = &buffer[chunk.lines.clone()];
                    let has_nul = chunk.number == 0 && memchr::memchr(0, &text[..text.len().min(8 << 10)]).is_some();
                    let tally = scan(text, self.rules, self.reader, None);
                    let number = chunk.number;
                    buffer = self.hand_in(number, Ok(Counted { buffer, chunk, tally, has_nul }), cancel);
                }
                Ok(None) => return,
                Err((number, error)) => {
                    self.hand_in(number, Err(error), cancel);
                    return;
                }
            }
        }
        // Whoever waits for a chunk of this thread waits no longer.
        self.stop_all();
    }

    /// Puts a chunk in its place, or aside until it is its turn; gives a buffer for the next one.
    fn hand_in(&self, number: u64, counted: io::Result<Counted>, cancel: &Cancel) -> Vec<u8> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while number > state.next
            && state.waiting_bytes >= MAX_WAITING_BYTES
            && !self.stop.load(Ordering::Relaxed)
            && !cancel.is_cancelled()
        {
            state.blocked += 1;
            state = self.moved.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.blocked -= 1;
        }
        state.waiting_bytes += counted.as_ref().map_or(0, |counted| counted.buffer.len());
        state.waiting.insert(number, counted);
        while let Some(counted) = state.take_next() {
            match counted {
                Ok(counted) => state.put(counted, self),
                Err(error) => {
                    state.outcome.error = Some(error);
                    // What follows an error has no line numbers.
                    state.waiting.clear();
                    self.stop.store(true, Ordering::Relaxed);
                }
            }
        }
        if state.blocked > 0 {
            self.moved.notify_all();
        }
        state.spare.pop().unwrap_or_default()
    }

    fn stop_all(&self) {
        self.stop.store(true, Ordering::Relaxed);
        // Under the lock, so that nobody is between looking at the flag and waiting.
        let _state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.moved.notify_all();
    }
}

impl State<'_> {
    fn take_next(&mut self) -> Option<io::Result<Counted>> {
        let counted = self.waiting.remove(&self.next)?;
        self.next += 1;
        Some(counted)
    }

    fn put(&mut self, counted: Counted, shared: &Shared<'_>) {
        let Counted { buffer, chunk, tally, has_nul } = counted;
        self.waiting_bytes -= buffer.len();
        let text = &buffer[chunk.lines.clone()];
        let file = &mut self.outcome.tally;
        // Which of the lines still belong to the record can be said only now. Such chunks are rare.
        let tally = if file.overflows(&tally) { scan(text, shared.rules, shared.reader, file.record) } else { tally };
        file.add(tally, text, (shared.file, chunk.offset), self.counts, &shared.rules.keep);
        self.outcome.cut_lines += u64::from(chunk.cut);
        self.outcome.has_nul |= has_nul;
        self.spare.push(buffer);
    }
}

/// A thread that panics must not leave the others waiting for its chunk.
struct StopOnPanic<'s, 'a>(&'s Shared<'a>);

impl Drop for StopOnPanic<'_, '_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.stop_all();
        }
    }
}
