//! Records as OpenMetrics text: one family a metric name. A record of a kind that declares its measurements
//! ([`crate::record::Metrics`]) becomes these; of any other, every number and its severity.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::io::{self, Write};
use std::rc::Rc;

use serde_json::{Map, Value};

use super::{Render, View};
use crate::record::schema::{self, KindInfo};
use crate::record::{Label, Measure, Metric, Severity, Timestamp};

/// Families of samples by metric name. They are gathered until the end, because the format wants all samples of a
/// family together.
pub(super) struct OpenMetrics {
    tool: String,
    families: BTreeMap<String, Family>,
    /// What earlier records said about those after them, by label.
    given: BTreeMap<&'static str, String>,
    /// What the fields of a kind mean, by kind.
    schemas: HashMap<&'static str, Value>,
}

struct Family {
    /// As `# TYPE` has it; a family without one is of the type `unknown`, and node_exporter does not know that word.
    kind: Option<&'static str>,
    unit: String,
    help: String,
    /// By label set, so that a later sample of the same series replaces the earlier one, as the format demands.
    samples: BTreeMap<Rc<str>, f64>,
}

impl Render for OpenMetrics {
    fn record(&mut self, _out: &mut dyn Write, view: &View<'_>) -> io::Result<()> {
        if matches!(view.header.kind.as_str(), "run.start" | "run.end") {
            return Ok(());
        }
        match schema::find(&view.header.kind) {
            Some(info) if !info.metrics.fields.is_empty() => self.measured(info, view.fields),
            _ => self.plain(view),
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut dyn Write, worst: Severity) -> io::Result<()> {
        // The label keeps the tools apart whose outputs stand in one folder: node_exporter refuses a sample that comes twice.
        let tool = label_set(&[("tool", self.tool.clone())]).into();
        let family = Family::gauge("", "The worst severity of the run");
        self.add("pso_worst_severity", &tool, f64::from(worst as u8), || family);
        for (name, family) in std::mem::take(&mut self.families) {
            // The family of a counter is called as its samples are, without their ending.
            let base = if family.kind == Some("counter") { counter_base(&name) } else { &name };
            if let Some(kind) = family.kind {
                writeln!(out, "# TYPE {base} {kind}")?;
            }
            if !family.unit.is_empty() {
                writeln!(out, "# UNIT {base} {}", family.unit)?;
            }
            writeln!(out, "# HELP {base} {}", prose(&family.help))?;
            for (labels, value) in family.samples {
                writeln!(out, "{name}{labels} {value}")?;
            }
        }
        writeln!(out, "# EOF")
    }
}

impl OpenMetrics {
    pub(super) fn new(tool: &str) -> Self {
        Self { tool: tool.to_owned(), families: BTreeMap::new(), given: BTreeMap::new(), schemas: HashMap::new() }
    }

    /// The measurements that the kind declares.
    fn measured(&mut self, info: &KindInfo, fields: &Map<String, Value>) {
        let metrics = info.metrics;
        for (label, field) in metrics.gives {
            self.given.insert(label, fields.get(*field).map(text).unwrap_or_default());
        }
        let labels: Vec<(&str, String)> = metrics
            .labels
            .iter()
            .filter_map(|label| {
                let value = match label {
                    Label::Given(name) => self.given.get(name).cloned(),
                    Label::Field(field) | Label::As(_, field) => fields.get(*field).map(text),
                };
                Some((label.name(), value?))
            })
            .collect();
        let set: Rc<str> = label_set(&labels).into();
        for metric in metrics.fields {
            let has = |field: &str| fields.contains_key(field);
            if !metric.with.is_none_or(has) || metric.without.is_some_and(has) {
                continue;
            }
            let Some(field) = within(fields, metric.field) else { continue };
            let with = |label: &str, value: String| -> Rc<str> {
                label_set(&[labels.as_slice(), &[(label, value)]].concat()).into()
            };
            let (set, value) = match (metric.measure, metric.extra) {
                (Measure::State, _) => (with(metric.field, text(field)), Some(1.0)),
                (Measure::Presence, _) => (Rc::clone(&set), Some(1.0)),
                (_, Some((label, value))) => (with(label, value.to_owned()), number(metric, field)),
                _ => (Rc::clone(&set), number(metric, field)),
            };
            let Some(value) = value else { continue };
            if !self.families.contains_key(metric.name) {
                let schema = self.schemas.entry(info.kind).or_insert_with(|| info.schema());
                let own = metric.field.split('.').next().unwrap_or_default();
                let help = schema["properties"][own]["description"].as_str().unwrap_or_default();
                let family = Family::of(metric, help);
                self.families.insert(metric.name.to_owned(), family);
            }
            self.add(metric.name, &set, value, || Family::of(metric, ""));
        }
    }

    /// All numbers and the severity.
    fn plain(&mut self, view: &View<'_>) {
        let header = view.header;
        let mut labels = vec![("name".to_owned(), header.name.clone())];
        if let Some(Value::Object(own)) = view.fields.get("labels") {
            for (key, value) in own {
                let (key, Some(value)) = (label_name(key), value.as_str()) else { continue };
                // A label that stands twice spoils the whole text.
                if labels.iter().all(|(known, _)| *known != key) {
                    labels.push((key, value.to_owned()));
                }
            }
        }
        let labels: Rc<str> = label_set(&labels).into();
        let kind = metric_name(&header.kind);
        let severity = f64::from(header.severity as u8);
        let unit = view.fields.get("unit").and_then(Value::as_str).unwrap_or_default();
        self.add(&format!("pso_{kind}_severity"), &labels, severity, || {
            Family::gauge("", "0 ok, 1 info, 2 warning, 3 high, 4 critical, 5 unknown")
        });
        for (field, value) in view.fields {
            let Some(value) = value.as_f64() else { continue };
            match field.as_str() {
                "schema" | "limit" => {}
                "value" => {
                    let (unit, value) = if unit == "ms" { ("seconds", value / 1000.0) } else { (unit, value) };
                    // To count is no unit, and `_count` is the ending of a histogram.
                    let unit = if unit == "count" { String::new() } else { metric_name(unit) };
                    let suffix = if unit.is_empty() { String::new() } else { format!("_{unit}") };
                    self.add(&format!("pso_{kind}_value{suffix}"), &labels, value, || {
                        Family::gauge(&unit, "The value of the record")
                    });
                }
                _ => {
                    // A limit is one of the value, and in its unit.
                    let of_value = matches!(field.as_str(), "warning_limit" | "critical_limit") && unit == "ms";
                    let value = if of_value { value / 1000.0 } else { value };
                    // Base units only, as Prometheus has it.
                    let (own, value) = match field.strip_suffix("_ms") {
                        Some(field) => (format!("{field}_seconds"), value / 1000.0),
                        None => (field.clone(), value),
                    };
                    let unit = own.rsplit_once('_').map_or("", |(_, unit)| unit);
                    let unit = if matches!(unit, "bytes" | "seconds" | "percent") { unit } else { "" };
                    self.add(&format!("pso_{kind}_{}", metric_name(&own)), &labels, value, || {
                        Family::gauge(unit, &format!("Field {field} of {}", header.kind))
                    });
                }
            }
        }
    }

    fn add(&mut self, name: &str, labels: &Rc<str>, value: f64, family: impl FnOnce() -> Family) {
        if !self.families.contains_key(name) {
            self.families.insert(name.to_owned(), family());
        }
        if let Some(family) = self.families.get_mut(name) {
            family.samples.insert(Rc::clone(labels), value);
        }
    }
}

impl Family {
    fn gauge(unit: &str, help: &str) -> Self {
        Self { kind: Some("gauge"), unit: unit.to_owned(), help: help.to_owned(), samples: BTreeMap::new() }
    }

    fn of(metric: &Metric, help: &str) -> Self {
        let base = counter_base(metric.name);
        // A counter's sample has to end in `_total`. One that postgres_exporter calls without it keeps its name, and so cannot
        // say that it is a counter; nor is it a gauge.
        let kind = match metric.measure {
            Measure::Counter if base == metric.name => None,
            Measure::Counter => Some("counter"),
            _ => Some("gauge"),
        };
        // Of the names that are not ours the ending is not always the unit: `…_age_datfrozenxid_seconds` counts transactions.
        let unit = ["bytes", "seconds"]
            .into_iter()
            .find(|unit| base.starts_with("pso_") && base.ends_with(&format!("_{unit}")));
        Self { kind, ..Self::gauge(unit.unwrap_or_default(), help) }
    }
}

/// The field, or with a dot what is within one.
fn within<'a>(fields: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    match path.split_once('.') {
        Some((field, rest)) => within(fields.get(field)?.as_object()?, rest),
        None => fields.get(path),
    }
}

/// A counter's name without the ending of its samples.
fn counter_base(name: &str) -> &str {
    name.strip_suffix("_total").unwrap_or(name)
}

/// The value in the unit that the metric's name says.
fn number(metric: &Metric, value: &Value) -> Option<f64> {
    if let Some(number) = value.as_f64() {
        let base = counter_base(metric.name);
        // `pg_stat_archiver_last_archive_age` is in seconds too; a `…_time` of postgres_exporter is in milliseconds.
        let divided = metric.field.ends_with("_ms") && (base.ends_with("_seconds") || base.ends_with("_age"));
        return Some(if divided { number / 1000.0 } else { number });
    }
    if let Some(truth) = value.as_bool() {
        return Some(f64::from(u8::from(truth)));
    }
    match value.as_str()? {
        // As settings are printed.
        "on" => Some(1.0),
        "off" => Some(0.0),
        text => {
            let moment = text.parse::<Timestamp>().ok().map(unix_seconds);
            moment.or_else(|| text.parse().ok().filter(|number: &f64| number.is_finite()))
        }
    }
}

/// Seconds since 1970, as OpenMetrics tells moments.
#[expect(clippy::cast_precision_loss, reason = "whole milliseconds of our times are exact")]
fn unix_seconds(at: Timestamp) -> f64 {
    (at.to_utc().unix_timestamp_nanos() / 1_000_000) as f64 / 1000.0
}

/// A label's value.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A name of the alphabet that OpenMetrics allows.
fn metric_name(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect()
}

/// A label's name. Those that begin with `__` are Prometheus's own, and `name` is ours.
fn label_name(text: &str) -> String {
    let name = metric_name(text);
    let is_taken = name == "name" || name.is_empty() || name.starts_with("__");
    if is_taken || name.starts_with(|first: char| first.is_ascii_digit()) { format!("label_{name}") } else { name }
}

fn label_set<N: AsRef<str>>(labels: &[(N, String)]) -> String {
    if labels.is_empty() {
        return String::new();
    }
    let mut set = String::from("{");
    for (at, (key, value)) in labels.iter().enumerate() {
        let comma = if at > 0 { "," } else { "" };
        // Writing to a String cannot fail.
        let _ = write!(set, "{comma}{}=\"{}\"", key.as_ref(), escaped(value));
    }
    set.push('}');
    set
}

/// Text in which nothing has to be escaped: OpenMetrics wants a quotation mark escaped there, the older format of Prometheus
/// refuses just that.
fn prose(text: &str) -> String {
    let plain = text.chars().map(|c| match c {
        '"' => '\'',
        '\\' => '/',
        '\n' => ' ',
        c => c,
    });
    plain.collect()
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::AnyRecord;

    fn rendered(lines: &[String], worst: Severity) -> String {
        let mut format = OpenMetrics::new("pso-test");
        for line in lines {
            let record = AnyRecord::parse(line.clone()).expect("a record");
            let fields = record.fields().expect("fields");
            format.record(&mut io::sink(), &View { header: &record.header, fields: &fields }).expect("gathered");
        }
        let mut out = Vec::new();
        format.finish(&mut out, worst).expect("written");
        String::from_utf8(out).expect("UTF-8")
    }

    fn line(kind: &str, severity: &str, name: &str, fields: &str) -> String {
        format!(
            r#"{{"schema":1,"kind":"{kind}","at":"2026-11-22T09:00:00Z","tool":"t","host":"h","severity":"{severity}","name":"{name}","message":"",{fields}}}"#
        )
    }

    #[test]
    fn families_stand_together_and_labels_are_escaped() {
        let lines = [("cpu", 12.5), ("a\\\"b", 3.0)].map(|(name, value)| {
            let fields = format!(r#""value":{value},"unit":"percent","labels":{{"path":"/"}}"#);
            line("health.metric", "warning", name, &fields)
        });
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
pso_worst_severity{tool="pso-test"} 2
# EOF
"#;
        assert_eq!(rendered(&lines, Severity::Warning), expected);
    }

    #[test]
    fn a_limit_has_the_unit_of_its_value() {
        let fields =
            r#""value":14,"unit":"ms","limit":2000,"warning_limit":2000,"critical_limit":5000,"elapsed_ms":14"#;
        let text = rendered(&[line("health.metric", "ok", "response_time", fields)], Severity::Ok);
        for expected in ["value_seconds{name=\"response_time\"} 0.014", "warning_limit{name=\"response_time\"} 2\n"] {
            assert!(text.contains(&format!("pso_health_metric_{expected}")), "{expected} is missing in\n{text}");
        }
        assert!(text.contains("pso_health_metric_critical_limit{name=\"response_time\"} 5\n"), "{text}");
    }

    #[test]
    fn a_label_of_any_name_leaves_the_text_valid() {
        let fields = r#""value":1,"labels":{"name":"x","__name__":"y","0":"z","":"e","A-b":"1","a_b":"2","é":"\r\n\"\\ \ud83d\ude00"}"#;
        let text = rendered(&[line("health.metric", "ok", "n", fields)], Severity::Ok);
        for expected in [r#"label_="e""#, r#"label_0="z""#, r#"a_b="1""#, r#"label___name__="y""#, r#"label_name="x""#]
        {
            assert_eq!(text.matches(expected).count(), 2, "{expected} is missing in\n{text}");
        }
        assert!(text.contains("_=\"\r\\n\\\"\\\\ 😀\"") && !text.contains("\"2\""), "{text}");
    }

    #[test]
    fn a_kind_that_declares_its_measurements_is_told_by_them() {
        let server = r#""version_num":150004,"version":"15.4","database":"plans","role":"r","reads_all_stats":true,"is_superuser":false,"in_recovery":false,"now":"2026-11-22T09:00:00Z","started_at":"2026-11-22T08:00:00.5Z","stats_since_at":"2026-11-22T08:00:00Z","stats_source":"server start","settings":{"max_connections":"100","fsync":"on"}"#;
        let slot = r#""slot_name":"a\nb","slot_type":"logical","active":true,"wal_status":"reserved","retained_bytes":16777216,"inactive_ms":1500"#;
        let text =
            rendered(&[line("pg.server", "ok", "plans", server), line("pg.slot", "ok", "a", slot)], Severity::Ok);
        let connections = r#""scope":"server","connections":5,"connection_limit":97,"active":2,"idle":3,"idle_in_transaction":0,"hidden":0"#;
        let text = text + &rendered(&[line("pg.connection", "ok", "server", connections)], Severity::Ok);
        for expected in [
            "pg_stat_activity_count{scope=\"server\",state=\"idle\"} 3\n",
            "# TYPE pg_replication_slot_slot_is_active gauge\n",
            "pg_replication_slot_slot_is_active{slot_name=\"a\\nb\",slot_type=\"logical\"} 1\n",
            "pg_replication_slot_wal_status{slot_name=\"a\\nb\",slot_type=\"logical\",wal_status=\"reserved\"} 1\n",
            "# UNIT pso_pg_slot_retained_bytes bytes\n",
            "pso_pg_slot_inactive_seconds{slot_name=\"a\\nb\",slot_type=\"logical\"} 1.5\n",
            "pg_postmaster_start_time_seconds 1795334400.5\n",
            "pg_settings_max_connections 100\n",
            "pg_settings_fsync 1\n",
        ] {
            assert!(text.contains(expected), "{expected} is missing in\n{text}");
        }
        assert!(!text.contains("severity{name") && !text.contains("two_phase"), "{text}");
    }

    #[test]
    fn a_counter_keeps_the_name_that_it_has_elsewhere() {
        let table = r#""schemaname":"s","relname":"t","object":"s.t","relkind":"r","n_tup_ins":7,"seq_scan":0"#;
        let index = r#""schemaname":"s","relname":"t","indexrelname":"i","idx_scan":3,"valid":true"#;
        let text =
            rendered(&[line("pg.table", "ok", "s.t", table), line("pg.index", "ok", "s.i", index)], Severity::Ok);
        // A counter's samples end in _total and its family does not; what is called without it is of no type.
        for expected in [
            "# TYPE pg_stat_user_indexes_idx_scan counter\n",
            "\npg_stat_user_indexes_idx_scan_total{schemaname=\"s\",relname=\"t\",indexrelname=\"i\"} 3\n",
            "\n# HELP pg_stat_user_tables_n_tup_ins Rows inserted since the statistics were reset (`n_tup_ins`).\n",
            "\npg_stat_user_tables_n_tup_ins{schemaname=\"s\",relname=\"t\"} 7\n",
        ] {
            assert!(text.contains(expected), "{expected} is missing in\n{text}");
        }
        assert!(!text.contains("TYPE pg_stat_user_tables_n_tup_ins"), "{text}");
    }
}
