//! Errors that were never seen before.

use pso_common::Severity;
use pso_common::record::{Header, Labels, LogTemplateRecord};

use super::Verdict;
use crate::finding::Finding;

/// Fires on a template that `pso-logscan` knows to be new and calls a warning at least; all others are silent, however
/// often they occur.
pub(super) fn judge(header: &Header, record: &LogTemplateRecord) -> Option<Verdict> {
    if header.severity == Severity::Unknown {
        return None;
    }
    if !record.new || header.severity < Severity::Warning {
        return Some(Verdict::silent(header.severity));
    }
    let labels = Labels::from([("template_id".to_owned(), record.template_id.clone())]);
    let message = format!("New error in the logs, {} so far: {}", times(record.count), record.example);
    Some(Verdict::tell(Finding::of(header, "log.new", header.severity, &message, labels)))
}

fn times(count: u64) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}
