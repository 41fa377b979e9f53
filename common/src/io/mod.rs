//! The outside world of a tool as one value, so that tests need no process: streams, clock, environment and signals.

mod interruptible;
mod replace;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::{IsTerminal, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

pub use interruptible::Interruptible;
pub use replace::{Readers, replace};

use crate::record::Timestamp;

/// What a tool reads from and writes to.
pub struct Io {
    /// Standard input. Producers never touch it unless told to with `-`.
    pub stdin: Box<dyn Read + Send>,
    /// Standard output: records only.
    pub stdout: Box<dyn Write + Send>,
    /// Standard error: progress, warnings and the one error message.
    pub stderr: Box<dyn Write + Send>,
    /// Whether stdin is a terminal: only then may a question be asked.
    pub stdin_is_terminal: bool,
    /// Whether stdout is a terminal: `--format auto` is then a table.
    pub stdout_is_terminal: bool,
    /// Whether stderr is a terminal: progress is shown only there.
    pub stderr_is_terminal: bool,
    /// The time that records carry.
    pub clock: Clock,
    /// The environment as it was at the start.
    pub env: Env,
    /// Set by SIGINT, SIGTERM and SIGHUP.
    pub cancel: Cancel,
}

impl Io {
    /// The process's own streams, environment and wall clock.
    #[must_use]
    pub fn from_process() -> Self {
        let (stdin, stdout, stderr) = (std::io::stdin(), std::io::stdout(), std::io::stderr());
        Self {
            stdin_is_terminal: stdin.is_terminal(),
            stdout_is_terminal: stdout.is_terminal(),
            stderr_is_terminal: stderr.is_terminal(),
            stdin: Box::new(stdin),
            stdout: Box::new(stdout),
            stderr: Box::new(stderr),
            clock: Clock::System,
            env: Env::from_process(),
            cancel: Cancel::default(),
        }
    }

    /// Streams in memory and an empty environment, for tests: stdin is `input`, the outputs go to the given writers.
    #[must_use]
    pub fn for_test(
        input: impl Into<Vec<u8>>,
        stdout: impl Write + Send + 'static,
        stderr: impl Write + Send + 'static,
    ) -> Self {
        Self {
            stdin: Box::new(std::io::Cursor::new(input.into())),
            stdout: Box::new(stdout),
            stderr: Box::new(stderr),
            stdin_is_terminal: false,
            stdout_is_terminal: false,
            stderr_is_terminal: false,
            clock: Clock::System,
            env: Env::default(),
            cancel: Cancel::default(),
        }
    }
}

/// Where the time comes from.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's wall clock.
    System,
    /// Always the same moment (tests).
    Fixed(Timestamp),
}

impl Clock {
    /// The present moment in UTC.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => Timestamp::now(),
            Self::Fixed(at) => *at,
        }
    }
}

/// A snapshot of the environment variables.
#[derive(Clone, Debug, Default)]
pub struct Env(BTreeMap<OsString, OsString>);

impl Env {
    /// The variables of this process.
    #[must_use]
    pub fn from_process() -> Self {
        Self(std::env::vars_os().map(|(name, value)| (key(&name), value)).collect())
    }

    /// A variable's text; unset, empty or not UTF-8 counts as absent, as libpq treats empty variables.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(&key(OsStr::new(name)))?.to_str().filter(|text| !text.is_empty())
    }

    /// A variable as a path; unset or empty counts as absent.
    #[must_use]
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.0.get(&key(OsStr::new(name))).filter(|text| !text.is_empty()).map(PathBuf::from)
    }

    /// The user's home folder (`HOME`, on Windows `USERPROFILE`).
    #[must_use]
    pub fn home(&self) -> Option<PathBuf> {
        self.path("HOME").or_else(|| self.path("USERPROFILE"))
    }

    /// Sets a variable in this snapshot (tests).
    pub fn set(&mut self, name: impl Into<OsString>, value: impl Into<OsString>) {
        self.0.insert(key(&name.into()), value.into());
    }
}

/// A variable's name as it is looked up: Windows knows no case there, and calls PATH `Path`.
fn key(name: &OsStr) -> OsString {
    if cfg!(windows) { name.to_ascii_uppercase() } else { name.to_owned() }
}

/// Whether a signal asked the run to stop. Clones share one flag.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicUsize>);

impl Cancel {
    /// Makes SIGINT, SIGTERM and (on Unix) SIGHUP set this flag instead of ending the process at once, so that what
    /// was begun can be cleaned up. A second signal of the same kind ends the process the default way.
    ///
    /// # Errors
    /// When the operating system refuses the handler.
    pub fn install(&self) -> std::io::Result<()> {
        use signal_hook::consts::{SIGINT, SIGTERM};
        let mut signals = vec![SIGINT, SIGTERM];
        #[cfg(unix)]
        signals.push(signal_hook::consts::SIGHUP);
        // A file that grows beyond the limit of the process (`ulimit -f`) is an error of that write, not our end.
        #[cfg(unix)]
        signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::default())?;
        for signal in signals {
            let armed = Arc::new(std::sync::atomic::AtomicBool::new(false));
            // Registered first, so it sees the flag as the previous signal left it: the first one passes it by.
            signal_hook::flag::register_conditional_default(signal, Arc::clone(&armed))?;
            signal_hook::flag::register(signal, armed)?;
            signal_hook::flag::register_usize(signal, Arc::clone(&self.0), signal.unsigned_abs() as usize)?;
        }
        Ok(())
    }

    /// The number of the signal that came, if one did.
    #[must_use]
    pub fn signal(&self) -> Option<usize> {
        Some(self.0.load(Ordering::Relaxed)).filter(|&signal| signal != 0)
    }

    /// Whether the run was asked to stop.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.signal().is_some()
    }

    /// Fails when the run was asked to stop: for loops, as `cancel.check()?`.
    ///
    /// # Errors
    /// [`Cancelled`] once a signal has come.
    pub fn check(&self) -> Result<(), Cancelled> {
        self.signal().map_or(Ok(()), |signal| Err(Cancelled { signal }))
    }

    /// Asks the run to stop, as a signal would.
    pub fn cancel(&self, signal: usize) {
        self.0.store(signal, Ordering::Relaxed);
    }
}

/// A signal asked the run to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cancelled {
    /// The signal's number, such as 15 for SIGTERM.
    pub signal: usize,
}

impl std::fmt::Display for Cancelled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = match self.signal {
            1 => "SIGHUP",
            2 => "SIGINT",
            15 => "SIGTERM",
            _ => return write!(f, "stopped by signal {}", self.signal),
        };
        write!(f, "stopped by {name}")
    }
}

impl std::error::Error for Cancelled {}

/// This machine's name, as records carry it.
#[must_use]
pub fn host_name() -> String {
    gethostname::gethostname().to_string_lossy().into_owned()
}

/// Whole milliseconds since `started`.
#[must_use]
pub fn elapsed_ms(started: Instant) -> u64 {
    u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX)
}
