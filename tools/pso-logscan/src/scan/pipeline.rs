//! One input, counted by several threads and put together in order.

use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Condvar, Mutex, PoisonError};

use pso_common::io::{Cancel, Cancelled};

use crate::input::chunks::{Chunk, FileChunks, StreamChunks};
use crate::scan::tally::{Carried, Counts, FileTally};
use crate::scan::{Rules, Scanner};
use crate::stamps::reader::Reader;

/// What came of one input.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) tally: FileTally,
    /// Lines of which only the beginning was looked at.
    pub(crate) cut_lines: u64,
    /// Whether the first bytes hold a NUL.
    pub(crate) has_nul: bool,
    /// Where the last line that was counted ends, in bytes of the (decoded) input.
    pub(crate) end: u64,
    /// Bytes of that line, if it has no line feed.
    pub(crate) open_line: u64,
    /// Why the rest could not be read.
    pub(crate) error: Option<io::Error>,
}

/// An input that is to be counted.
pub(crate) struct Job<'a> {
    pub(crate) chunks: Chunks<'a>,
    /// Which input it is.
    pub(crate) file: usize,
    pub(crate) rules: &'a Rules,
    pub(crate) reader: &'a Reader,
    /// What was counted of it before, in an earlier run: lines, and the record that the next line may belong to.
    pub(crate) before: FileTally,
    /// Threads that count side by side.
    pub(crate) threads: usize,
}

/// Where lines come from.
#[derive(Clone, Copy)]
pub(crate) enum Chunks<'a> {
    /// Several threads can read at their own offsets.
    File(&'a FileChunks),
    Stream(&'a StreamChunks),
}

/// Counts an input; what it holds goes to `counts`.
///
/// # Errors
/// When a signal asked to stop. An input that cannot be read is no error here.
pub(crate) fn count(job: Job<'_>, cancel: &Cancel, counts: &mut Counts) -> Result<Outcome, Cancelled> {
    let whole =
        Part { outcome: Outcome { tally: job.before.clone(), ..Outcome::default() }, counts: Counts::default() };
    let whole = match job.chunks {
        Chunks::Stream(chunks) => {
            let scanner = Scanner::new(job.rules, job.reader, job.file, job.before.record);
            let part = if job.threads > 1 {
                count_ahead(scanner, chunks, cancel)
            } else {
                count_lines(scanner, |buffer| chunks.next(buffer), &mut Vec::new(), cancel)
            };
            whole.with(part, job.rules)
        }
        Chunks::File(chunks) => count_file(&job, chunks, whole, cancel),
    };
    cancel.check()?;
    counts.absorb(whole.counts, job.rules);
    Ok(whole.outcome)
}

/// A part of an input that was counted.
#[derive(Default)]
struct Part {
    outcome: Outcome,
    counts: Counts,
}

impl Part {
    /// This part, and the one after it.
    fn with(mut self, mut later: Self, rules: &Rules) -> Self {
        let (own, other) = (&mut self.outcome, later.outcome);
        if other.tally.lines > 0 {
            later.counts.shift(own.tally.lines);
            self.counts.absorb(later.counts, rules);
            own.tally.absorb(other.tally);
            (own.end, own.open_line) = (other.end, other.open_line);
        }
        own.cut_lines += other.cut_lines;
        own.has_nul |= other.has_nul;
        own.error = other.error;
        self
    }
}

/// Counts chunks one after the other.
fn count_lines(
    mut scanner: Scanner<'_>,
    mut next: impl FnMut(&mut Vec<u8>) -> io::Result<Option<Chunk>>,
    buffer: &mut Vec<u8>,
    cancel: &Cancel,
) -> Part {
    let mut outcome = Outcome::default();
    while !cancel.is_cancelled() {
        match next(buffer) {
            Ok(Some(Chunk { offset, lines, cut })) => {
                let text = &buffer[lines];
                outcome.has_nul |= offset < 3 && memchr::memchr(0, &text[..text.len().min(8 << 10)]).is_some();
                outcome.cut_lines += u64::from(cut);
                outcome.end = offset + text.len() as u64;
                let last = memchr::memrchr(b'\n', text).map_or(0, |end| end + 1);
                outcome.open_line = (text.len() - last) as u64;
                scanner.feed(text, offset);
                if cut {
                    scanner.end_record();
                }
            }
            Ok(None) => break,
            Err(error) => {
                outcome.error = Some(error);
                break;
            }
        }
    }
    let (tally, counts) = scanner.finish();
    Part { outcome: Outcome { tally, ..outcome }, counts }
}

/// Counts chunks while another thread reads, and unpacks, the next ones.
fn count_ahead(scanner: Scanner<'_>, chunks: &StreamChunks, cancel: &Cancel) -> Part {
    let (sender, filled) = sync_channel(2);
    let (giver, empty) = sync_channel::<Vec<u8>>(4);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            loop {
                let mut buffer = empty.try_recv().unwrap_or_default();
                let chunk = chunks.next(&mut buffer);
                let is_last = !matches!(chunk, Ok(Some(_)));
                // Nobody listens any more after a signal.
                if sender.send((chunk, buffer)).is_err() || is_last {
                    return;
                }
            }
        });
        let filled: Receiver<(io::Result<Option<Chunk>>, Vec<u8>)> = filled;
        let next = |buffer: &mut Vec<u8>| {
            let Ok((chunk, full)) = filled.recv() else { return Ok(None) };
            // The other thread makes itself a new one where there is no room for this.
            let _ = giver.try_send(std::mem::replace(buffer, full));
            chunk
        };
        let part = count_lines(scanner, next, &mut Vec::new(), cancel);
        drop(filled);
        part
    })
}

fn count_file(job: &Job<'_>, chunks: &FileChunks, whole: Part, cancel: &Cancel) -> Part {
    let state = State { next: 0, waiting: BTreeMap::new(), whole };
    let threads = usize::try_from(chunks.segments()).unwrap_or(usize::MAX).clamp(1, job.threads);
    let shared = Shared {
        job,
        chunks,
        cancel,
        next: AtomicU64::new(0),
        state: Mutex::new(state),
        moved: Condvar::new(),
        stop: AtomicBool::new(false),
        // A tally may be large where the input is hostile.
        ahead: 2 * threads as u64,
    };
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(|| shared.work());
        }
        shared.work();
    });
    shared.state.into_inner().unwrap_or_else(PoisonError::into_inner).whole
}

struct Shared<'a> {
    job: &'a Job<'a>,
    chunks: &'a FileChunks,
    cancel: &'a Cancel,
    /// The segment that is counted next.
    next: AtomicU64,
    state: Mutex<State>,
    /// Signalled when a segment was put in its place.
    moved: Condvar,
    stop: AtomicBool,
    /// So many segments may be counted ahead of the one that is still missing.
    ahead: u64,
}

struct State {
    /// The segment that is put in its place next.
    next: u64,
    waiting: BTreeMap<u64, Part>,
    whole: Part,
}

impl Shared<'_> {
    fn work(&self) {
        let _guard = StopOnPanic(self);
        let mut buffer = Vec::new();
        while !self.stop.load(Ordering::Relaxed) && !self.cancel.is_cancelled() {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if number >= self.chunks.segments() {
                return;
            }
            let part = self.count(number, &mut buffer);
            let failed = |error| Outcome { error: Some(error), ..Outcome::default() };
            self.hand_in(number, part.unwrap_or_else(|error| Part { outcome: failed(error), ..Part::default() }));
        }
        // Whoever waits for a segment of this thread waits no longer.
        self.stop_all();
    }

    fn count(&self, number: u64, buffer: &mut Vec<u8>) -> io::Result<Part> {
        let Job { rules, reader, file, before, .. } = self.job;
        let Some(mut lines) = self.chunks.segment(number)? else { return Ok(Part::default()) };
        let carried = if number == 0 { before.record } else { self.record_before(lines.offset(), buffer)? };
        let scanner = Scanner::new(rules, reader, *file, carried);
        Ok(count_lines(scanner, |buffer| lines.next(buffer), buffer, self.cancel))
    }

    /// The record that a line at `offset` may belong to, found by reading backwards.
    fn record_before(&self, offset: u64, buffer: &mut Vec<u8>) -> io::Result<Option<Carried>> {
        let Job { reader, before: FileTally { record: carried, .. }, .. } = self.job;
        let first = self.chunks.range().start;
        let longest = self.chunks.sizes().max_line as u64;
        let mut back = 4 << 10;
        loop {
            let begin = offset.saturating_sub(back).max(first);
            buffer.clear();
            self.chunks.at(begin..offset).read_to_end(buffer)?;
            let is_whole = begin == first;
            let text = buffer.strip_suffix(b"\n").unwrap_or(buffer);
            // What stands before the first line feed is a line only where the range begins.
            let partial = if is_whole { 0 } else { memchr::memchr(b'\n', text).map_or(text.len(), |end| end + 1) };
            let mut found = Carried { at: None, inside: true, lines: 0, bytes: 0 };
            for line in text[partial..].rsplit(|&byte| byte == b'\n') {
                if partial == text.len() || found.is_too_long() {
                    break;
                }
                // A line that was cut ends the record that it belongs to.
                if line.len() as u64 >= longest {
                    return Ok(Some(found));
                }
                if let Some(stamp) = reader.stamp_of_line(line) {
                    let inside = self.job.rules.window.contains(stamp.at);
                    return Ok(Some(Carried { at: Some(stamp.at), inside, ..found }));
                }
                found.lines += 1;
                found.bytes += line.len() as u64 + 1;
            }
            if found.is_too_long() || partial as u64 > longest {
                return Ok(Some(found));
            }
            if is_whole {
                return Ok(carried.map(|before| Carried {
                    lines: before.lines + found.lines,
                    bytes: before.bytes + found.bytes,
                    ..before
                }));
            }
            back *= 8;
        }
    }

    /// Puts a segment in its place, or aside until it is its turn.
    fn hand_in(&self, number: u64, part: Part) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while number > state.next + self.ahead && !self.stop.load(Ordering::Relaxed) && !self.cancel.is_cancelled() {
            state = self.moved.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.waiting.insert(number, part);
        while let Some(part) = state.take_next() {
            let is_last = part.outcome.error.is_some();
            state.whole = std::mem::take(&mut state.whole).with(part, self.job.rules);
            if is_last {
                // What follows an error has no line numbers.
                state.waiting.clear();
                self.stop.store(true, Ordering::Relaxed);
            }
        }
        self.moved.notify_all();
    }

    fn stop_all(&self) {
        self.stop.store(true, Ordering::Relaxed);
        // Under the lock, so that nobody is between looking at the flag and waiting.
        let _state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.moved.notify_all();
    }
}

impl State {
    fn take_next(&mut self) -> Option<Part> {
        let part = self.waiting.remove(&self.next)?;
        self.next += 1;
        Some(part)
    }
}

/// A thread that panics must not leave the others waiting for its segment.
struct StopOnPanic<'s, 'a>(&'s Shared<'a>);

impl Drop for StopOnPanic<'_, '_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.stop_all();
        }
    }
}
