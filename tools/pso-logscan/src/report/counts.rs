//! The events and counts of all classes.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use pso_common::record::{LogCountRecord, LogEventRecord};
use pso_common::{Run, Severity, Timestamp};

use crate::report::sum::{Judge, Sum};
use crate::report::{Extent, text};
use crate::scan::buckets::{Buckets, Histogram};
use crate::scan::tally::{ClassTally, Count, Counts, Event, Excerpt, OTHER_TYPES};
use crate::settings::Settings;
use crate::stamps::Moment;

/// The message of a type that stands for several.
pub(crate) const OTHER_SAYS: &str = "all other types together";

/// Writes the events of all classes, then of each its sum, its types and its histogram.
///
/// # Errors
/// When stdout is closed or cannot be written.
pub(crate) fn classes(
    run: &mut Run<'_>,
    mut counts: Counts,
    paths: &[String],
    extent: Extent,
    settings: &Settings,
) -> anyhow::Result<()> {
    let classes = &settings.classes;
    for class in classes.all() {
        let latest = counts.classes.get_mut(class);
        for event in std::mem::take(&mut latest.latest.events) {
            let path = paths.get(event.position.file).cloned().unwrap_or_default();
            self::event(run, classes.name(class), event, path)?;
        }
    }
    for class in classes.all() {
        one(run, classes.name(class), counts.classes.take(class), extent, settings)?;
    }
    Ok(())
}

/// Writes one event of the class of that name.
///
/// # Errors
/// As [`classes`].
pub(crate) fn event(run: &mut Run<'_>, class: &str, event: Event, path: String) -> anyhow::Result<()> {
    let Event { position, r#type, line } = event;
    let (message, raw) = text(&line);
    let name = count_name(class, r#type.as_deref(), None);
    let body = LogEventRecord {
        class: class.to_owned(),
        r#type,
        path,
        line: (position.line > 0).then_some(position.line),
        offset: position.offset,
        occurred_at: position.at.and_then(Moment::timestamp),
        raw,
    };
    run.emit(Severity::Info, name, message, body)
}

/// One class's sum, types and histogram.
fn one(run: &mut Run<'_>, class: &str, tally: ClassTally, extent: Extent, settings: &Settings) -> anyhow::Result<()> {
    let ClassTally { sum, types, mut histogram, .. } = tally;
    let mut types: Vec<Type> =
        types.into_iter().map(|(name, (count, example))| Type { name, count, example }).collect();
    types.sort_by(|a, b| a.rank().cmp(&b.rank()));
    let other_types = settings.top.map_or(0, |top| fold_behind(top, &mut types, &mut histogram));
    let judge = Judge { max_errors: settings.max_errors, classes: &settings.classes };
    let said = Sum { class, count: sum.count, in_no_bucket: histogram.missing, other_types };
    let severity = if extent.read == 0 { Severity::Unknown } else { judge.severity(class, sum.count) };
    let message = judge.message(&said, Some(extent));
    run.emit(severity, class, message, record(class, None, sum))?;
    for Type { name, count, example } in &types {
        let (example, example_raw) = text(example);
        let body = LogCountRecord { example: Some(example), example_raw, ..record(class, Some(name), *count) };
        let message = if name == OTHER_TYPES { OTHER_SAYS } else { "" };
        run.emit(Severity::Info, count_name(class, Some(name), None), message, body)?;
    }
    let Some(by) = settings.by else { return Ok(()) };
    cells(run, class, None, &histogram.sums, by)?;
    for Type { name, .. } in &types {
        if let Some(counts) = histogram.types.get(name) {
            cells(run, class, Some(name), counts, by)?;
        }
    }
    Ok(())
}

/// A type of a class.
struct Type {
    name: String,
    count: Count,
    example: Excerpt,
}

impl Type {
    /// The most frequent first, what could not be told apart last.
    fn rank(&self) -> (bool, Reverse<u64>, &str) {
        (self.name == OTHER_TYPES, Reverse(self.count.count), &self.name)
    }
}

/// Folds all but the first `top` types into one, which stands behind them; says how many they were.
fn fold_behind(top: usize, types: &mut Vec<Type>, histogram: &mut Histogram) -> u64 {
    // What could not be told apart when it was counted is no type, however frequent it is.
    let other = types.pop_if(|last| last.name == OTHER_TYPES);
    let rest = if top < types.len() { types.split_off(top) } else { Vec::new() };
    let folded = rest.len() as u64;
    let mut rest = other.into_iter().chain(rest);
    let Some(first) = rest.next() else { return 0 };
    let mut all = Type { name: OTHER_TYPES.to_owned(), count: Count::default(), example: Excerpt::default() };
    let (mut cells, mut earliest) = (BTreeMap::new(), first.count.first);
    all.example.clone_from(&first.example);
    for one in std::iter::once(first).chain(rest) {
        all.count.add(one.count);
        // The example is of the earliest, and of what is not dated only where nothing is.
        if one.count.first.is_some() && (earliest.is_none() || one.count.first < earliest) {
            earliest = one.count.first;
            all.example = one.example;
        }
        for (bucket, count) in histogram.types.remove(&one.name).unwrap_or_default() {
            *cells.entry(bucket).or_default() += count;
        }
    }
    histogram.types.insert(all.name.clone(), cells);
    types.push(all);
    folded
}

/// The histogram of one class, or of one of its types.
fn cells(
    run: &mut Run<'_>,
    class: &str,
    r#type: Option<&str>,
    counts: &BTreeMap<i64, u64>,
    by: Buckets,
) -> anyhow::Result<()> {
    for (&bucket, &count) in counts {
        let bucket_at = by.start(bucket).timestamp();
        let sum = Count { count, ..Count::default() };
        let body = LogCountRecord { bucket_at, bucket_seconds: Some(by.seconds()), ..record(class, r#type, sum) };
        run.emit(Severity::Info, count_name(class, r#type, bucket_at), "", body)?;
    }
    Ok(())
}

/// The name of a count: `class`, `class.type`, `class@2025-06-12T09:00:00Z` or `class.type@2025-06-12T09:00:00Z`.
pub(crate) fn count_name(class: &str, r#type: Option<&str>, bucket_at: Option<Timestamp>) -> String {
    let dot = if r#type.is_some() { "." } else { "" };
    let bucket = bucket_at.map_or_else(String::new, |at| format!("@{at}").replace(".000Z", "Z"));
    format!("{class}{dot}{}{bucket}", r#type.unwrap_or_default())
}

fn record(class: &str, r#type: Option<&str>, counted: Count) -> LogCountRecord {
    LogCountRecord {
        class: class.to_owned(),
        r#type: r#type.map(str::to_owned),
        count: counted.count,
        first_at: counted.first.and_then(Moment::timestamp),
        last_at: counted.last.and_then(Moment::timestamp),
        ..LogCountRecord::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_behind_the_first_are_folded_into_one() {
        let one = |name: &str, count, first: Option<i64>| Type {
            name: name.to_owned(),
            count: Count { count, first: first.map(Moment), last: first.map(Moment) },
            example: Excerpt::of(name.as_bytes(), 9),
        };
        let all = || vec![one("A", 9, Some(5)), one("B", 7, Some(3)), one("C", 1, Some(4)), one(OTHER_TYPES, 99, None)];
        let folded = |top| {
            let (mut types, mut histogram) = (all(), Histogram::default());
            for (name, bucket, count) in [("A", 0, 9), ("B", 1, 7), ("C", 1, 1), (OTHER_TYPES, 2, 99)] {
                histogram.add(Some(name), Some(bucket), count, &mut 100);
            }
            let folded = fold_behind(top, &mut types, &mut histogram);
            let other = types.pop().expect("the others");
            assert_eq!(other.name, OTHER_TYPES);
            let cells: u64 = histogram.types[OTHER_TYPES].values().sum();
            let example = String::from_utf8(other.example.bytes).expect("UTF-8");
            (folded, types.len(), other.count.count, other.count.first.map(|at| at.0), example, cells)
        };
        assert_eq!(folded(1), (2, 1, 107, Some(3), "B".to_owned(), 107));
        assert_eq!(folded(0), (3, 0, 116, Some(3), "B".to_owned(), 116));
        assert_eq!(folded(2), (1, 2, 100, Some(4), "C".to_owned(), 100));
        assert_eq!(folded(3), (0, 3, 99, None, OTHER_TYPES.to_owned(), 99));
        let mut types = vec![one("A", 9, None)];
        assert_eq!(fold_behind(1, &mut types, &mut Histogram::default()), 0);
        assert_eq!(types.len(), 1);
    }

    #[test]
    fn a_name_says_class_type_and_bucket() {
        let at = "2025-06-12T09:00:00Z".parse().ok();
        assert_eq!(count_name("error", None, None), "error");
        assert_eq!(count_name("error", Some("A"), None), "error.A");
        assert_eq!(count_name("error", Some("A"), at), "error.A@2025-06-12T09:00:00Z");
        assert_eq!(count_name("error", None, at), "error@2025-06-12T09:00:00Z");
    }
}
