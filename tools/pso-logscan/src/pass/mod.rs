//! One pass over all inputs: found, read side by side, and told in their order.
//!
//! Files are counted each by itself and then added up in the order of the inputs, so nothing depends on which thread was
//! quicker. Packed files can be unpacked by one thread only, so several of them are read at a time; a large plain file
//! keeps all threads busy, so one of them is read at a time.

mod narrowed;
pub(crate) mod reading;
mod workers;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use anyhow::bail;
use pso_common::io::Interruptible;
use pso_common::{Run, Severity};

use crate::bookmark::entry::{absolute, name};
use crate::bookmark::plan::{self, Plan, Planned};
use crate::bookmark::store::{Bookmark, Saved};
use crate::input::chunks::Sizes;
use crate::input::files::{self, Found, STDIN};
use crate::input::logfile::Identity;
use crate::input::rotation;
use crate::input::twins;
use crate::pass::reading::{Kit, Read, Result};
use crate::report::templates::Limits;
use crate::report::{self, Extent};
use crate::scan::Rules;
use crate::scan::marks::Machine;
use crate::scan::tally::Counts;
use crate::settings::Settings;
use crate::templates::{self, Gathered, Known};

/// How often the folders are looked through, if files come or are renamed meanwhile.
const MOST_LOOKS: u32 = 3;

/// What a pass begins with: the inputs, where each of them begins, and the bookmark that says so.
pub(crate) struct Start {
    pub(crate) plan: Plan,
    pub(crate) bookmark: Option<(Bookmark, Option<Saved>)>,
}

/// Finds the inputs, and where to begin in each of them. What was lost since the last run is told at once.
///
/// # Errors
/// When the bookmark cannot be used, a signal asked to stop, or stdout cannot be written.
pub(crate) fn start(run: &mut Run<'_>, settings: &Settings, extent: &mut Extent) -> anyhow::Result<Start> {
    if settings.bookmark.is_some() {
        refuse(settings)?;
    }
    // Before the files are looked at, so that nobody else moves the bookmark meanwhile.
    let bookmark = settings.bookmark.as_deref().map(Bookmark::open).transpose()?;
    let mut looks = 1;
    let (mut plan, is_quiet) = loop {
        let mut found = files::find(&settings.paths);
        let before = inodes(&found);
        let seen = twins::mark(&mut found, run.cancel())?;
        let plan = match &bookmark {
            Some((_, saved)) => {
                let entries = saved.as_ref().map(|saved| saved.files.clone()).unwrap_or_default();
                plan::plan(found, seen, entries, &settings.paths, run.now(), run.cancel())?
            }
            None => Plan::without_bookmark(found, seen),
        };
        // A file that was renamed while the folder was listed may have been missed.
        let is_quiet = !plan.disturbed && inodes(&files::find(&settings.paths)).is_subset(&before);
        if looks == MOST_LOOKS || is_quiet {
            break (plan, is_quiet);
        }
        looks += 1;
    };
    for (entry, reason) in plan.take_gaps(is_quiet) {
        extent.unread += 1;
        report::unread(run, entry.path.display().to_string(), None, Severity::Unknown, reason)?;
    }
    Ok(Start { plan, bookmark })
}

/// Which files were found: by device and inode, where the system has these.
fn inodes(found: &[Found]) -> HashSet<(u64, u64)> {
    let files = found.iter().filter_map(|found| match found {
        Found::File(path) => path.metadata().ok(),
        _ => None,
    });
    files.map(|file| Identity::of(&file)).map(|file| (file.device, file.inode)).collect()
}

/// What a bookmark cannot be used with.
fn refuse(settings: &Settings) -> anyhow::Result<()> {
    if settings.paths.iter().any(|path| path == Path::new(STDIN)) {
        bail!("--bookmark cannot be used with standard input (-), which cannot be read again; name files or folders");
    }
    let bookmark = settings.bookmark.as_deref().map(absolute).unwrap_or_default();
    let is_scanned = |path: &PathBuf| bookmark.starts_with(absolute(path)) && rotation::of(&name(&bookmark)).is_some();
    if settings.paths.iter().any(is_scanned) {
        bail!("the bookmark {} would be read as one of the logs; give it another name", bookmark.display());
    }
    if settings.window.until.is_some() {
        bail!("--bookmark cannot be used with --until: what is newer would be left out, and never be read");
    }
    Ok(())
}

/// Scans everything once and writes all records. Gives the bookmark back, ready to be moved on once stdout has taken
/// every record.
///
/// # Errors
/// When the bookmark cannot be used or written, a signal asked to stop, or stdout cannot be written. A log that cannot be
/// read is no error but a `log.coverage` record of severity `unknown`.
pub(crate) fn scan_all(
    run: &mut Run<'_>,
    settings: &Settings,
    sizes: Sizes,
    threads: usize,
) -> anyhow::Result<Option<Bookmark>> {
    let rules = rules(settings)?;
    let mut extent = Extent::default();
    let Start { plan: Plan { inputs, absent, .. }, mut bookmark } = start(run, settings, &mut extent)?;
    let stdin = inputs.iter().any(|input| input.found == Found::Stdin).then(|| run.take_stdin());
    let kit = Kit {
        rules: &rules,
        settings,
        sizes,
        threads,
        alone: inputs.len() == 1,
        now: run.now(),
        cancel: run.cancel().clone(),
        bookmarked: bookmark.is_some(),
    };
    let mut entries = absent;
    let mut counts = Counts::default();
    tell(run, &kit, &inputs, stdin, |run, number, result| {
        let path = inputs[number].found.shown();
        match result {
            Result::Not { severity, reason, size } => {
                extent.unread += u64::from(severity == Severity::Unknown);
                entries.extend(inputs[number].entry.clone());
                report::unread(run, path, size, severity, reason)
            }
            Result::Twin { of, is_part } => {
                entries.extend(inputs[number].entry.clone());
                report::twin(run, path, inputs[number].found.size(), &of, is_part)
            }
            Result::Read(mut read) => {
                counts.absorb(std::mem::take(&mut read.counts), &rules);
                let Read { outcome, entry, .. } = &*read;
                extent.read += 1;
                extent.lines += read.lines();
                extent.inside += read.lines() - outcome.tally.outside;
                let severity = report::coverage(run, path, &read, settings)?;
                extent.unread += u64::from(severity == Severity::Unknown);
                // What is no text, or vanished while it was read, stays where it was.
                entries.extend(entry.as_ref().or(inputs[number].entry.as_ref()).cloned());
                Ok(())
            }
        }
    })?;
    let paths: Vec<String> = inputs.iter().map(|input| input.found.shown()).collect();
    let gathered = std::mem::take(&mut counts.gathered);
    report::classes(run, counts, &paths, extent, settings)?;
    let known = bookmark.as_mut().and_then(|(_, saved)| saved.as_mut()?.templates.take());
    let known = tell_templates(run, gathered, known, &paths, settings)?;
    let Some((bookmark, _)) = bookmark else { return Ok(None) };
    bookmark.prepare(&Saved::new(run.now(), entries, known))?;
    Ok(Some(bookmark))
}

/// Writes the templates of what was gathered, and gives those that the next run knows. Nothing is new to the first run,
/// which has no past.
///
/// # Errors
/// When stdout is closed or cannot be written.
pub(crate) fn tell_templates(
    run: &mut Run<'_>,
    gathered: Gathered,
    known: Option<Known>,
    paths: &[String],
    settings: &Settings,
) -> anyhow::Result<Option<Known>> {
    if !settings.templates {
        return Ok(known);
    }
    let limits = Limits { top: settings.top, has_past: known.is_some() };
    let mut known = known.unwrap_or_default();
    let mined = templates::mine(&gathered.sketch, &known);
    report::templates::templates(run, &mined, limits)?;
    report::templates::lines(run, &mined, &gathered.lines, paths)?;
    known.learn(&mined);
    Ok(Some(known))
}

/// What is looked for.
///
/// # Errors
/// When the patterns cannot be built, which no input can cause.
pub(crate) fn rules(settings: &Settings) -> anyhow::Result<Rules> {
    Ok(Rules {
        machine: Machine::detect(),
        window: settings.window,
        keep: settings.events.clone(),
        classes: settings.classes.clone(),
        by: settings.by,
        templates: settings.templates,
        assign: settings.assign,
    })
}

/// Reads all inputs, and hands each to `each` in their order.
fn tell<'r>(
    run: &mut Run<'r>,
    kit: &Kit<'_>,
    inputs: &[Planned],
    stdin: Option<Interruptible>,
    mut each: impl FnMut(&mut Run<'r>, usize, Result) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    workers::each_in_order(kit, inputs, stdin, |number, result| each(run, number, result))
}
