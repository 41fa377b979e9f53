//! The thread that asks and the one that writes.
//!
//! A server behind a line that swallows packets answers no query and obeys no `statement_timeout`. So the connection lives
//! in a thread of its own, and this one waits for it no longer than the deadline, nor past a signal. A thread that is left
//! behind ends with the process.

use std::collections::VecDeque;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use pso_common::Run;
use pso_common::config::ConfigValue as _;
use pso_common::io::{Cancel, elapsed_ms};
use pso_common::postgres::PgSettings;
use pso_common::record::{PgServerRecord, Severity};

use crate::conclude::Conclusions;
use crate::records::{Records, Snapshot};
use crate::report::{End, Ends, Report};
use crate::sections::Section;
use crate::settings::{Limits, Settings};
use crate::watch::{Failure, Watch};

/// How often the waiting thread looks whether a signal came.
const STEP: Duration = Duration::from_millis(50);

/// How long the end of the session is waited for. The connection itself waits no longer for the server.
const FAREWELL: Duration = Duration::from_millis(1100);

/// What the asking thread tells.
enum Message {
    /// The attempt to connect has ended.
    Connected(anyhow::Result<Box<PgServerRecord>>),
    /// The next section has ended.
    Done(Result<Box<Report>, Failure>, u64),
}

/// Reads the sections, and shows those that were asked for.
pub(crate) fn run(pg: PgSettings, settings: &Settings, run: &mut Run<'_>) -> anyhow::Result<()> {
    let until = Instant::now() + settings.limits.deadline;
    let (deadline, shown) = (settings.limits.deadline.show(), pg.shown());
    let conclusions = Conclusions::new(settings, run)?;
    let order: VecDeque<&'static Section> = conclusions.order().into();
    let (sender, receiver) = mpsc::channel();
    let (asked, limits) = (order.clone(), settings.limits.clone());
    thread::Builder::new()
        .name("pg-watch".to_owned())
        .spawn(move || ask(pg, limits, &asked, &sender))
        .context("start a thread")?;
    let server = match receive(&receiver, until, run.cancel())? {
        Some(Message::Connected(server)) => *server?,
        _ => bail!("connect to PostgreSQL at {shown}: no session within the deadline of {deadline} (--deadline)"),
    };
    run.emit(Severity::Ok, server.database.clone(), "", server.clone())?;
    let snapshot = Snapshot { server, records: Records::default() };
    let mut reading = Reading { receiver, until, deadline, order, snapshot, ends: Ends::new(), over: None };
    for section in &settings.sections {
        if let Some(conclusion) = section.conclusion() {
            let needs = conclusions.needs(conclusion);
            let mut elapsed_ms = 0;
            for needed in needs.iter().filter(|needed| !settings.sections.contains(needed)) {
                elapsed_ms += reading.end_of(needed, run.cancel())?.elapsed_ms.unwrap_or_default();
            }
            for needed in needs {
                reading.end_of(needed, run.cancel())?;
            }
            let end = conclusions.write(conclusion, &reading.snapshot, &reading.ends, elapsed_ms, run)?;
            end.emit(section, run)?;
        } else {
            let end = reading.end_of(section, run.cancel())?;
            reading.snapshot.records.emit(section.kind, run)?;
            end.emit(section, run)?;
        }
    }
    match reading.over {
        Some(Over::Lost(section, reason)) => {
            bail!("read section {section} of {shown}: {reason}; see the server's log, and try again")
        }
        Some(Over::Late) => Ok(()),
        None => {
            // The asking thread takes its leave of the server; a process that ends before would be counted there as a session
            // that was abandoned (`pg_stat_database.sessions_abandoned`).
            while reading.receiver.recv_timeout(FAREWELL).is_ok() {}
            Ok(())
        }
    }
}

/// Why nothing more is read.
enum Over {
    /// The deadline has passed.
    Late,
    /// The connection was lost in this section.
    Lost(&'static Section, String),
}

/// What was read so far.
struct Reading {
    receiver: Receiver<Message>,
    until: Instant,
    deadline: String,
    /// What is still to be read.
    order: VecDeque<&'static Section>,
    snapshot: Snapshot,
    ends: Ends,
    over: Option<Over>,
}

impl Reading {
    /// Waits for the end of a section.
    fn end_of(&mut self, wanted: &Section, cancel: &Cancel) -> anyhow::Result<End> {
        loop {
            if let Some(end) = self.ends.get(wanted.name) {
                return Ok(end.clone());
            }
            let Some(section) = self.order.pop_front() else {
                bail!("section {wanted} was never asked; this is a bug")
            };
            let end = self.next(section, cancel)?;
            self.ends.insert(section.name, end);
        }
    }

    fn next(&mut self, section: &'static Section, cancel: &Cancel) -> anyhow::Result<End> {
        let unknown = |reason| End::failed(&Failure::Unknown(reason), None);
        match &self.over {
            None => {}
            Some(Over::Late) => {
                let late = format!("not read: the deadline of {} (--deadline) had passed", self.deadline);
                return Ok(unknown(late));
            }
            Some(Over::Lost(_, reason)) => return Ok(unknown(format!("not read: {reason}"))),
        }
        Ok(match receive(&self.receiver, self.until, cancel)? {
            Some(Message::Done(Ok(report), elapsed_ms)) => {
                let end = End::read(report.records.len(), &report.notes, Some(elapsed_ms));
                self.snapshot.records.append(report.records);
                end
            }
            Some(Message::Done(Err(Failure::Lost(reason)), elapsed_ms)) => {
                let reason = format!("the connection was lost: {reason}");
                self.over = Some(Over::Lost(section, reason.clone()));
                End::failed(&Failure::Lost(reason), Some(elapsed_ms))
            }
            Some(Message::Done(Err(failure), elapsed_ms)) => End::failed(&failure, Some(elapsed_ms)),
            Some(Message::Connected(_)) => bail!("connected twice"),
            None => {
                self.over = Some(Over::Late);
                unknown(format!("no answer within the deadline of {} (--deadline)", self.deadline))
            }
        })
    }
}

/// The asking thread.
fn ask(pg: PgSettings, limits: Limits, order: &VecDeque<&'static Section>, sender: &Sender<Message>) {
    let mut watch = match Watch::open(pg, limits) {
        Ok(watch) => watch,
        // Where nobody listens any more, there is nobody to tell.
        Err(error) => return drop(sender.send(Message::Connected(Err(error)))),
    };
    let mut told = sender.send(Message::Connected(Ok(Box::new(watch.server.clone()))));
    for section in order {
        if told.is_err() {
            return;
        }
        let started = Instant::now();
        let result = section.read(&mut watch).map(Box::new);
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
