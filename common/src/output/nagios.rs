//! A run as one line of a Nagios plugin: status, what is wrong, perfdata.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{self, Write};

use serde_json::Value;

use super::human::printable;
use super::{Render, View};
use crate::record::Severity;

/// Nagios cuts a plugin's output at 8 KiB; perfdata past this many values would be lost in the middle of one.
const MAX_PERFDATA: usize = 100;

pub(super) struct Nagios {
    tool: String,
    records: u64,
    /// The messages of the records that have the worst severity seen so far.
    worst: (Severity, Vec<String>),
    perfdata: Vec<String>,
    /// The labels in use: two values of one label would be one series to whoever draws them.
    labels: BTreeSet<String>,
}

impl Nagios {
    pub(super) fn new(tool: &str) -> Self {
        Self {
            tool: tool.to_owned(),
            records: 0,
            worst: (Severity::Ok, Vec::new()),
            perfdata: Vec::new(),
            labels: BTreeSet::new(),
        }
    }

    /// A perfdata label that no value has yet: the record's name, with what it belongs to where the name alone is taken.
    fn label(&mut self, view: &View<'_>) -> Option<String> {
        // The guidelines forbid `=` and `'`; `|` would begin the perfdata anew.
        let clean = |text: &str| {
            let text: String = text.chars().filter(|c| !matches!(c, '=' | '\'')).collect();
            printable(&text).replace('|', "/")
        };
        let name = clean(&view.header.name);
        let own = view.fields.get("labels").and_then(Value::as_object);
        let own: Vec<String> = own.into_iter().flatten().filter_map(|(_, value)| value.as_str().map(clean)).collect();
        let longer = format!("{name} {}", own.join(" "));
        [name, longer].into_iter().find(|label| self.labels.insert(label.clone()))
    }
}

/// The units that the guidelines name: s, ms, %, B, c; others have none.
fn unit_of_measure(unit: &str) -> &'static str {
    match unit {
        "percent" => "%",
        "seconds" => "s",
        "ms" => "ms",
        "bytes" => "B",
        _ => "",
    }
}

/// `;warn;crit;min;max` as far as there is any. A limit that the value must not fall below is the range `N:`.
fn limits(view: &View<'_>, unit: &str) -> String {
    let field = |name: &str| view.fields.get(name).and_then(Value::as_f64);
    let minimum = view.fields.get("minimum").and_then(Value::as_bool) == Some(true);
    let range = |limit: Option<f64>| match limit {
        Some(limit) if minimum => format!("{limit}:"),
        Some(limit) => limit.to_string(),
        None => String::new(),
    };
    let (warning, critical) = (field("warning_limit"), field("critical_limit"));
    // Other tools' records have one limit and do not say how bad it is beyond it.
    let warning = if critical.is_none() { warning.or_else(|| field("limit")) } else { warning };
    let (min, max) = if unit == "percent" { ("0", "100") } else { ("", "") };
    let all = format!(";{};{};{min};{max}", range(warning), range(critical));
    all.trim_end_matches(';').to_owned()
}

impl Render for Nagios {
    fn record(&mut self, _out: &mut dyn Write, view: &View<'_>) -> io::Result<()> {
        let header = view.header;
        let error = view.fields.get("error").is_some();
        if header.kind == "run.start" || (header.kind == "run.end" && !error) {
            return Ok(());
        }
        self.records += 1;
        if header.severity > self.worst.0 {
            self.worst = (header.severity, Vec::new());
        }
        if header.severity == self.worst.0 && header.severity > Severity::Info {
            self.worst.1.push(format!("{}: {}", header.name, header.message));
        }
        let unit = view.fields.get("unit").and_then(Value::as_str).unwrap_or_default();
        if let (Some(value), true) =
            (view.fields.get("value").and_then(Value::as_f64), self.perfdata.len() < MAX_PERFDATA)
        {
            let Some(label) = self.label(view) else { return Ok(()) };
            self.perfdata.push(format!("'{label}'={value}{}{}", unit_of_measure(unit), limits(view, unit)));
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut dyn Write, worst: Severity) -> io::Result<()> {
        let status = ["OK", "WARNING", "CRITICAL", "UNKNOWN"][usize::from(worst.exit_code())];
        let name = self.tool.to_uppercase();
        let (_, messages) = &self.worst;
        let text = match messages.as_slice() {
            [] => format!("{} records", self.records),
            [first, rest @ ..] => {
                let mut text = first.clone();
                if !rest.is_empty() {
                    // Writing to a String cannot fail.
                    let _ = write!(text, " (and {} more)", rest.len());
                }
                text
            }
        };
        // `|` would begin the perfdata.
        let text = printable(&text).replace('|', "/");
        write!(out, "{name} {status} - {text}")?;
        if !self.perfdata.is_empty() {
            write!(out, " | {}", self.perfdata.join(" "))?;
        }
        writeln!(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::AnyRecord;

    fn show(worst: Severity, records: &[(&str, &str, &str)]) -> String {
        let mut format = Nagios::new("pso-health");
        for (severity, name, fields) in records {
            let line = format!(
                r#"{{"schema":1,"kind":"health.metric","at":"2026-11-22T09:00:00Z","tool":"t","host":"h","severity":"{severity}","name":"{name}","message":"too much|more",{fields}}}"#
            );
            let record = AnyRecord::parse(line).expect("a record");
            let fields = record.fields().expect("fields");
            format.record(&mut io::sink(), &View { header: &record.header, fields: &fields }).expect("gathered");
        }
        let mut out = Vec::new();
        format.finish(&mut out, worst).expect("written");
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn the_worst_comes_first_and_perfdata_follows() {
        let disk = |value: f64, mount: &str| {
            format!(r#""value":{value},"unit":"percent","limit":85,"warning_limit":85,"labels":{{"mount":"{mount}"}}"#)
        };
        let cpu = r#""value":12.5,"unit":"percent","limit":85"#;
        let text = show(
            Severity::Warning,
            &[
                ("ok", "cpu_usage", cpu),
                ("warning", "it's=disk|x", &disk(91.0, "/")),
                ("ok", "it's=disk|x", &disk(50.0, "/d")),
                ("ok", "it's=disk|x", &disk(51.0, "/d")),
            ],
        );
        assert_eq!(
            text,
            "PSO-HEALTH WARNING - it's=disk/x: too much/more | 'cpu_usage'=12.5%;85;;0;100 'itsdisk/x'=91%;85;;0;100 \
             'itsdisk/x /d'=50%;85;;0;100\n"
        );
    }

    #[test]
    fn limits_are_ranges() {
        for (fields, perfdata) in [
            (r#""value":90,"unit":"percent","limit":90,"critical_limit":90"#, "'x'=90%;;90;0;100"),
            (r#""value":7,"unit":"seconds","limit":60,"warning_limit":60,"critical_limit":90"#, "'x'=7s;60;90"),
            (r#""value":7,"unit":"seconds","warning_limit":60,"critical_limit":9,"minimum":true"#, "'x'=7s;60:;9:"),
            (r#""value":-0.5,"unit":"ms""#, "'x'=-0.5ms"),
            (r#""value":3,"unit":"count""#, "'x'=3"),
            (r#""value":1e21,"unit":"bytes""#, "'x'=1000000000000000000000B"),
        ] {
            let text = show(Severity::Ok, &[("ok", "x", fields)]);
            assert_eq!(text, format!("PSO-HEALTH OK - 1 records | {perfdata}\n"));
        }
    }
}
