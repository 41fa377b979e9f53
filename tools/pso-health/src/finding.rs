//! What a check found, before it is a record.

use pso_common::output::printable;
use pso_common::record::{HealthCheckRecord, HealthMetricRecord};
use pso_common::{Run, Severity};

/// A record to be.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Finding {
    pub(crate) severity: Severity,
    pub(crate) name: String,
    pub(crate) message: String,
    pub(crate) body: Body,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Body {
    Check(HealthCheckRecord),
    Metric(HealthMetricRecord),
}

impl Finding {
    /// A part that is up, or is not.
    pub(crate) fn check(
        severity: Severity,
        name: impl Into<String>,
        message: impl Into<String>,
        record: HealthCheckRecord,
    ) -> Self {
        Self { severity, name: name.into(), message: message.into(), body: Body::Check(record) }
    }

    /// A number.
    pub(crate) fn metric(
        severity: Severity,
        name: impl Into<String>,
        message: impl Into<String>,
        record: HealthMetricRecord,
    ) -> Self {
        Self { severity, name: name.into(), message: message.into(), body: Body::Metric(record) }
    }

    /// Whether a probe failed: it may be worth another attempt.
    pub(crate) const fn failed(&self) -> bool {
        matches!(&self.body, Body::Check(HealthCheckRecord { layer: Some(_), .. }))
    }

    /// With the number of the attempt that gave it, where that was not the first.
    pub(crate) fn of_attempt(mut self, attempt: u32) -> Self {
        if let Body::Check(record) = &mut self.body {
            record.attempts = Some(attempt).filter(|attempt| *attempt > 1);
        }
        self
    }

    /// Writes it as a record.
    pub(crate) fn emit(self, run: &mut Run<'_>) -> anyhow::Result<()> {
        match self.body {
            Body::Check(record) => run.emit(self.severity, self.name, self.message, record),
            Body::Metric(record) => run.emit(self.severity, self.name, self.message, record),
        }
    }
}

/// Where a check puts its findings.
pub(crate) struct Findings<'a>(&'a (dyn Fn(Finding) + 'a));

impl<'a> Findings<'a> {
    pub(crate) const fn new(take: &'a (dyn Fn(Finding) + 'a)) -> Self {
        Self(take)
    }

    pub(crate) fn push(&self, finding: Finding) {
        (self.0)(finding);
    }
}

/// Text that came from a server, as a message may hold it: on one line, and not for ever.
pub(crate) fn shown(text: &str) -> String {
    const LONGEST: usize = 80;
    let text = text.trim();
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", printable(&text[..end])),
        None => printable(text).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn what_a_server_says_stays_on_one_line() {
        assert_eq!(shown("  <html>\n\u{1b}[2Jé "), "<html> ·[2Jé");
        let long = shown(&"é".repeat(1000));
        assert_eq!((long.chars().count(), long.ends_with('…')), (81, true));
    }
}
