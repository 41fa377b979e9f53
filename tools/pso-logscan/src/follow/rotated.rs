//! What rotation does to files that are followed, and new files.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use pso_common::{Run, Severity};

use crate::bookmark::entry::{Entry, absolute, group, name};
use crate::bookmark::plan::copy_of;
use crate::follow::source::Source;
use crate::follow::{Follow, MOST_REMEMBERED};
use crate::input::files::{self, Found};
use crate::input::logfile::{Identity, LogFile};
use crate::input::rotation;
use crate::report;
use crate::scan::tally::FileTally;

/// A file that may become the copy of another is not taken for a new one until nobody has written to it for so long.
const COPYING: Duration = Duration::from_secs(5);

/// What a file that has come is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Newcomer {
    /// Nothing of it was seen.
    New,
    /// Its content was read under another name, or was there before.
    Copy,
    /// It is the beginning of such a content: it is being copied or packed, or only begins alike.
    Maybe,
}

impl Follow<'_> {
    /// Looks whether a file is still found under its name; says whether it is not any more.
    pub(super) fn look_for(&mut self, at: usize) -> bool {
        let source = &self.sources[at];
        if source.retired.is_some() {
            return false;
        }
        let there = source.path.metadata().map(|metadata| Identity::of(&metadata));
        if there.is_ok_and(|there| there.is_file(source.identity()) || there.inode == 0) {
            return false;
        }
        self.retire(at);
        true
    }

    /// From now on the file has to show that somebody still writes to it.
    pub(super) fn retire(&mut self, at: usize) {
        self.sources[at].retired = Some(Instant::now());
    }

    /// A file was truncated: the rest of what was in it may be in a copy. What is written to it from now on is new.
    pub(super) fn truncated(&mut self, run: &mut Run<'_>, at: usize) -> anyhow::Result<()> {
        let source = self.sources.remove(at);
        let (path, entry) = (source.path.clone(), source.entry(run.now()));
        let shown = source.input.shown.clone();
        let known: HashSet<PathBuf> =
            self.sources.iter().map(|source| source.path.clone()).chain([path.clone()]).collect();
        let copy = entry.as_ref().and_then(|entry| copy_of(entry, &known));
        match (copy, entry) {
            (Some((copy, log)), Some(entry)) => {
                // What is said of the copy is said of what was there before it.
                let mut input = source.input;
                input.shown = copy.display().to_string();
                self.read_through(run, &copy, &log, entry.offset, input)?;
            }
            (_, entry) => {
                let lines = source.input.read.outcome.tally.lines;
                let reason = format!(
                    "it was truncated: what was written to it after line {lines} cannot be found, and may be lost"
                );
                if entry.is_some() {
                    self.extent.unread += 1;
                    report::unread(run, shown.clone(), None, Severity::Unknown, reason)?;
                }
                self.done.push(source.into_input());
            }
        }
        let opened = LogFile::open(&path).and_then(|log| {
            let input = self.input(run, shown, Some(&path), FileTally::default());
            Source::new(&path, log, 0, self.sizes.max_line, input)
        });
        // If it is gone by now, it will be found as a new file when it is there again.
        if let Ok(source) = opened {
            self.sources.push(source);
        }
        Ok(())
    }

    /// Looks for new files, and for new names of those that are known.
    pub(super) fn relist(&mut self, run: &mut Run<'_>) -> anyhow::Result<()> {
        let mut there = HashSet::new();
        for found in files::find(&self.settings.paths) {
            let Found::File(path) = found else { continue };
            let Ok(metadata) = path.metadata() else { continue };
            let identity = Identity::of(&metadata);
            let inode = (identity.device, identity.inode);
            there.insert(inode);
            // Renaming leaves size and time as they are.
            if !metadata.is_file() || self.known.get(&inode).is_some_and(|known| known.is_untouched(&identity)) {
                continue;
            }
            if let Some(source) = self.sources.iter_mut().find(|source| source.identity().is_file(&identity)) {
                source.path = absolute(&path);
                if rotation::may_grow(&name(&path)) {
                    source.retired = None;
                }
                continue;
            }
            self.newcomer(run, &path, identity)?;
        }
        self.known.retain(|inode, _| there.contains(inode));
        self.waiting.retain(|inode, _| there.contains(inode));
        let spare = self.entries.len().saturating_sub(MOST_REMEMBERED);
        self.entries.drain(..spare);
        Ok(())
    }

    /// Begins with a file that was not there before, unless it is a copy of one that was.
    fn newcomer(&mut self, run: &mut Run<'_>, path: &Path, identity: Identity) -> anyhow::Result<()> {
        // What was written before this file was made comes before what is in it.
        let log = group(&absolute(path));
        for source in &mut self.sources {
            if group(&source.path) == log {
                source.poll(run, &mut self.teller)?;
            }
        }
        // One that cannot be opened yet, or vanished again, is tried again with the next look.
        let Ok(file) = LogFile::open(path) else { return Ok(()) };
        let inode = (identity.device, identity.inode);
        match self.what_is(run, path, &file) {
            Newcomer::Copy => {
                self.known.insert(inode, identity);
                return Ok(());
            }
            Newcomer::Maybe => {
                let (seen, since) = self.waiting.entry(inode).or_insert((identity, Instant::now()));
                if !seen.is_untouched(&identity) {
                    (*seen, *since) = (identity, Instant::now());
                }
                if since.elapsed() < COPYING {
                    return Ok(());
                }
            }
            Newcomer::New => {}
        }
        let grows = rotation::may_grow(&name(path));
        let input = self.input(run, path.display().to_string(), Some(path), FileTally::default());
        if file.is_packed() {
            return self.read_through(run, path, &file, 0, input);
        }
        let Ok(mut source) = Source::new(path, file, 0, self.sizes.max_line, input) else { return Ok(()) };
        source.poll(run, &mut self.teller)?;
        self.sources.push(source);
        if !grows {
            // It was the log for so short a time that nobody saw it under that name.
            self.retire(self.sources.len() - 1);
        }
        Ok(())
    }

    fn what_is(&self, run: &Run<'_>, path: &Path, file: &LogFile) -> Newcomer {
        let Ok((head, error)) = file.head() else { return Newcomer::Maybe };
        let grows = rotation::may_grow(&name(path));
        if head.is_empty() {
            // Nothing has come out of the packer or the copier yet; or a log has just been made.
            return if grows && error.is_none() { Newcomer::New } else { Newcomer::Maybe };
        }
        let holds = |entry: &Entry| {
            entry.prints.head.begins(&head) && file.has_tail(&entry.prints, entry.offset).unwrap_or(false)
        };
        let now = run.now();
        if self.sources.iter().filter_map(|source| source.entry(now)).any(|entry| holds(&entry)) {
            return Newcomer::Copy;
        }
        let begins_alike = |source: &Source| {
            let common = head.len().min(source.head().len());
            common > 0 && head[..common] == source.head()[..common]
        };
        let mut maybe = self.sources.iter().any(begins_alike);
        // Nobody makes a log out of an old one; and of the old ones only hashes are known, so that short ones cannot be
        // told from them.
        if !grows {
            for entry in self.entries.iter().chain(&self.before) {
                if holds(entry) {
                    return Newcomer::Copy;
                }
                maybe |= entry.prints.head.bytes > head.len() as u64 || entry.prints.head.begins(&head);
            }
        }
        if maybe { Newcomer::Maybe } else { Newcomer::New }
    }
}
