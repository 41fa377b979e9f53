//! What the sections found becomes records: without what is accepted, and of what is left only what changed.

use pso_common::record::AuditSectionRecord;
use pso_common::{Run, Severity, Timestamp};

use crate::accept::Acceptances;
use crate::baseline::Baseline;
use crate::finding::Found;

/// The name of the section that speaks of acceptances.
const ACCEPT: &str = "accept";

pub(crate) struct Conclusion {
    accept: Acceptances,
    baseline: Option<Baseline>,
    now: Timestamp,
    /// Every section there is was looked at, wholly: what is accepted and was not found is not there.
    is_whole: bool,
    /// Rules of which nothing was looked for.
    unlooked: &'static [&'static str],
}

impl Conclusion {
    pub(crate) fn new(
        accept: Acceptances,
        baseline: Option<Baseline>,
        is_whole: bool,
        unlooked: &'static [&'static str],
        run: &mut Run<'_>,
    ) -> Self {
        for flaw in baseline.iter().flat_map(|baseline| &baseline.flaws) {
            run.warn(format_args!("--baseline: {flaw}"));
            run.note(Severity::Unknown);
        }
        Self { accept, baseline, now: run.now(), is_whole, unlooked }
    }

    /// Writes a section's findings, worst first, and its end.
    pub(crate) fn section(
        &mut self,
        name: &str,
        found: Found,
        elapsed_ms: u64,
        run: &mut Run<'_>,
    ) -> anyhow::Result<()> {
        self.is_whole &= found.unknown.is_empty();
        self.write(name, found, elapsed_ms, run)
    }

    fn write(&mut self, name: &str, mut found: Found, elapsed_ms: u64, run: &mut Run<'_>) -> anyhow::Result<()> {
        found.findings.iter_mut().for_each(|finding| self.accept.apply(finding, self.now));
        let accepted = found.findings.iter().filter(|finding| finding.record.accepted.is_some()).count() as u64;
        let findings = found.findings.len() as u64 - accepted;
        if let Some(baseline) = &self.baseline {
            baseline.compare(name, self.unlooked, &mut found);
        }
        found
            .findings
            .sort_by(|one, other| other.severity.cmp(&one.severity).then_with(|| one.name().cmp(&other.name())));
        for finding in found.findings {
            run.emit(finding.severity, finding.name(), finding.message, finding.record)?;
        }
        let severity = if found.unknown.is_empty() { Severity::Ok } else { Severity::Unknown };
        let message = [found.unknown, found.notes].concat().join("; ");
        let record = AuditSectionRecord { examined: found.examined, findings, accepted, elapsed_ms };
        run.emit(severity, name, message, record)
    }

    /// Speaks of the acceptances, where there are any.
    pub(crate) fn end(mut self, run: &mut Run<'_>) -> anyhow::Result<()> {
        if self.accept.len() == 0 {
            return Ok(());
        }
        let mut found = Found { examined: self.accept.len(), ..Found::default() };
        if self.is_whole {
            self.accept.unused(self.unlooked, &mut found);
        } else {
            found.note("not everything was looked at: which acceptances are of no use cannot be told");
        }
        self.write(ACCEPT, found, 0, run)
    }
}
