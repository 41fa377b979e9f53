//! The numbers that are judged, their limits, and how bad it is to be beyond one.

mod layers;
mod quantities;
mod section;

use std::collections::BTreeMap;

use pso_common::Severity;
use pso_common::config::ConfigValue as _;
use pso_common::record::{HealthMetricRecord, Labels};

pub(crate) use self::quantities::*;
use crate::finding::Finding;

/// What a number is counted in, as the records name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Percent,
    Seconds,
    Ms,
    Bytes,
    Count,
    /// A share of something else, without a unit.
    Ratio,
    /// As planning-sync-server counts disk traffic.
    MbPerSecond,
}

/// Which way is worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Worse {
    Above,
    Below,
}

/// From where on a number is how bad; absent where there is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Bounds {
    warning: Option<f64>,
    high: Option<f64>,
    critical: Option<f64>,
}

/// A number that can have limits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Quantity {
    /// The name of its records, and its key in the configuration.
    pub(crate) name: &'static str,
    unit: Unit,
    worse: Worse,
    default: Bounds,
}

impl Unit {
    /// As the records name it.
    const fn name(self) -> &'static str {
        match self {
            Self::Percent => "percent",
            Self::Seconds => "seconds",
            Self::Ms => "ms",
            Self::Bytes => "bytes",
            Self::Count => "count",
            Self::Ratio => "ratio",
            Self::MbPerSecond => "MB/s",
        }
    }

    /// A number for people.
    fn show(self, value: f64) -> String {
        match self {
            Self::Percent => format!("{} %", plain(value)),
            // Spans of minutes and more are read as such, the specification's 60 s as seconds.
            Self::Seconds if value.abs() >= 120.0 => {
                let sign = if value < 0.0 { "-" } else { "" };
                format!("{sign}{}", std::time::Duration::from_secs(whole(value.abs())).show())
            }
            Self::Seconds => format!("{} s", plain(value)),
            Self::Ms => format!("{} ms", plain(value)),
            Self::Bytes if value >= 0.0 => pso_common::output::bytes(whole(value)),
            Self::MbPerSecond => format!("{} MB/s", plain(value)),
            Self::Bytes | Self::Count | Self::Ratio => plain(value),
        }
    }
}

/// A number with at most two decimals.
fn plain(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "shown to people; the cast saturates")]
fn whole(value: f64) -> u64 {
    value.round() as u64
}

impl Bounds {
    const NONE: Self = Self { warning: None, high: None, critical: None };

    /// The bounds, the mildest first.
    fn each(self) -> impl DoubleEndedIterator<Item = (Severity, f64)> {
        [(Severity::Warning, self.warning), (Severity::High, self.high), (Severity::Critical, self.critical)]
            .into_iter()
            .filter_map(|(severity, bound)| Some((severity, bound?)))
    }

    const fn with(mut self, severity: Severity, bound: Option<f64>) -> Self {
        match severity {
            Severity::Critical => self.critical = bound,
            Severity::High => self.high = bound,
            _ => self.warning = bound,
        }
        self
    }

    /// Nagios has two degrees: the first bound that only warns, and the first that does not.
    fn nagios(self) -> (Option<f64>, Option<f64>) {
        (self.warning, self.high.or(self.critical))
    }
}

impl Quantity {
    fn beyond(&self, value: f64, bound: f64) -> bool {
        match self.worse {
            Worse::Above => value > bound,
            Worse::Below => value < bound,
        }
    }

    /// The bounds that one number without a severity means: it takes the place of the first default one, and those stay
    /// that lie further out.
    fn first(&self, bound: Option<f64>) -> Bounds {
        let Some(bound) = bound else { return Bounds::NONE };
        let mut defaults = self.default.each();
        let severity = defaults.next().map_or(Severity::Warning, |(severity, _)| severity);
        let further = defaults.filter(|(_, other)| self.beyond(*other, bound));
        further.fold(Bounds::NONE.with(severity, Some(bound)), |all, (severity, other)| all.with(severity, Some(other)))
    }
}

/// The limits in effect, by quantity.
#[derive(Clone, Debug, Default)]
pub(crate) struct Limits(BTreeMap<&'static str, Bounds>);

impl Limits {
    /// A measured number as a finding; `detail` follows it in the message.
    pub(crate) fn judge(
        &self,
        quantity: &Quantity,
        value: f64,
        detail: &str,
        elapsed_ms: u64,
        labels: Labels,
    ) -> Finding {
        let bounds = self.0.get(quantity.name).copied().unwrap_or(quantity.default);
        let exceeded = bounds.each().rev().find(|(_, bound)| quantity.beyond(value, *bound));
        let mut message = quantity.unit.show(value);
        if let Some((_, bound)) = exceeded {
            let how = if quantity.worse == Worse::Above { "beyond" } else { "below" };
            message = format!("{message}, {how} the limit of {}", quantity.unit.show(bound));
        }
        if !detail.is_empty() {
            message = format!("{message} ({detail})");
        }
        let (warning_limit, critical_limit) = bounds.nagios();
        let record = HealthMetricRecord {
            value,
            unit: quantity.unit.name().to_owned(),
            limit: exceeded.or_else(|| bounds.each().next()).map(|(_, bound)| bound),
            warning_limit,
            critical_limit,
            minimum: quantity.worse == Worse::Below,
            elapsed_ms,
            labels,
        };
        let severity = exceeded.map_or(Severity::Ok, |(severity, _)| severity);
        Finding::metric(severity, quantity.name, message, record)
    }
}

#[cfg(test)]
mod tests {
    use pso_common::config::Config;
    use pso_common::io::Env;

    use super::*;
    use crate::finding::Body;

    fn resolve(flags: &[&str], section: &str, alerts: &str) -> anyhow::Result<(Limits, Config)> {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("alerts.yaml");
        std::fs::write(&file, alerts).expect("written");
        let config = Config::from_text("c.yaml", section, Env::default()).expect("valid");
        let flags: Vec<String> = flags.iter().map(|flag| (*flag).to_owned()).collect();
        let limits = Limits::resolve(&flags, &config, &config.read::<LimitsSection>()?, &file)?;
        Ok((limits, config))
    }

    fn error(flags: &[&str], section: &str, alerts: &str) -> String {
        format!("{:#}", resolve(flags, section, alerts).expect_err("bad"))
    }

    fn severities(limits: &Limits, quantity: &Quantity, values: &[f64]) -> Vec<Severity> {
        values.iter().map(|value| limits.judge(quantity, *value, "", 0, Labels::new()).severity).collect()
    }

    #[test]
    fn flags_beat_our_section_beats_the_alerts_file_beats_the_specification() {
        let alerts = "alerts: {email: {password: '${SMTP_PASSWORD}'}}\nthresholds:\n  cpu_usage: 70 # %\n  \
                      disk_usage: '50%'\n  load: {one: 3}\n";
        let (limits, config) =
            resolve(&["sync_duration=5m"], "cpu_usage: 60\nsync_duration: 9\n", alerts).expect("valid");
        let of = |quantity: &Quantity| limits.judge(quantity, 0.0, "", 0, Labels::new());
        for (quantity, limit) in
            [(CPU_USAGE, 60.0), (MEMORY_USAGE, 90.0), (DISK_USAGE, 50.0), (SYNC_DURATION, 300.0), (ERROR_RATE, 5.0)]
        {
            assert!(
                matches!(of(&quantity).body, Body::Metric(record) if record.limit == Some(limit)),
                "{quantity:?}: {limits:?}"
            );
        }
        let effective = config.effective();
        let source = |name: &str| {
            let key = format!("maintenance.health.limits.{name}");
            effective.iter().find(|effective| effective.key == key).map(|effective| effective.source.clone())
        };
        assert_eq!(source("cpu_usage").as_deref(), Some("c.yaml:1 (maintenance.health.limits.cpu_usage)"));
        assert!(source("disk_usage").is_some_and(|at| at.ends_with("alerts.yaml:4 (thresholds.disk_usage)")));
        assert_eq!(source("sync_duration").as_deref(), Some("flag"));
    }

    #[test]
    fn every_limit_that_holds_is_shown_with_its_source() {
        let (_, config) = resolve(&["disk_usage=80:95"], "backup_age: 12h\ncpu_usage: {high: 9}\n", "").expect("valid");
        let effective = config.effective();
        let shown = |name: &str| {
            let key = format!("maintenance.health.limits.{name}");
            let found = effective.iter().find(|effective| effective.key == key);
            found.map(|effective| (effective.shown.as_str(), effective.source.as_str()))
        };
        for (name, expected) in [
            ("inode_usage", Some(("85", "default"))),
            ("log_age", Some(("off", "default"))),
            ("backup_age", Some(("43200", "c.yaml:1 (maintenance.health.limits.backup_age)"))),
            ("backup_age.critical", Some(("180000", "default"))),
            ("disk_usage", Some(("80", "flag"))),
            ("disk_usage.critical", Some(("95", "flag"))),
            ("cpu_usage.high", Some(("9", "c.yaml:2 (maintenance.health.limits.cpu_usage.high)"))),
            ("cpu_usage", None),
        ] {
            assert_eq!(shown(name), expected, "{name}");
        }
    }

    #[test]
    fn limits_by_severity() {
        let section = "cpu_usage: {warning: 70, critical: 95%}\nmemory_usage: off\ndisk_usage:\n  high: '${D:-90}'\n";
        let (limits, _) = resolve(&["certificate_time_left=30d:1h"], section, "").expect("valid");
        use Severity::{Critical, High, Ok, Warning};
        assert_eq!(severities(&limits, &CPU_USAGE, &[70.0, 70.1, 95.0, 95.1]), [Ok, Warning, Warning, Critical]);
        assert_eq!(severities(&limits, &MEMORY_USAGE, &[100.0]), [Ok]);
        assert_eq!(severities(&limits, &DISK_USAGE, &[90.0, 91.0]), [Ok, High]);
        let left = [30.0 * 86_400.0, 29.0 * 86_400.0, 3600.0, 3599.0, -1.0];
        assert_eq!(severities(&limits, &CERTIFICATE_TIME_LEFT, &left), [Ok, Warning, Warning, Critical, Critical]);
        // One number moves the first bound; one further out stays.
        let (limits, _) = resolve(&[], "certificate_time_left: 30d", "").expect("valid");
        assert_eq!(severities(&limits, &CERTIFICATE_TIME_LEFT, &[29.0 * 86_400.0, 0.0]), [Warning, Critical]);
    }

    #[test]
    fn a_bad_limit_names_its_place() {
        let message = error(&[], "", "thresholds:\n  error_rate: lots\n");
        assert!(message.contains("alerts.yaml:2: thresholds.error_rate: expected a number of 0 or more"), "{message}");
        assert!(error(&[], "cpu: 3\n", "").contains("c.yaml:1: unknown field `cpu`"));
        let message = error(&[], "cpu_usage:\n  warn: 3\n", "");
        assert!(message.contains("c.yaml:2: unknown field `warn`"), "{message}");
        let message = error(&[], "cpu_usage:\n  warning: lots\n", "");
        assert!(
            message.contains("c.yaml:2: maintenance.health.limits.cpu_usage.warning: expected a number"),
            "{message}"
        );
        let message = error(&[], "cpu_usage:\n  warning: 9\n  critical: 8\n", "");
        assert_eq!(
            message,
            "c.yaml:2 (maintenance.health.limits.cpu_usage.warning): the limits must get worse from warning to critical, \
             found warning 9, critical 8"
        );
        let message = error(&["cpu_usage=9:8"], "cpu_usage: 7\n", "");
        assert!(message.starts_with("--limit cpu_usage: the limits must get worse"), "{message}");
        let message = error(&["cpu_usage=9:8:7"], "", "");
        assert!(message.starts_with("--limit cpu_usage: expected a number of 0 or more"), "{message}");
        assert!(error(&["cpu=3"], "", "").contains("there is no \"cpu\"; there are cpu_usage, memory_usage"));
        assert!(error(&["cpu_usage"], "", "").contains("expected NAME=WARNING"));
        assert!(error(&["cpu_usage=x"], "", "").contains("the flag for maintenance.health.limits.cpu_usage"));
        assert!(error(&[], "cpu_usage: [1]\n", "").contains("c.yaml:1"));
    }

    #[test]
    fn only_what_is_beyond_a_limit_is_bad() {
        let limits = Limits::default();
        for (quantity, severity) in [
            (CPU_USAGE, Severity::Warning),
            (MEMORY_USAGE, Severity::Critical),
            (ERROR_RATE, Severity::High),
            (SYNC_DURATION, Severity::Warning),
            (RESPONSE_TIME, Severity::Warning),
            (DISK_USAGE, Severity::Warning),
        ] {
            let bound = quantity.default.each().next().expect("a limit of the specification").1;
            assert_eq!(
                severities(&limits, &quantity, &[bound, bound + 0.01]),
                [Severity::Ok, severity],
                "{quantity:?}"
            );
        }
        let finding = limits.judge(&ERROR_RATE, 7.5, "18 of 240 failed", 3, Labels::new());
        assert_eq!(finding.message, "7.5 %, beyond the limit of 5 % (18 of 240 failed)");
        let expected = HealthMetricRecord {
            value: 7.5,
            unit: "percent".to_owned(),
            limit: Some(5.0),
            critical_limit: Some(5.0),
            elapsed_ms: 3,
            ..HealthMetricRecord::default()
        };
        assert_eq!(finding.body, Body::Metric(expected));
        let finding = limits.judge(&CERTIFICATE_TIME_LEFT, 86_400.0, "", 3, Labels::new());
        assert_eq!(finding.message, "1d, below the limit of 7d");
        assert!(matches!(finding.body, Body::Metric(record) if record.minimum));
    }

    #[test]
    fn the_readme_names_each() {
        let readme = include_str!("../../../../README.md");
        let missing: Vec<_> = QUANTITIES
            .iter()
            .map(|quantity| quantity.name)
            .filter(|name| !readme.contains(&format!("`{name}`")))
            .collect();
        assert_eq!(missing, [""; 0]);
    }
}
