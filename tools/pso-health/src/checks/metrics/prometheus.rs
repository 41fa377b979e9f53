//! `/metrics` as Prometheus text.
//!
//! Every line is understood; which number means what is told by its name (letter case does not count):
//!
//! | name | taken as |
//! |---|---|
//! | ends in `cpu_usage`, `memory_usage`, or these with `_percent` | percent; of several samples the largest |
//! | the same with `_ratio` | the same, times 100 |
//! | ends in `disk_io` | MB/s, summed over the samples |
//! | has `sync` and `operations` in it | operations in all, summed over the samples |
//! | the same with `failed`, `failure` or `error`; `sync_failed_total`, `sync_failures_total` | failed operations |
//! | a label `status`, `result`, `outcome` or `state` that says so on the operations | failed operations as well |
//! | has `sync_duration`, `sync_operation_duration` or `sync_avg_duration` in it | seconds (`_ms`: milliseconds); of a histogram or summary the mean |

use super::Readings;
use crate::finding::shown;
use crate::reading::{Reading, usable};

/// One line with a number.
#[derive(Debug, PartialEq)]
struct Sample<'a> {
    name: &'a str,
    labels: Vec<(&'a str, String)>,
    value: f64,
}

/// The numbers of a body, or `None` when it is not Prometheus text.
pub(super) fn parse(text: &str) -> Option<Readings> {
    let mut samples = Vec::new();
    let mut unparsed = 0;
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        match sample(line) {
            Some(sample) => samples.push(sample),
            None => unparsed += 1,
        }
    }
    // A page of prose can hold a line that looks like a sample.
    if samples.len() <= unparsed {
        return None;
    }
    let mut form = "Prometheus text".to_owned();
    if unparsed > 0 {
        form = format!("{form} ({unparsed} lines are not understood)");
    }
    let mut sums = Sums::default();
    for sample in &samples {
        sums.add(sample);
    }
    Some(Readings {
        form,
        cpu_usage: sums.cpu.map(reading),
        memory_usage: sums.memory.map(reading),
        sync_duration: match sums.duration_mean {
            (Some(sum), Some(count)) if count > 0.0 => Some(reading(sum / count)),
            _ => sums.duration.map(reading),
        },
        total: sums.total.map(reading),
        failed: sums.failed.map(reading),
        disk_io: sums.disk_io.map(reading),
        // Prometheus's own numbers count since the start.
        period: None,
    })
}

fn reading(value: f64) -> Reading {
    usable(value).map_err(|text| shown(&text))
}

/// What was found so far.
#[derive(Default)]
struct Sums {
    cpu: Option<f64>,
    memory: Option<f64>,
    duration: Option<f64>,
    /// Sum and count of a histogram or summary.
    duration_mean: (Option<f64>, Option<f64>),
    total: Option<f64>,
    failed: Option<f64>,
    disk_io: Option<f64>,
}

impl Sums {
    fn add(&mut self, sample: &Sample<'_>) {
        let name = sample.name.to_ascii_lowercase();
        let (gauge, factor) = match name.strip_suffix("_ratio") {
            Some(gauge) => (gauge, 100.0),
            None => (name.strip_suffix("_percent").unwrap_or(&name), 1.0),
        };
        if gauge.ends_with("cpu_usage") {
            largest(&mut self.cpu, sample.value * factor);
        } else if gauge.ends_with("memory_usage") {
            largest(&mut self.memory, sample.value * factor);
        } else if name.ends_with("disk_io") {
            add(&mut self.disk_io, sample.value);
        } else if ["sync_duration", "sync_operation_duration", "sync_avg_duration"]
            .iter()
            .any(|part| name.contains(part))
        {
            self.add_duration(&name, sample);
        } else if name.ends_with("sync_failed_total") || name.ends_with("sync_failures_total") {
            add(&mut self.failed, sample.value);
        } else if name.contains("sync") && name.contains("operations") {
            self.add_operations(&name, sample);
        }
    }

    fn add_duration(&mut self, name: &str, sample: &Sample<'_>) {
        let factor = if name.contains("_ms") || name.contains("_milliseconds") { 1e-3 } else { 1.0 };
        if name.ends_with("_sum") {
            add(&mut self.duration_mean.0, sample.value * factor);
        } else if name.ends_with("_count") {
            add(&mut self.duration_mean.1, sample.value);
        } else if !name.ends_with("_bucket") && !name.ends_with("_created") && !sample.has_label("quantile") {
            largest(&mut self.duration, sample.value * factor);
        }
    }

    fn add_operations(&mut self, name: &str, sample: &Sample<'_>) {
        let other = ["success", "active", "pending", "running", "queued", "_seconds", "_bytes", "_bucket", "_created"];
        if other.iter().any(|part| name.contains(part)) {
            return;
        }
        if says_failed(name) {
            return add(&mut self.failed, sample.value);
        }
        add(&mut self.total, sample.value);
        let outcome = sample.labels.iter().find(|(key, _)| matches!(*key, "status" | "result" | "outcome" | "state"));
        if let Some((_, word)) = outcome {
            // The label shows how failures are counted, so that none is a count of 0.
            add(&mut self.failed, if says_failed(&word.to_ascii_lowercase()) { sample.value } else { 0.0 });
        }
    }
}

fn says_failed(text: &str) -> bool {
    ["failed", "failure", "error"].iter().any(|word| text.contains(word))
}

fn add(sum: &mut Option<f64>, value: f64) {
    *sum = Some(sum.unwrap_or_default() + value);
}

/// NaN is kept, so that it is not hidden behind other samples.
fn largest(found: &mut Option<f64>, value: f64) {
    *found = Some(found.map_or(value, |before| if before > value || before.is_nan() { before } else { value }));
}

impl Sample<'_> {
    fn has_label(&self, key: &str) -> bool {
        self.labels.iter().any(|(own, _)| *own == key)
    }
}

/// `name{label="value",…} number [time]`, as the exposition format has it.
fn sample(line: &str) -> Option<Sample<'_>> {
    let end = line.find(|c: char| c == '{' || c.is_whitespace())?;
    let (name, mut rest) = line.split_at(end);
    let letters = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || !name.chars().all(letters) {
        return None;
    }
    let mut found = Vec::new();
    if let Some(inner) = rest.trim_start().strip_prefix('{') {
        (found, rest) = labels(inner)?;
    }
    let mut words = rest.split_whitespace();
    let value = words.next()?.parse().ok()?;
    // A time may follow, or an exemplar; anything else is not of this format.
    let well_formed = words.next().is_none_or(|word| word.starts_with('#') || word.parse::<f64>().is_ok());
    well_formed.then_some(Sample { name, labels: found, value })
}

/// The labels up to the closing brace, and what follows it.
fn labels(mut rest: &str) -> Option<(Vec<(&str, String)>, &str)> {
    let mut found = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if let Some(rest) = rest.strip_prefix('}') {
            return Some((found, rest));
        }
        let (key, after) = rest.split_once('=')?;
        let after = after.trim_start().strip_prefix('"')?;
        let mut value = String::new();
        let mut letters = after.char_indices();
        let end = loop {
            match letters.next()? {
                (at, '"') => break at,
                (_, '\\') => match letters.next()?.1 {
                    'n' => value.push('\n'),
                    other => value.push(other),
                },
                (_, other) => value.push(other),
            }
        };
        found.push((key.trim(), value));
        rest = &after[end + 1..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_exposition_format() {
        let found = sample(r#"a:b_1{ k="x\"y\\z\n}", é = "2", } 1.5e3 1749718800000"#).expect("a sample");
        assert_eq!((found.name, found.value), ("a:b_1", 1500.0));
        assert_eq!(found.labels, [("k", "x\"y\\z\n}".to_owned()), ("é", "2".to_owned())]);
        assert!(sample("x NaN").is_some_and(|found| found.value.is_nan()));
        assert_eq!(sample("x +Inf # {id=\"1\"} 2").expect("a sample").value, f64::INFINITY);
        for line in
            ["x", "1x 2", "x{", "x{a}", "x{a=\"b} 2", "x{a=\"b\"", "x two", "x 1 two", "{a=\"b\"} 1", "é 1", "x 1.2.3"]
        {
            assert_eq!(sample(line), None, "{line}");
        }
    }

    #[test]
    fn names_tell_what_is_what() {
        let readings = parse(
            "# HELP system_cpu_usage CPU\n# TYPE system_cpu_usage gauge\nsystem_cpu_usage{core=\"0\"} 12\n\
             system_cpu_usage{core=\"1\"} 34.5\nprocess_cpu_seconds_total 9000\nNode_Memory_Usage_Ratio 0.61\n\
             memory_usage_bytes 123456789\nsync_total_operations 240 1749718800000\nsync_failed_operations 3\n\
             sync_successful_operations 237\nsync_duration_seconds_bucket{le=\"60\"} 200\n\
             sync_duration_seconds_sum 7680\nsync_duration_seconds_count 240\nsystem_disk_io{device=\"a\"} 1\n\
             system_disk_io{device=\"b\"} 0.5\nnode_disk_io_time_seconds_total 7\n",
        )
        .expect("Prometheus text");
        let expected = Readings {
            form: "Prometheus text".to_owned(),
            cpu_usage: Some(Ok(34.5)),
            memory_usage: Some(Ok(61.0)),
            sync_duration: Some(Ok(32.0)),
            total: Some(Ok(240.0)),
            failed: Some(Ok(3.0)),
            disk_io: Some(Ok(1.5)),
            period: None,
        };
        assert_eq!(readings, expected);
    }

    #[test]
    fn outcomes_as_labels() {
        let readings = parse(
            "planning_sync_operations_total{status=\"success\"} 95\nplanning_sync_operations_total{status=\"Failed\"} 5\n\
             planning_sync_operations_active 3\nsync_avg_duration_ms 1500\n",
        )
        .expect("Prometheus text");
        assert_eq!((readings.total, readings.failed), (Some(Ok(100.0)), Some(Ok(5.0))));
        assert_eq!(readings.sync_duration, Some(Ok(1.5)));
        let readings = parse("sync_operations_total{status=\"success\"} 95\n").expect("Prometheus text");
        assert_eq!(readings.failed, Some(Ok(0.0)));
        assert_eq!(parse("sync_operations_total 95\n").expect("Prometheus text").failed, None);
    }

    #[test]
    fn numbers_that_are_none_are_kept_as_such() {
        let readings = parse("cpu_usage NaN\ncpu_usage{core=\"1\"} 3\nmemory_usage -1\nsync_duration_seconds_sum 0\nsync_duration_seconds_count 0\n??\n")
            .expect("Prometheus text");
        assert_eq!(readings.cpu_usage, Some(Err("NaN".to_owned())));
        assert_eq!(readings.memory_usage, Some(Err("-1".to_owned())));
        assert_eq!(readings.sync_duration, None);
        assert_eq!(readings.form, "Prometheus text (1 lines are not understood)");
    }
}
