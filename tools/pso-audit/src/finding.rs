//! What a section found, before it is a record.

use pso_common::Severity;
use pso_common::record::AuditFindingRecord;

/// Something that is open.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Finding {
    pub(crate) severity: Severity,
    /// What is wrong and what it means, for a person at 3 in the morning.
    pub(crate) message: String,
    pub(crate) record: AuditFindingRecord,
}

impl Finding {
    /// A finding of `rule` about `object`; evidence is added with [`Finding::with`], the fix with [`Finding::fix`].
    pub(crate) fn new(severity: Severity, rule: &str, object: impl Into<String>, message: impl Into<String>) -> Self {
        let record =
            AuditFindingRecord { rule: rule.to_owned(), object: object.into(), ..AuditFindingRecord::default() };
        Self { severity, message: message.into(), record }
    }

    /// With one thing that was seen.
    pub(crate) fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.record.evidence.insert(name.to_owned(), value.to_string());
        self
    }

    /// With the way to close it.
    pub(crate) fn fix(mut self, fix: impl Into<String>) -> Self {
        self.record.fix = fix.into();
        self
    }

    /// `<rule>:<object>`: the name of its record, what `maintenance.audit.accept` names, and what two runs are compared by.
    pub(crate) fn name(&self) -> String {
        format!("{}:{}", self.record.rule, self.record.object)
    }

    /// What was seen.
    #[cfg(test)]
    pub(crate) fn evidence(&self) -> &pso_common::record::Labels {
        &self.record.evidence
    }
}

/// What a section has found so far; it is kept when the section then fails.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) findings: Vec<Finding>,
    /// Things that were looked at.
    pub(crate) examined: u64,
    /// What could not be looked at although it should have been, and why: the section is `unknown`.
    pub(crate) unknown: Vec<String>,
    /// What cannot be looked at here, and what would show it; that is no failure.
    pub(crate) notes: Vec<String>,
}

impl Found {
    /// One more finding.
    pub(crate) fn push(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// Something could not be looked at.
    pub(crate) fn unknown(&mut self, what: impl Into<String>) {
        self.unknown.push(what.into());
    }

    /// Something is not looked at here; how it would be.
    pub(crate) fn note(&mut self, what: impl Into<String>) {
        self.notes.push(what.into());
    }
}
