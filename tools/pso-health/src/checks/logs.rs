//! `logs`: how fresh the logs are and how fast they grow. A log that stands still while its server should work is the first
//! sign of a server that hangs.

use std::borrow::Cow;
use std::cell::Cell;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use pso_common::config::{Config, ConfigValue as _, ListField, Paths};
use pso_common::io::elapsed_ms;
use pso_common::output::{bytes, printable};
use pso_common::record::{HealthCheckRecord, Labels};
use pso_common::{Severity, Timestamp};
use serde::Deserialize;

use crate::check::{Check, Context};
use crate::finding::{Finding, Findings};
use crate::limits;

/// A clock may be a little off, and file systems of other machines have their own.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(60);

/// The growth of so many logs is followed, of those that were written last.
const FOLLOWED: usize = 64;

/// So many logs that something is wrong with get a record of their own.
const TOLD: usize = 20;

/// `maintenance.health.logs`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LogsSection {
    files: ListField,
}

/// Which logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LogFiles {
    /// Each of these must be there, and is judged by itself.
    Named(Vec<PathBuf>),
    /// All `*.log` of this folder; the one that was written last is judged.
    Folder(PathBuf),
}

impl LogFiles {
    /// Resolves them: the named ones, or the folder of the layout.
    ///
    /// # Errors
    /// When the list holds a bad value.
    pub(crate) fn resolve(config: &Config, section: &LogsSection, paths: &Paths) -> anyhow::Result<Self> {
        let named: Option<Vec<PathBuf>> =
            config.pick("maintenance.health.logs.files").file_list(&section.files).optional()?;
        Ok(match named {
            Some(named) => {
                let mut all: Vec<PathBuf> = Vec::new();
                for path in named.iter().map(|path| paths.join(path)) {
                    if !all.contains(&path) {
                        all.push(path);
                    }
                }
                Self::Named(all)
            }
            None => Self::Folder(paths.logs.clone()),
        })
    }
}

pub(crate) struct Logs;

impl Check for Logs {
    fn name(&self) -> &str {
        "logs"
    }

    fn about(&self) -> Cow<'_, str> {
        "when the logs were last written to, whether they can be read, how much they have grown within the last hour"
            .into()
    }

    /// A disk that hangs says nothing about what lies on it.
    fn silence(&self) -> Severity {
        Severity::Unknown
    }

    fn run(&self, context: &Context, findings: &Findings<'_>) {
        let looker = Looker { context, findings, started: Instant::now(), wrong: Cell::new(0) };
        match &context.settings.logs {
            LogFiles::Named(paths) => {
                let logs: Vec<Log> = paths.iter().filter_map(|path| looker.look(path)).collect();
                for log in &logs {
                    let labels = Labels::from([("path".to_owned(), log.path.display().to_string())]);
                    looker.age(log, labels);
                }
                looker.growth(&logs);
                looker.whole(Severity::Ok, format!("logs looked at: {} of {}", logs.len(), paths.len()));
            }
            LogFiles::Folder(folder) => looker.folder(folder),
        }
    }
}

/// A log as it lies there.
struct Log {
    path: PathBuf,
    size: u64,
    /// When it was last written to.
    written: Timestamp,
}

struct Looker<'a> {
    context: &'a Context,
    findings: &'a Findings<'a>,
    started: Instant,
    /// Logs that something is wrong with.
    wrong: Cell<usize>,
}

impl Looker<'_> {
    fn record(&self) -> HealthCheckRecord {
        HealthCheckRecord { elapsed_ms: elapsed_ms(self.started), ..HealthCheckRecord::default() }
    }

    /// That it was looked at.
    fn whole(&self, severity: Severity, message: String) {
        let (severity, message) = match self.wrong.get().saturating_sub(TOLD) {
            0 => (severity, message),
            more => (Severity::Unknown, format!("{message}; something is wrong with {more} more than are named here")),
        };
        self.findings.push(Finding::check(severity, "logs", message, self.record()));
    }

    fn folder(&self, folder: &Path) {
        let shown = folder.display();
        let paths = match listed(folder) {
            Ok(paths) => paths,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return self.whole(Severity::Warning, format!("there is no folder {shown}: nothing is logged there"));
            }
            Err(error) => return self.whole(Severity::Unknown, format!("read the folder {shown}: {error}")),
        };
        let mut logs: Vec<Log> = paths.iter().filter_map(|path| self.look(path)).collect();
        logs.sort_by_key(|log| std::cmp::Reverse(log.written));
        let (ahead, credible): (Vec<_>, Vec<_>) = logs.iter().partition(|log| self.is_ahead(log));
        for log in ahead {
            self.age(log, Labels::new());
        }
        if let Some(newest) = credible.first() {
            self.age(newest, Labels::new());
        }
        self.growth(&logs);
        if paths.is_empty() {
            return self.whole(Severity::Warning, format!("there is no *.log in {shown}: nothing is logged there"));
        }
        let size: u64 = logs.iter().map(|log| log.size).sum();
        self.whole(Severity::Ok, format!("logs in {shown}: {}, {} together", paths.len(), bytes(size)));
    }

    /// The log, if it can be read; else what is wrong with it is told.
    fn look(&self, path: &Path) -> Option<Log> {
        let looked = fs::metadata(path).and_then(|data| {
            // A pipe would wait for a writer.
            if !data.is_file() {
                return Err(io::Error::other("it is no file"));
            }
            File::open(path)?;
            Ok((data.len(), data.modified()?))
        });
        match looked {
            Ok((size, written)) => Some(Log { path: path.to_owned(), size, written: Timestamp::new(written.into()) }),
            Err(error) => {
                self.log(path, Severity::Unknown, &error.to_string());
                None
            }
        }
    }

    /// What is wrong with one log.
    fn log(&self, path: &Path, severity: Severity, reason: &str) {
        self.wrong.set(self.wrong.get() + 1);
        if self.wrong.get() > TOLD {
            return;
        }
        let shown = path.display().to_string();
        let message = format!("{}: {reason}", printable(&shown));
        let record = HealthCheckRecord { labels: Labels::from([("path".to_owned(), shown)]), ..self.record() };
        self.findings.push(Finding::check(severity, "logs.file", message, record));
    }

    fn is_ahead(&self, log: &Log) -> bool {
        self.context.now.until(log.written) > CLOCK_TOLERANCE
    }

    /// How long ago it was written to, or that it cannot have been.
    fn age(&self, log: &Log, labels: Labels) {
        let now = self.context.now;
        if self.is_ahead(log) {
            let ahead = Duration::from_secs(now.until(log.written).as_secs()).show();
            let reason = format!("it was written {ahead} from now: a clock is wrong, or somebody has dated it");
            return self.log(&log.path, Severity::Warning, &reason);
        }
        let detail = format!("since something was written to {}", log.path.display());
        let age = log.written.until(now).as_secs_f64();
        let elapsed_ms = elapsed_ms(self.started);
        let limits = &self.context.settings.limits;
        self.findings.push(limits.judge(&limits::LOG_AGE, age, &printable(&detail), elapsed_ms, labels));
    }

    /// How much all of them have grown. One that was rotated counts from its beginning.
    fn growth(&self, logs: &[Log]) {
        let mut history = self.context.history();
        let (mut sum, mut over) = (0.0, None::<Duration>);
        for log in logs.iter().take(FOLLOWED) {
            #[expect(clippy::cast_precision_loss, reason = "bytes, exact up to 2^53")]
            let size = log.size as f64;
            if let Some(grown) = history.grown(&format!("logs {}", log.path.display()), self.context.now, &[size]) {
                sum += grown.values[0];
                over = over.max(Some(grown.over));
            }
        }
        drop(history);
        if let Some(over) = over {
            let seconds = Duration::from_secs(over.as_secs().max(1)).show();
            let elapsed_ms = elapsed_ms(self.started);
            let limits = &self.context.settings.limits;
            let detail = format!("written within {seconds}");
            self.findings.push(limits.judge(&limits::LOG_GROWTH, sum, &detail, elapsed_ms, Labels::new()));
        }
    }
}

/// The paths of all `*.log` in a folder, sorted.
fn listed(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension() == Some(OsStr::new("log")) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}
