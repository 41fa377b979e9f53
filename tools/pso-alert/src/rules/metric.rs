//! Measured numbers beyond their limits. Who measured has judged most of them; the others are held against the thresholds of
//! `config/alerts.yaml`.

use pso_common::Severity;
use pso_common::record::{Header, HealthMetricRecord};

use super::{Thresholds, Verdict};
use crate::finding::Finding;

/// One of the specification's six thresholds: its severity and words are those of `monitoring-daemon.ps1`.
struct Metric {
    name: &'static str,
    unit: &'static str,
    limit: f64,
    severity: Severity,
    says: &'static str,
}

const METRICS: [Metric; 6] = [
    metric("cpu_usage", "percent", 80.0, Severity::Warning, "High CPU usage"),
    metric("memory_usage", "percent", 90.0, Severity::Critical, "High memory usage"),
    metric("disk_usage", "percent", 85.0, Severity::Warning, "High disk usage"),
    metric("error_rate", "percent", 5.0, Severity::High, "High error rate"),
    metric("sync_duration", "seconds", 60.0, Severity::Warning, "Slow synchronisation"),
    metric("response_time", "ms", 2000.0, Severity::Warning, "Slow response"),
];

const fn metric(name: &'static str, unit: &'static str, limit: f64, severity: Severity, says: &'static str) -> Metric {
    Metric { name, unit, limit, severity, says }
}

/// `None` when the metric is none of ours, or in a unit that the threshold is not in.
pub(super) fn judge(header: &Header, record: &HealthMetricRecord, thresholds: &Thresholds) -> Option<Verdict> {
    let metric = METRICS.iter().find(|metric| metric.name == header.name && metric.unit == record.unit)?;
    // What could not be measured has no value worth comparing.
    if header.severity == Severity::Unknown {
        return None;
    }
    let (severity, limit) = severity_and_limit(header, record, metric, thresholds);
    if severity < Severity::Warning {
        return Some(Verdict::silent(severity));
    }
    let place = record.labels.values().next().map_or_else(String::new, |label| format!(" of {label}"));
    let limit = limit.map_or_else(String::new, |limit| format!(" (limit {})", shown(limit, metric.unit)));
    let message = format!("{}{place}: {}{limit}", metric.says, shown(record.value, metric.unit));
    Some(Verdict::tell(Finding::of(header, metric.name, severity, &message, record.labels.clone())))
}

/// A record with a limit, or with a severity other than `ok`, was judged by who measured: `pso-health` knows limits that
/// are not in `config/alerts.yaml`, and two tools must not say two things of one number.
fn severity_and_limit(
    header: &Header,
    record: &HealthMetricRecord,
    metric: &Metric,
    thresholds: &Thresholds,
) -> (Severity, Option<f64>) {
    if record.limit.is_some() || header.severity > Severity::Ok {
        return (header.severity, record.limit);
    }
    let limit = thresholds.get(metric.name).unwrap_or(metric.limit);
    (if record.value > limit { metric.severity } else { Severity::Ok }, Some(limit))
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

impl Thresholds {
    fn get(&self, name: &str) -> Option<f64> {
        match name {
            "error_rate" => self.error_rate,
            "sync_duration" => self.sync_duration,
            "cpu_usage" => self.cpu_usage,
            "memory_usage" => self.memory_usage,
            "disk_usage" => self.disk_usage,
            "response_time" => self.response_time,
            _ => None,
        }
    }
}
