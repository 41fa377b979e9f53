//! `pso-alert try`: what these rules would have told of these records, and when.
//!
//! Nobody is told, no state file is touched, and the time is the records' own, so that a recorded week takes seconds: `at`
//! of what is written is when it would have been. Time passes with the records: incidents are judged at the end of each run and round, and whenever a minute has gone by.

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use pso_common::reader::{Line, RecordReader};
use pso_common::record::{AnyRecord, HealthRoundRecord, Kind as _, RunEndRecord};
use pso_common::{Run, Severity, Timestamp};

use crate::batch::Batch;
use crate::cli::Cli;
use crate::evaluate::{group, rehearse};
use crate::rules::Rules;
use crate::settings::Settings;
use crate::store::Store;
use crate::tell::write_change;
use crate::text::one_line;

/// So much time of the records passes between two looks at all incidents, at most.
const STEP: Duration = Duration::from_secs(60);

/// Lines that are no records and are reported one by one.
const MAX_REPORTED: u64 = 10;

pub(crate) fn run(run: &mut Run<'_>, cli: &Cli, rules: Option<&Path>) -> anyhow::Result<()> {
    let settings = Settings::resolve(cli, rules.map(Path::to_path_buf), run.config())?;
    if settings.printed(run)? {
        return Ok(());
    }
    if run.is_interactive() {
        run.warn("reading records from the terminal; end them with Ctrl-D, or see --help");
    }
    let mut reader = RecordReader::new(run.take_stdin());
    let mut trial = Trial {
        rules: Rules::new(&settings.alerts.rules, settings.min_severity),
        batch: Batch::default(),
        settings: &settings,
        store: Store::in_memory()?,
        now: None,
        judged_at: None,
        records: 0,
        malformed: 0,
        told: Told::default(),
    };
    while let Some(line) = reader.next_line().context("read records from stdin")? {
        run.cancel().check()?;
        match line {
            Line::Record(record) => trial.judge(run, &record)?,
            Line::Malformed(line) => trial.report(run, &line.to_string()),
        }
    }
    trial.finish(run)
}

struct Trial<'s> {
    rules: Rules,
    batch: Batch,
    settings: &'s Settings,
    store: Store,
    /// The latest that a record said it is.
    now: Option<Timestamp>,
    /// When incidents were judged last.
    judged_at: Option<Timestamp>,
    records: u64,
    malformed: u64,
    told: Told,
}

/// What people would have read.
#[derive(Default)]
struct Told {
    notices: u64,
    incidents: HashSet<String>,
    /// Notices of one group that are due at the same time are one message.
    messages: u64,
}

impl Trial<'_> {
    fn judge(&mut self, run: &mut Run<'_>, record: &AnyRecord) -> anyhow::Result<()> {
        let header = &record.header;
        self.records += 1;
        // A record from the future must not take all others with it.
        let at = header.at.min(run.now());
        let judged_at = *self.judged_at.get_or_insert(at);
        if judged_at.until(at) >= STEP {
            self.evaluate(run)?;
        }
        self.now = Some(self.now.map_or(at, |now| now.max(at)));
        self.batch.passed(header.at);
        if let Err(error) = self.rules.judge(record, &mut self.batch) {
            let what = format!("the record {} of {} is no {}: {error}", header.name, header.tool, header.kind);
            self.report(run, &what);
            self.rules.judge_header(record, &mut self.batch);
        }
        for misfit in self.rules.misfits() {
            self.report(run, &misfit);
        }
        match header.kind.as_str() {
            HealthRoundRecord::KIND | RunEndRecord::KIND => self.evaluate(run),
            _ => Ok(()),
        }
    }

    /// Judges what has come so far, at the time that the last record said.
    fn evaluate(&mut self, run: &mut Run<'_>) -> anyhow::Result<()> {
        let Some(now) = self.now else { return Ok(()) };
        self.judged_at = Some(now);
        let Settings { source, alerts, .. } = self.settings;
        let mut batch = std::mem::take(&mut self.batch);
        batch.close(source, now);
        let evaluated = rehearse(&self.store, &batch, source, alerts, now)?;
        let mut groups = HashSet::new();
        // When they would have been told.
        run.play(Some(now));
        for change in &evaluated.changes {
            if let Some(because) = change.because {
                let options = alerts.policy.of(&change.incident.rule);
                let notice = change.incident.notice(because, options.runbook.as_deref());
                groups.insert(group(&alerts.policy, &notice));
                self.told.notices += 1;
                self.told.incidents.insert(notice.incident);
            }
            write_change(run, &alerts.policy, change, change.because.is_some())?;
        }
        run.play(None);
        self.told.messages += groups.len() as u64;
        self.batch = Batch::new(evaluated.known);
        Ok(())
    }

    fn report(&mut self, run: &mut Run<'_>, what: &str) {
        self.malformed += 1;
        run.note(Severity::Unknown);
        if self.malformed <= MAX_REPORTED {
            run.warn(one_line(what, 300));
        }
    }

    fn finish(mut self, run: &mut Run<'_>) -> anyhow::Result<()> {
        self.rules.at_end(&mut self.batch);
        self.evaluate(run)?;
        if self.malformed > MAX_REPORTED {
            run.warn(format_args!("{} more such lines, not shown", self.malformed - MAX_REPORTED));
        }
        let Told { notices, incidents, messages } = &self.told;
        let of = format!("of {}", count(self.records, "record"));
        let file = self.settings.file.display();
        match *notices {
            0 => run.warn(format_args!("{of}, {file} would have told nothing")),
            notices => run.warn(format_args!(
                "{of}, {file} would have told {} about {}, in {} a channel at most",
                count(notices, "notice"),
                count(incidents.len() as u64, "incident"),
                count(*messages, "message")
            )),
        }
        Ok(())
    }
}

fn count(number: u64, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}
