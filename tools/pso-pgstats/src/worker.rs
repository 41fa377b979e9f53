//! The thread that asks and the one that writes.
//!
//! A server behind a line that swallows packets answers no query and obeys no `statement_timeout`. So the connection lives
//! in a thread of its own, and this one waits for it no longer than the deadline, nor past a signal. A thread that is left
//! behind ends with the process.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use pso_common::Run;
use pso_common::config::ConfigValue as _;
use pso_common::io::{Cancel, elapsed_ms};
use pso_common::record::{PgSectionRecord, Severity};

use crate::report::Report;
use crate::sections::Section;
use crate::settings::Settings;
use crate::watch::{Failure, Watch};

/// How often the waiting thread looks whether a signal came.
const STEP: Duration = Duration::from_millis(50);

/// What the asking thread tells.
enum Message {
    /// The attempt to connect has ended.
    Connected(anyhow::Result<()>),
    /// The next section has ended.
    Done(Result<Report, Failure>, u64),
}

/// Shows the sections.
pub(crate) fn run(settings: Settings, run: &mut Run<'_>) -> anyhow::Result<()> {
    let until = Instant::now() + settings.deadline;
    let (sections, deadline, shown) = (settings.sections.clone(), settings.deadline.show(), settings.pg.shown());
    let (sender, receiver) = mpsc::channel();
    thread::Builder::new()
        .name("pg-watch".to_owned())
        .spawn(move || ask(settings, &sender))
        .context("start a thread")?;
    match receive(&receiver, until, run.cancel())? {
        Some(Message::Connected(result)) => result?,
        _ => bail!("connect to PostgreSQL at {shown}: no session within the deadline of {deadline} (--deadline)"),
    }
    let mut waiting = sections.into_iter();
    while let Some(section) = waiting.next() {
        match receive(&receiver, until, run.cancel())? {
            Some(Message::Done(Ok(report), elapsed_ms)) => write(section, report, elapsed_ms, run)?,
            Some(Message::Done(Err(Failure::Lost(reason)), elapsed_ms)) => {
                let reason = format!("the connection was lost: {reason}");
                end(section, &Failure::Unknown(reason.clone()), Some(elapsed_ms), run)?;
                for section in waiting {
                    end(section, &Failure::Unknown(format!("not read: {reason}")), None, run)?;
                }
                bail!("read section {section} of {shown}: {reason}; see the server's log, and try again");
            }
            Some(Message::Done(Err(failure), elapsed_ms)) => end(section, &failure, Some(elapsed_ms), run)?,
            Some(Message::Connected(_)) => bail!("connected twice"),
            None => {
                let late = format!("no answer within the deadline of {deadline} (--deadline)");
                end(section, &Failure::Unknown(late), None, run)?;
                for section in waiting.by_ref() {
                    let late = format!("not read: the deadline of {deadline} (--deadline) had passed");
                    end(section, &Failure::Unknown(late), None, run)?;
                }
            }
        }
    }
    Ok(())
}

/// The asking thread.
fn ask(settings: Settings, sender: &Sender<Message>) {
    let sections = settings.sections.clone();
    let mut watch = match Watch::open(settings) {
        Ok(watch) => watch,
        // Where nobody listens any more, there is nobody to tell.
        Err(error) => return drop(sender.send(Message::Connected(Err(error)))),
    };
    let mut told = sender.send(Message::Connected(Ok(())));
    for section in sections {
        if told.is_err() {
            return;
        }
        let started = Instant::now();
        let result = section.read(&mut watch);
        let lost = matches!(result, Err(Failure::Lost(_)));
        told = sender.send(Message::Done(result, elapsed_ms(started)));
        if lost {
            return;
        }
    }
}

/// The next message; none when the deadline passed first.
fn receive(receiver: &Receiver<Message>, until: Instant, cancel: &Cancel) -> anyhow::Result<Option<Message>> {
    loop {
        cancel.check()?;
        let left = until.saturating_duration_since(Instant::now());
        match receiver.recv_timeout(left.min(STEP)) {
            Ok(message) => return Ok(Some(message)),
            Err(RecvTimeoutError::Timeout) if left.is_zero() => return Ok(None),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => bail!("the thread that asks the server ended early; this is a bug"),
        }
    }
}

/// Writes what a section found, and its end.
fn write(section: Section, report: Report, elapsed_ms: u64, run: &mut Run<'_>) -> anyhow::Result<()> {
    let rows = report.findings.len() as u64;
    for finding in report.findings {
        finding.emit(run)?;
    }
    let severity = report.notes.iter().map(|note| note.severity).max().unwrap_or_default();
    let texts: Vec<String> = report.notes.into_iter().map(|note| note.text).collect();
    let body = PgSectionRecord { rows: Some(rows), elapsed_ms: Some(elapsed_ms) };
    run.emit(severity, section.name(), texts.join("; "), body)
}

/// Writes the end of a section that could not be read.
fn end(section: Section, failure: &Failure, elapsed_ms: Option<u64>, run: &mut Run<'_>) -> anyhow::Result<()> {
    let (severity, reason) = match failure {
        Failure::Unavailable(reason) => (Severity::Info, reason),
        Failure::Unknown(reason) | Failure::Lost(reason) => (Severity::Unknown, reason),
    };
    run.emit(severity, section.name(), reason, PgSectionRecord { rows: None, elapsed_ms })
}
