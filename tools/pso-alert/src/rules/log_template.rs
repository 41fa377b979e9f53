//! Errors that were never seen before.

use pso_common::Severity;
use pso_common::record::{AnyRecord, LogTemplateRecord};

use super::{Verdict, own_labels};
use crate::finding::Finding;

/// Fires on a template that `pso-logscan` knows to be new and calls a warning at least; all others are silent, however
/// often they occur. The record's name is the template's id, which tells one from another.
pub(super) fn judge(record: &AnyRecord, template: &LogTemplateRecord) -> Option<Verdict> {
    let header = &record.header;
    if header.severity == Severity::Unknown {
        return None;
    }
    if !template.new || header.severity < Severity::Warning {
        return Some(Verdict::silent(header.severity));
    }
    let message = format!("New error in the logs, {} so far: {}", times(template.count), template.example);
    Some(Verdict::tell(Finding::of(header, "log.new", header.severity, &message, own_labels(record))))
}

fn times(count: u64) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}
