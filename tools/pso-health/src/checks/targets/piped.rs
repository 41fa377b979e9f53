//! Targets that come through a pipe: `health.target` records on stdin.

use anyhow::Context as _;
use pso_common::config::{CommandLine, ConfigValue as _, Paths};
use pso_common::output::printable;
use pso_common::reader::{Line, RecordReader};
use pso_common::record::HealthTargetRecord;
use pso_common::{Run, Severity};

use super::spec::{Spec, Statuses, TargetUrl};

/// One record.
pub(crate) struct Piped {
    /// Its line in the input.
    pub(super) line: u64,
    name: String,
    body: HealthTargetRecord,
    commands_allowed: bool,
}

impl Piped {
    /// Reads stdin to its end: every record is passed on, the targets are kept, and what is no record is told.
    ///
    /// # Errors
    /// When a signal comes, stdin cannot be read or stdout cannot be written.
    pub(crate) fn read(run: &mut Run<'_>, commands_allowed: bool) -> anyhow::Result<Vec<Self>> {
        let mut reader = RecordReader::new(run.take_stdin());
        let mut all = Vec::new();
        while let Some(line) = reader.next_line().context("read records from stdin")? {
            let record = match line {
                Line::Record(record) => record,
                Line::Malformed(malformed) => {
                    refuse(run, &malformed.to_string());
                    continue;
                }
            };
            run.pass(&record)?;
            match record.as_kind::<HealthTargetRecord>() {
                None => {}
                Some(Ok(target)) => all.push(Self {
                    line: reader.line(),
                    name: target.header.name,
                    body: target.body,
                    commands_allowed,
                }),
                Some(Err(error)) => {
                    refuse(run, &format!("line {} of the input is no health.target: {error}", reader.line()));
                }
            }
        }
        Ok(all)
    }

    /// What it says.
    ///
    /// # Errors
    /// When a value of it is a bad one.
    pub(super) fn spec(self, paths: &Paths) -> anyhow::Result<Spec> {
        let HealthTargetRecord {
            http,
            tcp,
            command,
            method,
            status,
            contains,
            json,
            max_ms,
            tls,
            ca_file,
            timeout_ms,
            retries,
        } = self.body;
        let url = |text: String| TargetUrl::parse(&text).context(format!("http: expected {}", TargetUrl::EXPECTED));
        let program = |words: Vec<String>| {
            let command = CommandLine::program(words);
            command.context("command: expected a list of a program and its arguments")
        };
        Ok(Spec {
            name: Some(self.name),
            http: http.map(url).transpose()?,
            tcp,
            command: command.map(program).transpose()?,
            method,
            status: (!status.is_empty()).then_some(Statuses(status)),
            contains,
            json: json.into_iter().collect(),
            max_ms,
            headers: Vec::new(),
            tls,
            ca_file: ca_file.map(|path| if path == "system" { path.into() } else { paths.join(path.as_ref()) }),
            timeout: timeout_ms.map(std::time::Duration::from_millis),
            retries,
            withheld: !self.commands_allowed,
        })
    }
}

/// Tells of input that cannot be used. The exit code says that not all was looked at.
pub(crate) fn refuse(run: &mut Run<'_>, what: &str) {
    run.note(Severity::Unknown);
    run.warn(printable(what));
}
