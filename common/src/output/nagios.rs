//! A run as one line of a Nagios plugin: status, what is wrong, perfdata.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{self, Write};

use serde_json::Value;

use super::human::printable;
use super::{Render, View};
use crate::record::Severity;

/// Nagios cuts a plugin's output at 8 KiB, in the middle of a value. What comes later is left out as a whole.
const LONGEST_LINE: usize = 8000;

/// The longest message, in bytes, so that values have room beside it.
const LONGEST_TEXT: usize = 1000;

pub(super) struct Nagios {
    tool: String,
    records: u64,
    /// The messages of the records that have the worst severity seen so far, by [`rank`].
    worst: (Severity, Vec<String>),
    perfdata: Vec<String>,
    /// The bytes of `perfdata` with what parts them.
    length: usize,
    /// The labels in use: two values of one label would be one series to whoever draws them.
    labels: BTreeSet<String>,
}

/// Which of two severities a plugin tells. What is known to be down is not made less by something else that nobody knows: a
/// pager that is silent for UNKNOWN must ring.
const fn rank(severity: Severity) -> u8 {
    match severity {
        Severity::Critical => 6,
        Severity::High => 5,
        Severity::Unknown => 4,
        other => other as u8,
    }
}

/// The severity of a run as Nagios has it, of the worst that is known and the worst of all.
pub(super) const fn told(known: Severity, worst: Severity) -> Severity {
    if rank(known) > rank(worst) { known } else { worst }
}

impl Nagios {
    pub(super) fn new(tool: &str) -> Self {
        Self {
            tool: tool.to_owned(),
            records: 0,
            worst: (Severity::Ok, Vec::new()),
            perfdata: Vec::new(),
            length: 0,
            labels: BTreeSet::new(),
        }
    }

    /// A perfdata label that no value has yet. A number that is one of several of its name always has what it belongs to in
    /// its label: with one of them gone the others must stay the series that they were.
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
        // The name of a check is its own already, with its part and detail.
        let labels = match (own.is_empty(), view.header.kind.as_str()) {
            (true, _) => vec![name],
            (false, "health.metric") => vec![longer],
            (false, _) => vec![name, longer],
        };
        labels.into_iter().find(|label| self.labels.insert(label.clone()))
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
        // A run that has failed tells of that first: its exit code does.
        if error || rank(header.severity) > rank(self.worst.0) {
            self.worst = (header.severity, Vec::new());
        }
        if header.severity == self.worst.0 && header.severity > Severity::Info {
            self.worst.1.push(format!("{}: {}", header.name, header.message));
        }
        let unit = view.fields.get("unit").and_then(Value::as_str).unwrap_or_default();
        if let Some(value) = view.fields.get("value").and_then(Value::as_f64) {
            let Some(label) = self.label(view) else { return Ok(()) };
            let item = format!("'{label}'={value}{}{}", unit_of_measure(unit), limits(view, unit));
            self.length += item.len() + 1;
            if self.length <= LONGEST_LINE - LONGEST_TEXT {
                self.perfdata.push(item);
            } else {
                self.length -= item.len() + 1;
            }
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
        let mut text = printable(&text).replace('|', "/");
        if text.len() > LONGEST_TEXT {
            let end = (0..=LONGEST_TEXT).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            text.truncate(end);
            text.push('…');
        }
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
            "PSO-HEALTH WARNING - it's=disk/x: too much/more | 'cpu_usage'=12.5%;85;;0;100 'itsdisk/x /'=91%;85;;0;100 \
             'itsdisk/x /d'=50%;85;;0;100\n"
        );
    }

    #[test]
    fn a_series_keeps_its_label_when_others_are_gone() {
        let skew = |server: &str| format!(r#""value":0,"unit":"seconds","labels":{{"server":"{server}"}}"#);
        let text = show(Severity::Ok, &[("ok", "clock_skew", &skew("postgres"))]);
        assert_eq!(text, "PSO-HEALTH OK - 1 records | 'clock_skew postgres'=0s\n");
    }

    #[test]
    fn what_is_down_is_told_before_what_is_not_known() {
        let fields = r#""elapsed_ms":1"#;
        let records = [("critical", "postgres", fields), ("unknown", "disk.path", fields), ("high", "plans", fields)];
        let text = show(told(Severity::Critical, Severity::Unknown), &records);
        assert_eq!(text, "PSO-HEALTH CRITICAL - postgres: too much/more\n");
        let text =
            show(told(Severity::Warning, Severity::Unknown), &[("warning", "a", fields), ("unknown", "b", fields)]);
        assert_eq!(text, "PSO-HEALTH UNKNOWN - b: too much/more\n");
    }

    #[test]
    fn a_line_is_never_longer_than_nagios_reads() {
        let long = "é".repeat(3000);
        let mut records = vec![("warning", long.as_str(), r#""elapsed_ms":1"#)];
        let names: Vec<String> = (0..2000).map(|n| format!("value {n}")).collect();
        records.extend(names.iter().map(|name| ("ok", name.as_str(), r#""value":16.666666666666664"#)));
        let text = show(Severity::Warning, &records);
        assert!(text.len() < 8192 && text.ends_with("=16.666666666666664\n"), "{}", text.len());
        assert!(text.matches("'=").count() > 200, "{text}");
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
