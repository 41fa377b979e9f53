//! A run: from `run.start` to `run.end`, and from there to an exit code.

mod consent;
mod generate;
mod process;

use std::fmt;
use std::io::{Read as _, Write};
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context as _;
use clap::Args;

use crate::config::Config;
use crate::io::{Cancel, Env, Interruptible, Io, elapsed_ms};
use crate::output::{Emitter, Format, Stamp, StdoutClosed, Terminal};
use crate::record::{AnyRecord, ConfigSettingRecord, Kind, RunEndRecord, RunStartRecord, Severity, Timestamp, schema};

pub use self::consent::{Confirmed, Intent};
pub use self::generate::Generated;
pub use self::process::main;

/// What the frame of a run must know of its tool.
#[derive(Clone, Copy, Debug)]
pub struct Tool {
    /// The binary's name.
    pub name: &'static str,
    /// Its version (`env!("CARGO_PKG_VERSION")`).
    pub version: &'static str,
    /// The record kinds that it writes, besides those of every run.
    pub kinds: &'static [&'static str],
}

/// The flags that every tool has.
#[derive(Args, Clone, Debug, Default)]
pub struct CommonArgs {
    /// Read configuration from FILE [env: PSO_CONFIG] [default: config/config.yaml, if it exists]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Common options")]
    pub config: Option<PathBuf>,

    /// How to write records: `auto` is a table on a terminal and JSON lines in a pipe
    #[arg(long, global = true, value_enum, default_value_t, value_name = "FORMAT", help_heading = "Common options")]
    pub format: Format,

    /// Also append every record as a JSON line to FILE, whatever the format of stdout
    #[arg(long, global = true, value_name = "FILE", help_heading = "Common options")]
    pub records: Option<PathBuf>,

    /// Also write OpenMetrics to FILE, for node_exporter's textfile collector: replaced as a whole, mode 0644
    #[arg(long, global = true, value_name = "FILE", help_heading = "Common options")]
    pub textfile: Option<PathBuf>,

    /// Print the effective configuration with the source of each value, and stop
    #[arg(long, global = true, help_heading = "Common options")]
    pub print_config: bool,

    /// Print the JSON Schema of the records that this tool writes, and stop
    #[arg(long, global = true, help_heading = "Common options")]
    pub schema: bool,

    /// Print the manual page (`man`) or completions (`bash`, `zsh`, `fish`, `powershell`), and stop; alone
    // It is answered before the flags are parsed; here it is for the help, and for what is wrong with it.
    #[arg(
        long,
        exclusive = true,
        value_enum,
        value_name = "KIND",
        hide_possible_values = true,
        help_heading = "Common options"
    )]
    pub generate: Option<Generated>,
}

/// An error after which everything is as it was before (exit code 2, not 3): something was attempted and did not
/// happen, or was rolled back. Add it as context: `result.context(Attempted("no archive was published"))`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempted(pub &'static str);

impl fmt::Display for Attempted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// The exit code of a finished run.
#[must_use]
pub fn exit_code(result: &anyhow::Result<Severity>) -> u8 {
    match result {
        Ok(severity) => severity.exit_code(),
        Err(error) if error.downcast_ref::<Attempted>().is_some() => 2,
        Err(_) => 3,
    }
}

/// Runs `work` between `run.start` and `run.end` and returns the worst severity that it wrote.
///
/// `--schema` is answered here, without a run. When stdout is closed, a run that has not called
/// [`Run::must_finish`] stops quietly with the severity it had reached.
///
/// # Errors
/// Those of `work`; they are also in the `run.end` record.
pub fn session(
    tool: &Tool,
    args: &CommonArgs,
    io: &mut Io,
    work: impl FnOnce(&mut Run<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<Severity> {
    if args.schema {
        let kinds = [&[RunStartRecord::KIND, RunEndRecord::KIND, ConfigSettingRecord::KIND], tool.kinds].concat();
        let schema = serde_json::to_string_pretty(&schema::of_tool(tool.name, &kinds))?;
        // A reader that has seen enough closes the pipe; that is no failure.
        let _ = writeln!(io.stdout, "{schema}").and_then(|()| io.stdout.flush());
        return Ok(Severity::Ok);
    }
    let format = args.format.resolve(io.stdout_is_terminal);
    let terminal = if io.stdout_is_terminal {
        let width = terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
        Terminal { color: io.env.get("NO_COLOR").is_none(), width }
    } else {
        Terminal::default()
    };
    let stdout = std::mem::replace(&mut io.stdout, Box::new(std::io::sink()));
    let stamp = Stamp::new(tool.name, io.clock.clone());
    let mut run = Run {
        tool: *tool,
        print_config: args.print_config,
        config: Config::empty(io.env.clone()),
        emitter: Emitter::new(stdout, format, terminal, stamp),
        io,
        started: Instant::now(),
        told_again: false,
    };
    let result = run.work(args, work);
    let result = run.finish(result);
    let Run { emitter, io, .. } = run;
    io.stdout = emitter.into_inner();
    result
}

/// A run in progress: what the tool's code works with.
pub struct Run<'a> {
    tool: Tool,
    print_config: bool,
    config: Config,
    emitter: Emitter,
    io: &'a mut Io,
    started: Instant,
    /// The last line on stderr says how far something is.
    told_again: bool,
}

impl Run<'_> {
    fn work(&mut self, args: &CommonArgs, work: impl FnOnce(&mut Self) -> anyhow::Result<()>) -> anyhow::Result<()> {
        if let Some(path) = &args.records {
            self.emitter.copy_to(path.clone())?;
        }
        if let Some(path) = &args.textfile {
            self.emitter.measure_into(path.clone());
        }
        let start = RunStartRecord { version: self.tool.version.to_owned(), pid: std::process::id() };
        match self.emit(Severity::Ok, self.tool.name, "", start) {
            // Whether that ends the run is for the tool to say: one that changes things goes on.
            Err(error) if error.downcast_ref::<StdoutClosed>().is_some() => {}
            result => result?,
        }
        self.config = Config::load(args.config.as_deref(), &self.io.env)?;
        work(self)
    }

    fn finish(&mut self, result: anyhow::Result<()>) -> anyhow::Result<Severity> {
        let closed = result.as_ref().is_err_and(|error| error.downcast_ref::<StdoutClosed>().is_some());
        let result = if closed {
            // The reader has gone; the end of the run still belongs into the file of --records.
            self.emitter.ignore_closed_stdout();
            Ok(())
        } else {
            result
        };
        let written = self.emitter.finish_files(result.is_err());
        // The work's own error is the one worth telling.
        let result = if result.is_ok() { written } else { result };
        if let Some(lost) = self.emitter.take_lost() {
            self.warn(format_args!("records were lost, the work was done all the same: {lost}"));
            self.note(Severity::Warning);
        }
        let result = result.map(|()| self.emitter.worst());
        let end = RunEndRecord {
            pid: std::process::id(),
            records: self.emitter.records(),
            elapsed_ms: elapsed_ms(self.started),
            exit_code: exit_code(&result),
            error: result.as_ref().err().map(|error| format!("{error:#}")),
        };
        let severity = match &result {
            Ok(worst) => *worst,
            Err(_) if end.exit_code == 2 => Severity::High,
            Err(_) => Severity::Unknown,
        };
        let message = end.error.clone().unwrap_or_default();
        self.emitter.note(severity);
        let result = match self
            .emitter
            .emit(severity, self.tool.name, message, end)
            .and_then(|()| self.emitter.finish(severity))
        {
            // The work's own error is the one worth telling.
            Err(error) if result.is_ok() && error.downcast_ref::<StdoutClosed>().is_none() => Err(error),
            _ => result,
        };
        // Of what is missing so late only stderr and the exit code can tell.
        match self.emitter.take_missing() {
            Some(missing) => {
                self.warn(missing);
                result.map(|worst| worst.max(Severity::Warning))
            }
            None => result,
        }
    }

    /// Writes one record of the tool's own.
    ///
    /// # Errors
    /// When stdout is closed (which ends the run quietly) or cannot be written. Pass it on with `?`.
    pub fn emit<B: Kind>(
        &mut self,
        severity: Severity,
        name: impl Into<String>,
        message: impl Into<String>,
        body: B,
    ) -> anyhow::Result<()> {
        self.emitter.emit(severity, name.into(), message.into(), body)?;
        self.emitter.note(severity);
        Ok(())
    }

    /// Writes one record of the tool's own that does not count towards the run's severity: it speaks of something else
    /// than what the run found, or was told not to count (`--exit-zero`).
    ///
    /// # Errors
    /// As [`Run::emit`].
    pub fn emit_uncounted<B: Kind>(
        &mut self,
        severity: Severity,
        name: impl Into<String>,
        message: impl Into<String>,
        body: B,
    ) -> anyhow::Result<()> {
        self.emitter.emit(severity, name.into(), message.into(), body)
    }

    /// Lets the records that follow carry another time than the clock's: for a tool that says what would have been written
    /// then. `None` is the clock again.
    pub fn play(&mut self, at: Option<Timestamp>) {
        self.emitter.play(at);
    }

    /// Passes a record on as it came. It does not count towards this run's severity.
    ///
    /// # Errors
    /// As [`Run::emit`].
    pub fn pass(&mut self, record: &AnyRecord) -> anyhow::Result<()> {
        self.emitter.pass(record)
    }

    /// Hands over the records that were passed on. For when the input has nothing more to give for now.
    ///
    /// # Errors
    /// As [`Run::emit`].
    pub fn flush_passed(&mut self) -> anyhow::Result<()> {
        self.emitter.flush_passed()
    }

    /// Makes the run's severity at least `severity` without a record of its own.
    pub fn note(&mut self, severity: Severity) {
        self.emitter.note(severity);
    }

    /// Ends one round of a run that goes on: what the format has gathered is written, and the file of `--textfile` replaced.
    /// A run that goes on for weeks does not end because a disk is full for an hour: what a file lacks is told on stderr.
    ///
    /// # Errors
    /// As [`Run::emit`].
    pub fn end_round(&mut self) -> anyhow::Result<()> {
        let result = self.emitter.end_round();
        if let Some(missing) = self.emitter.take_missing() {
            self.warn(missing);
            self.note(Severity::Warning);
        }
        result
    }

    /// From here on a closed stdout no longer ends the run: something is being changed and must come to its end.
    pub fn must_finish(&mut self) {
        self.emitter.ignore_closed_stdout();
    }

    /// Writes one line to stderr, as `tool: text`.
    pub fn warn(&mut self, text: impl fmt::Display) {
        // With stderr gone there is nobody left to tell.
        let _ = writeln!(self.io.stderr, "{}: {text}", self.tool.name);
        self.told_again = false;
    }

    /// Writes one line to stderr when it is a terminal: what is going on, for somebody who waits.
    pub fn progress(&mut self, text: impl fmt::Display) {
        if self.io.stderr_is_terminal {
            self.warn(text);
        }
    }

    /// As [`Run::progress`], in the place of the line before where that was one of these: how far something is.
    pub fn progress_again(&mut self, text: impl fmt::Display) {
        if self.io.stderr_is_terminal {
            // One line up, and clear it.
            let place = if self.told_again { "\u{1b}[A\u{1b}[2K" } else { "" };
            let _ = writeln!(self.io.stderr, "{place}{}: {text}", self.tool.name);
            self.told_again = true;
        }
    }

    /// The configuration, from which a tool's settings are resolved.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// With `--print-config`: writes every value that was resolved so far and says that the run is done.
    ///
    /// # Errors
    /// As [`Run::emit`].
    pub fn printed_config(&mut self) -> anyhow::Result<bool> {
        if self.print_config {
            for effective in self.config.effective() {
                let body = ConfigSettingRecord { setting: effective.shown, source: effective.source };
                self.emit(Severity::Ok, effective.key, "", body)?;
            }
        }
        Ok(self.print_config)
    }

    /// Standard input, which can be taken once; a second time it is empty. A signal ends a read that waits.
    pub fn take_stdin(&mut self) -> Interruptible {
        let stdin = std::mem::replace(&mut self.io.stdin, Box::new(std::io::empty()));
        Interruptible::new(stdin, self.io.cancel.clone())
    }

    /// Whether a person can be asked on the terminal.
    #[must_use]
    pub fn is_interactive(&self) -> bool {
        self.io.stdin_is_terminal && self.io.stderr_is_terminal
    }

    /// Asks on the terminal, once; anything but `y` or `yes` is a no. A signal ends the wait.
    ///
    /// # Errors
    /// When the terminal cannot be read.
    pub fn ask(&mut self, question: &str) -> anyhow::Result<bool> {
        use std::io::BufRead as _;
        write!(self.io.stderr, "{question} [y/N] ").and_then(|()| self.io.stderr.flush()).context("ask on stderr")?;
        let mut answer = String::new();
        std::io::BufReader::new(self.take_stdin().take(64)).read_line(&mut answer).context("read the answer")?;
        Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
    }

    /// The present moment.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.io.clock.now()
    }

    /// The environment as it was at the start.
    #[must_use]
    pub fn env(&self) -> &Env {
        &self.io.env
    }

    /// The flag that signals set. Clone it for threads.
    #[must_use]
    pub fn cancel(&self) -> &Cancel {
        &self.io.cancel
    }

    /// The worst severity so far.
    #[must_use]
    pub fn worst(&self) -> Severity {
        self.emitter.worst()
    }
}

#[cfg(test)]
mod tests;
