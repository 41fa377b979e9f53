//! `command.NAME`: a program that answers as a Nagios plugin does, with its exit code, a line of text and numbers.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use pso_common::Severity;
use pso_common::config::{CommandLine, ConfigValue as _};
use pso_common::io::elapsed_ms;
use pso_common::record::{HealthCheckRecord, Layer};

use super::child::{Ended, Exit, Running};
use super::perfdata;
use super::spec::Common;
use crate::check::{Check, Context};
use crate::finding::{Finding, Findings, shown};

pub(super) struct CommandTarget {
    pub(super) common: Common,
    pub(super) command: CommandLine,
    pub(super) running: Running,
}

impl Check for CommandTarget {
    fn name(&self) -> &str {
        &self.common.check
    }

    fn about(&self) -> Cow<'_, str> {
        format!("what {} says (a Nagios plugin's exit code, text and numbers)", shown(&self.command.to_string())).into()
    }

    /// A program that hangs tells nothing of what it was to look at.
    fn silence(&self) -> Severity {
        Severity::Unknown
    }

    fn timeout(&self) -> Option<Duration> {
        self.common.timeout
    }

    fn retries(&self) -> Option<u32> {
        self.common.retries
    }

    fn run(&self, context: &Context, findings: &Findings<'_>) {
        let timeout = self.common.timeout.unwrap_or(context.settings.timeout);
        let started = Instant::now();
        let result = self.running.run(self.command.command(), timeout);
        let elapsed_ms = elapsed_ms(started);
        let check = |severity, message, layer| {
            let record = HealthCheckRecord { layer, elapsed_ms, ..HealthCheckRecord::default() };
            Finding::check(severity, self.name(), message, record)
        };
        let ended = match result {
            Ok(ended) => ended,
            Err(error) => {
                let message = format!("{} cannot be started: {error}", super::program(&self.command));
                return findings.push(check(Severity::Unknown, message, None));
            }
        };
        let output = String::from_utf8_lossy(&ended.stdout);
        let (text, numbers) = perfdata::split(&output);
        let severity = match ended.exit {
            Exit::Code(0) => Severity::Ok,
            Exit::Code(1) => Severity::Warning,
            Exit::Code(2) => Severity::Critical,
            _ => Severity::Unknown,
        };
        // What it could tell is an answer and is not asked for again; what it could not may be worth another attempt.
        let layer = (severity == Severity::Unknown).then_some(Layer::Read);
        findings.push(check(severity, message(&ended, text, timeout), layer));
        for number in numbers {
            let (own, record) = number.record(elapsed_ms);
            // The program has judged the whole: its numbers are not worse than that.
            let name = format!("{}.{}", self.name(), number.label);
            findings.push(Finding::metric(own.min(severity), name, number.show(), record));
        }
    }

    fn stop(&self) {
        self.running.stop();
    }
}

/// How it ended where that is unusual, and what it said.
fn message(ended: &Ended, text: &str, timeout: Duration) -> String {
    let how = match ended.exit {
        Exit::Code(0..=3) => None,
        Exit::Code(code @ (126 | 127)) => Some(format!("exit code {code}, no such program or no right to run it")),
        Exit::Code(code) => Some(format!("exit code {code}, where a plugin has 0 to 3")),
        Exit::Killed(Some(signal)) => Some(format!("ended by signal {signal}")),
        Exit::Killed(None) => Some("ended without an exit code".to_owned()),
        Exit::TimedOut => Some(format!("not done within {}, and ended with all that it had started", timeout.show())),
    };
    let stderr = String::from_utf8_lossy(&ended.stderr);
    let said = match (text, stderr.lines().find(|line| !line.trim().is_empty())) {
        ("", None) => "it said nothing".to_owned(),
        ("", Some(line)) => format!("it said nothing but, on stderr, {:?}", shown(line)),
        (text, _) => line(text),
    };
    match how {
        Some(how) => format!("{how}; {said}"),
        None => said,
    }
}

/// A plugin's line is longer than what servers say of themselves, and worth it.
fn line(text: &str) -> String {
    const LONGEST: usize = 500;
    let end = text.char_indices().nth(LONGEST).map_or(text.len(), |(end, _)| end);
    let cut = if end < text.len() { "…" } else { "" };
    format!("{}{cut}", pso_common::output::printable(&text[..end]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(exit: Exit, stdout: &str, stderr: &str) -> String {
        let ended = Ended { exit, stdout: stdout.into(), stderr: stderr.into() };
        message(&ended, perfdata::split(stdout).0, Duration::from_secs(3))
    }

    #[test]
    fn what_a_program_said_is_told_and_how_it_ended_where_that_is_odd() {
        assert_eq!(said(Exit::Code(2), "DISK CRITICAL - 3 % | /=97%\nmore", "ignored"), "DISK CRITICAL - 3 %");
        assert_eq!(said(Exit::Code(0), "\n", ""), "it said nothing");
        let missing = said(Exit::Code(127), "", "\nsh: 1: nope: not found\n");
        assert_eq!(
            missing,
            "exit code 127, no such program or no right to run it; it said nothing but, on stderr, \"sh: 1: nope: not \
             found\""
        );
        assert_eq!(
            said(Exit::TimedOut, "so far", ""),
            "not done within 3s, and ended with all that it had started; so far"
        );
        assert_eq!(said(Exit::Killed(Some(11)), "x\u{1b}[2J", ""), "ended by signal 11; x·[2J");
    }
}
