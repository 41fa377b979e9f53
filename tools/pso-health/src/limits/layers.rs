//! Which limit holds: that of a flag, of our section, of `config/alerts.yaml`, or the default one.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, ensure};
use pso_common::Severity;
use pso_common::config::{Config, ConfigValue as _, FieldOr};

use super::section::{AlertsFile, Amount};
use super::{Bounds, Limits, LimitsSection, QUANTITIES, Quantity, plain};

impl Limits {
    /// Resolves the limits: flags (`NAME=WARNING[:CRITICAL]`), then our section, then `thresholds:` of `alerts`, then the
    /// defaults.
    ///
    /// # Errors
    /// When a layer holds a bad value, or `alerts` cannot be read. A missing `alerts` is fine.
    pub(crate) fn resolve(
        flags: &[String],
        config: &Config,
        section: &LimitsSection,
        alerts: &Path,
    ) -> anyhow::Result<Self> {
        let text = match std::fs::read_to_string(alerts) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error).with_context(|| format!("read {}", alerts.display())),
        };
        let alerts = Config::from_text(alerts, text, config.env().clone())?;
        let thresholds = alerts.read::<AlertsFile>()?.thresholds.unwrap_or_default();
        let flags = flags.iter().map(|flag| named(flag)).collect::<anyhow::Result<Vec<_>>>()?;
        let mut limits = BTreeMap::new();
        for quantity in QUANTITIES {
            let name = quantity.name;
            let flag = flags.iter().rev().find(|(flagged, _)| flagged.name == name).map(|(_, text)| text.as_str());
            let key = format!("maintenance.health.limits.{name}");
            let bounds = match (flag, section.of(name)) {
                (None, Some(FieldOr::Mapping(each))) => each.resolve(quantity, config)?,
                (flag, in_file) => {
                    let in_file = match in_file {
                        Some(FieldOr::Field(field)) => Some(field.clone()),
                        _ => None,
                    };
                    let threshold = format!("thresholds.{name}");
                    let shared: Option<Amount> =
                        alerts.pick(threshold.as_str()).file(thresholds.of(name)).optional()?;
                    let source = source(&alerts, &threshold).unwrap_or_default();
                    let (first, critical) = split(flag);
                    let (_, default) = quantity.default.each().next().unzip();
                    let amount = config
                        .pick(key.as_str())
                        .flag_text(first)
                        .file(&in_file)
                        .other(&source, shared)
                        .or(Amount(default))?;
                    let critical = critical.map(|text| second(name, text)).transpose()?;
                    let bounds = match critical {
                        // Two numbers are all there is then.
                        Some(Amount(bound)) => {
                            Bounds::NONE.with(Severity::Warning, amount.0).with(Severity::Critical, bound)
                        }
                        None => quantity.first(amount.0),
                    };
                    // Whoever asks what holds wants the others too.
                    for (severity, bound) in bounds.each().filter(|(_, bound)| Some(*bound) != amount.0) {
                        let source = if critical.is_some() { "flag" } else { "default" };
                        let shown = config.pick(format!("{key}.{severity}")).other(source, Some(Amount(Some(bound))));
                        shown.optional()?;
                    }
                    bounds
                }
            };
            in_order(quantity, bounds, || match flag {
                Some(_) => format!("--limit {name}"),
                None => bounds
                    .each()
                    .find_map(|(severity, _)| source(config, &format!("{key}.{severity}")))
                    .unwrap_or(key.clone()),
            })?;
            limits.insert(name, bounds);
        }
        Ok(Self(limits))
    }
}

/// The quantity and the limit of a flag.
fn named(flag: &str) -> anyhow::Result<(&'static Quantity, String)> {
    let (name, text) = flag.split_once('=').context("--limit: expected NAME=WARNING or NAME=WARNING:CRITICAL")?;
    let quantity = QUANTITIES.iter().find(|quantity| quantity.name == name.trim());
    let known = || QUANTITIES.iter().map(|quantity| quantity.name).collect::<Vec<_>>().join(", ");
    let quantity = quantity.with_context(|| format!("--limit: there is no {name:?}; there are {}", known()))?;
    Ok((quantity, text.to_owned()))
}

/// `WARNING[:CRITICAL]`.
fn split(flag: Option<&str>) -> (Option<&str>, Option<&str>) {
    match flag.map(|text| text.split_once(':').map_or((text, None), |(first, second)| (first, Some(second)))) {
        Some((first, second)) => (Some(first), second),
        None => (None, None),
    }
}

/// What follows the colon.
fn second(name: &str, text: &str) -> anyhow::Result<Amount> {
    Amount::parse(text).with_context(|| format!("--limit {name}: expected {}, found {text:?}", Amount::EXPECTED))
}

/// Where a value that was picked before stands.
fn source(config: &Config, key: &str) -> Option<String> {
    config.effective().into_iter().find(|effective| effective.key == key).map(|effective| effective.source)
}

/// A milder bound that lies beyond a worse one would never be seen.
fn in_order(quantity: &Quantity, bounds: Bounds, place: impl FnOnce() -> String) -> anyhow::Result<()> {
    let all: Vec<_> = bounds.each().collect();
    let crossed = all.windows(2).find(|pair| quantity.beyond(pair[0].1, pair[1].1));
    ensure!(
        crossed.is_none(),
        "{}: the limits must get worse from warning to critical, found {}",
        place(),
        all.iter().map(|(severity, bound)| format!("{severity} {}", plain(*bound))).collect::<Vec<_>>().join(", ")
    );
    Ok(())
}
