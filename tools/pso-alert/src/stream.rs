//! The main task: records in, incidents judged, people told.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use pso_common::reader::Line;
use pso_common::record::{AnyRecord, HealthRoundRecord, Kind as _};
use pso_common::{Run, Severity};

use crate::batch::Batch;
use crate::cli::Cli;
use crate::evaluate::evaluate;
use crate::finding::{Finding, Subject};
use crate::inbox::{Inbox, Item};
use crate::pulse::Pulse;
use crate::rules::Rules;
use crate::settings::Settings;
use crate::tell::Teller;

/// Lines that are no records and are reported one by one.
const MAX_REPORTED: u64 = 10;

/// What was found waits for more of the same input no longer than this: a pipe may have no end.
const EVALUATE_EVERY: Duration = Duration::from_secs(10);

pub(crate) fn run(run: &mut Run<'_>, cli: &Cli) -> anyhow::Result<()> {
    let settings = Settings::resolve(cli, None, run.config())?;
    if settings.printed(run)? {
        return Ok(());
    }
    // A closed stdout must not keep anybody from being told.
    run.must_finish();
    if run.is_interactive() {
        run.warn("reading records from the terminal; end them with Ctrl-D, or see --help");
    }
    let inbox = Inbox::default();
    inbox.read(run.take_stdin());
    let mut teller = Teller::start(run, &settings, &inbox, !cli.exit_zero)?;
    teller.start_heartbeat(run);
    let mut judging = Judging {
        rules: Rules::new(&settings.alerts.rules, settings.min_severity),
        batch: Batch::new(teller.known()?),
        pulse: Pulse::default(),
        settings: &settings,
        teller,
        pass: cli.passes(),
        counts: !cli.exit_zero,
        records: 0,
        malformed: 0,
        first_malformed: String::new(),
    };
    let read = judging.read(run, &inbox);
    judging.finish(run, &inbox, read)
}

/// One input being judged. Its records are not kept.
struct Judging<'s> {
    rules: Rules,
    batch: Batch,
    pulse: Pulse,
    settings: &'s Settings,
    teller: Teller<'s>,
    pass: bool,
    counts: bool,
    records: u64,
    malformed: u64,
    first_malformed: String,
}

impl Judging<'_> {
    /// Judges the input to its end.
    fn read(&mut self, run: &mut Run<'_>, inbox: &Inbox) -> anyhow::Result<()> {
        let mut next = Instant::now() + EVALUATE_EVERY;
        loop {
            run.cancel().check()?;
            for item in inbox.take(next.saturating_duration_since(Instant::now())) {
                match item {
                    Item::Line(Line::Record(record)) => self.judge(run, &record)?,
                    Item::Line(Line::Malformed(line)) => self.report(run, &line.to_string()),
                    Item::End(end) => return end.context("read records from stdin"),
                    Item::News(news) => self.teller.hear(run, news)?,
                    Item::Delivered => {}
                }
            }
            run.flush_passed()?;
            if Instant::now() >= next {
                self.evaluate(run)?;
                next = Instant::now() + EVALUATE_EVERY;
            }
        }
    }

    fn judge(&mut self, run: &mut Run<'_>, record: &AnyRecord) -> anyhow::Result<()> {
        self.records += 1;
        if self.pass {
            run.pass(record)?;
        }
        self.batch.passed(record.header.at);
        match self.rules.judge(record, &mut self.batch) {
            Ok(severity) => {
                if self.counts {
                    run.note(severity);
                }
            }
            Err(error) => {
                let header = &record.header;
                let what = format!("the record {} of {} is no {}: {error}", header.name, header.tool, header.kind);
                self.report(run, &what);
                self.rules.judge_header(record, &mut self.batch);
            }
        }
        for misfit in self.rules.misfits() {
            self.report(run, &misfit);
        }
        // The input of a run that goes on has no end to wait for.
        if record.header.kind == HealthRoundRecord::KIND {
            let subject = self.pulse.round(&record.header, Instant::now());
            self.batch.saw(&subject, record.header.at, Vec::new());
            let worst = self.batch.worst();
            self.evaluate(run)?;
            self.teller.beat(worst);
        }
        Ok(())
    }

    /// Judges what has come so far, and lets time act.
    fn evaluate(&mut self, run: &mut Run<'_>) -> anyhow::Result<()> {
        let mut batch = std::mem::take(&mut self.batch);
        let no_data = self.settings.alerts.policy.no_data;
        self.pulse.late(no_data, Instant::now(), run.now()).into_iter().for_each(|late| batch.add(late));
        batch.close(&self.settings.source, run.now());
        let evaluated = evaluate(self.teller.store(), &batch, &self.settings.source, &self.settings.alerts, run.now())?;
        // While people are told, what was gathered need not be in memory any more.
        drop(batch);
        evaluated.warn(run);
        self.teller.tell(run, &evaluated.changes)?;
        self.batch = Batch::new(evaluated.known);
        Ok(())
    }

    fn report(&mut self, run: &mut Run<'_>, what: &str) {
        self.malformed += 1;
        // Whoever asked for it, the exit code says that not all was read.
        run.note(Severity::Unknown);
        let what = crate::text::one_line(what, 300);
        if self.malformed <= MAX_REPORTED {
            run.warn(&what);
        }
        if self.malformed == 1 {
            self.first_malformed = what;
        }
    }

    /// Judges what only the end of the input shows, and delivers.
    fn finish(mut self, run: &mut Run<'_>, inbox: &Inbox, read: anyhow::Result<()>) -> anyhow::Result<()> {
        let now = run.now();
        if self.malformed > MAX_REPORTED {
            run.warn(format_args!("{} more such lines, not shown", self.malformed - MAX_REPORTED));
        }
        let subject = Subject::input(&self.settings.source);
        let input =
            |rule: &'static str, severity, message: &str| Finding::about(subject.clone(), rule, severity, message, now);
        let mut findings = Vec::new();
        if self.malformed > 0 && self.rules.is_on("input.malformed") {
            let message = format!("part of the input is no record; the first such: {}", self.first_malformed);
            let mut finding = input("input.malformed", Severity::Unknown, &message);
            finding.count = self.malformed;
            findings.push(finding);
        }
        // What the end shows was only seen when it was read to its end.
        if read.is_ok() {
            self.rules.at_end(&mut self.batch);
            if self.records == 0 && self.malformed == 0 && self.rules.is_on("input.empty") {
                let message = "no records came in: what should have written them did not run";
                findings.push(input("input.empty", Severity::High, message));
            }
            self.batch.saw(&subject, now, findings);
        } else {
            findings.into_iter().for_each(|finding| self.batch.add(finding));
        }
        if self.counts {
            run.note(self.batch.worst());
        }
        // What is known is told even when the rest could not be read; a signal, though, means to stop.
        self.evaluate(run)?;
        if read.is_err() {
            self.teller.fails();
        }
        self.teller.finish(run, inbox)?;
        read
    }
}
