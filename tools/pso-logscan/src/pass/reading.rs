//! One input: opened, counted, and what is remembered of it.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use pso_common::io::{Cancel, Cancelled, Interruptible};
use pso_common::{Severity, Timestamp};

use crate::bookmark::entry::{Entry, absolute, name};
use crate::bookmark::plan::Planned;
use crate::input::chunks::Sizes;
use crate::input::files::Found;
use crate::input::logfile::{Identity, Seen};
use crate::input::open::{self, How, Input, Opened};
use crate::input::rotation;
use crate::pass::narrowed::Narrowed;
use crate::scan::Rules;
use crate::scan::pipeline::{self, Job, Outcome};
use crate::scan::tally::{Counts, FileTally};
use crate::settings::Settings;
use crate::stamps::reader::Reader;
use crate::stamps::reference;

/// A last line without a line feed to which nobody has written for so long is taken as it is: what a program says before
/// it dies often has none.
pub(crate) const UNFINISHED: Duration = Duration::from_secs(600);

/// What reading any input takes.
pub(crate) struct Kit<'a> {
    pub(crate) rules: &'a Rules,
    pub(crate) settings: &'a Settings,
    pub(crate) sizes: Sizes,
    /// Threads for all inputs together.
    pub(crate) threads: usize,
    /// Whether there is one input only, so that nothing else keeps the threads busy.
    pub(crate) alone: bool,
    pub(crate) now: Timestamp,
    pub(crate) cancel: Cancel,
    /// Whether it is remembered how far each file was read.
    pub(crate) bookmarked: bool,
}

/// What came of an input.
pub(crate) enum Result {
    /// Nothing was read of it.
    Not { severity: Severity, reason: String, size: Option<u64> },
    /// Its content is that of another, or the beginning of it, and is counted there.
    Twin { of: PathBuf, is_part: bool },
    /// All of it was read, or a part.
    Read(Box<Read>),
}

/// What was read of an input.
#[derive(Default)]
pub(crate) struct Read {
    pub(crate) outcome: Outcome,
    pub(crate) counts: Counts,
    /// Its size on disk, where it has one.
    pub(crate) size: Option<u64>,
    pub(crate) read_bytes: u64,
    /// Where reading began, in bytes of the (decoded) input: what is before was read by an earlier run.
    pub(crate) from: u64,
    /// Whether an earlier run has read its beginning, and the lines of that.
    pub(crate) before: Option<u64>,
    /// Bytes outside of the window that were not read, because the file is sorted.
    pub(crate) skipped: u64,
    /// Bytes of a last line that was left for the next run.
    pub(crate) left: u64,
    /// Bytes behind the end of packed data that were passed over.
    pub(crate) garbage: u64,
    /// Where the file was found to end, and should have.
    pub(crate) shrunk: Option<(u64, u64)>,
    /// The path from which it was read, because rotation had moved it there meanwhile.
    pub(crate) instead: Option<String>,
    /// What is remembered of it; nothing without a bookmark, and of what is no text.
    pub(crate) entry: Option<Entry>,
}

impl Read {
    /// Lines that were read now.
    pub(crate) fn lines(&self) -> u64 {
        self.outcome.tally.lines - self.before.unwrap_or(0)
    }

    /// Whether it is no text.
    pub(crate) fn is_binary(&self) -> bool {
        self.outcome.tally.format.is_none() && self.outcome.has_nul
    }
}

/// Reads one of `inputs`; `number` is its place among them.
///
/// # Errors
/// When a signal asked to stop.
pub(super) fn read(
    kit: &Kit<'_>,
    input: &Planned,
    number: usize,
    inputs: &[Planned],
    stdin: &Mutex<Option<Interruptible>>,
    large: &Mutex<()>,
) -> std::result::Result<Result, Cancelled> {
    let (opened, path, instead) = match &input.found {
        Found::Not { severity, reason, .. } => {
            return Ok(Result::Not { severity: *severity, reason: reason.clone(), size: None });
        }
        Found::Twin { of, is_part, .. } => return Ok(Result::Twin { of: of.clone(), is_part: *is_part }),
        Found::Stdin => {
            let Some(stdin) = stdin.lock().unwrap_or_else(PoisonError::into_inner).take() else {
                let reason = "it was read before".to_owned();
                return Ok(Result::Not { severity: Severity::Info, reason, size: None });
            };
            let input = open::stream(Box::new(stdin), kit.sizes);
            (input.map(|input| Opened { input, size: None, log: None }), None, None)
        }
        Found::File(path) => {
            if let (true, Some(entry)) = (input.untouched, &input.entry) {
                return Ok(Result::Read(Box::new(nothing_new(kit, entry, path))));
            }
            match open_found(kit, input, path, inputs) {
                Ok((opened, place)) => (Ok(opened), Some(place.clone()), (place != *path).then_some(place)),
                Err(error) => (Err(error), Some(path.clone()), None),
            }
        }
    };
    let opened = match opened {
        Ok(opened) => opened,
        Err(error) => {
            kit.cancel.check()?;
            let reason = format!("it cannot be read: {error}");
            return Ok(Result::Not { severity: Severity::Unknown, reason, size: input.found.size() });
        }
    };
    let reader = Reader::new(
        kit.settings.zones.of(Path::new(&input.found.shown())).clone(),
        path.as_deref().map_or_else(|| kit.now.into(), |path| reference::of_file(path, kit.now)),
    );
    let before = input.entry.as_ref().map(|entry| entry.before(&kit.rules.window));
    let mut read = Read {
        size: opened.size,
        from: input.entry.as_ref().map_or(0, |entry| entry.offset),
        before: before.as_ref().map(|before| before.lines),
        instead: instead.map(|path| path.display().to_string()),
        ..Read::default()
    };
    let (threads, _turn) = match &opened.input {
        // What fits a chunk is counted before a second thread would have begun.
        Input::File { chunks, .. } if chunks.range().end - chunks.range().start <= kit.sizes.chunk as u64 => (1, None),
        Input::File { .. } => (kit.threads, Some(large.lock().unwrap_or_else(PoisonError::into_inner))),
        Input::Stream { .. } => (if kit.alone { kit.threads } else { 1 }, None),
    };
    let before = before.unwrap_or_default();
    let narrowed = Narrowed::of(kit, &opened.input, &reader);
    let job = |chunks, before| Job { chunks, file: number, rules: kit.rules, reader: &reader, before, threads };
    let mut in_order = None;
    if let Some(narrowed) = &narrowed {
        let outcome = narrowed.count(job, &kit.cancel, &mut read.counts)?;
        read.read_bytes = narrowed.read_bytes();
        // A file that turns out not to be sorted is read again, all of it.
        let skipped = opened.input.bytes().saturating_sub(narrowed.length());
        in_order = (!outcome.tally.stamps.disorder).then_some((outcome, skipped));
    }
    if let Some((outcome, skipped)) = in_order {
        read.counts.forget_line_numbers();
        (read.outcome, read.skipped) = (outcome, skipped);
    } else {
        read.counts = Counts::default();
        read.outcome = pipeline::count(job(opened.input.chunks(), before), &kit.cancel, &mut read.counts)?;
        read.read_bytes += opened.input.read_bytes();
    }
    read.left = opened.input.left_bytes();
    read.garbage = opened.input.garbage_bytes();
    read.shrunk = narrowed.as_ref().and_then(Narrowed::shrunk).or_else(|| opened.input.shrunk());
    if let (true, Some(path)) = (kit.bookmarked, &path) {
        read.entry = remembered(kit, input, &read, &opened, path);
    }
    Ok(Result::Read(Box::new(read)))
}

fn how(kit: &Kit<'_>, input: &Planned, path: &Path) -> How {
    let from = input.entry.as_ref().map_or(0, |entry| entry.offset);
    let given_up =
        input.seen.as_ref().and_then(|seen| seen.identity.idle(kit.now)).is_some_and(|idle| idle >= UNFINISHED);
    How { sizes: kit.sizes, from, whole_lines: kit.bookmarked && !given_up && rotation::may_grow(&name(path)) }
}

/// Opens a file that was found, wherever rotation has moved it meanwhile; gives the path at which it was.
fn open_found(kit: &Kit<'_>, input: &Planned, path: &Path, inputs: &[Planned]) -> std::io::Result<(Opened, PathBuf)> {
    let open = |path: &Path| open::file(path, how(kit, input, path), &kit.cancel);
    let is_it = |opened: &Opened, seen: Option<&Seen>| match (&opened.log, seen) {
        (Some(log), Some(seen)) => seen.is(log),
        _ => true,
    };
    let seen = input.seen.as_ref();
    let refused = match open(path) {
        Ok(opened) if is_it(&opened, seen) => return Ok((opened, path.to_path_buf())),
        Ok(_) => std::io::Error::new(ErrorKind::NotFound, "rotation has put another file in its place"),
        // It is not there, or what is there is shorter than what was read of it.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::UnexpectedEof) => error,
        Err(error) => return Err(error),
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let named = seen.filter(|seen| !seen.was_empty());
    let beside = folder.read_dir().into_iter().flatten().flatten().filter(|other| {
        let there = other.metadata().map(|metadata| Identity::of(&metadata));
        there.ok().zip(named).is_some_and(|(there, seen)| seen.identity.is_file(&there))
    });
    // Renamed; or packed, and then a twin has the same content.
    let twins = inputs.iter().filter_map(|input| match &input.found {
        Found::Twin { path: twin, of, .. } if of == path => Some((twin.clone(), input.seen.as_ref())),
        _ => None,
    });
    for (place, seen) in beside.map(|other| (other.path(), seen)).chain(twins) {
        if let Ok(opened) = open(&place)
            && is_it(&opened, seen)
        {
            return Ok((opened, place));
        }
    }
    Err(refused)
}

/// What is to be said of a file that nobody has touched since it was read to its end.
fn nothing_new(kit: &Kit<'_>, entry: &Entry, path: &Path) -> Read {
    let tally = FileTally { lines: entry.lines, ..FileTally::default() };
    let growing = rotation::may_grow(&name(path));
    let entry = Entry { path: absolute(path), growing, seen_at: kit.now, ..entry.clone() };
    Read {
        outcome: Outcome { tally, ..Outcome::default() },
        size: Some(entry.identity.size),
        from: entry.offset,
        before: Some(entry.lines),
        entry: Some(entry),
        ..Read::default()
    }
}

/// How far the file was read; `None` where that cannot be found again.
fn remembered(kit: &Kit<'_>, input: &Planned, read: &Read, opened: &Opened, path: &Path) -> Option<Entry> {
    if read.is_binary() {
        return None;
    }
    // A line that a damaged file breaks off in is read again, in case the rest comes.
    let broken = read.outcome.error.is_some();
    let (end, lines) = if broken {
        let open_line = read.outcome.open_line;
        (read.outcome.end.checked_sub(open_line)?, read.outcome.tally.lines - u64::from(open_line > 0))
    } else {
        (opened.end(), read.outcome.tally.lines)
    };
    let (prints, offset) = opened.prints(end)?;
    if offset == 0 {
        return None;
    }
    let log = opened.log.as_ref()?;
    // Truncated and written anew while it was read: what was counted is not what is there.
    if input.entry.as_ref().is_some_and(|entry| !log.head().is_ok_and(|(head, _)| entry.prints.head.begins(&head))) {
        return None;
    }
    // As it was when it was opened: what was written to it meanwhile is new.
    let mut identity = log.identity;
    if broken {
        // Whatever is wrong with it, it is to be looked at again.
        identity.modified = 0;
    }
    let record = read.outcome.tally.record.map(Into::into);
    Some(Entry {
        path: absolute(path),
        identity,
        prints,
        offset,
        lines,
        left: read.left,
        growing: rotation::may_grow(&name(path)),
        record,
        seen_at: kit.now,
    })
}
