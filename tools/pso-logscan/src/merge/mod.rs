//! `merge`: the records of many hosts or parts of a log, folded into one result.
//!
//! Folding is associative and commutative: in which order records come, and in how many steps they are merged, makes no
//! difference to the folded ones (until there are more of them than are kept apart, see [`folded`]).

mod count;
mod coverage;
mod example;
mod folded;
mod input;
mod runs;
mod template;

#[cfg(test)]
mod tests;

use std::path::Path;

use anyhow::Context as _;
use pso_common::reader::{Line, RecordReader};
use pso_common::record::{
    AnyRecord, Kind, LogCountRecord, LogCoverageRecord, LogTemplateRecord, RunEndRecord, RunStartRecord,
};
use pso_common::{Run, Severity};

use crate::cli::MergeArgs;
use crate::merge::count::Counts;
use crate::merge::coverage::Coverages;
use crate::merge::input::Input;
use crate::merge::runs::Runs;
use crate::merge::template::Templates;
use crate::report::sum::Judge;
use crate::settings::MergeSettings;

/// The path that stands for standard input.
const STDIN: &str = "-";

/// What has been folded so far.
#[derive(Default)]
struct Merge {
    counts: Counts,
    templates: Templates,
    coverages: Coverages,
    runs: Runs,
}

/// Folds the records of all inputs.
///
/// # Errors
/// When a signal asked to stop, or stdout is closed or cannot be written. Input that cannot be read, or is no record, is a
/// `log.coverage` of severity `unknown`.
pub(crate) fn run(run: &mut Run<'_>, args: &MergeArgs, settings: &MergeSettings) -> anyhow::Result<()> {
    let mut merge = Merge::default();
    if args.files.is_empty() {
        merge.stdin(run)?;
    }
    for path in &args.files {
        if path == Path::new(STDIN) {
            merge.stdin(run)?;
            continue;
        }
        let mut input = Input::of_file(path);
        match std::fs::File::open(path) {
            Ok(file) => merge.read(run, file, &mut input)?,
            Err(error) => input.unreadable(&error),
        }
        merge.coverages.add_unknown(input.name(), input.verdict());
    }
    merge.runs.finish(args.expect, &mut merge.coverages);
    merge.finish(run, settings)
}

impl Merge {
    fn stdin(&mut self, run: &mut Run<'_>) -> anyhow::Result<()> {
        if run.is_interactive() {
            run.warn("reading records from the terminal; end them with Ctrl-D, or see --help");
        }
        let (stdin, mut input) = (run.take_stdin(), Input::of_stdin());
        self.read(run, stdin, &mut input)?;
        self.coverages.add_unknown(input.name(), input.verdict());
        Ok(())
    }

    /// Reads one input to its end, or as far as it can be read.
    fn read(&mut self, run: &mut Run<'_>, source: impl std::io::Read, input: &mut Input) -> anyhow::Result<()> {
        let mut reader = RecordReader::new(source);
        loop {
            run.cancel().check().context("merge records")?;
            match reader.next_line() {
                Ok(None) => return Ok(()),
                Ok(Some(Line::Malformed(line))) => input.malformed(line.line, &line.reason),
                Ok(Some(Line::Record(record))) => {
                    input.record();
                    if let Err(error) = self.fold(run, &record)? {
                        input.malformed(reader.line(), &format!("it is no {}: {error}", record.header.kind));
                        run.pass(&record)?;
                    }
                }
                Err(error) => {
                    run.cancel().check().context("merge records")?;
                    input.cut(reader.line(), &error);
                    return Ok(());
                }
            }
        }
    }

    /// Takes a record in, or passes it on; the inner error is that it lacks the fields of its kind.
    fn fold(&mut self, run: &mut Run<'_>, record: &AnyRecord) -> anyhow::Result<Result<(), serde_json::Error>> {
        let header = &record.header;
        // A part is a run of this tool; runs of others are for those who read what is passed on.
        let of_part = header.tool == crate::TOOL.name;
        Ok(match header.kind.as_str() {
            LogCountRecord::KIND => record.fields().map(|body| self.counts.add(header.severity, body)),
            LogTemplateRecord::KIND => record.fields().map(|body| self.templates.add(header, body)),
            LogCoverageRecord::KIND => record.fields().map(|body| self.coverages.add(header, body)),
            RunStartRecord::KIND if of_part => record.fields().map(|body| self.runs.begin(header, &body)),
            RunEndRecord::KIND if of_part => {
                record.fields().map(|body| self.runs.end(header, &body, &mut self.coverages))
            }
            _ => {
                run.pass(record)?;
                Ok(())
            }
        })
    }

    fn finish(self, run: &mut Run<'_>, settings: &MergeSettings) -> anyhow::Result<()> {
        for (kind, lost) in
            [("counts", self.counts.lost()), ("templates", self.templates.lost()), ("inputs", self.coverages.lost())]
        {
            if lost > 0 {
                run.note(Severity::Warning);
                run.warn(format_args!("there are more {kind} than are kept apart: {lost} were counted as (other)"));
            }
        }
        let extent = self.coverages.extent();
        self.coverages.write(run)?;
        let judge = Judge { max_errors: settings.max_errors, classes: &settings.classes };
        self.counts.write(run, &judge, extent)?;
        self.templates.write(run)
    }
}
