//! Many errors in the logs.

use pso_common::Severity;
use pso_common::record::{AnyRecord, LogCountRecord};

use super::{Verdict, own_labels};
use crate::finding::Finding;

/// The specification's `analyze-logs.ps1`: more than 50 errors of all types together. For counts that nobody has judged.
const MAX_ERRORS: u64 = 50;

/// `None` for counts of one type or one bucket and of other classes, and where nothing could be counted.
pub(super) fn judge(record: &AnyRecord, count: &LogCountRecord) -> Option<Verdict> {
    let header = &record.header;
    // The errors of a bucket are in the sum too.
    let is_part = count.r#type.is_some() || count.bucket_at.is_some();
    if count.class != "error" || is_part || header.severity == Severity::Unknown {
        return None;
    }
    // `pso-logscan` calls errors `info` or `high`, by a limit that only it knows (`maintenance.logscan.max_errors`), and
    // `ok` only where there are none. Some errors that are `ok` are somebody's count without a judgement.
    let severity = match header.severity {
        Severity::Ok if count.count > MAX_ERRORS => Severity::High,
        judged => judged,
    };
    if severity < Severity::High {
        return Some(Verdict::silent(severity));
    }
    let message = format!("High error count detected: {} errors in the logs", count.count);
    Some(Verdict::tell(Finding::of(header, "log.errors", severity, &message, own_labels(record))))
}
