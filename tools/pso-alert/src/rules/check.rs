//! Parts of the system that are not well.

use pso_common::Severity;
use pso_common::record::{Header, HealthCheckRecord};

use super::Verdict;
use crate::finding::Finding;

/// The service's own health is `service`, and `service.<part>` for what it says of its parts.
const SERVICE: &str = "service";

/// Always judges: a check that is well is silent.
pub(super) fn judge(header: &Header, record: &HealthCheckRecord) -> Option<Verdict> {
    if header.severity < Severity::Warning {
        return Some(Verdict::silent(header.severity));
    }
    let of_service = header.name.split('.').next() == Some(SERVICE);
    // The specification has no degrees here: a service that is not "healthy" is critical.
    let severity = if of_service { header.severity.max(Severity::Critical) } else { header.severity };
    let reason = match (header.message.trim(), &record.status) {
        ("", Some(status)) => format!(" is {status}"),
        ("", None) => String::new(),
        (message, _) => format!(": {message}"),
    };
    let message = format!("System health check failed: {}{reason}", header.name);
    Some(Verdict::tell(Finding::of(header, "health.check", severity, &message, record.labels.clone())))
}
