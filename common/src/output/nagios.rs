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
            let limit =
                view.fields.get("limit").and_then(Value::as_f64).map_or_else(String::new, |limit| limit.to_string());
            // The units that the guidelines name: s, ms, %, B, c.
            let unit = match unit {
                "percent" => "%",
                "seconds" => "s",
                "ms" => "ms",
                "bytes" => "B",
                _ => "",
            };
            self.perfdata.push(format!("'{label}'={value}{unit};{limit}"));
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

    #[test]
    fn the_worst_comes_first_and_perfdata_follows() {
        let mut format = Nagios::new("pso-health");
        for (severity, name, value, mount) in [
            ("ok", "cpu_usage", 12.5, "/"),
            ("warning", "it's=disk|x", 91.0, "/"),
            ("ok", "it's=disk|x", 50.0, "/d"),
            ("ok", "it's=disk|x", 51.0, "/d"),
        ] {
            let line = format!(
                r#"{{"schema":1,"kind":"health.metric","at":"2026-11-22T09:00:00Z","tool":"t","host":"h","severity":"{severity}","name":"{name}","message":"at {value} %","value":{value},"unit":"percent","limit":85,"labels":{{"mount":"{mount}"}}}}"#
            );
            let record = AnyRecord::parse(line).expect("a record");
            let fields = record.fields().expect("fields");
            format.record(&mut io::sink(), &View { header: &record.header, fields: &fields }).expect("gathered");
        }
        let mut out = Vec::new();
        format.finish(&mut out, Severity::Warning).expect("written");
        assert_eq!(
            String::from_utf8(out).expect("UTF-8"),
            "PSO-HEALTH WARNING - it's=disk/x: at 91 % | 'cpu_usage'=12.5%;85 'itsdisk/x'=91%;85 \
             'itsdisk/x /d'=50%;85\n"
        );
    }
}
