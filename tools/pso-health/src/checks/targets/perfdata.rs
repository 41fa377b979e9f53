//! What a Nagios plugin writes: a line for people, and behind `|` its numbers.
//!
//! <https://nagios-plugins.org/doc/guidelines.html#AEN200> has the form: `'label'=value[UOM];[warn];[crit];[min];[max]`.

use std::collections::HashSet;

use pso_common::Severity;
use pso_common::record::HealthMetricRecord;

use crate::finding::shown;

/// More numbers than this are a mistake, or an attack.
const MOST: usize = 100;

/// The first line of the output without its numbers, and the numbers of all lines.
pub(super) fn split(output: &str) -> (&str, Vec<Number>) {
    let (first, rest) = output.split_once('\n').unwrap_or((output, ""));
    let (text, numbers) = first.split_once('|').unwrap_or((first, ""));
    // Behind a `|` in the further lines there may be more.
    let more = rest.split_once('|').map_or("", |(_, more)| more);
    let mut seen = HashSet::new();
    // Two of one label would be one series with two values.
    let all = parse(numbers).chain(parse(more)).filter(|number| seen.insert(number.label.clone())).take(MOST);
    (text.trim(), all.collect())
}

/// One number of the perfdata.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Number {
    pub(super) label: String,
    value: f64,
    unit: String,
    warning: Option<Range>,
    critical: Option<Range>,
}

/// `[@][start:][end]`: outside of it (with `@`: within it) it is an alert.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Range {
    least: f64,
    most: f64,
    inside: bool,
}

impl Number {
    /// Its record, and how bad it is by its own limits.
    pub(super) fn record(&self, elapsed_ms: u64) -> (Severity, HealthMetricRecord) {
        let beyond = |range: Option<Range>| range.is_some_and(|range| range.alerts(self.value));
        let severity = match (beyond(self.warning), beyond(self.critical)) {
            (_, true) => Severity::Critical,
            (true, false) => Severity::Warning,
            (false, false) => Severity::Ok,
        };
        // Only limits of one side, and both of the same, can be said in a record.
        let sides = [self.warning, self.critical].map(|range| range.and_then(Range::one_side));
        let minimum = sides.iter().flatten().any(|(_, minimum)| *minimum);
        let alike = sides.iter().flatten().all(|(_, other)| *other == minimum);
        let [warning_limit, critical_limit] = sides.map(|side| side.filter(|_| alike).map(|(limit, _)| limit));
        let record = HealthMetricRecord {
            value: self.value,
            unit: self.unit.clone(),
            limit: if severity == Severity::Critical { critical_limit } else { warning_limit.or(critical_limit) },
            warning_limit,
            critical_limit,
            minimum: minimum && alike,
            elapsed_ms,
            ..HealthMetricRecord::default()
        };
        (severity, record)
    }

    /// As people read it: `used 91.5 percent`.
    pub(super) fn show(&self) -> String {
        let unit = if self.unit == "count" { "" } else { &self.unit };
        format!("{} {}", self.value, unit).trim_end().to_owned()
    }
}

impl Range {
    fn parse(text: &str) -> Option<Self> {
        let (inside, text) = text.strip_prefix('@').map_or((false, text), |rest| (true, rest));
        let (least, most) = text.split_once(':').unwrap_or(("0", text));
        let number = |text: &str| text.parse().ok().filter(|number: &f64| number.is_finite());
        let least = match least {
            "~" => f64::NEG_INFINITY,
            "" => 0.0,
            least => number(least)?,
        };
        let most = if most.is_empty() { f64::INFINITY } else { number(most)? };
        (least <= most && !text.is_empty()).then_some(Self { least, most, inside })
    }

    fn alerts(self, value: f64) -> bool {
        (self.least..=self.most).contains(&value) == self.inside
    }

    /// Its limit, and whether that is a minimum, where it has only one.
    fn one_side(self) -> Option<(f64, bool)> {
        match (self.inside, self.least, self.most) {
            (false, least, most) if most.is_infinite() && least.is_finite() => Some((least, true)),
            (false, least, most) if most.is_finite() && least <= 0.0 => Some((most, false)),
            _ => None,
        }
    }

    fn scaled(self, factor: f64) -> Self {
        Self { least: self.least * factor, most: self.most * factor, ..self }
    }
}

/// The numbers of a line, or of several; what is none is left out.
fn parse(text: &str) -> impl Iterator<Item = Number> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            rest = rest.trim_start();
            if rest.is_empty() {
                return None;
            }
            let (label, after) = label(rest)?;
            let end = after.find(char::is_whitespace).unwrap_or(after.len());
            let fields = &after[..end];
            rest = &after[end..];
            if let Some(number) = number(&label, fields) {
                return Some(number);
            }
        }
    })
}

/// The label up to its `=`. One with blanks in it stands in quotes, in which two are one.
fn label(text: &str) -> Option<(String, &str)> {
    let Some(mut quoted) = text.strip_prefix('\'') else {
        let (label, rest) = text.split_once('=')?;
        return Some((label.to_owned(), rest));
    };
    let mut label = String::new();
    loop {
        let (part, rest) = quoted.split_once('\'')?;
        label.push_str(part);
        match rest.strip_prefix('\'') {
            Some(more) => {
                label.push('\'');
                quoted = more;
            }
            None => return Some((label, rest.strip_prefix('=')?)),
        }
    }
}

fn number(label: &str, fields: &str) -> Option<Number> {
    let mut fields = fields.split(';');
    let first = fields.next()?;
    let end = length(first);
    // `U` stands for a number that could not be found out.
    let value: f64 = first[..end].parse().ok().filter(|value: &f64| value.is_finite())?;
    // What is left of a number that is written otherwise (`1,5ms`) is no unit: the value would be wrong.
    let ends = |c: char| !c.is_ascii_digit() && !"+-.,".contains(c);
    let (unit, factor) = unit(Some(&first[end..]).filter(|unit| unit.chars().next().is_none_or(ends))?);
    let mut range = || Some(Range::parse(fields.next()?)?.scaled(factor));
    let (warning, critical) = (range(), range());
    let label = shown(label);
    (!label.is_empty()).then_some(Number { label, value: value * factor, unit, warning, critical })
}

/// How long the number at the beginning is, with its exponent: some plugins write `1.2e-05s`.
fn length(text: &str) -> usize {
    let digits = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let end = text.find(|c: char| !c.is_ascii_digit() && !"+-.".contains(c)).unwrap_or(text.len());
    let Some(power) = text[end..].strip_prefix(['e', 'E']) else { return end };
    let unsigned = power.strip_prefix(['+', '-']).unwrap_or(power);
    match digits(unsigned) {
        0 => end,
        length => text.len() - unsigned.len() + length,
    }
}

/// A unit as the records name it, and what the number is multiplied with for it. The guidelines leave open what a KB is;
/// their own plugins count in steps of 1024.
fn unit(text: &str) -> (String, f64) {
    let (unit, factor) = match text {
        "" | "c" => ("count", 1.0),
        "%" => ("percent", 1.0),
        "s" => ("seconds", 1.0),
        "ms" => ("ms", 1.0),
        "us" => ("ms", 1e-3),
        "B" => ("bytes", 1.0),
        "KB" => ("bytes", 1024.0),
        "MB" => ("bytes", 1_048_576.0),
        "GB" => ("bytes", 1_073_741_824.0),
        "TB" => ("bytes", 1_099_511_627_776.0),
        other => return (shown(other), 1.0),
    };
    (unit.to_owned(), factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guidelines_example() {
        let output = "DISK OK - free space: / 3326 MB (56%); | /=2643MB;5948;5958;0;5968\n/ 15272 MB (77%);\n/boot 68 MB \
                      (69%);\n/var/log 819 MB (84%); | /boot=68MB;88;93;0;98\n/home=69357MB;253404;253409;0;253414 \
                      'it''s = x'=U\n";
        let (text, numbers) = split(output);
        assert_eq!(text, "DISK OK - free space: / 3326 MB (56%);");
        assert_eq!(numbers.iter().map(|number| number.label.as_str()).collect::<Vec<_>>(), ["/", "/boot", "/home"]);
        let (severity, record) = numbers[0].record(7);
        assert_eq!(severity, Severity::Ok);
        let mib = 1_048_576.0;
        assert_eq!((record.value, record.unit.as_str()), (2643.0 * mib, "bytes"));
        assert_eq!((record.warning_limit, record.critical_limit), (Some(5948.0 * mib), Some(5958.0 * mib)));
    }

    #[test]
    fn ranges_as_the_guidelines_have_them() {
        for (range, alerts, quiet) in [
            ("10", vec![-0.1, 10.1], vec![0.0, 10.0]),
            ("10:", vec![9.9], vec![10.0, 1e9]),
            ("~:10", vec![10.1], vec![-1e9, 10.0]),
            ("10:20", vec![9.9, 20.1], vec![10.0, 20.0]),
            ("@10:20", vec![10.0, 20.0], vec![9.9, 20.1]),
        ] {
            let parsed = Range::parse(range).expect("a range");
            assert!(alerts.iter().all(|value| parsed.alerts(*value)), "{range}");
            assert!(quiet.iter().all(|value| !parsed.alerts(*value)), "{range}");
        }
        for text in ["", "x", "20:10", "1e999", ":NaN"] {
            assert_eq!(Range::parse(text), None, "{text}");
        }
    }

    fn one(text: &str) -> (Severity, HealthMetricRecord) {
        let (_, numbers) = split(&format!("x|{text}"));
        assert_eq!(numbers.len(), 1, "{text}");
        numbers[0].record(0)
    }

    #[test]
    fn limits_of_both_sides_judge_and_are_not_shown_as_one() {
        let (severity, record) = one("t=5;10:20;0:30");
        assert_eq!((severity, record.warning_limit, record.critical_limit), (Severity::Warning, None, Some(30.0)));
        let (severity, record) = one("left=3%;10:;5:");
        assert_eq!((severity, record.minimum, record.limit), (Severity::Critical, true, Some(5.0)));
        let (severity, record) = one("odd=7;10:;20");
        assert_eq!((severity, record.minimum, record.warning_limit), (Severity::Warning, false, None));
    }

    #[test]
    fn units_and_what_is_none() {
        let (_, numbers) =
            split("|a=1us b=2c c=3req/s 'd e'=0.5s;1;2;;; f=x g= =1 h=-1.5ms;;5\u{1b} i=4 'never closed=1");
        let all: Vec<_> = numbers.iter().map(|number| (number.label.as_str(), number.show())).collect();
        let expected =
            [("a", "0.001 ms"), ("b", "2"), ("c", "3 req/s"), ("d e", "0.5 seconds"), ("h", "-1.5 ms"), ("i", "4")];
        assert_eq!(all, expected.map(|(label, text)| (label, text.to_owned())));
        assert_eq!(split("no numbers\nx").1, []);
        let many: String = (0..1000).map(|at| format!("a{at}=1 ")).collect();
        assert_eq!(split(&format!("x|{many}")).1.len(), MOST);
    }

    #[test]
    fn a_number_is_read_whole_or_not_at_all() {
        let (_, numbers) = split("|a=1e3 b=1.2E-05s c=1,5ms d=1e999 e=2eggs a=4 f=7");
        let all: Vec<_> = numbers.iter().map(|number| (number.label.as_str(), number.show())).collect();
        let expected = [("a", "1000"), ("b", "0.000012 seconds"), ("e", "2 eggs"), ("f", "7")];
        assert_eq!(all, expected.map(|(label, text)| (label, text.to_owned())));
    }
}
