//! Where this run begins in each file, and what was lost since the last one.

use std::collections::{HashMap, HashSet};
use std::fs::DirEntry;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pso_common::io::{Cancel, Cancelled};
use pso_common::{Severity, Timestamp};

use crate::bookmark::entry::{Entry, absolute, group, name};
use crate::input::files::Found;
use crate::input::logfile::{Identity, LogFile, Seen};
use crate::input::prints::Print;
use crate::input::rotation::{self, Rotation};

/// Entries of files that were not there for so long are forgotten.
const FORGET_AFTER: Duration = Duration::from_secs(90 * 86_400);
/// And so are those beyond this number, the oldest first.
const MAX_ABSENT: usize = 1000;
/// A log that nobody wrote to for so long is not being written to: when it is gone, it was cleaned away.
const IDLE: Duration = Duration::from_secs(86_400);

/// What is to be read.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// The inputs, with those that rotation has moved beside what was asked for.
    pub(crate) inputs: Vec<Planned>,
    /// What was lost: how far the file was read, and what is to be said of it.
    pub(crate) gaps: Vec<(Entry, String)>,
    /// Entries of files that this run has nothing to do with.
    pub(crate) absent: Vec<Entry>,
    /// Whether rotation was at work while the files were looked at: some of them are told as not read.
    pub(crate) disturbed: bool,
}

impl Plan {
    /// Everything from its beginning.
    pub(crate) fn without_bookmark(found: Vec<Found>, seen: Vec<Option<Seen>>) -> Self {
        let inputs = found.into_iter().zip(seen);
        let inputs = inputs.map(|(found, seen)| Planned { found, seen, entry: None, untouched: false });
        Self { inputs: inputs.collect(), ..Self::default() }
    }

    /// Takes what was lost, to tell it. Its entries are kept: should a file come back, its beginning was read. As long as
    /// rotation is at work (`is_quiet` says not), what was not found may only have been between two names.
    pub(crate) fn take_gaps(&mut self, is_quiet: bool) -> Vec<(Entry, String)> {
        let gaps = std::mem::take(&mut self.gaps);
        let kept = gaps.iter().map(|(entry, _)| entry.clone());
        if is_quiet {
            self.absent.extend(kept.map(Entry::given_up));
            return gaps;
        }
        self.absent.extend(kept);
        Vec::new()
    }
}

/// One input.
#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) found: Found,
    /// Which file it is: rotation may give its name to another before it is read.
    pub(crate) seen: Option<Seen>,
    /// How far it was read before.
    pub(crate) entry: Option<Entry>,
    /// Whether nobody wrote to it since then, and it was read to its end: it need not even be unpacked.
    pub(crate) untouched: bool,
}

/// A file that may be one of those that were read before. It is not held open: there may be more of them than a process
/// may open.
struct Candidate {
    /// Its place among the inputs; `None` for one that nobody asked for.
    number: Option<usize>,
    path: PathBuf,
    identity: Identity,
    head: Vec<u8>,
    /// Hashes of beginnings of `head`, by their length: entries are many.
    hashes: HashMap<u64, Print>,
    entry: Option<Entry>,
    /// Whether rotation moved it while it was compared, so that it may be any.
    moved: bool,
}

impl Candidate {
    fn of(number: Option<usize>, path: &Path, seen: Option<&Seen>) -> Option<Self> {
        let log = LogFile::open(path).ok().filter(|log| seen.is_none_or(|seen| seen.is(log)))?;
        let (head, _) = log.head().ok()?;
        let (path, identity) = (absolute(path), log.identity);
        Some(Self { number, path, identity, head, hashes: HashMap::new(), entry: None, moved: false })
    }

    /// As long as it is the same file.
    fn open(&mut self) -> Option<LogFile> {
        let log = LogFile::open(&self.path).ok().filter(|log| self.identity.is_same(&log.identity));
        self.moved |= log.is_none();
        log
    }

    /// How likely it is the file of `entry` by everything but its content.
    fn hints(&self, entry: &Entry) -> u8 {
        2 * u8::from(self.identity.is_file(&entry.identity)) + u8::from(self.path == entry.path)
    }

    fn has_head(&mut self, entry: &Entry) -> bool {
        let head = &entry.prints.head;
        let Some(beginning) = usize::try_from(head.bytes).ok().and_then(|length| self.head.get(..length)) else {
            return false;
        };
        self.hashes.entry(head.bytes).or_insert_with(|| Print::of(beginning)) == head
    }

    /// Whether its text goes on where that of `entry` was left. What cannot be read now is told by the scan.
    fn continues(&mut self, entry: &Entry) -> bool {
        self.has_head(entry)
            && (self.identity.is_untouched(&entry.identity)
                || self.open().is_some_and(|log| log.has_tail(&entry.prints, entry.offset).unwrap_or(false)))
    }
}

/// Finds every file of `entries` again among the inputs that `paths` gave.
///
/// # Errors
/// When a signal asked to stop.
pub(crate) fn plan(
    mut found: Vec<Found>,
    mut seen: Vec<Option<Seen>>,
    mut entries: Vec<Entry>,
    paths: &[PathBuf],
    now: Timestamp,
    cancel: &Cancel,
) -> Result<Plan, Cancelled> {
    let (mut candidates, mut disturbed) = (Vec::<Candidate>::new(), false);
    for (number, found) in found.iter_mut().enumerate() {
        cancel.check()?;
        let Found::File(path) = &found else { continue };
        let Some(candidate) = Candidate::of(Some(number), path, seen[number].as_ref()) else {
            // Whatever has its name now is read under its own, or by the next run. A pipe, or what must not be read, is
            // left for the scan to tell.
            if seen[number].is_some() || !path.exists() {
                disturbed = true;
                *found = moved(path);
            }
            continue;
        };
        seen[number].get_or_insert_with(|| Seen::new(candidate.identity, &candidate.head));
        // Renamed after it was listed, it is found under both names.
        match candidates.iter().find(|other| other.identity.is_file(&candidate.identity)) {
            Some(other) => *found = Found::Twin { path: path.clone(), of: other.path.clone(), is_part: false },
            None => candidates.push(candidate),
        }
    }
    // The longest first: two texts that begin alike are told apart by the one of which more is known.
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.offset));
    assign(&mut candidates, &mut entries, cancel)?;
    for candidate in candidates.iter().filter(|candidate| candidate.moved && candidate.entry.is_none()) {
        if let Some(number) = candidate.number {
            disturbed = true;
            found[number] = moved(Path::new(&found[number].shown()));
        }
    }
    let scope = Scope::of(paths);
    let (mut open, mut absent): (Vec<Entry>, Vec<Entry>) =
        entries.into_iter().partition(|entry| scope.has(&entry.path));
    // Rotation may have moved them to names that were not asked for, or that were not there a moment ago.
    let known: HashSet<PathBuf> = found.iter().map(|found| absolute(Path::new(&found.shown()))).collect();
    let mut siblings = siblings(&open, &known);
    siblings.retain(|sibling| !candidates.iter().any(|other| other.identity.is_file(&sibling.identity)));
    assign(&mut siblings, &mut open, cancel)?;
    let mut gaps = Vec::new();
    for entry in open {
        match lost(&entry, &candidates) {
            Some(reason) if !cannot_tell(&entry.path) => gaps.push((entry, reason)),
            // Retention has taken it, or it is somewhere else for now; should it come back, it was read.
            _ => absent.push(entry),
        }
    }
    absent.retain(|entry| entry.seen_at.until(now) < FORGET_AFTER);
    absent.sort_by_key(|entry| std::cmp::Reverse(entry.seen_at));
    absent.truncate(MAX_ABSENT);
    let Plan { mut inputs, .. } = Plan::without_bookmark(found, seen);
    for candidate in &mut candidates {
        let Some((number, entry)) = candidate.number.zip(candidate.entry.take()) else { continue };
        let untouched = entry.left == 0 && candidate.identity.is_untouched(&entry.identity);
        (inputs[number].entry, inputs[number].untouched) = (Some(entry), untouched);
    }
    // Before the log that they belong to, the oldest first.
    siblings.retain(|sibling| sibling.entry.is_some());
    siblings.sort_by_key(|sibling| (rotation::any(&name(&sibling.path)), sibling.path.clone()));
    for Candidate { path, entry, identity, head, .. } in siblings {
        let (log, seen) = (group(&path), Some(Seen::new(identity, &head)));
        let place = inputs
            .iter()
            .position(|input| matches!(&input.found, Found::File(other) if group(&absolute(other)) == log));
        let input = Planned { found: Found::File(path), seen, entry, untouched: false };
        inputs.insert(place.unwrap_or(inputs.len()), input);
    }
    Ok(Plan { inputs, gaps, absent, disturbed })
}

/// An input of which it is not known any more which file it is.
fn moved(path: &Path) -> Found {
    let reason = "rotation has moved it while the files were looked at; the next run will read it".to_owned();
    Found::Not { path: path.to_path_buf(), severity: Severity::Unknown, reason }
}

/// Gives each entry to the candidate that goes on where it was left, if there is one, and each candidate at most one
/// entry; candidates that look like it from outside come first. Entries that were given away are taken out.
fn assign(candidates: &mut [Candidate], entries: &mut Vec<Entry>, cancel: &Cancel) -> Result<(), Cancelled> {
    for hints in (0..=3).rev() {
        let mut rest = Vec::new();
        for entry in entries.drain(..) {
            cancel.check()?;
            let mut fitting = candidates.iter_mut().filter(|candidate| candidate.entry.is_none());
            let mut found = None;
            while let (None, false, Some(candidate)) = (&found, cancel.is_cancelled(), fitting.next()) {
                if candidate.hints(&entry) == hints && candidate.continues(&entry) {
                    found = Some(candidate);
                }
            }
            match found {
                Some(candidate) => candidate.entry = Some(entry),
                None => rest.push(entry),
            }
        }
        *entries = rest;
    }
    cancel.check()
}

/// The other files of the logs of `entries`, and what the files themselves are called now.
fn siblings(entries: &[Entry], known: &HashSet<PathBuf>) -> Vec<Candidate> {
    let groups: HashSet<(PathBuf, String)> = entries.iter().map(Entry::group).collect();
    let folders: HashSet<&PathBuf> = groups.iter().map(|(folder, _)| folder).collect();
    let inodes: HashSet<(u64, u64)> =
        entries.iter().map(|Entry { identity, .. }| (identity.device, identity.inode)).collect();
    let is_one = |file: &DirEntry| {
        let inode = || file.metadata().map(|file| Identity::of(&file)).map(|file| (file.device, file.inode));
        groups.contains(&group(&file.path())) || inode().is_ok_and(|inode| inode.1 != 0 && inodes.contains(&inode))
    };
    let files = folders.into_iter().filter_map(|folder| folder.read_dir().ok()).flatten().flatten();
    let paths = files.filter(is_one).map(|file| file.path()).filter(|path| !known.contains(path));
    paths.filter_map(|path| Candidate::of(None, &path, None)).collect()
}

/// The file beside `entry`'s, other than those of `known`, that goes on where `entry` was left: a copy from before the
/// file was truncated. Its path and itself.
pub(crate) fn copy_of(entry: &Entry, known: &HashSet<PathBuf>) -> Option<(PathBuf, LogFile)> {
    let mut siblings = siblings(std::slice::from_ref(entry), known);
    siblings.sort_by_key(|sibling| std::cmp::Reverse(sibling.identity.modified));
    siblings.into_iter().find_map(|mut sibling| {
        let log = if sibling.continues(entry) { sibling.open() } else { None };
        log.map(|log| (sibling.path, log))
    })
}

/// Whether a file is out of sight rather than gone: its folder is not mounted, or it must not be read for now.
fn cannot_tell(path: &Path) -> bool {
    let folder_is_gone = path.parent().is_some_and(|folder| folder.metadata().is_err());
    folder_is_gone || LogFile::open(path).is_err_and(|error| error.kind() != std::io::ErrorKind::NotFound)
}

/// What was lost with a text that is nowhere any more; `None` where nothing was.
fn lost(entry: &Entry, candidates: &[Candidate]) -> Option<String> {
    let Entry { lines, left, .. } = entry;
    let fate = if entry.path.exists() { "it was truncated or replaced" } else { "it is gone" };
    if *left > 0 {
        return Some(format!(
            "{fate} since the last run: {left} bytes behind its line {lines} were not read, and are lost with what came after them"
        ));
    }
    // Retention has taken what was read to its end.
    if !entry.growing {
        return None;
    }
    if !entry.path.exists() && entry.identity.idle(entry.seen_at).is_some_and(|idle| idle > IDLE) {
        return None;
    }
    // A log of each day ends when the next one begins.
    let rotation = rotation::any(&name(&entry.path)).1;
    let is_ended = |other: &Candidate| {
        other.path != entry.path
            && group(&other.path) == entry.group()
            && rotation::any(&name(&other.path)).1 > rotation
    };
    if matches!(rotation, Rotation::Dated(_)) && !entry.path.exists() && candidates.iter().any(is_ended) {
        return None;
    }
    Some(format!(
        "{fate} since the last run: what was written to it after line {lines} cannot be found, and may be lost; if \
         rotation puts it elsewhere, name that folder too"
    ))
}

/// What a run was asked to read.
struct Scope {
    paths: Vec<PathBuf>,
}

impl Scope {
    fn of(paths: &[PathBuf]) -> Self {
        Self { paths: paths.iter().map(|path| absolute(path)).collect() }
    }

    fn has(&self, path: &Path) -> bool {
        self.paths.iter().any(|asked| path.starts_with(asked))
    }
}
