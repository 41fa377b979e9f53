//! Limits as they stand in the files.

use std::time::Duration;

use pso_common::Severity;
use pso_common::config::{Config, ConfigValue, Field, FieldOr};
use serde::Deserialize;

use super::quantities::Thresholds;
use super::{Bounds, Quantity, plain};

/// A limit: one number, or one a severity.
pub(super) type Limit = FieldOr<EachLimit>;

/// A limit as it stands in a file: a number, for spans of time also `36h`; `off` for none. The percent sign that the
/// specification writes beside it may stand in it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Amount(pub(super) Option<f64>);

impl ConfigValue for Amount {
    const EXPECTED: &'static str = "a number of 0 or more, a span of time such as 36h, or off";

    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if matches!(text, "off" | "false") {
            return Some(Self(None));
        }
        let number = f64::parse(text.trim_end_matches('%')).or_else(|| Some(Duration::parse(text)?.as_secs_f64()));
        number.filter(|value| *value >= 0.0).map(|value| Self(Some(value)))
    }

    fn show(&self) -> String {
        self.0.map_or_else(|| "off".to_owned(), plain)
    }
}

/// A limit by severity. Only those that stand there hold.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct EachLimit {
    warning: Field,
    high: Field,
    critical: Field,
}

impl EachLimit {
    pub(super) fn resolve(&self, quantity: &Quantity, config: &Config) -> anyhow::Result<Bounds> {
        let each =
            [(Severity::Warning, &self.warning), (Severity::High, &self.high), (Severity::Critical, &self.critical)];
        each.into_iter().try_fold(Bounds::NONE, |bounds, (severity, field)| {
            let key = format!("maintenance.health.limits.{}.{severity}", quantity.name);
            let amount: Option<Amount> = config.pick(key).file(field).optional()?;
            Ok(bounds.with(severity, amount.and_then(|amount| amount.0)))
        })
    }
}

/// The part of `config/alerts.yaml` that is read here; the rest is `pso-alert`'s.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct AlertsFile {
    pub(super) thresholds: Option<Thresholds>,
}
