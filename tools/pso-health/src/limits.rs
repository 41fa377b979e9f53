//! The numbers that are judged, their limits, and how bad it is to be beyond one.

use std::path::Path;

use anyhow::Context as _;
use pso_common::Severity;
use pso_common::config::{Config, ConfigValue, Field};
use pso_common::record::{HealthMetricRecord, Labels};
use serde::Deserialize;

use crate::finding::Finding;

/// A number that has a limit. The names, limits and severities are the specification's, except for `connection_usage`,
/// which it does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quantity {
    CpuUsage,
    MemoryUsage,
    DiskUsage,
    SyncDuration,
    ErrorRate,
    ResponseTime,
    ConnectionUsage,
}

impl Quantity {
    const ALL: [Self; 7] = [
        Self::CpuUsage,
        Self::MemoryUsage,
        Self::DiskUsage,
        Self::SyncDuration,
        Self::ErrorRate,
        Self::ResponseTime,
        Self::ConnectionUsage,
    ];

    /// The name of its records, and its key in the configuration.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::CpuUsage => "cpu_usage",
            Self::MemoryUsage => "memory_usage",
            Self::DiskUsage => "disk_usage",
            Self::SyncDuration => "sync_duration",
            Self::ErrorRate => "error_rate",
            Self::ResponseTime => "response_time",
            Self::ConnectionUsage => "connection_usage",
        }
    }

    const fn unit(self) -> &'static str {
        match self {
            Self::SyncDuration => "seconds",
            Self::ResponseTime => "ms",
            _ => "percent",
        }
    }

    const fn default_limit(self) -> f64 {
        match self {
            Self::CpuUsage => 80.0,
            Self::MemoryUsage | Self::ConnectionUsage => 90.0,
            Self::DiskUsage => 85.0,
            Self::SyncDuration => 60.0,
            Self::ErrorRate => 5.0,
            Self::ResponseTime => 2000.0,
        }
    }

    /// The severity of a value beyond the limit.
    const fn beyond(self) -> Severity {
        match self {
            Self::MemoryUsage => Severity::Critical,
            Self::ErrorRate => Severity::High,
            _ => Severity::Warning,
        }
    }

    fn show(self, value: f64) -> String {
        let unit = match self.unit() {
            "percent" => "%",
            "seconds" => "s",
            unit => unit,
        };
        format!("{} {unit}", plain(value))
    }
}

/// Those that `/metrics` can be expected to have.
impl ConfigValue for Quantity {
    const EXPECTED: &'static str = "one of cpu_usage, memory_usage, sync_duration and error_rate";

    fn parse(text: &str) -> Option<Self> {
        let known = [Self::CpuUsage, Self::MemoryUsage, Self::SyncDuration, Self::ErrorRate];
        known.into_iter().find(|quantity| quantity.name() == text.trim())
    }

    fn show(&self) -> String {
        self.name().to_owned()
    }
}

/// A number with at most two decimals.
fn plain(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The limit of each quantity, in its unit.
#[derive(Clone, Debug)]
pub(crate) struct Limits([f64; Quantity::ALL.len()]);

impl Limits {
    /// Resolves the limits: our section, then `thresholds:` of `alerts`, then the specification's.
    ///
    /// # Errors
    /// When one of the files holds a bad value, or `alerts` cannot be read. A missing `alerts` is fine.
    pub(crate) fn resolve(config: &Config, section: &LimitsSection, alerts: &Path) -> anyhow::Result<Self> {
        let text = match std::fs::read_to_string(alerts) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error).with_context(|| format!("read {}", alerts.display())),
        };
        let alerts = Config::from_text(alerts, text, config.env().clone())?;
        let thresholds = alerts.read::<AlertsFile>()?.thresholds.unwrap_or_default();
        let mut limits = [0.0; Quantity::ALL.len()];
        for (limit, quantity) in limits.iter_mut().zip(Quantity::ALL) {
            let name = quantity.name();
            let key = format!("thresholds.{name}");
            let shared: Option<Amount> = alerts.pick(key.as_str()).file(thresholds.of(quantity)).optional()?;
            let source = alerts.effective().into_iter().find(|effective| effective.key == key);
            let source = source.map(|effective| effective.source).unwrap_or_default();
            let amount: Amount = config
                .pick(format!("maintenance.health.limits.{name}"))
                .file(section.of(quantity))
                .other(&source, shared)
                .or(Amount(quantity.default_limit()))?;
            *limit = amount.0;
        }
        Ok(Self(limits))
    }

    const fn of(&self, quantity: Quantity) -> f64 {
        self.0[quantity as usize]
    }

    /// A measured number as a finding; `detail` follows it in the message.
    pub(crate) fn judge(
        &self,
        quantity: Quantity,
        value: f64,
        detail: &str,
        elapsed_ms: u64,
        labels: Labels,
    ) -> Finding {
        let limit = self.of(quantity);
        let mut message = quantity.show(value);
        if value > limit {
            message = format!("{message}, beyond the limit of {}", quantity.show(limit));
        }
        if !detail.is_empty() {
            message = format!("{message} ({detail})");
        }
        let severity = if value > limit { quantity.beyond() } else { Severity::Ok };
        let record =
            HealthMetricRecord { value, unit: quantity.unit().to_owned(), limit: Some(limit), elapsed_ms, labels };
        Finding::metric(severity, quantity.name(), message, record)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self(Quantity::ALL.map(Quantity::default_limit))
    }
}

/// A limit as it stands in a file. The percent sign that the specification writes beside it may stand in it.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Amount(f64);

impl ConfigValue for Amount {
    const EXPECTED: &'static str = "a number of 0 or more";

    fn parse(text: &str) -> Option<Self> {
        f64::parse(text.trim().trim_end_matches('%')).filter(|value| *value >= 0.0).map(Self)
    }

    fn show(&self) -> String {
        plain(self.0)
    }
}

/// The part of `config/alerts.yaml` that is read here; the rest is `pso-alert`'s.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct AlertsFile {
    thresholds: Option<Thresholds>,
}

macro_rules! limit_fields {
    ($(#[$attribute:meta])* $name:ident) => {
        #[derive(Debug, Default, Deserialize)]
        #[serde(default)]
        $(#[$attribute])*
        pub(crate) struct $name {
            cpu_usage: Field,
            memory_usage: Field,
            disk_usage: Field,
            sync_duration: Field,
            error_rate: Field,
            response_time: Field,
            connection_usage: Field,
        }

        impl $name {
            const fn of(&self, quantity: Quantity) -> &Field {
                match quantity {
                    Quantity::CpuUsage => &self.cpu_usage,
                    Quantity::MemoryUsage => &self.memory_usage,
                    Quantity::DiskUsage => &self.disk_usage,
                    Quantity::SyncDuration => &self.sync_duration,
                    Quantity::ErrorRate => &self.error_rate,
                    Quantity::ResponseTime => &self.response_time,
                    Quantity::ConnectionUsage => &self.connection_usage,
                }
            }
        }
    };
}

limit_fields!(
    /// `maintenance.health.limits`.
    #[serde(deny_unknown_fields)]
    LimitsSection
);
limit_fields!(
    /// `thresholds` of `config/alerts.yaml`, where other keys may stand.
    Thresholds
);

#[cfg(test)]
mod tests {
    use pso_common::io::Env;

    use super::*;
    use crate::finding::Body;

    fn resolve(section: &str, alerts: &str) -> anyhow::Result<(Limits, Config)> {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("alerts.yaml");
        std::fs::write(&file, alerts).expect("written");
        let config = Config::from_text("c.yaml", section, Env::default()).expect("valid");
        let limits = Limits::resolve(&config, &config.read::<LimitsSection>()?, &file)?;
        Ok((limits, config))
    }

    #[test]
    fn our_section_beats_the_alerts_file_beats_the_specification() {
        let alerts = "alerts: {email: {password: '${SMTP_PASSWORD}'}}\nthresholds:\n  cpu_usage: 70 # %\n  \
                      disk_usage: '50%'\n  load: {one: 3}\n";
        let (limits, config) = resolve("cpu_usage: 60\n", alerts).expect("valid");
        assert_eq!(limits.0, [60.0, 90.0, 50.0, 60.0, 5.0, 2000.0, 90.0]);
        let sources: Vec<_> = config.effective().into_iter().map(|effective| effective.source).collect();
        assert_eq!(sources[0], "c.yaml:1 (maintenance.health.limits.cpu_usage)");
        assert!(sources[2].ends_with("alerts.yaml:4 (thresholds.disk_usage)"), "{sources:?}");
        assert_eq!(sources[1], "default");
    }

    #[test]
    fn a_bad_limit_names_its_place() {
        let error = format!("{:#}", resolve("", "thresholds:\n  error_rate: lots\n").expect_err("bad"));
        assert!(error.contains("alerts.yaml:2: thresholds.error_rate: expected a number of 0 or more"), "{error}");
        let error = format!("{:#}", resolve("cpu: 3\n", "").expect_err("bad"));
        assert!(error.contains("c.yaml:1: unknown field `cpu`"), "{error}");
    }

    #[test]
    fn only_what_is_beyond_a_limit_is_bad() {
        let judge = |quantity, value| Limits::default().judge(quantity, value, "", 0, Labels::new());
        assert_eq!(judge(Quantity::CpuUsage, 80.0).severity, Severity::Ok);
        let words = [
            (Quantity::CpuUsage, Severity::Warning),
            (Quantity::MemoryUsage, Severity::Critical),
            (Quantity::ErrorRate, Severity::High),
            (Quantity::SyncDuration, Severity::Warning),
            (Quantity::ResponseTime, Severity::Warning),
            (Quantity::DiskUsage, Severity::Warning),
        ];
        for (quantity, severity) in words {
            assert_eq!(judge(quantity, quantity.default_limit() + 0.01).severity, severity, "{quantity:?}");
        }
        let finding = Limits::default().judge(Quantity::ErrorRate, 7.5, "18 of 240 failed", 3, Labels::new());
        assert_eq!(finding.message, "7.5 %, beyond the limit of 5 % (18 of 240 failed)");
        assert!(matches!(finding.body, Body::Metric(record) if record.limit == Some(5.0) && record.unit == "percent"));
    }
}
