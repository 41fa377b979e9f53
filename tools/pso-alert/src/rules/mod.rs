//! What a record means. The rules are the specification's; each has a name that records and messages carry.
//!
//! | rule | fires on |
//! |---|---|
//! | `cpu_usage`, `memory_usage`, … | a `health.metric` beyond its own limit; beyond our threshold if it has none ([`metric`]) |
//! | `health.check` | a `health.check` that is not well ([`check`]) |
//! | `log.errors` | an error count that the scan calls high; more than 50 if nobody judged ([`log_count`]) |
//! | `log.new` | a template of errors that was never seen before ([`log_template`]) |
//! | `run.failed`, `run.unfinished` | a tool that failed, or died ([`runs`]) |
//! | `record.severity` | any other record from `--min-severity` up |

mod check;
mod log_count;
mod log_template;
mod metric;
mod runs;
mod thresholds;

use pso_common::Severity;
use pso_common::record::{
    AlertNoticeRecord, AnyRecord, HealthCheckRecord, HealthMetricRecord, HealthRoundRecord, Kind, Labels,
    LogCountRecord, LogTemplateRecord, RunEndRecord, RunStartRecord,
};
use serde::Deserialize;

use crate::batch::Batch;
use crate::finding::{Finding, Subject};
use runs::Runs;
pub(crate) use thresholds::Thresholds;

/// What the rules say of one record.
#[derive(Debug, PartialEq)]
pub(crate) struct Verdict {
    /// How bad it is for the exit code: what the record says, unless nobody judged it before a threshold of ours did.
    pub(crate) severity: Severity,
    /// What is wrong with what it speaks of.
    pub(crate) findings: Vec<Finding>,
}

impl Verdict {
    const fn silent(severity: Severity) -> Self {
        Self { severity, findings: Vec::new() }
    }

    fn tell(finding: Finding) -> Self {
        Self { severity: finding.severity, findings: vec![finding] }
    }
}

/// The rules, and what they must remember of one input.
pub(crate) struct Rules {
    thresholds: Thresholds,
    min_severity: Severity,
    runs: Runs,
}

impl Rules {
    pub(crate) fn new(thresholds: Thresholds, min_severity: Severity) -> Self {
        Self { thresholds, min_severity, runs: Runs::default() }
    }

    /// Judges one record: what is wrong, and what is well again, goes into the batch. Returns how bad it is for the exit code.
    ///
    /// # Errors
    /// When it lacks the fields of the kind that it says it is.
    pub(crate) fn judge(&mut self, record: &AnyRecord, batch: &mut Batch) -> Result<Severity, serde_json::Error> {
        let Verdict { severity, findings } = self.verdict(record)?;
        if !findings.is_empty() || batch.is_listening() {
            let header = &record.header;
            let subject = match header.kind.as_str() {
                RunStartRecord::KIND => return Ok(severity),
                RunEndRecord::KIND => Subject::run(header),
                _ => match findings.first() {
                    Some(finding) => finding.subject.clone(),
                    None => Subject::of(header, &own_labels(record)),
                },
            };
            batch.saw(&subject, header.at, findings);
        }
        Ok(severity)
    }

    /// What is wrong by one record.
    fn verdict(&mut self, record: &AnyRecord) -> Result<Verdict, serde_json::Error> {
        let header = &record.header;
        if header.severity >= Severity::High {
            self.runs.explained(header);
        }
        let verdict = match header.kind.as_str() {
            HealthMetricRecord::KIND => metric::judge(header, &record.fields()?, &self.thresholds),
            HealthCheckRecord::KIND => check::judge(header, &record.fields()?),
            LogCountRecord::KIND => log_count::judge(header, &record.fields()?),
            LogTemplateRecord::KIND => log_template::judge(header, &record.fields()?),
            RunStartRecord::KIND => {
                self.runs.begin(header, &record.fields()?);
                Some(Verdict::silent(Severity::Ok))
            }
            RunEndRecord::KIND => Some(self.runs.end(header, &record.fields()?)),
            // It repeats the worst of the records before it.
            HealthRoundRecord::KIND => Some(Verdict::silent(header.severity)),
            // Another run of this tool has told it already; telling it again would cry wolf.
            AlertNoticeRecord::KIND => Some(Verdict::silent(header.severity)),
            _ => None,
        };
        Ok(verdict.unwrap_or_else(|| self.by_severity(record)))
    }

    /// What only the end of the input shows.
    pub(crate) fn at_end(&mut self, batch: &mut Batch) {
        std::mem::take(&mut self.runs).unfinished().into_iter().for_each(|finding| batch.add(finding));
    }

    /// Judges a record by its header alone.
    pub(crate) fn by_severity(&self, record: &AnyRecord) -> Verdict {
        let header = &record.header;
        if header.severity < self.min_severity {
            return Verdict::silent(header.severity);
        }
        let message = match header.message.trim() {
            "" => format!("{} reports {} {}", header.tool, header.kind, header.name),
            message => format!("{}: {message}", header.name),
        };
        Verdict::tell(Finding::of(header, "record.severity", header.severity, &message, own_labels(record)))
    }
}

fn own_labels(record: &AnyRecord) -> Labels {
    record.fields::<OwnLabels>().map(|own| own.labels).unwrap_or_default()
}

/// Labels that a record of any kind may have.
#[derive(Default, Deserialize)]
#[serde(default)]
struct OwnLabels {
    labels: Labels,
}

#[cfg(test)]
mod tests;
