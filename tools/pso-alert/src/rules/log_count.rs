//! Many errors in the logs.

use pso_common::Severity;
use pso_common::record::{Header, Labels, LogCountRecord};

use super::Verdict;
use crate::notice::Notice;

/// The specification's `analyze-logs.ps1`: more than 50 errors of all types together.
const MAX_ERRORS: u64 = 50;

/// `None` for counts of one type and of other classes, and where nothing could be counted.
pub(super) fn judge(header: &Header, record: &LogCountRecord) -> Option<Verdict> {
    if record.class != "error" || record.r#type.is_some() || header.severity == Severity::Unknown {
        return None;
    }
    // Who scanned may have a lower limit of its own.
    if record.count <= MAX_ERRORS && header.severity < Severity::High {
        return Some(Verdict::silent(header.severity));
    }
    let severity = header.severity.max(Severity::High);
    let message = format!("High error count detected: {} errors in the logs", record.count);
    Some(Verdict::tell(Notice::of(header, "log.errors", severity, &message, Labels::new())))
}
