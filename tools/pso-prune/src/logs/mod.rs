//! Log files: removed past their retention, compressed before it where that is wanted, and no more of them than the cap.
//!
//! A file that a process has open is left alone, as is one that was written to within the hour. What is removed is the very
//! file that was planned ([`folder`]).

mod choose;
mod compress;
mod find;
mod folder;
mod identity;
mod name;
mod open;
mod settings;

use std::io;
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context as _;
use pso_common::output::bytes;
use pso_common::record::{PrunePart, StepState};
use pso_common::run::Confirmed;
use pso_common::{Run, Severity, Timestamp};

use crate::cleaning::Plan;
use crate::settings::Settings;
use crate::step::Step;

pub(crate) use compress::is_unfinished;
pub(crate) use folder::Folder;
pub(crate) use identity::Identity;
pub(crate) use settings::{LogsSection, LogsSettings};

use choose::{Choice, Item, Why, choose};
use compress::{Packed, pack};
use folder::is_changed;
use open::{Held, OpenFiles};

/// Finds out which logs are past their retention.
///
/// # Errors
/// When records cannot be written.
pub(crate) fn plan(run: &mut Run<'_>, settings: &Settings) -> anyhow::Result<Box<dyn Plan>> {
    let (found, unseen) = find::find(&settings.logs.folders, &settings.paths.backups);
    for (path, reason) in unseen {
        let step = Step::new(PrunePart::Logs, "look", path);
        step.says(Severity::Warning, format!("it cannot be looked at: {reason}")).emit(
            run,
            StepState::Skipped,
            None,
        )?;
    }
    let mut open = OpenFiles::of(found.iter());
    let retention = Duration::from_secs(u64::from(settings.retention_days) * 86_400);
    let now = SystemTime::from(run.now().to_utc());
    let choice = choose(found, &settings.logs, retention, now, |file| open.held(file));
    for kept in &choice.kept {
        let step = Step::new(PrunePart::Logs, "remove", kept.object.as_str());
        step.says(kept.severity, format!("it stays: {}", kept.reason)).emit(run, StepState::Skipped, None)?;
    }
    if let (Some(over), Some(most)) = (choice.over, settings.logs.max_total_size) {
        let folders: Vec<String> = settings.logs.folders.iter().map(|folder| folder.display().to_string()).collect();
        let said = format!(
            "the logs take {} more than maintenance.prune.logs.max_total_size ({}), and those that remain are in use",
            bytes(over),
            bytes(most)
        );
        let step = Step::new(PrunePart::Logs, "remove", folders.join(" and "));
        step.says(Severity::Warning, said).emit(run, StepState::Skipped, None)?;
    }
    Ok(Box::new(LogsPlan { choice, open, retention_days: settings.retention_days, settings: settings.logs.clone() }))
}

struct LogsPlan {
    choice: Choice,
    open: OpenFiles,
    retention_days: u32,
    settings: LogsSettings,
}

/// What has become of a step.
struct Outcome {
    state: StepState,
    severity: Severity,
    said: String,
    /// Bytes that are free now.
    freed: u64,
}

impl Outcome {
    fn skipped(severity: Severity, said: impl Into<String>) -> Self {
        Self { state: StepState::Skipped, severity, said: said.into(), freed: 0 }
    }

    /// What stands in the way of one file: it has changed, or it could not be done.
    fn of_error(error: &anyhow::Error) -> Self {
        let io = error.chain().find_map(|cause| cause.downcast_ref::<io::Error>());
        match io {
            Some(io) if is_changed(io) => Self::skipped(Severity::Warning, format!("{error:#}")),
            Some(io) if io.kind() == io::ErrorKind::NotFound => Self::skipped(Severity::Ok, "it is gone already"),
            _ => Self {
                state: StepState::Failed,
                severity: Severity::High,
                said: format!("{error:#}; the log is as it was"),
                freed: 0,
            },
        }
    }
}

impl Plan for LogsPlan {
    fn steps(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        for item in &self.choice.items {
            if item.pack {
                steps.push(self.compress_step(item));
            }
            steps.extend(item.remove.map(|why| self.remove_step(item, why)));
        }
        steps
    }

    fn apply(self: Box<Self>, run: &mut Run<'_>, _settings: &Settings, _consent: &Confirmed) -> anyhow::Result<()> {
        let mut this = *self;
        let items = std::mem::take(&mut this.choice.items);
        for item in items.iter().filter(|item| item.remove == Some(Why::Age)) {
            run.cancel().check()?;
            let started = Instant::now();
            let outcome = this.remove(item, None);
            this.tell(run, this.remove_step(item, Why::Age), outcome, started)?;
        }
        let mut packed: Vec<Option<Packed>> = Vec::new();
        for item in &items {
            run.cancel().check()?;
            let started = Instant::now();
            let mut made = None;
            if item.pack {
                let outcome = this.compress(run, item, &mut made);
                // A run that is to stop has not failed at this file.
                run.cancel().check()?;
                this.tell(run, this.compress_step(item), outcome, started)?;
            }
            packed.push(made);
        }
        let most = this.settings.max_total_size.unwrap_or(u64::MAX);
        for (item, packed) in items.iter().zip(packed).filter(|(item, _)| item.remove == Some(Why::Size)) {
            run.cancel().check()?;
            let started = Instant::now();
            let outcome = if this.choice.total > most {
                this.remove(item, packed)
            } else {
                Outcome::skipped(
                    Severity::Ok,
                    format!("all logs together take {} by now: it may stay", bytes(this.choice.total)),
                )
            };
            this.tell(run, this.remove_step(item, Why::Size), outcome, started)?;
        }
        Ok(())
    }
}

impl LogsPlan {
    fn remove_step(&self, item: &Item, why: Why) -> Step {
        let said = match why {
            Why::Age => format!(
                "last written {}, more than {} days ago",
                Timestamp::new(item.file.identity.modified.into()),
                self.retention_days
            ),
            Why::Size => {
                let still = if item.pack { "still " } else { "" };
                let most = bytes(self.settings.max_total_size.unwrap_or_default());
                format!("where the logs {still}take more than {most}: one of the oldest")
            }
        };
        self.step(item, "remove", said)
    }

    fn compress_step(&self, item: &Item) -> Step {
        let said = format!("last written {}", Timestamp::new(item.file.identity.modified.into()));
        self.step(item, "compress", said)
    }

    fn step(&self, item: &Item, name: &'static str, said: String) -> Step {
        let mut step = Step::new(PrunePart::Logs, name, item.file.shown()).says(Severity::Ok, said);
        (step.files, step.size_bytes) = (Some(1), Some(item.file.identity.size));
        step
    }

    fn tell(&mut self, run: &mut Run<'_>, mut step: Step, outcome: Outcome, started: Instant) -> anyhow::Result<()> {
        self.choice.total = self.choice.total.saturating_sub(outcome.freed);
        if outcome.state == StepState::Done {
            step.size_bytes = Some(outcome.freed);
        } else {
            step.files = Some(0);
        }
        if !outcome.said.is_empty() {
            step = step.says(outcome.severity, outcome.said);
        }
        step.emit(run, outcome.state, Some(started))
    }

    /// Removes a log, or what was made of it.
    fn remove(&mut self, item: &Item, packed: Option<Packed>) -> Outcome {
        if let Some(outcome) = self.held(item) {
            return outcome;
        }
        let (name, identity) = match &packed {
            Some(packed) => (packed.name.as_os_str(), packed.identity),
            None => (item.file.name(), item.file.identity),
        };
        let removed = Folder::open(&item.file.root, item.file.folder())
            .and_then(|folder| folder.remove(name, &identity))
            .context("remove it");
        match removed {
            Ok(()) => {
                Outcome { state: StepState::Done, severity: Severity::Ok, said: String::new(), freed: identity.size }
            }
            Err(error) => Outcome::of_error(&error),
        }
    }

    /// Compresses a log and removes it.
    fn compress(&mut self, run: &Run<'_>, item: &Item, made: &mut Option<Packed>) -> Outcome {
        if let Some(outcome) = self.held(item) {
            return outcome;
        }
        let (name, identity) = (item.file.name(), item.file.identity);
        let result =
            Folder::open(&item.file.root, item.file.folder()).map_err(anyhow::Error::from).and_then(|folder| {
                let packed = pack(&folder, name, &identity, self.settings.format, run.cancel())?;
                Ok((folder, packed))
            });
        let (folder, packed) = match result.context("compress it") {
            Ok(done) => done,
            Err(error) => return Outcome::of_error(&error),
        };
        // Somebody may have come to it in the time that it took.
        let outcome = match self.held(item) {
            None => folder.remove(name, &identity).context("remove it, now that it is compressed"),
            Some(outcome) => Err(anyhow::anyhow!(outcome.said)),
        };
        if let Err(error) = outcome {
            if !packed.was_there {
                let _ = folder.unlink(&packed.name);
            }
            return match error.downcast_ref::<io::Error>() {
                Some(_) => Outcome::of_error(&error),
                None => Outcome::skipped(Severity::Info, format!("{error:#}")),
            };
        }
        let size = packed.identity.size;
        let by = if packed.was_there { "an earlier run had made" } else { "now" };
        let said = format!("{by} {}: {} of {}", packed.name.display(), bytes(size), bytes(identity.size));
        let freed = identity.size.saturating_sub(size);
        *made = Some(packed);
        Outcome { state: StepState::Done, severity: Severity::Ok, said, freed }
    }

    fn held(&mut self, item: &Item) -> Option<Outcome> {
        match self.open.held(&item.file) {
            Held::No => None,
            Held::By(who) => Some(Outcome::skipped(Severity::Info, format!("it stays: {who} has it open by now"))),
            Held::Perhaps(reason) => Some(Outcome::skipped(Severity::Warning, format!("it stays: {reason}"))),
        }
    }
}
