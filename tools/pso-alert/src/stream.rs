//! The main task: records in, incidents found, people told.

use std::io::Read;

use anyhow::Context as _;
use pso_common::reader::{Line, RecordReader};
use pso_common::record::{AnyRecord, HealthRoundRecord, Kind as _};
use pso_common::{Run, Severity};

use crate::cli::Cli;
use crate::incidents::Incidents;
use crate::notice::Notice;
use crate::rules::Rules;
use crate::settings::Settings;
use crate::tell::tell;

/// Lines that are no records and are reported one by one.
const MAX_REPORTED: u64 = 10;

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
    let input = run.take_stdin();
    let mut judging = Judging {
        rules: Rules::new(settings.alerts.thresholds, settings.min_severity),
        incidents: Incidents::default(),
        pass: cli.passes(),
        counts: !cli.exit_zero,
        records: 0,
        malformed: 0,
        first_malformed: String::new(),
    };
    let read = judging.read(run, input, &settings);
    let counts = judging.counts;
    let notices = judging.finish(run, read.is_ok());
    // What is known is told even when the rest could not be read; a signal, though, means to stop.
    run.cancel().check().context("notices were not delivered")?;
    tell(run, &settings, &notices, counts)?;
    read
}

/// One input being judged. Its records are not kept.
struct Judging {
    rules: Rules,
    incidents: Incidents,
    pass: bool,
    counts: bool,
    records: u64,
    malformed: u64,
    first_malformed: String,
}

impl Judging {
    fn read(&mut self, run: &mut Run<'_>, input: impl Read, settings: &Settings) -> anyhow::Result<()> {
        let mut reader = RecordReader::new(input);
        loop {
            run.cancel().check()?;
            match reader.next_line().context("read records from stdin")? {
                None => return Ok(()),
                Some(Line::Record(record)) => {
                    self.judge(run, &record)?;
                    // The input of a run that goes on has no end to wait for.
                    if record.header.kind == HealthRoundRecord::KIND {
                        let incidents = std::mem::take(&mut self.incidents);
                        tell(run, settings, &incidents.into_notices(run.now()), self.counts)?;
                    }
                }
                Some(Line::Malformed(line)) => self.report(run, &line.to_string()),
            }
        }
    }

    fn judge(&mut self, run: &mut Run<'_>, record: &AnyRecord) -> anyhow::Result<()> {
        self.records += 1;
        if self.pass {
            run.pass(record)?;
        }
        match self.rules.judge(record) {
            Ok(verdict) => {
                if self.counts {
                    run.note(verdict.severity);
                }
                verdict.notice.into_iter().for_each(|notice| self.incidents.add(notice));
            }
            Err(error) => {
                let header = &record.header;
                let what = format!("the record {} of {} is no {}: {error}", header.name, header.tool, header.kind);
                self.report(run, &what);
                // Its header can be read, and may be all that somebody has to say.
                let verdict = self.rules.by_severity(record);
                verdict.notice.into_iter().for_each(|notice| self.incidents.add(notice));
            }
        }
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

    /// All notices, with those that only the end of the input gives; a run without its end says something only when the
    /// input was read `to_its_end`.
    fn finish(mut self, run: &mut Run<'_>, to_its_end: bool) -> Vec<Notice> {
        let now = run.now();
        if self.malformed > MAX_REPORTED {
            run.warn(format_args!("{} more such lines, not shown", self.malformed - MAX_REPORTED));
        }
        if self.malformed > 0 {
            let message = format!("part of the input is no record; the first such: {}", self.first_malformed);
            let mut notice = Notice::of_input("input.malformed", Severity::Unknown, &message, now);
            notice.count = self.malformed;
            self.incidents.add(notice);
        }
        if to_its_end {
            self.rules.at_end().into_iter().for_each(|notice| self.incidents.add(notice));
            if self.records == 0 && self.malformed == 0 {
                let message = "no records came in: what should have written them did not run";
                self.incidents.add(Notice::of_input("input.empty", Severity::High, message, now));
            }
        }
        self.incidents.into_notices(now)
    }
}
