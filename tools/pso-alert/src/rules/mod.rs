//! What a record means. The rules are the specification's; each has a name that records and messages carry.
//!
//! | rule | fires on |
//! |---|---|
//! | `cpu_usage`, `memory_usage`, … | a `health.metric` beyond its own limit; beyond our threshold if it has none ([`metric`]) |
//! | `health.check` | a `health.check` that is not well ([`check`]) |
//! | `log.errors` | an error count that the scan calls high; more than 50 if nobody judged ([`log_count`]) |
//! | `log.new` | a template of errors that was never seen before ([`log_template`]) |
//! | `rehearsal` | a backup of which a rehearsal says that it cannot be restored, or that nobody can tell ([`rehearsal`]) |
//! | `run.failed`, `run.unfinished` | a tool that failed, or died ([`runs`]) |
//! | `record.severity` | any other record from `--min-severity` up |
//!
//! Rules of the file ([`own`]) judge the records that they match; ours judge the others. Runs are followed in any case.

mod book;
mod check;
mod log_count;
mod log_template;
mod metric;
mod own;
mod rehearsal;
mod runs;
mod thresholds;

use std::sync::Arc;

use pso_common::Severity;
use pso_common::record::{
    AlertNoticeRecord, AnyRecord, HealthCheckRecord, HealthMetricRecord, HealthRoundRecord, Kind, Labels,
    LogCountRecord, LogTemplateRecord, RehearseComponentRecord, RehearseResultRecord, RunEndRecord, RunStartRecord,
};
use serde::Deserialize;

use crate::batch::Batch;
use crate::finding::{Finding, Subject};
pub(crate) use book::{BUILT_IN, BuiltIn, Changed, RuleBook};
use own::OwnRules;
pub(crate) use own::{Condition, FieldPath, Matching, OwnRule, Template};
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
    own: OwnRules,
    book: Arc<RuleBook>,
    min_severity: Severity,
    runs: Runs,
    misfits: Vec<String>,
}

impl Rules {
    pub(crate) fn new(book: &Arc<RuleBook>, min_severity: Severity) -> Self {
        Self {
            thresholds: book.thresholds,
            own: OwnRules::new(book.own.clone()),
            book: Arc::clone(book),
            min_severity,
            runs: Runs::new(book.unfinished),
            misfits: Vec::new(),
        }
    }

    /// Judges one record: what is wrong, and what is well again, goes into the batch. Returns how bad it is for the exit code.
    ///
    /// # Errors
    /// When it lacks the fields of the kind that it says it is.
    pub(crate) fn judge(&mut self, record: &AnyRecord, batch: &mut Batch) -> Result<Severity, serde_json::Error> {
        let Verdict { severity, findings } = self.verdict(record)?;
        batch.completed.extend(self.runs.completed());
        let header = &record.header;
        if findings.is_empty() && (header.severity == Severity::Unknown || !batch.is_listening()) {
            return Ok(severity);
        }
        match header.kind.as_str() {
            RunStartRecord::KIND => findings.into_iter().for_each(|finding| batch.add(finding)),
            // A run that has come to its end is not unfinished, however it ended.
            RunEndRecord::KIND => batch.saw(&Subject::run(header), header.at, findings),
            // What could not be looked at is not well.
            _ if header.severity == Severity::Unknown => findings.into_iter().for_each(|finding| batch.add(finding)),
            _ => {
                let subject = match findings.first() {
                    Some(finding) => Arc::clone(&finding.subject),
                    None if is_part(record) => return Ok(severity),
                    None => Arc::new(subject(record)),
                };
                batch.saw(&subject, header.at, findings);
            }
        }
        Ok(severity)
    }

    /// Records that rules of the file could not judge since the last time this was asked; one for each rule.
    pub(crate) fn misfits(&mut self) -> Vec<String> {
        std::mem::take(&mut self.misfits)
    }

    /// Whether a rule judges that is of the input and not of its records.
    pub(crate) fn is_on(&self, rule: &str) -> bool {
        self.book.is_on(rule)
    }

    /// What is wrong by one record.
    fn verdict(&mut self, record: &AnyRecord) -> Result<Verdict, serde_json::Error> {
        let header = &record.header;
        if header.severity >= Severity::High {
            self.runs.explained(header);
        }
        let own = self.own.judge(record, own_labels)?;
        self.misfits.extend(own.misfits);
        let built_in = match header.kind.as_str() {
            // Runs are followed whatever the file says: a tool that died must not be missed.
            RunStartRecord::KIND => {
                self.runs.begin(header, &record.fields()?);
                Some(Verdict::silent(Severity::Ok))
            }
            RunEndRecord::KIND => Some(self.runs.end(header, &record.fields()?)),
            // It repeats the worst of the records before it.
            HealthRoundRecord::KIND => {
                self.runs.round(header);
                Some(Verdict::silent(header.severity))
            }
            // Another run of this tool has told it already; telling it again would cry wolf.
            AlertNoticeRecord::KIND => Some(Verdict::silent(header.severity)),
            _ if own.is_judged => Some(Verdict::silent(header.severity)),
            HealthMetricRecord::KIND => metric::judge(header, &record.fields()?, &self.thresholds),
            HealthCheckRecord::KIND => check::judge(header, &record.fields()?),
            LogCountRecord::KIND => log_count::judge(record, &record.fields()?),
            LogTemplateRecord::KIND => log_template::judge(record, &record.fields()?),
            RehearseResultRecord::KIND => rehearsal::judge(header, &record.fields()?, self.min_severity),
            // The result comes in any case, and says it of the whole.
            RehearseComponentRecord::KIND => Some(Verdict::silent(header.severity)),
            _ => None,
        };
        let built_in = built_in.unwrap_or_else(|| self.by_severity(record));
        let mut verdict = self.changed(built_in, record);
        for finding in own.findings {
            verdict.severity = verdict.severity.max(finding.severity);
            verdict.findings.push(finding);
        }
        Ok(verdict)
    }

    /// A verdict of ours as the file wants it.
    fn changed(&self, mut verdict: Verdict, record: &AnyRecord) -> Verdict {
        if verdict.findings.is_empty() || self.book.changed.is_empty() {
            return verdict;
        }
        verdict.findings.retain(|finding| self.book.is_on(&finding.rule));
        for finding in &mut verdict.findings {
            let Some(changed) = self.book.changed.get(&*finding.rule) else { continue };
            if let Some(severity) = changed.severity {
                finding.severity = severity;
            }
            if let Some(template) = &changed.message {
                finding.say(&own::fill(template, record, None));
            }
        }
        let worst = verdict.findings.iter().map(|finding| finding.severity).max();
        // What the record itself says counts in any case; what a rule made of it counts as the file has it.
        verdict.severity = if record.header.kind == RunEndRecord::KIND { Severity::Ok } else { record.header.severity };
        verdict.severity = verdict.severity.max(worst.unwrap_or_default());
        verdict
    }

    /// Judges a record whose fields are not those of its kind: its header can be read, and may be all that somebody has
    /// to say.
    pub(crate) fn judge_header(&self, record: &AnyRecord, batch: &mut Batch) {
        let verdict = self.changed(self.by_severity(record), record);
        verdict.findings.into_iter().for_each(|finding| batch.add(finding));
    }

    /// What only the end of the input shows.
    pub(crate) fn at_end(&mut self, batch: &mut Batch) {
        let findings = std::mem::take(&mut self.runs).unfinished();
        if self.is_on("run.unfinished") {
            findings.into_iter().for_each(|finding| batch.add(finding));
        }
    }

    /// Judges a record by its header alone.
    fn by_severity(&self, record: &AnyRecord) -> Verdict {
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

/// What a record speaks of in which nothing is wrong.
fn subject(record: &AnyRecord) -> Subject {
    let result = (record.header.kind == RehearseResultRecord::KIND).then(|| record.fields::<RehearseResultRecord>());
    match result {
        Some(Ok(result)) => rehearsal::subject(&record.header, &result),
        _ => Subject::of(&record.header, &own_labels(record)),
    }
}

/// Whether it is one bucket of a count: its name is that of the sum, of which it says nothing.
fn is_part(record: &AnyRecord) -> bool {
    let header = &record.header;
    header.kind == LogCountRecord::KIND
        && record.fields::<LogCountRecord>().is_ok_and(|count| count.bucket_at.is_some())
}

/// Labels that a record of any kind may have.
#[derive(Default, Deserialize)]
#[serde(default)]
struct OwnLabels {
    labels: Labels,
}

#[cfg(test)]
mod tests;
