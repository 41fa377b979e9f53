//! Tools that failed, and tools that began and never ended.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use pso_common::record::{Header, Kind as _, RunEndRecord, RunStartRecord};
use pso_common::{Severity, Timestamp};

use super::Verdict;
use crate::batch::Completed;
use crate::finding::{Condition, Finding, Subject};
use crate::text::one_line;

/// Runs that are followed at a time, and tools whose trouble is remembered: enough for any real pipe, little enough
/// for memory.
const MAX_RUNS: usize = 10_000;

/// A run that begins so long after the last one of its tool has ended looks at all anew: a loop around the tool, or a
/// recorded week. Runs of one pipe that look at different things follow closely.
const NEW_SWEEP: Duration = Duration::from_secs(120);

/// Longest name of a host or a tool that is told from others, in bytes.
const MAX_NAME: usize = 100;

/// Host and tool.
type ToolKey = (String, String);

/// What must be remembered of the runs in one input.
#[derive(Default)]
pub(super) struct Runs {
    open: HashMap<(ToolKey, u32), Open>,
    /// Who wrote records that are high or worse: the exit code of such a tool needs no finding of its own.
    explained: HashSet<ToolKey>,
    sweeps: HashMap<ToolKey, Sweep>,
    /// What came to its end, and was not asked for yet.
    completed: Vec<Completed>,
    unfinished: Severity,
    lost: u64,
}

/// What a tool has looked at in this input. Several runs of it that follow closely are one sweep: two scans of two folders
/// in one pipe do not take each other back.
#[derive(Clone, Copy)]
struct Sweep {
    began_at: Timestamp,
    /// Of rounds, each is a sweep of its own.
    round_at: Timestamp,
    /// When its last run ended; absent while none has.
    ended_at: Option<Timestamp>,
    /// A run failed, so that what is not mentioned may be what it did not come to.
    has_gaps: bool,
}

/// Starts of one process id without their ends, and what to tell if they never come.
struct Open {
    finding: Finding,
    times: u32,
}

impl Runs {
    /// `unfinished` is how bad it is that a run never ended.
    pub(super) fn new(unfinished: Severity) -> Self {
        Self { unfinished, ..Self::default() }
    }

    /// The runs and rounds that came to a good end since the last time this was asked.
    pub(super) fn completed(&mut self) -> std::vec::Drain<'_, Completed> {
        self.completed.drain(..)
    }

    pub(super) fn begin(&mut self, header: &Header, record: &RunStartRecord) {
        let key = (tool_key(header), record.pid);
        self.sweep(&key.0, header.at);
        if let Some(open) = self.open.get_mut(&key) {
            open.times = open.times.saturating_add(1);
        } else if self.open.len() < MAX_RUNS {
            let message = format!(
                "{} began at {} and never ended: it was killed or cut off (pid {} on {})",
                key.0.1, header.at, record.pid, key.0.0
            );
            let about = Subject::run(header);
            let finding = Finding::about(about, "run.unfinished", self.unfinished, &message, header.at);
            let finding = Finding { condition: Condition::Unfinished, ..finding };
            self.open.insert(key, Open { finding, times: 1 });
        } else {
            self.lost = self.lost.saturating_add(1);
        }
    }

    /// A run of this tool begins.
    fn sweep(&mut self, tool: &ToolKey, at: Timestamp) {
        let ended_at = self.sweeps.get(tool).and_then(|sweep| sweep.ended_at);
        if ended_at.is_some_and(|ended| ended.until(at) >= NEW_SWEEP) && !self.open.keys().any(|(open, _)| open == tool)
        {
            self.sweeps.remove(tool);
            self.explained.remove(tool);
        }
        if self.sweeps.contains_key(tool) || self.sweeps.len() < MAX_RUNS {
            let sweep = Sweep { began_at: at, round_at: at, ended_at: None, has_gaps: false };
            self.sweeps.entry(tool.clone()).or_insert(sweep).round_at = at;
        }
    }

    /// One round of a run that goes on has come to its end.
    pub(super) fn round(&mut self, header: &Header) {
        let Some(sweep) = self.sweeps.get_mut(&tool_key(header)) else { return };
        let began_at = std::mem::replace(&mut sweep.round_at, header.at);
        self.complete(header, began_at);
    }

    /// What `pso-alert` says is about incidents, and is over when they are.
    fn complete(&mut self, header: &Header, began_at: Timestamp) {
        if header.tool != crate::TOOL.name {
            let Subject { host, tool, .. } = Subject::run(header);
            self.completed.push(Completed { host, tool, began_at, ended_at: header.at });
        }
    }

    /// Remembers that a tool has said what is wrong.
    pub(super) fn explained(&mut self, header: &Header) {
        if header.kind != RunEndRecord::KIND && self.explained.len() < MAX_RUNS {
            self.explained.insert(tool_key(header));
        }
    }

    pub(super) fn end(&mut self, header: &Header, record: &RunEndRecord) -> Verdict {
        let key = (tool_key(header), record.pid);
        if let Some(open) = self.open.get_mut(&key) {
            open.times -= 1;
            if open.times == 0 {
                self.open.remove(&key);
            }
        }
        let failed = record.error.is_some() || record.exit_code >= Severity::Unknown.exit_code();
        if let Some(sweep) = self.sweeps.get_mut(&key.0) {
            sweep.has_gaps |= failed;
            sweep.ended_at = Some(header.at);
            if !sweep.has_gaps {
                let began_at = sweep.began_at;
                self.complete(header, began_at);
            }
        }
        let message = match &record.error {
            Some(error) => format!("{} failed: {error}", header.tool),
            None if record.exit_code < 2 || self.explained.contains(&key.0) => {
                // Its records were judged one by one; the sum of them says nothing new.
                return Verdict::silent(Severity::Ok);
            }
            None => format!("{} ended with exit code {} and no record that says why", header.tool, record.exit_code),
        };
        let severity = header.severity.max(Severity::High);
        Verdict::tell(Finding::about(Subject::run(header), "run.failed", severity, &message, header.at))
    }

    pub(super) fn unfinished(self) -> Vec<Finding> {
        let tell = |open: Open| Finding { count: open.times.into(), ..open.finding };
        let mut findings: Vec<Finding> = self.open.into_values().map(tell).collect();
        findings.sort_by(|a, b| a.first_at.cmp(&b.first_at).then_with(|| a.message.cmp(&b.message)));
        if let (true, Some(last)) = (self.lost > 0, findings.last()) {
            let message = format!(
                "{} more runs began than the {MAX_RUNS} that can be followed; whether they ended is not known",
                self.lost
            );
            let about = Subject { name: "runs".to_owned(), ..Subject::input("") };
            let mut rest = Finding::about(about, "run.unfinished", Severity::Unknown, &message, last.last_at);
            rest.count = self.lost;
            findings.push(rest);
        }
        findings
    }
}

fn tool_key(header: &Header) -> ToolKey {
    (one_line(&header.host, MAX_NAME), one_line(&header.tool, MAX_NAME))
}
