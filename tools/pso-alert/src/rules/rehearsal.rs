//! Backups that cannot be restored.

use std::path::Path;

use pso_common::Severity;
use pso_common::record::{Header, Labels, RehearseResultRecord};

use super::Verdict;
use crate::finding::{Finding, Subject};

/// A rehearsal is told once, by its result: the records of its components say the same in parts. It speaks of the archives of a
/// folder and not of one: that of the next night is another, and tells that it is well again.
pub(super) fn judge(header: &Header, record: &RehearseResultRecord, min_severity: Severity) -> Option<Verdict> {
    if header.severity < min_severity {
        return Some(Verdict::silent(header.severity));
    }
    let what = match header.severity {
        Severity::Critical | Severity::High => "cannot be restored, as its rehearsal shows",
        Severity::Warning | Severity::Info | Severity::Ok => "can be restored, and its rehearsal found something",
        Severity::Unknown => "was not proven by its rehearsal",
    };
    let message = match header.message.trim() {
        "" => format!("The backup {} {what}", header.name),
        message => format!("The backup {} {what}: {message}", header.name),
    };
    let subject = subject(header, record);
    Some(Verdict::tell(Finding::about(subject, "rehearsal", header.severity, &message, header.at)))
}

/// The archives of one folder.
pub(super) fn subject(header: &Header, record: &RehearseResultRecord) -> Subject {
    let folder = Path::new(&record.path).parent().map(|folder| folder.display().to_string()).unwrap_or_default();
    let labels = Labels::from([("folder".to_owned(), folder)]);
    Subject { name: "archives".to_owned(), ..Subject::of(header, &labels) }
}
