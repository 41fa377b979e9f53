//! Counts of the same class, type and bucket.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use pso_common::record::LogCountRecord;
use pso_common::{Run, Severity, Timestamp};

use crate::merge::example::{Span, as_written};
use crate::merge::folded::{Folded, cut};
use crate::report::sum::{Judge, Sum};
use crate::report::{Extent, OTHER_SAYS, count_name};
use crate::scan::tally::OTHER_TYPES;
use crate::search::class::Class;

/// Longest names that are told apart, in bytes; scans cut types at 96.
const MAX_NAME_BYTES: usize = 256;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    class: String,
    r#type: Option<String>,
    bucket: Option<(Timestamp, Option<u64>)>,
}

#[derive(Debug)]
struct Total {
    severity: Severity,
    count: u64,
    span: Span,
}

/// All counts so far.
#[derive(Debug, Default)]
pub(super) struct Counts(Folded<Key, Total>);

impl Counts {
    pub(super) fn add(&mut self, severity: Severity, body: LogCountRecord) {
        let LogCountRecord { class, r#type, count, bucket_at, bucket_seconds, first_at, last_at, .. } = body;
        let key = Key {
            class: cut(class, MAX_NAME_BYTES),
            r#type: r#type.map(|name| cut(name, MAX_NAME_BYTES)),
            bucket: bucket_at.map(|at| (as_written(at), bucket_seconds)),
        };
        let span = Span::new(first_at, last_at, body.example, body.example_raw);
        let size = size_of::<Key>() + key.class.len() + key.r#type.as_ref().map_or(0, String::len) + span.size();
        self.0.add(key, Total { severity, count, span }, size, other_key, |old, new| {
            old.severity = old.severity.max(new.severity);
            old.count = old.count.saturating_add(new.count);
            old.span.fold(new.span);
        });
    }

    /// How many counts were not kept apart.
    pub(super) const fn lost(&self) -> u64 {
        self.0.lost()
    }

    /// Writes of each class its sum, its types and its histogram, as a scan does.
    ///
    /// # Errors
    /// When stdout is closed or cannot be written.
    pub(super) fn write(self, run: &mut Run<'_>, judge: &Judge<'_>, extent: Option<Extent>) -> anyhow::Result<()> {
        let mut classes: BTreeMap<(Class, String), Vec<(Key, Total)>> = BTreeMap::new();
        for (key, total) in self.0.into_values() {
            // The specification's stand first.
            let rank = Class::built_in(&key.class).unwrap_or(Class::Added(0));
            classes.entry((rank, key.class.clone())).or_default().push((key, total));
        }
        for ((_, class), totals) in classes {
            write_class(run, &class, totals, judge, extent)?;
        }
        Ok(())
    }
}

/// Which key stands for one that has no room. Cells of histograms are left out: their sum says that they are missing.
fn other_key(key: &Key) -> Option<Key> {
    let class = Class::built_in(&key.class).map_or(OTHER_TYPES, Class::built_in_name).to_owned();
    let r#type = key.r#type.as_ref().map(|_| OTHER_TYPES.to_owned());
    key.bucket.is_none().then_some(Key { class, r#type, bucket: None })
}

fn write_class(
    run: &mut Run<'_>,
    class: &str,
    mut totals: Vec<(Key, Total)>,
    judge: &Judge<'_>,
    extent: Option<Extent>,
) -> anyhow::Result<()> {
    // How frequent each type is, for the order of types and of their cells.
    let of_type: HashMap<Option<String>, u64> = totals
        .iter()
        .filter(|(key, _)| key.bucket.is_none())
        .map(|(key, total)| (key.r#type.clone(), total.count))
        .collect();
    let in_no_bucket = in_no_bucket(&totals);
    let rank = |key: &Key| {
        let count = of_type.get(&key.r#type).copied().unwrap_or(0);
        let is_rest = key.r#type.as_deref() == Some(OTHER_TYPES);
        // The sum before its types, both before the histogram; the most frequent type first, what is left last.
        (key.bucket.is_some(), key.r#type.is_some(), is_rest, Reverse(count))
    };
    totals.sort_by(|(a, _), (b, _)| rank(a).cmp(&rank(b)).then_with(|| a.cmp(b)));
    for (key, total) in totals {
        let Total { severity, count, span } = total;
        let (bucket_at, bucket_seconds) = key.bucket.map_or((None, None), |(at, seconds)| (Some(at), seconds));
        let (severity, message) = match (&key.r#type, bucket_at) {
            (None, None) => {
                let sum = Sum { class, count, in_no_bucket, other_types: 0 };
                // Where nothing was read, the parts have said so; here something was counted.
                let extent = extent.filter(|extent| extent.read > 0 || count == 0);
                (severity.max(judge.severity(class, count)), judge.message(&sum, extent))
            }
            (Some(name), None) if name == OTHER_TYPES => (severity, OTHER_SAYS.to_owned()),
            _ => (severity, String::new()),
        };
        let (first_at, last_at) = (span.first_at(), span.last_at());
        let (example, example_raw) = span.into_example();
        let name = count_name(class, key.r#type.as_deref(), bucket_at);
        let body = LogCountRecord {
            class: class.to_owned(),
            r#type: key.r#type,
            count,
            bucket_at,
            bucket_seconds,
            first_at,
            last_at,
            example,
            example_raw,
        };
        run.emit(severity, name, message, body)?;
    }
    Ok(())
}

/// Lines of a class that are in no bucket of its histogram; 0 where it has none, or several.
fn in_no_bucket(totals: &[(Key, Total)]) -> u64 {
    let of_class = || totals.iter().filter(|(key, _)| key.r#type.is_none());
    let spans: BTreeSet<Option<u64>> = of_class().filter_map(|(key, _)| key.bucket.map(|(_, span)| span)).collect();
    let sum = |in_bucket: bool| {
        let totals = of_class().filter(|(key, _)| key.bucket.is_some() == in_bucket);
        totals.fold(0_u64, |sum, (_, total)| sum.saturating_add(total.count))
    };
    if spans.len() == 1 { sum(false).saturating_sub(sum(true)) } else { 0 }
}
