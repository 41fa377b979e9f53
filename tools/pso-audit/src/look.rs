//! The sections side by side, each in its thread and within its time-out; their records in a fixed order.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use pso_common::io::elapsed_ms;
use pso_common::reader::{Line, RecordReader};
use pso_common::{Run, Severity};

use crate::baseline::Baseline;
use crate::conclude::Conclusion;
use crate::finding::Found;
use crate::sections::events::{self, Events};
use crate::sections::{Context, SECTIONS, Section};
use crate::settings::Settings;

/// How often a signal is looked for while nothing comes.
const TICK: Duration = Duration::from_millis(50);

struct Looking {
    section: &'static dyn Section,
    thread: JoinHandle<()>,
    ended: Receiver<(Found, anyhow::Result<()>, u64)>,
}

/// Looks at the chosen sections and writes what they find.
pub(crate) fn look(settings: Settings, run: &mut Run<'_>) -> anyhow::Result<()> {
    let events = if settings.reads_stdin { Some(read_input(&settings, run)?) } else { None };
    let baseline = settings.baseline.as_deref().map(|path| Baseline::read(path, run)).transpose()?;
    let is_whole = settings.sections.len() == SECTIONS.len();
    let unlooked: &[&str] = if settings.reads_stdin { &[] } else { &events::RULES };
    let mut conclusion = Conclusion::new(settings.accept.clone(), baseline, is_whole, unlooked, run);
    let (sections, timeout) = (settings.sections.clone(), settings.timeout);
    let started = Instant::now();
    // A part of the time is kept for coming to an end.
    let stop_at = started + timeout.saturating_sub((timeout / 10).min(Duration::from_secs(1)));
    let context = Arc::new(Context { settings, events, now: run.now(), cancel: run.cancel().clone(), stop_at });
    let all = sections.into_iter().map(|section| start(section, &context)).collect::<anyhow::Result<Vec<Looking>>>()?;
    for looking in all {
        let section = looking.section;
        let (mut found, result, elapsed_ms) = wait(looking, started, timeout, run)?;
        if let Err(error) = result {
            found.unknown(format!("{error:#}"));
        }
        conclusion.section(section.name(), found, elapsed_ms, run)?;
    }
    conclusion.end(run)
}

/// Passes the records of stdin on and keeps what the security events among them say; a line that is none makes the run
/// `unknown`.
fn read_input(settings: &Settings, run: &mut Run<'_>) -> anyhow::Result<Events> {
    let mut reader = RecordReader::new(run.take_stdin());
    let mut events = Events::new(&settings.events.classes)?;
    while let Some(line) = reader.next_line().context("read records from stdin")? {
        match line {
            Line::Record(record) => {
                run.pass(&record)?;
                events.take(&record);
            }
            Line::Malformed(malformed) => {
                run.warn(malformed);
                run.note(Severity::Unknown);
            }
        }
    }
    events.sort();
    Ok(events)
}

fn start(section: &'static dyn Section, context: &Arc<Context>) -> anyhow::Result<Looking> {
    let (sender, ended) = mpsc::sync_channel(1);
    let context = Arc::clone(context);
    let thread = thread::Builder::new()
        .name(section.name().to_owned())
        .spawn(move || {
            let (started, mut found) = (Instant::now(), Found::default());
            let result = section.look(&context, &mut found);
            // Nobody waits any more for a section that was given up.
            let _ = sender.send((found, result, elapsed_ms(started)));
        })
        .with_context(|| format!("start a thread for the section {}", section.name()))?;
    Ok(Looking { section, thread, ended })
}

/// What the section came to, or that it did not come to an end in time.
fn wait(
    looking: Looking,
    started: Instant,
    timeout: Duration,
    run: &Run<'_>,
) -> anyhow::Result<(Found, anyhow::Result<()>, u64)> {
    loop {
        run.cancel().check()?;
        let left = timeout.saturating_sub(started.elapsed());
        match looking.ended.recv_timeout(left.min(TICK)) {
            Ok(ended) => return Ok(ended),
            Err(RecvTimeoutError::Timeout) if left.is_zero() => {
                let error = anyhow::anyhow!("it did not come to its end within {timeout:?}; see --timeout");
                return Ok((Found::default(), Err(error), elapsed_ms(started)));
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                // The thread has ended without a word; its own message stands on stderr.
                drop(looking.thread);
                let error = anyhow::anyhow!("the section itself failed; this is a mistake in pso-audit");
                return Ok((Found::default(), Err(error), elapsed_ms(started)));
            }
        }
    }
}
