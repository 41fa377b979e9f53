//! Records as OpenMetrics text: one family a metric name, and the severity of every named check.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};

use serde_json::Value;

use super::{Render, View};
use crate::record::Severity;

/// Families of samples by metric name. They are gathered until the end, because the format wants all samples of a
/// family together.
#[derive(Default)]
pub(super) struct OpenMetrics {
    families: BTreeMap<String, Family>,
}

struct Family {
    unit: String,
    help: String,
    /// By label set, so that a later sample of the same series replaces the earlier one, as the format demands.
    samples: BTreeMap<String, f64>,
}

impl Render for OpenMetrics {
    fn record(&mut self, _out: &mut dyn Write, view: &View<'_>) -> io::Result<()> {
        let header = view.header;
        if matches!(header.kind.as_str(), "run.start" | "run.end") {
            return Ok(());
        }
        let mut labels = vec![("name".to_owned(), header.name.clone())];
        if let Some(Value::Object(own)) = view.fields.get("labels") {
            labels.extend(own.iter().filter_map(|(key, value)| Some((metric_name(key), value.as_str()?.to_owned()))));
        }
        let labels = label_set(&labels);
        let kind = metric_name(&header.kind);
        self.add(
            &format!("pso_{kind}_severity"),
            "",
            "0 ok, 1 info, 2 warning, 3 high, 4 critical, 5 unknown",
            &labels,
            f64::from(header.severity as u8),
        );
        for (field, value) in view.fields {
            let Some(value) = value.as_f64() else { continue };
            match field.as_str() {
                "schema" | "limit" => {}
                "value" => {
                    let unit = view.fields.get("unit").and_then(Value::as_str).unwrap_or_default();
                    let unit = metric_name(unit);
                    let suffix = if unit.is_empty() { String::new() } else { format!("_{unit}") };
                    self.add(&format!("pso_{kind}_value{suffix}"), &unit, "The value of the record", &labels, value);
                }
                _ => {
                    let unit = field.rsplit_once('_').map_or("", |(_, unit)| unit);
                    let unit = if matches!(unit, "bytes" | "ms" | "percent") { unit } else { "" };
                    self.add(
                        &format!("pso_{kind}_{}", metric_name(field)),
                        unit,
                        &format!("Field {field} of {}", header.kind),
                        &labels,
                        value,
                    );
                }
            }
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut dyn Write, worst: Severity) -> io::Result<()> {
        self.add("pso_worst_severity", "", "The worst severity of the run", "", f64::from(worst as u8));
        for (name, family) in std::mem::take(&mut self.families) {
            writeln!(out, "# TYPE {name} gauge")?;
            if !family.unit.is_empty() {
                writeln!(out, "# UNIT {name} {}", family.unit)?;
            }
            writeln!(out, "# HELP {name} {}", family.help)?;
            for (labels, value) in family.samples {
                writeln!(out, "{name}{labels} {value}")?;
            }
        }
        writeln!(out, "# EOF")
    }
}

impl OpenMetrics {
    fn add(&mut self, name: &str, unit: &str, help: &str, labels: &str, value: f64) {
        self.families
            .entry(name.to_owned())
            .or_insert_with(|| Family { unit: unit.to_owned(), help: help.to_owned(), samples: BTreeMap::new() })
            .samples
            .insert(labels.to_owned(), value);
    }
}

/// A name of the alphabet that OpenMetrics allows.
fn metric_name(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect()
}

fn label_set(labels: &[(String, String)]) -> String {
    let mut set = String::from("{");
    for (at, (key, value)) in labels.iter().enumerate() {
        let comma = if at > 0 { "," } else { "" };
        let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        // Writing to a String cannot fail.
        let _ = write!(set, "{comma}{key}=\"{value}\"");
    }
    set.push('}');
    set
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::AnyRecord;

    #[test]
    fn families_stand_together_and_labels_are_escaped() {
        let mut format = OpenMetrics::default();
        for (name, value) in [("cpu", 12.5), ("a\\\"b", 3.0)] {
            let line = format!(
                r#"{{"schema":1,"kind":"health.metric","at":"2026-11-22T09:00:00Z","tool":"t","host":"h","severity":"warning","name":"{name}","message":"","value":{value},"unit":"percent","labels":{{"path":"/"}}}}"#
            );
            let record = AnyRecord::parse(line).expect("a record");
            let fields = record.fields().expect("fields");
            format.record(&mut io::sink(), &View { header: &record.header, fields: &fields }).expect("gathered");
        }
        let mut out = Vec::new();
        format.finish(&mut out, Severity::Warning).expect("written");
        let expected = r#"# TYPE pso_health_metric_severity gauge
# HELP pso_health_metric_severity 0 ok, 1 info, 2 warning, 3 high, 4 critical, 5 unknown
pso_health_metric_severity{name="a\"b",path="/"} 2
pso_health_metric_severity{name="cpu",path="/"} 2
# TYPE pso_health_metric_value_percent gauge
# UNIT pso_health_metric_value_percent percent
# HELP pso_health_metric_value_percent The value of the record
pso_health_metric_value_percent{name="a\"b",path="/"} 3
pso_health_metric_value_percent{name="cpu",path="/"} 12.5
# TYPE pso_worst_severity gauge
# HELP pso_worst_severity The worst severity of the run
pso_worst_severity 2
# EOF
"#;
        assert_eq!(String::from_utf8(out).expect("UTF-8"), expected);
    }
}
