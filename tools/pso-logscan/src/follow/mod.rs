//! `--follow`: what is written from now on, told at once.
//!
//! Files are looked at a few times a second; nothing is asked of the system that only some file systems can do. A file
//! is held open, so that it is read to its end after rotation has renamed it, before the new one of its name is begun.
//! One that is truncated is begun anew, after the rest of it was looked for in the copy that rotation made. A line is
//! told when it is finished; one that is not is told when its file was rotated away or nobody has written to it for ten
//! minutes, or its stream has ended.

mod beginning;
mod lines;
mod rotated;
mod source;
mod streams;
mod teller;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::bail;
use pso_common::{Run, Severity};

use crate::bookmark::entry::Entry;
use crate::bookmark::store::{Bookmark, Saved};
use crate::follow::source::{Change, Source};
use crate::follow::streams::Streams;
use crate::follow::teller::{Input, Teller};
use crate::input::chunks::Sizes;
use crate::input::logfile::Identity;
use crate::pass::{self, Start};
use crate::report::{self, Extent};
use crate::settings::Settings;
use crate::templates::Known;

/// How long nobody looks.
const TICK: Duration = Duration::from_millis(200);
/// How often folders are looked through for new files.
const RELIST: Duration = Duration::from_secs(1);
/// How long a file that was renamed or removed is waited for: its writer may not know yet, and finish its last line.
const LINGER: Duration = Duration::from_secs(10);
/// As many files are held open that nobody may be writing to any more.
const MOST_OPEN: usize = 256;
/// As many files are remembered that are not read any more.
const MOST_REMEMBERED: usize = 10_000;
/// How often the bookmark is moved on.
const SAVE: Duration = Duration::from_secs(5);

/// Everything that is followed.
struct Follow<'a> {
    teller: Teller<'a>,
    settings: &'a Settings,
    sizes: Sizes,
    sources: Vec<Source>,
    streams: Streams,
    /// Inputs of which nothing more is expected; their coverage is told in the end.
    done: Vec<Input>,
    /// How far those were read, and what this run has nothing to do with.
    entries: Vec<Entry>,
    /// Files that are not followed, as they were when that was found: copies, rotated ones, and what is no plain text; by
    /// device and inode.
    known: HashMap<(u64, u64), Identity>,
    /// Files that may become copies, with what they were when somebody wrote to them last.
    waiting: HashMap<(u64, u64), (Identity, Instant)>,
    /// What was in rotated files that were there before and are not read: packing gives it to new files.
    before: Vec<Entry>,
    extent: Extent,
}

/// Follows what the settings name until a signal comes, or everything has ended. Gives the bookmark back, as
/// [`pass::scan_all`] does. `at_once` says whether stdout has taken a record when it is written: a table is written in
/// the end, and a bookmark is then moved on only there.
///
/// # Errors
/// As [`pass::scan_all`]; a signal is no error but the end.
pub(crate) fn follow(
    run: &mut Run<'_>,
    settings: &Settings,
    sizes: Sizes,
    at_once: bool,
) -> anyhow::Result<Option<Bookmark>> {
    if settings.assign {
        bail!(
            "--assign cannot be used with --follow: the templates are known only in the end, and all lines would have to wait"
        );
    }
    let teller = Teller::new(settings, pass::rules(settings)?);
    let mut extent = Extent::default();
    let Start { plan, bookmark } = pass::start(run, settings, &mut extent)?;
    let (bookmark, saved) = bookmark.map_or((None, None), |(bookmark, saved)| (Some(bookmark), saved));
    let templates = saved.and_then(|saved| saved.templates);
    let mut follow = Follow {
        teller,
        settings,
        sizes,
        sources: Vec::new(),
        streams: Streams::default(),
        done: Vec::new(),
        entries: plan.absent,
        known: HashMap::new(),
        waiting: HashMap::new(),
        before: Vec::new(),
        extent,
    };
    for input in plan.inputs {
        follow.begin(run, input)?;
    }
    let (mut listed, mut stored) = (Instant::now(), Instant::now());
    let mut written: Option<Vec<Entry>> = None;
    while !run.cancel().is_cancelled() {
        let moved = follow.poll(run)?;
        if moved || listed.elapsed() >= RELIST {
            follow.relist(run)?;
            listed = Instant::now();
        }
        if let (Some(bookmark), true) = (&bookmark, at_once && stored.elapsed() >= SAVE) {
            let entries = follow.entries(run);
            // When a file was last seen is no reason to write to the disk.
            if written.as_ref().is_none_or(|written| !same(written, &entries)) {
                bookmark.prepare(&Saved::new(run.now(), entries.clone(), templates.clone()))?;
                bookmark.commit()?;
                written = Some(entries);
            }
            stored = Instant::now();
        }
        if !follow.streams.wait(TICK, run, &mut follow.teller)? && !follow.watches_files() {
            break;
        }
    }
    follow.end(run, bookmark, templates)
}

/// Whether as much was read of the same files.
fn same(left: &[Entry], right: &[Entry]) -> bool {
    let known: HashMap<_, u64> = left.iter().map(|entry| ((&entry.path, entry.identity.inode), entry.offset)).collect();
    left.len() == right.len()
        && right.iter().all(|entry| known.get(&(&entry.path, entry.identity.inode)) == Some(&entry.offset))
}

impl Follow<'_> {
    /// Whether something else than streams is followed.
    fn watches_files(&self) -> bool {
        self.settings.paths.iter().any(|path| !self.streams.is_one(path))
    }

    /// Reads what was written; says whether a file is not any more what its name says.
    fn poll(&mut self, run: &mut Run<'_>) -> anyhow::Result<bool> {
        let (mut moved, mut at) = (false, 0);
        while at < self.sources.len() {
            let source = &mut self.sources[at];
            match source.poll(run, &mut self.teller)? {
                Change::Grown if source.retired.is_some() => source.retired = Some(Instant::now()),
                Change::Nothing if source.retired.is_some_and(|since| since.elapsed() >= LINGER) => {
                    source.finish(run, &mut self.teller)?;
                    if !source.has_name() || self.sources.len() > MOST_OPEN {
                        self.close(run, at)?;
                        continue;
                    }
                }
                Change::Truncated => {
                    self.truncated(run, at)?;
                    moved = true;
                    continue;
                }
                Change::Grown | Change::Nothing => {}
            }
            moved |= self.look_for(at);
            at += 1;
        }
        Ok(moved)
    }

    /// Ends what was begun with a file.
    fn close(&mut self, run: &mut Run<'_>, at: usize) -> anyhow::Result<()> {
        let mut source = self.sources.remove(at);
        source.finish(run, &mut self.teller)?;
        self.entries.extend(source.entry(run.now()));
        let identity = *source.identity();
        self.known.insert((identity.device, identity.inode), identity);
        self.done.push(source.into_input());
        Ok(())
    }

    /// How far everything was read and told.
    fn entries(&self, run: &Run<'_>) -> Vec<Entry> {
        let now = run.now();
        self.entries.iter().cloned().chain(self.sources.iter().filter_map(|source| source.entry(now))).collect()
    }

    /// Reads what is there, and tells what came of everything.
    fn end(
        mut self,
        run: &mut Run<'_>,
        bookmark: Option<Bookmark>,
        templates: Option<Known>,
    ) -> anyhow::Result<Option<Bookmark>> {
        self.poll(run)?;
        for source in &mut self.sources {
            if source.retired.is_some() {
                source.finish(run, &mut self.teller)?;
            }
        }
        let entries = self.entries(run);
        let Self { teller, sources, streams, done, mut extent, settings, .. } = self;
        let inputs = done.into_iter().chain(sources.into_iter().map(Source::into_input)).chain(streams.into_inputs());
        for Input { shown, read, .. } in inputs {
            extent.read += 1;
            extent.lines += read.lines();
            extent.inside += read.lines() - read.outcome.tally.outside;
            let severity = report::coverage(run, shown, &read, settings)?;
            extent.unread += u64::from(severity == Severity::Unknown);
        }
        let mut counts = teller.counts;
        let gathered = std::mem::take(&mut counts.gathered);
        report::classes(run, counts, &[], extent, settings)?;
        let templates = pass::tell_templates(run, gathered, templates, &[], settings)?;
        if let Some(bookmark) = &bookmark {
            bookmark.prepare(&Saved::new(run.now(), entries, templates))?;
        }
        Ok(bookmark)
    }
}
