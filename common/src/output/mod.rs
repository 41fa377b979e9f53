//! The one emitter: every tool's records, in every format.

mod copy;
mod human;
mod nagios;
mod openmetrics;
mod table;
mod textfile;

use std::fmt;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use anyhow::Context as _;
use clap::ValueEnum;
use serde_json::{Map, Value};

use crate::io::{Clock, host_name};
use crate::record::{AnyRecord, Header, Kind, Record, SCHEMA, Severity, Timestamp};

use self::copy::Copy;
use self::textfile::Textfile;

pub use human::{bytes, duration_ms, printable};

/// How records are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A table on a terminal, JSON lines in a pipe
    #[default]
    Auto,
    /// One JSON object a line
    Jsonl,
    /// Aligned columns for people
    Table,
    /// OpenMetrics text: every record that carries a value, and the worst severity
    Openmetrics,
    /// One line with perfdata, as Nagios plugins print it
    Nagios,
}

impl Format {
    /// The format that `auto` stands for here.
    #[must_use]
    pub const fn resolve(self, stdout_is_terminal: bool) -> Self {
        match self {
            Self::Auto if stdout_is_terminal => Self::Table,
            Self::Auto => Self::Jsonl,
            chosen => chosen,
        }
    }
}

/// What the terminal behind stdout can show, if there is one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Terminal {
    /// Colours are shown and wanted.
    pub(crate) color: bool,
    /// Columns.
    pub(crate) width: Option<usize>,
}

/// The reader of stdout has gone: a read-only run stops quietly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StdoutClosed;

impl fmt::Display for StdoutClosed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("stdout is closed")
    }
}

impl std::error::Error for StdoutClosed {}

/// What every record of a run carries: who wrote it, where and when.
#[derive(Clone, Debug)]
pub(crate) struct Stamp {
    tool: String,
    host: String,
    clock: Clock,
    /// The time that is played, where it is not the clock's.
    played: Option<Timestamp>,
}

impl Stamp {
    pub(crate) fn new(tool: &str, clock: Clock) -> Self {
        Self { tool: tool.to_owned(), host: host_name(), clock, played: None }
    }

    fn header(&self, kind: &str, severity: Severity, name: String, message: String) -> Header {
        Header {
            schema: SCHEMA,
            kind: kind.to_owned(),
            at: self.played.unwrap_or_else(|| self.clock.now()),
            tool: self.tool.clone(),
            host: self.host.clone(),
            severity,
            name,
            message,
        }
    }
}

/// A record as the formats for people and monitors see it.
struct View<'a> {
    header: &'a Header,
    fields: &'a Map<String, Value>,
}

/// A format that shows records in some other way than one JSON object a line.
trait Render {
    /// Takes one record; may write what it has gathered.
    fn record(&mut self, out: &mut dyn Write, view: &View<'_>) -> io::Result<()>;
    /// Writes what is left.
    fn finish(&mut self, out: &mut dyn Write, worst: Severity) -> io::Result<()>;
}

/// Writes records to stdout and remembers the worst.
pub(crate) struct Emitter {
    out: BufWriter<Box<dyn Write + Send>>,
    render: Option<Box<dyn Render>>,
    /// The measurements for a file (`--textfile`).
    textfile: Option<Textfile>,
    /// Where a copy of every record goes as a JSON line (`--records`).
    copy: Option<Copy>,
    stamp: Stamp,
    records: u64,
    worst: Severity,
    /// The worst of what is known.
    worst_known: Severity,
    /// The worst since the last round ended.
    worst_of_round: Severity,
    /// One line for Nagios: what is known to be down comes before what nobody knows.
    for_nagios: bool,
    ignore_closed: bool,
    closed: bool,
    /// Why records could not be written while the work had to go on.
    lost: Option<String>,
    /// Why something is missing in the file of `--records` or `--textfile`, until it is told.
    missing: Option<String>,
}

impl Emitter {
    pub(crate) fn new(out: Box<dyn Write + Send>, format: Format, terminal: Terminal, stamp: Stamp) -> Self {
        let render: Option<Box<dyn Render>> = match format {
            Format::Auto | Format::Jsonl => None,
            Format::Table => Some(Box::new(table::Table::new(terminal.color, terminal.width))),
            Format::Openmetrics => Some(Box::new(openmetrics::OpenMetrics::new(&stamp.tool))),
            Format::Nagios => Some(Box::new(nagios::Nagios::new(&stamp.tool))),
        };
        Self {
            out: BufWriter::with_capacity(32 << 10, out),
            render,
            textfile: None,
            copy: None,
            stamp,
            records: 0,
            worst: Severity::Ok,
            worst_known: Severity::Ok,
            worst_of_round: Severity::Ok,
            for_nagios: format == Format::Nagios,
            ignore_closed: false,
            closed: false,
            lost: None,
            missing: None,
        }
    }

    pub(crate) fn emit<B: Kind>(
        &mut self,
        severity: Severity,
        name: impl Into<String>,
        message: impl Into<String>,
        body: B,
    ) -> anyhow::Result<()> {
        let header = self.stamp.header(B::KIND, severity, name.into(), message.into());
        self.records += 1;
        let record = Record { header, body };
        let mut line = serde_json::to_vec(&record).context("turn a record into JSON")?;
        line.push(b'\n');
        self.write(&record.header, &line)?;
        // Who reads a pipe wants each record when it is written, not when a buffer is full.
        let result = if self.render.is_some() { Ok(()) } else { self.out.flush() };
        self.written(result)
    }

    /// Records are stamped with this time from now on, or with the clock's again.
    pub(crate) fn play(&mut self, at: Option<Timestamp>) {
        self.stamp.played = at;
    }

    /// Hands over what was passed on: who reads a pipe is not to wait for it until a buffer is full.
    pub(crate) fn flush_passed(&mut self) -> anyhow::Result<()> {
        let result = if self.render.is_some() { Ok(()) } else { self.out.flush() };
        self.written(result)
    }

    pub(crate) fn pass(&mut self, record: &AnyRecord) -> anyhow::Result<()> {
        let line = [record.line.as_bytes(), b"\n"].concat();
        self.write(&record.header, &line)
    }

    fn write(&mut self, header: &Header, line: &[u8]) -> anyhow::Result<()> {
        // Whoever reads stdout must not go without because a disk is full.
        if let Some(Err(error)) = self.copy.as_mut().map(|copy| copy.append(line)) {
            self.missing.get_or_insert(error);
        }
        let mut result = Ok(());
        if self.render.is_some() || self.textfile.is_some() {
            let fields: Map<String, Value> = serde_json::from_slice(line).context("read a record as an object")?;
            let view = View { header, fields: &fields };
            if let Some(textfile) = &mut self.textfile {
                textfile.record(&view);
            }
            if let Some(render) = &mut self.render {
                result = render.record(&mut self.out, &view);
            }
        }
        if self.render.is_none() {
            result = self.out.write_all(line);
        }
        self.written(result)
    }

    /// What was gathered is written, and the next round begins with nothing.
    pub(crate) fn end_round(&mut self) -> anyhow::Result<()> {
        let worst = std::mem::take(&mut self.worst_of_round);
        if let Some(Err(error)) = self.textfile.as_mut().map(|textfile| textfile.end_round(worst)) {
            self.missing.get_or_insert(format!("{error:#}"));
        }
        let result = match &mut self.render {
            Some(render) => render.finish(&mut self.out, worst),
            None => Ok(()),
        };
        let result = result.and_then(|()| self.out.flush());
        self.written(result)
    }

    /// Writes the file of `--textfile`; `failed` is that the run has. Called before the end of the run is told, which says
    /// whether it and the file of `--records` could be written.
    pub(crate) fn finish_files(&mut self, failed: bool) -> anyhow::Result<()> {
        let worst = if failed { Severity::Unknown } else { self.worst };
        if let Some(Err(error)) = self.textfile.as_mut().map(|textfile| textfile.finish(worst, failed)) {
            self.missing.get_or_insert(format!("{error:#}"));
        }
        match self.missing.take() {
            // What was changed is changed; but somebody waits for these files.
            Some(missing) if self.ignore_closed => self.lost = Some(missing),
            Some(missing) => anyhow::bail!(missing),
            None => {}
        }
        Ok(())
    }

    /// `severity` is that of the end of the run.
    pub(crate) fn finish(&mut self, severity: Severity) -> anyhow::Result<()> {
        // Nagios's line and the exit code must say the same.
        let worst = if self.for_nagios { severity } else { self.worst };
        let result = match &mut self.render {
            Some(render) => render.finish(&mut self.out, worst),
            None => Ok(()),
        };
        let result = result.and_then(|()| self.out.flush());
        self.written(result)
    }

    fn written(&mut self, result: io::Result<()>) -> anyhow::Result<()> {
        match result {
            Ok(()) => Ok(()),
            Err(_) if self.closed && self.ignore_closed => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.closed = true;
                if self.ignore_closed { Ok(()) } else { Err(StdoutClosed.into()) }
            }
            // A full disk behind stdout does not undo what is being changed, but it must not look like success.
            Err(error) if self.ignore_closed => {
                self.closed = true;
                self.lost = Some(format!("write to stdout: {error}"));
                Ok(())
            }
            Err(error) => Err(error).context("write records to stdout"),
        }
    }

    /// Why records were lost, if any were; told once.
    pub(crate) fn take_lost(&mut self) -> Option<String> {
        self.lost.take()
    }

    /// Why a file of `--records` or `--textfile` lacks something, if one does; told once.
    pub(crate) fn take_missing(&mut self) -> Option<String> {
        self.missing.take()
    }

    /// From here on every record is appended to the file at `path` too.
    pub(crate) fn copy_to(&mut self, path: PathBuf) -> anyhow::Result<()> {
        let mut copy = Copy::new(path);
        copy.open().map_err(anyhow::Error::msg)?;
        self.copy = Some(copy);
        Ok(())
    }

    /// From here on the measurements of every record also go into the file at `path`.
    pub(crate) fn measure_into(&mut self, path: PathBuf) {
        self.textfile = Some(Textfile::new(path, &self.stamp.tool));
    }

    pub(crate) fn note(&mut self, severity: Severity) {
        self.worst = self.worst.max(severity);
        if severity != Severity::Unknown {
            self.worst_known = self.worst_known.max(severity);
        }
        self.worst_of_round = self.worst_of_round.max(severity);
    }

    pub(crate) const fn ignore_closed_stdout(&mut self) {
        self.ignore_closed = true;
    }

    /// The severity of the run so far.
    pub(crate) const fn worst(&self) -> Severity {
        if self.for_nagios { nagios::told(self.worst_known, self.worst) } else { self.worst }
    }

    pub(crate) const fn records(&self) -> u64 {
        self.records
    }

    /// Gives stdout back; what could not be written is lost.
    pub(crate) fn into_inner(self) -> Box<dyn Write + Send> {
        self.out.into_parts().0
    }
}
