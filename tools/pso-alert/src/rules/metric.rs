//! Measured numbers beyond their limits. Who measured has judged most of them; the others are held against the thresholds of
//! `config/alerts.yaml`.

use pso_common::Severity;
use pso_common::record::{Header, HealthMetricRecord};

use super::Verdict;
use super::thresholds::{Threshold, Thresholds};
use crate::finding::Finding;

/// `None` when the metric is none of ours, or in a unit that the threshold is not in.
pub(super) fn judge(header: &Header, record: &HealthMetricRecord, thresholds: &Thresholds) -> Option<Verdict> {
    let (threshold, limit) = thresholds.of(&header.name, &record.unit)?;
    // What could not be measured has no value worth comparing.
    if header.severity == Severity::Unknown {
        return None;
    }
    let (severity, limit) = severity_and_limit(header, record, threshold, limit);
    if severity < Severity::Warning {
        return Some(Verdict::silent(severity));
    }
    let place = record.labels.values().next().map_or_else(String::new, |label| format!(" of {label}"));
    let limit = limit.map_or_else(String::new, |limit| format!(" (limit {})", shown(limit, threshold.unit)));
    let message = format!("{}{place}: {}{limit}", threshold.says, shown(record.value, threshold.unit));
    Some(Verdict::tell(Finding::of(header, threshold.name, severity, &message, record.labels.clone())))
}

/// A record with a limit, or with a severity other than `ok`, was judged by who measured: `pso-health` knows limits that
/// are not in `config/alerts.yaml`, and two tools must not say two things of one number.
fn severity_and_limit(
    header: &Header,
    record: &HealthMetricRecord,
    threshold: &Threshold,
    limit: f64,
) -> (Severity, Option<f64>) {
    if record.limit.is_some() || header.severity > Severity::Ok {
        return (header.severity, record.limit);
    }
    (if record.value > limit { threshold.severity } else { Severity::Ok }, Some(limit))
}

/// Up to two decimals, with the unit.
fn shown(value: f64, unit: &str) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    match unit {
        "percent" => format!("{text}%"),
        "seconds" => format!("{text} s"),
        other => format!("{text} {other}"),
    }
}
