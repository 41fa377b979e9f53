//! The specification's six thresholds: for numbers that come without a judgement.

use pso_common::Severity;

/// One of them. Severity and words are those of the specification's `monitoring-daemon.ps1`.
#[derive(Debug)]
pub(crate) struct Threshold {
    /// The metric, the rule, and the key below `thresholds:`.
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    /// What holds where the file says nothing.
    default: f64,
    pub(super) severity: Severity,
    pub(super) says: &'static str,
}

pub(crate) const THRESHOLDS: [Threshold; 6] = [
    threshold("cpu_usage", "percent", 80.0, Severity::Warning, "High CPU usage"),
    threshold("memory_usage", "percent", 90.0, Severity::Critical, "High memory usage"),
    threshold("disk_usage", "percent", 85.0, Severity::Warning, "High disk usage"),
    threshold("error_rate", "percent", 5.0, Severity::High, "High error rate"),
    threshold("sync_duration", "seconds", 60.0, Severity::Warning, "Slow synchronisation"),
    threshold("response_time", "ms", 2000.0, Severity::Warning, "Slow response"),
];

const fn threshold(
    name: &'static str,
    unit: &'static str,
    default: f64,
    severity: Severity,
    says: &'static str,
) -> Threshold {
    Threshold { name, unit, default, severity, says }
}

/// The limits in effect, in the order of [`THRESHOLDS`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Thresholds([f64; THRESHOLDS.len()]);

impl Default for Thresholds {
    fn default() -> Self {
        Self(THRESHOLDS.each_ref().map(|threshold| threshold.default))
    }
}

impl Thresholds {
    /// The threshold of a metric in this unit, with the limit in effect.
    pub(super) fn of(&self, name: &str, unit: &str) -> Option<(&'static Threshold, f64)> {
        let at = THRESHOLDS.iter().position(|threshold| threshold.name == name && threshold.unit == unit)?;
        Some((&THRESHOLDS[at], self.0[at]))
    }

    /// The limit of a metric.
    pub(crate) fn limit(&self, name: &str) -> Option<f64> {
        THRESHOLDS.iter().position(|threshold| threshold.name == name).map(|at| self.0[at])
    }

    /// Says where another limit stands than the default.
    pub(crate) fn set(&mut self, name: &str, limit: f64) {
        if let Some(at) = THRESHOLDS.iter().position(|threshold| threshold.name == name) {
            self.0[at] = limit;
        }
    }

    #[cfg(test)]
    pub(crate) fn with(name: &str, limit: f64) -> Self {
        let mut thresholds = Self::default();
        thresholds.set(name, limit);
        thresholds
    }

    #[cfg(test)]
    pub(crate) const fn limits(&self) -> [f64; THRESHOLDS.len()] {
        self.0
    }
}
